//! What is measured: our packages, our apps in memory, and the peers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use bench::signed_in::sign_in;
use local::identity_provider::{CLIENT_ID, IdentityProvider, TENANT};
use secrecy::ExposeSecret;
use shared::azure::{Azure, AzureIdentity, StorageEndpoint, StorageService, http_client};
use shared::base_url::PublicBaseUrl;
use shared::config::Settings;
use shared::seal::KeyRing;
use shared::storage::AzureTables;
use tokio::net::TcpListener;
use url::Url;

use crate::process::{OTHER_CORE, Process, Program, SERVER_CORE, free_port};
use crate::server::{Server, USERS};
use crate::sign_in::Place;

/// Where the programs are, as `tests/bench/run` has put them.
const RELEASE: &str = "target/release";
const PACKAGES: &str = "target/bench/packages";
const SCRIPTS: &str = "target/bench/npm";
const PYTHON: &str = "target/bench/python/bin/python";
const PYTHON_SERVER: &str = "tests/bench/peers/python_server.py";
const NODE: &str = "target/bench/node";

/// A secret that nothing depends on.
const CLIENT_SECRET: &str = "a-secret-of-the-bench";

/// An account of Azurite's.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    tables: String,
    blobs: String,
}

impl Storage {
    /// The account with these endpoints.
    pub(crate) fn at(tables: &str, blobs: &str) -> Self {
        Self { tables: tables.to_owned(), blobs: blobs.to_owned() }
    }

    fn records(&self) -> AzureTables {
        let env = [("TABLES", self.tables.as_str())];
        let mut settings = Settings::new(&env);
        let tables = StorageEndpoint::read(&mut settings, "TABLES", StorageService::Table);
        let azure = Azure::new(&AzureIdentity::Developer, http_client().unwrap()).unwrap();
        AzureTables::new(&azure, tables.unwrap())
    }
}

/// The servers that requests are measured on; the first one is what all are compared with.
pub(crate) async fn servers(
    storage: &Storage,
    collector: SocketAddr,
    warm_up: Duration,
) -> Vec<Server> {
    let release = Path::new(RELEASE);
    let typescript = [&format!("{SCRIPTS}/typescript.mjs")[..]];
    vec![
        bare_axum(),
        in_memory(),
        observed(collector),
        deployed(storage).await,
        Server::peer("rmcp, bare", &release.join("bare-rmcp"), &[]),
        Server::peer("TypeScript SDK 2", Path::new(NODE), &typescript).warmed_up_for(warm_up),
        Server::peer("Python SDK 2", Path::new(PYTHON), &[PYTHON_SERVER, "http"])
            .warmed_up_for(warm_up),
    ]
}

/// The servers that hold streams of HTTP+SSE; the first one is what all are compared with.
pub(crate) fn servers_of_streams(warm_up: Duration) -> Vec<Server> {
    let typescript = [&format!("{SCRIPTS}/typescript_sse.mjs")[..]];
    vec![
        bare_axum(),
        in_memory(),
        Server::peer("TypeScript SDK 1", Path::new(NODE), &typescript).warmed_up_for(warm_up),
        Server::peer("Python SDK 2", Path::new(PYTHON), &[PYTHON_SERVER, "sse"])
            .warmed_up_for(warm_up),
    ]
}

fn bare_axum() -> Server {
    Server::peer("axum, bare", &Path::new(RELEASE).join("bare-axum"), &[])
}

fn in_memory() -> Server {
    Server::in_memory("mcp-fn, in memory", &Path::new(RELEASE).join("bench-mcp-fn"))
}

/// The same, which sends spans and metrics to `collector`, as many as deployed apps do.
fn observed(collector: SocketAddr) -> Server {
    let endpoint = format!("http://{collector}");
    let settings = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let file = Path::new(RELEASE).join("bench-mcp-fn");
    Server::in_memory("mcp-fn, with telemetry", &file).told(settings)
}

/// A collector of OTLP that takes everything and keeps nothing.
pub(crate) async fn collector() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(async |_: Bytes| ());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    address
}

/// The package of mcp-fn, with users who have signed in.
async fn deployed(storage: &Storage) -> Server {
    let (keys, origin) = (KeyRing::generate(), "https://gw.example.com");
    let base_url = PublicBaseUrl::try_from(origin).unwrap();
    let tokens = sign_in(USERS, &keys, &base_url, &storage.records()).await.unwrap();
    let settings = settings(&[
        ("PUBLIC_BASE_URL", origin),
        ("SESSION_KEYS", keys.to_setting().expose_secret()),
        ("SESSION_TABLES_ENDPOINT", &storage.tables),
        ("RELAY_TABLES_ENDPOINT", &storage.tables),
        ("BLOBS_ENDPOINT", &storage.blobs),
    ]);
    let file = Path::new(PACKAGES).join("mcp-fn/handler");
    Server::deployed("mcp-fn, package on Azurite", &file, settings, tokens)
}

/// A system that users sign in at. What is measured is its first process.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) processes: Vec<(&'static str, Process)>,
}

/// oauth-fn on both stores, and the whole local system in one process.
pub(crate) async fn systems(storage: &Storage) -> Vec<System> {
    let (release, package) = (Path::new(RELEASE), Path::new(PACKAGES).join("oauth-fn/handler"));
    vec![
        apart("oauth-fn, in memory", &release.join("bench-oauth-fn"), storage).await,
        apart("oauth-fn, package on Azurite", &package, storage).await,
        local_system(&release.join("local")).await,
    ]
}

/// oauth-fn and the identity provider in a process each. The public origin is the identity
/// provider's, which knows no other; clients reach oauth-fn where it is.
async fn apart(name: &'static str, file: &Path, storage: &Storage) -> System {
    let port = free_port();
    let base_url = PublicBaseUrl::try_from(format!("http://127.0.0.1:{port}").as_str()).unwrap();
    let program = Program {
        name: format!("{name}: identity provider"),
        file: Path::new(RELEASE).join("bench-identity-provider"),
        arguments: vec![port.to_string(), CLIENT_SECRET.to_owned()],
        settings: Vec::new(),
        core: OTHER_CORE,
    };
    let mut identity_provider = Process::start(&program, port);
    identity_provider.wait_until_it_listens().await;
    let program = Program {
        name: name.to_owned(),
        file: file.to_owned(),
        arguments: Vec::new(),
        settings: settings(&[
            ("PUBLIC_BASE_URL", base_url.as_str()),
            ("SESSION_KEYS", KeyRing::generate().to_setting().expose_secret()),
            ("GRANT_KEYS", KeyRing::generate().to_setting().expose_secret()),
            ("SESSION_TABLES_ENDPOINT", &storage.tables),
            ("UPSTREAM_ISSUER", &IdentityProvider::issuer_at(&base_url, TENANT)),
            ("UPSTREAM_CLIENT_ID", CLIENT_ID),
            ("UPSTREAM_CREDENTIAL", CLIENT_SECRET),
            ("ALLOWED_TENANTS", TENANT),
            ("REQUESTS_PER_MINUTE", "0"),
            ("CLIENT_METADATA_HOSTS", "off"),
        ]),
        core: SERVER_CORE,
    };
    let mut oauth_fn = Process::start(&program, free_port());
    oauth_fn.wait_until_it_listens().await;
    let place = Place {
        base_url: Url::parse(base_url.as_str()).unwrap(),
        oauth_fn: oauth_fn.address,
        identity_provider: identity_provider.address,
    };
    let processes = vec![("oauth-fn", oauth_fn), ("identity provider", identity_provider)];
    System { name, place, processes }
}

async fn local_system(file: &Path) -> System {
    let name = "local --memory, all in one";
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let listen = address.to_string();
    let flags = [
        "--memory",
        "--sign-in-as",
        "alice",
        "--requests-per-minute",
        "0",
        "--client-metadata-hosts",
        "off",
        "--listen",
        &listen,
    ];
    let program = Program {
        name: name.to_owned(),
        file: file.to_owned(),
        arguments: flags.map(str::to_owned).to_vec(),
        settings: Vec::new(),
        core: SERVER_CORE,
    };
    let mut process = Process::start(&program, address.port());
    process.wait_until_it_listens().await;
    let base_url = Url::parse(&format!("http://{address}")).unwrap();
    let place = Place { base_url, oauth_fn: address, identity_provider: address };
    System { name, place, processes: vec![("whole system", process)] }
}

fn settings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

//! The packages as they are deployed: each behind a host of its own, both behind the gateway, on
//! Azurite, before the development identity provider.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use functions_host::{Host, HostOptions, Package, Programs, relay};
use local::gateway::{self, Backends, FunctionKey};
use local::identity_provider::{CLIENT_ID, IdentityProvider, Parts, TENANT};
use local::keys::Keys;
use local::{Data, Options};
use mcp_fn::snippets::azure::AzureBlobs;
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use reqwest::Method;
use secrecy::ExposeSecret;
use shared::azure::{Azure, AzureIdentity, StorageEndpoint, StorageService};
use shared::base_url::PublicBaseUrl;
use shared::clock::SystemClock;
use shared::config::{Env, ProcessEnv, Settings};
use shared::storage::{AzureTables, CountedStore, StorageCalls};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::running::Told;
use crate::system::AccountSettings;

/// Whether the suite runs on packages: `E2E_PACKAGES` names the directory that they are in.
pub(crate) fn wanted() -> bool {
    DIRECTORY.is_some()
}

static DIRECTORY: LazyLock<Option<String>> = LazyLock::new(|| ProcessEnv.get("E2E_PACKAGES"));

/// oauth-fn and mcp-fn, unpacked once for all tests.
static UNPACKED: LazyLock<[Arc<Package>; 2]> = LazyLock::new(|| {
    ["oauth-fn.zip", "mcp-fn.zip"].map(|name| {
        let path = Path::new(DIRECTORY.as_ref().unwrap()).join(name);
        Arc::new(Package::open(&path, Programs::Static).unwrap())
    })
});

/// A system of packages. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Packages {
    pub(crate) base_url: PublicBaseUrl,
    pub(crate) identity_provider: IdentityProvider,
    pub(crate) records: Arc<CountedStore>,
    pub(crate) oauth_calls: Arc<Calls>,
    pub(crate) mcp_calls: Arc<Calls>,
    hosts: [Host; 2],
    servers: Vec<JoinHandle<()>>,
}

impl Packages {
    /// What `told` says, with its data in `account`.
    pub(crate) async fn start(told: Told, account: &AccountSettings) -> Self {
        let Told { options, settings: changes, of_both } = told;
        let listener = TcpListener::bind(options.listen).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let base_url = PublicBaseUrl::try_from(origin.as_str()).unwrap();
        let keys = keys(&options.data);
        let records = open(account).await;
        let mut servers = Vec::new();
        let (oauth_calls, mcp_calls) = (Arc::<Calls>::default(), Arc::<Calls>::default());
        let of_oauth = counted(&account[0].1, &oauth_calls, &mut servers).await;
        let of_mcp = counted(&account[0].1, &mcp_calls, &mut servers).await;
        let function_key = FunctionKey::generate();
        let mut both = vec![
            ("PUBLIC_BASE_URL", origin),
            ("SESSION_KEYS", keys.session_keys.to_setting().expose_secret().to_owned()),
        ];
        both.extend(of_both);
        let mut oauth_fn = of_oauth_fn(&options, &keys, &base_url);
        oauth_fn.extend(both.clone());
        oauth_fn.extend(changes);
        oauth_fn.push(("SESSION_TABLES_ENDPOINT", of_oauth));
        let mut mcp_fn = vec![
            ("SESSION_TABLES_ENDPOINT", of_mcp),
            // What goes from instance to instance is no call of an operation.
            ("RELAY_TABLES_ENDPOINT", account[0].1.clone()),
            account[1].clone(),
        ];
        mcp_fn.extend(both);
        // Revoked at once: nobody can wait half a minute for each test.
        mcp_fn.push(("SESSION_CACHE_SECONDS", "0".to_owned()));
        let [first, second] = &*UNPACKED;
        let hosts =
            tokio::join!(host(first, oauth_fn, &function_key), host(second, mcp_fn, &function_key));
        let identity_provider = IdentityProvider::new(Parts {
            base_url: base_url.clone(),
            client_secret: keys.client_secret,
            signing_key: keys.signing_key,
            refresh_key: keys.refresh_key,
            sign_in_as: options.sign_in_as,
            clock: Arc::new(SystemClock),
        });
        let backends = Backends {
            oauth_fn: relay(hosts.0.address()),
            mcp_fn: relay(hosts.1.address()),
            identity_provider: identity_provider.router(),
            function_key,
        };
        servers.push(serve(listener, gateway::router(backends).unwrap()));
        let hosts = hosts.into();
        Self { base_url, identity_provider, records, oauth_calls, mcp_calls, hosts, servers }
    }

    /// Ends the system, and frees its address.
    pub(crate) async fn stop(mut self) {
        for server in std::mem::take(&mut self.servers) {
            server.abort();
            let _ended = server.await;
        }
        drop(self);
    }
}

impl Drop for Packages {
    #[expect(clippy::print_stdout, reason = "it is shown with the test that failed")]
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
        if std::thread::panicking() {
            let logs = self.hosts.iter().flat_map(Host::log);
            logs.for_each(|line| println!("{:?}: {}", line.level, line.text));
        }
    }
}

/// The settings of oauth-fn alone.
fn of_oauth_fn(
    options: &Options,
    keys: &Keys,
    base_url: &PublicBaseUrl,
) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("GRANT_KEYS", keys.grant_keys.to_setting().expose_secret().to_owned()),
        ("UPSTREAM_ISSUER", IdentityProvider::issuer_at(base_url, TENANT)),
        ("UPSTREAM_CLIENT_ID", CLIENT_ID.to_owned()),
        ("UPSTREAM_CREDENTIAL", keys.client_secret.expose_secret().to_owned()),
        ("ALLOWED_TENANTS", TENANT.to_owned()),
        (
            "REQUESTS_PER_MINUTE",
            options.requests_per_minute.map_or(0, std::num::NonZeroU32::get).to_string(),
        ),
    ];
    if options.document_policy == DocumentPolicy::Off {
        settings.push(("CLIENT_METADATA_HOSTS", "off".to_owned()));
    }
    settings
}

async fn host(
    package: &Arc<Package>,
    settings: Vec<(&'static str, String)>,
    key: &FunctionKey,
) -> Host {
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let function_key = key.expose().to_owned();
    let options = HostOptions { function_key, settings, ..HostOptions::default() };
    Host::start(Arc::clone(package), options).await.unwrap()
}

/// The keys that a system on `data` has, or is to have.
fn keys(data: &Data) -> Keys {
    match data {
        Data::Directory(path) => {
            std::fs::create_dir_all(path).unwrap();
            Keys::in_file(&path.join("keys.json")).unwrap()
        }
        Data::Memory | Data::Azure { .. } => Keys::in_memory().unwrap(),
    }
}

/// The account as a deployment leaves it, and the way of a test to its rows.
async fn open(account: &AccountSettings) -> Arc<CountedStore> {
    let (azure, tables, blobs) = read(account);
    AzureBlobs::new(&azure, blobs).unwrap().make_container().await.unwrap();
    Arc::new(CountedStore::new(Arc::new(AzureTables::new(&azure, tables))))
}

fn read(account: &AccountSettings) -> (Azure, StorageEndpoint, StorageEndpoint) {
    let env = account.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut settings = Settings::new(&env);
    let identity = AzureIdentity::read(&mut settings).unwrap();
    let tables = StorageEndpoint::read(&mut settings, account[0].0, StorageService::Table);
    let blobs = StorageEndpoint::read(&mut settings, account[1].0, StorageService::Blob);
    let azure = Azure::new(&identity, shared::azure::http_client().unwrap()).unwrap();
    (azure, tables.unwrap(), blobs.unwrap())
}

fn serve(listener: TcpListener, router: Router) -> JoinHandle<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, service).await.unwrap() })
}

/// What an app asked of Table Storage, seen on the way.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    reads: AtomicU64,
    writes: AtomicU64,
    tables: AtomicU64,
}

impl Calls {
    pub(crate) fn so_far(&self) -> StorageCalls {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StorageCalls { reads: of(&self.reads), writes: of(&self.writes), tables: of(&self.tables) }
    }

    fn count(&self, request: &Request) {
        let of_tables = request.uri().path().contains("/Tables");
        let count = match *request.method() {
            _ if of_tables => &self.tables,
            Method::GET => &self.reads,
            _ => &self.writes,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// An endpoint that leads to `endpoint` and counts what passes.
async fn counted(endpoint: &str, calls: &Arc<Calls>, servers: &mut Vec<JoinHandle<()>>) -> String {
    let url = Url::parse(endpoint).unwrap();
    let azurite = url.socket_addrs(|| None).unwrap()[0];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let counting = from_fn_with_state(Arc::clone(calls), count);
    servers.push(serve(listener, relay(azurite).layer(counting)));
    format!("http://{here}{}", url.path())
}

async fn count(State(calls): State<Arc<Calls>>, request: Request, next: Next) -> Response {
    calls.count(&request);
    next.run(request).await
}

//! The packages as they are deployed: each behind a host of its own, both behind the gateway, before
//! the development identity provider. Where they keep their data is told by their settings.

mod preflights;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use axum::middleware::from_fn;
use functions_host::{Host, HostOptions, LogLine, Package, Programs, relay};
use local::Options;
use local::gateway::{self, Backends, FunctionKey};
use local::identity_provider::{CLIENT_ID, IdentityProvider, Parts, TENANT};
use local::keys::Keys;
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use secrecy::{ExposeSecret, SecretString};
use shared::base_url::PublicBaseUrl;
use shared::clock::SystemClock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The name of a setting and what it says.
pub(crate) type Setting = (&'static str, String);

/// Why something does not start.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// The two packages, unpacked.
#[derive(Debug)]
pub(crate) struct Unpacked {
    oauth_fn: Arc<Package>,
    mcp_fn: Arc<Package>,
}

impl Unpacked {
    /// The packages in `directory`.
    pub(crate) fn from(directory: &Path) -> Result<Self, Cause> {
        let open = |name| Package::open(&directory.join(name), Programs::Static).map(Arc::new);
        Ok(Self { oauth_fn: open("oauth-fn.zip")?, mcp_fn: open("mcp-fn.zip")? })
    }
}

/// The settings of each app about its storage, and whatever else is not as usual.
#[derive(Debug)]
pub(crate) struct OwnSettings {
    pub(crate) oauth_fn: Vec<Setting>,
    pub(crate) mcp_fn: Vec<Setting>,
}

/// A system of packages. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct PackagedSystem {
    pub(crate) base_url: PublicBaseUrl,
    pub(crate) identity_provider: IdentityProvider,
    hosts: [Host; 2],
    gateway: JoinHandle<io::Result<()>>,
}

impl PackagedSystem {
    /// Starts a system; it serves when this returns. Of `options`, the address, the user, the limit and
    /// the policy for documents are told to packages; whatever else is not as usual stands in `own`.
    pub(crate) async fn start(
        packages: &Unpacked,
        keys: Keys,
        options: &Options,
        own: OwnSettings,
    ) -> Result<Self, Cause> {
        let listener = TcpListener::bind(options.listen).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let base_url = PublicBaseUrl::try_from(origin.as_str())?;
        let mut of_both = vec![("PUBLIC_BASE_URL", origin)];
        of_both.push(("SESSION_KEYS", exposed(&keys.session_keys.to_setting())));
        let of_oauth_fn = [of_both.clone(), of_oauth_fn(options, &keys, &base_url), own.oauth_fn];
        let of_mcp_fn = [of_both, own.mcp_fn];
        let function_key = FunctionKey::generate();
        let (oauth_fn, mcp_fn) = tokio::try_join!(
            host(&packages.oauth_fn, of_oauth_fn.concat(), &function_key),
            host(&packages.mcp_fn, of_mcp_fn.concat(), &function_key),
        )?;
        let identity_provider = IdentityProvider::new(Parts {
            base_url: base_url.clone(),
            client_secret: keys.client_secret,
            signing_key: keys.signing_key,
            refresh_key: keys.refresh_key,
            sign_in_as: options.sign_in_as,
            clock: Arc::new(SystemClock),
        });
        let backends = Backends {
            oauth_fn: relay(oauth_fn.address()),
            mcp_fn: relay(mcp_fn.address()),
            identity_provider: identity_provider.router(),
            function_key,
        };
        let gateway = gateway::router(backends)?.layer(from_fn(preflights::answer));
        let service = gateway.into_make_service_with_connect_info::<SocketAddr>();
        let gateway = tokio::spawn(axum::serve(listener, service).into_future());
        Ok(Self { base_url, identity_provider, hosts: [oauth_fn, mcp_fn], gateway })
    }

    /// Serves no longer, and frees its address.
    pub(crate) async fn stop(&mut self) {
        self.gateway.abort();
        let _ended = (&mut self.gateway).await;
    }

    /// What both handlers have printed, and what happened to them.
    pub(crate) fn log(&self) -> impl Iterator<Item = LogLine> {
        self.hosts.iter().flat_map(Host::log)
    }
}

impl Drop for PackagedSystem {
    fn drop(&mut self) {
        self.gateway.abort();
    }
}

/// The settings of oauth-fn alone.
fn of_oauth_fn(options: &Options, keys: &Keys, base_url: &PublicBaseUrl) -> Vec<Setting> {
    let requests_per_minute = options.requests_per_minute.map_or(0, NonZeroU32::get);
    let mut settings = vec![
        ("GRANT_KEYS", exposed(&keys.grant_keys.to_setting())),
        ("UPSTREAM_ISSUER", IdentityProvider::issuer_at(base_url, TENANT)),
        ("UPSTREAM_CLIENT_ID", CLIENT_ID.to_owned()),
        ("UPSTREAM_CREDENTIAL", exposed(&keys.client_secret)),
        ("ALLOWED_TENANTS", TENANT.to_owned()),
        ("REQUESTS_PER_MINUTE", requests_per_minute.to_string()),
    ];
    if options.document_policy == DocumentPolicy::Off {
        settings.push(("CLIENT_METADATA_HOSTS", "off".to_owned()));
    }
    settings
}

fn exposed(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}

async fn host(
    package: &Arc<Package>,
    settings: Vec<Setting>,
    key: &FunctionKey,
) -> Result<Host, Cause> {
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let function_key = key.expose().to_owned();
    let options = HostOptions { function_key, settings, ..HostOptions::default() };
    let started = Host::start(Arc::clone(package), options).await;
    started.map_err(|(error, log)| format!("{error}\n{log:#?}").into())
}

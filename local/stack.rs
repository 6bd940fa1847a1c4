//! Puts the system together: one listener, the gateway, both apps and what stands for Azure.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use axum::{Router, serve};
use oauth_fn::{UpstreamConfig, UpstreamCredential};
use shared::base_url::{InvalidBaseUrl, PublicBaseUrl};
use shared::clock::{Clock, SystemClock};
use shared::serve::ServeError;
use shared::session::InvalidDirectoryId;
use shared::storage::{CountedStore, RecordStore};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

use crate::embedded::{EmbeddedStore, OpenError};
use crate::files::make_directory;
use crate::gateway::{self, Backends, InvalidDocument};
use crate::identity_provider::{CLIENT_ID, IdentityProvider, Parts, Person, TENANT};
use crate::keys::{KeyFileError, Keys};

/// How long connections may take to end when the system stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a system is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen, on this machine; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data: Data,
    /// Whom the identity provider signs in without asking.
    pub sign_in_as: Option<Person>,
    /// How long mcp-fn believes a session that it has read.
    pub session_cache: Duration,
    /// Tells the time to everything in the system.
    pub clock: Arc<dyn Clock>,
}

/// Where a system keeps its data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Data {
    /// In a directory, which is made if it is not there. It survives restarts.
    Directory(PathBuf),
    /// Nowhere: it ends with the process.
    Memory,
}

impl Default for Options {
    /// On any free port, in memory, and as deployed otherwise.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: Data::Memory,
            sign_in_as: None,
            session_cache: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
        }
    }
}

/// A running system. It ends when it is dropped.
#[derive(Debug)]
pub struct Stack {
    base_url: PublicBaseUrl,
    store: Arc<EmbeddedStore>,
    oauth_records: Arc<CountedStore>,
    mcp_records: Arc<CountedStore>,
    identity_provider: IdentityProvider,
    shutdown: Option<oneshot::Sender<()>>,
    server: JoinHandle<io::Result<()>>,
}

impl Stack {
    /// Starts a system; it serves when this returns.
    ///
    /// # Errors
    /// The address is taken or not this machine's alone, or the data cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        if !options.listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(options.listen));
        }
        let listener = shared::serve::bind(options.listen).await?;
        let base_url = base_url_of(&listener)?;
        let data = options.data.clone();
        let (store, keys) = tokio::task::spawn_blocking(move || open(&data)).await??;
        let system = System::new(base_url, store, keys, &options)?;
        Ok(system.serve(listener))
    }

    /// The origin that everything is served under.
    pub fn base_url(&self) -> &PublicBaseUrl {
        &self.base_url
    }

    /// What oauth-fn asks of storage.
    pub fn oauth_records(&self) -> &Arc<CountedStore> {
        &self.oauth_records
    }

    /// What mcp-fn asks of storage.
    pub fn mcp_records(&self) -> &Arc<CountedStore> {
        &self.mcp_records
    }

    /// The development identity provider.
    pub fn identity_provider(&self) -> &IdentityProvider {
        &self.identity_provider
    }

    /// Ends the system: open requests get a moment to finish, and the data is closed.
    pub async fn stop(mut self) {
        drop(self.shutdown.take());
        if tokio::time::timeout(FAREWELL, &mut self.server).await.is_err() {
            tracing::debug!("connections were still open");
        }
        let store = Arc::clone(&self.store);
        // The last commit goes to the disk; it does not matter here who waits for it.
        let _closed = tokio::task::spawn_blocking(move || store.close()).await;
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.server.abort();
        self.store.close();
    }
}

/// Everything but the listener.
struct System {
    base_url: PublicBaseUrl,
    store: Arc<EmbeddedStore>,
    oauth_records: Arc<CountedStore>,
    mcp_records: Arc<CountedStore>,
    identity_provider: IdentityProvider,
    router: Router,
}

impl System {
    fn new(
        base_url: PublicBaseUrl,
        store: EmbeddedStore,
        keys: Keys,
        options: &Options,
    ) -> Result<Self, StartError> {
        let store = Arc::new(store);
        let records: Arc<dyn RecordStore> = Arc::clone(&store) as _;
        let oauth_records = Arc::new(CountedStore::new(Arc::clone(&records)));
        let mcp_records = Arc::new(CountedStore::new(records));
        let upstream = upstream(&base_url, &keys)?;
        let mcp_fn = mcp_fn::router(
            &mcp_fn::config::Config {
                base_url: base_url.clone(),
                session_keys: keys.session_keys.clone(),
                session_cache: options.session_cache,
            },
            mcp_fn::Doors {
                records: Arc::clone(&mcp_records) as _,
                snippets: Arc::clone(&store) as _,
                clock: Arc::clone(&options.clock),
            },
        );
        let oauth_fn = oauth_fn::router(
            oauth_fn::Config {
                base_url: base_url.clone(),
                session_keys: keys.session_keys,
                grant_keys: keys.grant_keys,
                upstream,
            },
            oauth_fn::Doors {
                records: Arc::clone(&oauth_records) as _,
                clock: Arc::clone(&options.clock),
                http: http_client()?,
            },
        );
        let identity_provider = IdentityProvider::new(Parts {
            base_url: base_url.clone(),
            client_secret: keys.client_secret,
            signing_key: keys.signing_key,
            refresh_key: keys.refresh_key,
            sign_in_as: options.sign_in_as,
            clock: Arc::clone(&options.clock),
        });
        let backends = Backends { oauth_fn, mcp_fn, identity_provider: identity_provider.router() };
        let router = gateway::router(backends)?;
        Ok(Self { base_url, store, oauth_records, mcp_records, identity_provider, router })
    }

    fn serve(self, listener: TcpListener) -> Stack {
        let (shutdown, told) = oneshot::channel::<()>();
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::trace!(%error, "TCP_NODELAY is not set");
            }
        });
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        let server = serve(listener, service).with_graceful_shutdown(async {
            // A sender that is gone says the same as one that speaks.
            let _told = told.await;
        });
        Stack {
            base_url: self.base_url,
            store: self.store,
            oauth_records: self.oauth_records,
            mcp_records: self.mcp_records,
            identity_provider: self.identity_provider,
            shutdown: Some(shutdown),
            server: tokio::spawn(server.into_future()),
        }
    }
}

fn base_url_of(listener: &TcpListener) -> Result<PublicBaseUrl, StartError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    Ok(PublicBaseUrl::try_from(format!("http://{address}").as_str())?)
}

// The store is opened first: its lock keeps a second process away from the keys as well.
fn open(data: &Data) -> Result<(EmbeddedStore, Keys), StartError> {
    match data {
        Data::Memory => Ok((EmbeddedStore::in_memory()?, Keys::in_memory()?)),
        Data::Directory(path) => {
            make_directory(path)
                .map_err(|source| StartError::DataDirectory { path: path.clone(), source })?;
            let store = EmbeddedStore::in_file(&path.join("store.redb"))?;
            Ok((store, Keys::in_file(&path.join("keys.json"))?))
        }
    }
}

fn upstream(base_url: &PublicBaseUrl, keys: &Keys) -> Result<UpstreamConfig, StartError> {
    Ok(UpstreamConfig {
        issuer: Url::parse(&IdentityProvider::issuer_at(base_url, TENANT))?,
        client_id: CLIENT_ID.to_owned(),
        credential: UpstreamCredential::Secret(keys.client_secret.clone()),
        scopes: ["openid", "profile", "offline_access", "User.Read"].map(str::to_owned).to_vec(),
        allowed_tenants: vec![TENANT.to_owned().try_into()?],
    })
}

/// The way from oauth-fn to the identity provider: never through a proxy, as both are here.
fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}

/// Why a system does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The origin cannot be built from the address.
    #[error("the address makes no origin")]
    BaseUrl(#[from] InvalidBaseUrl),
    /// The directory for the data cannot be made.
    #[error("the data directory {} cannot be used", .path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// The start was interrupted.
    #[error("the start was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Others could reach the development identity provider, which asks for no password.
    #[error(
        "will not listen on {0}: anybody can sign in at the development identity provider, so \
         only this machine may reach it; use an address such as 127.0.0.1:8787"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The routes cannot be read.
    #[error(transparent)]
    Routes(#[from] InvalidDocument),
    /// The data cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The tenant of the identity provider is none.
    #[error(transparent)]
    Tenant(#[from] InvalidDirectoryId),
    /// The issuer of the identity provider is no URL.
    #[error("the issuer is not a URL")]
    Issuer(#[from] url::ParseError),
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn get(url: &str) -> reqwest::Result<reqwest::Response> {
        reqwest::Client::builder().no_proxy().build()?.get(url).send().await
    }

    fn in_directory(path: &std::path::Path) -> Options {
        Options { data: Data::Directory(path.to_owned()), ..Options::default() }
    }

    #[tokio::test]
    async fn a_system_serves_until_it_is_stopped() {
        let stack = Stack::start(Options::default()).await.unwrap();
        let page = stack.base_url().at("/");

        let serving = get(&page).await.unwrap().status();
        stack.stop().await;

        assert_eq!(serving, 200);
        assert!(get(&page).await.is_err());
    }

    #[tokio::test]
    async fn an_address_that_others_reach_is_refused() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
            let listen = address.parse().unwrap();

            let started = Stack::start(Options { listen, ..Options::default() }).await;

            assert!(matches!(started, Err(StartError::NotLoopback(_))), "{address}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_told_in_one_line() {
        let first = Stack::start(Options::default()).await.unwrap();
        let listen = first.base_url().authority().parse().unwrap();

        let second = Stack::start(Options { listen, ..Options::default() }).await.unwrap_err();

        let line = second.to_string();
        assert!(line.starts_with(&format!("cannot listen on {listen}")), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }

    #[tokio::test]
    async fn a_directory_serves_one_system_at_a_time_and_the_next_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = Stack::start(in_directory(directory.path())).await.unwrap();

        let second = Stack::start(in_directory(directory.path())).await;
        first.stop().await;
        let third = Stack::start(in_directory(directory.path())).await;

        assert!(matches!(second, Err(StartError::Store(OpenError::InUse(_)))), "{second:?}");
        assert!(third.is_ok());
    }

    #[tokio::test]
    async fn damaged_data_are_named_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        Stack::start(in_directory(directory.path())).await.unwrap().stop().await;
        for name in ["keys.json", "store.redb"] {
            let file = directory.path().join(name);
            let good = fs::read(&file).unwrap();
            fs::write(&file, "damaged").unwrap();

            let error = Stack::start(in_directory(directory.path())).await.unwrap_err();

            assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
            assert_eq!(fs::read(&file).unwrap(), b"damaged");
            fs::write(&file, good).unwrap();
        }
    }

    #[tokio::test]
    async fn a_file_is_no_directory_for_data() {
        let file = tempfile::NamedTempFile::new().unwrap();

        let error = Stack::start(in_directory(file.path())).await.unwrap_err();

        assert!(matches!(&error, StartError::DataDirectory { path, .. } if path == file.path()));
    }
}

//! The whole system: one listener, the gateway, both apps and what stands for Azure.

mod options;
mod start_error;
mod stores;
mod system;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve;
use axum::serve::ListenerExt;
use shared::base_url::PublicBaseUrl;
use shared::serve::{STALLED, ServeError, end_if_stalled};
use shared::storage::CountedStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::embedded::EmbeddedStore;
use crate::identity_provider::IdentityProvider;

pub use options::{Data, Options};
pub use start_error::StartError;

use system::System;

/// How long connections may take to end when the system stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// A running system. It ends when it is dropped.
#[derive(Debug)]
pub struct Stack {
    base_url: PublicBaseUrl,
    embedded: Option<Arc<EmbeddedStore>>,
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
        let (stores, keys) = stores::open(&options.data).await?;
        let system = System::new(base_url, stores, keys, &options)?;
        Ok(Self::serve(system, listener))
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
        if let Some(store) = self.embedded.clone() {
            // The last commit goes to the disk; it does not matter here who waits for it.
            let _closed = tokio::task::spawn_blocking(move || store.close()).await;
        }
    }

    fn serve(system: System, listener: TcpListener) -> Self {
        let (shutdown, told) = oneshot::channel::<()>();
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::trace!(%error, "TCP_NODELAY is not set");
            }
            end_if_stalled(stream, STALLED);
        });
        let service = system.router.into_make_service_with_connect_info::<SocketAddr>();
        let server = serve(listener, service).with_graceful_shutdown(async {
            // A sender that is gone says the same as one that speaks.
            let _told = told.await;
        });
        Self {
            base_url: system.base_url,
            embedded: system.embedded,
            oauth_records: system.oauth_records,
            mcp_records: system.mcp_records,
            identity_provider: system.identity_provider,
            shutdown: Some(shutdown),
            server: tokio::spawn(server.into_future()),
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.server.abort();
        if let Some(store) = &self.embedded {
            store.close();
        }
    }
}

fn base_url_of(listener: &TcpListener) -> Result<PublicBaseUrl, StartError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    Ok(PublicBaseUrl::try_from(format!("http://{address}").as_str())?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::azure::AzureAccount;
    use crate::embedded::OpenError;

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
    async fn an_azurite_that_does_not_run_is_named_with_the_way_to_start_it() {
        let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let endpoint = format!("http://{free}/devstoreaccount1");
        let env = ["SESSION_TABLES_ENDPOINT", "BLOBS_ENDPOINT"].map(|name| (name, &*endpoint));
        let account = Box::new(AzureAccount::read(&env).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let data = Data::Azure { account, keys: Some(keys.clone()) };

        let error = Stack::start(Options { data, ..Options::default() }).await.unwrap_err();

        let line = error.to_string();
        assert!(line.contains(&endpoint), "{line}");
        assert!(line.contains("npx azurite --skipApiVersionCheck"), "{line}");
        assert!(!keys.exists(), "nothing is left behind");
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

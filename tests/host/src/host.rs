//! The host: one package, its handler, and the address at which it takes requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::front;
use crate::log::{Log, LogLine};
use crate::package::Package;
use crate::process::{Handler, StartError};

/// How a package is served.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Where requests are taken, on this machine; port 0 takes any free port.
    pub listen: SocketAddr,
    /// The key that opens the function.
    pub function_key: String,
    /// The settings of the app: the environment of its handler, beside what the host adds.
    pub settings: Vec<(String, String)>,
    /// How long the handler may take to answer for the first time.
    pub readiness: Duration,
    /// How long nothing may come from the handler before a request is given up.
    pub activity: Duration,
}

impl Default for HostOptions {
    /// As Azure serves, with no settings and a key that nobody can guess or use.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            function_key: String::new(),
            settings: Vec::new(),
            readiness: Duration::from_secs(30),
            activity: Duration::from_mins(4),
        }
    }
}

/// A host that serves. It ends when it is dropped, and kills its handler as Azure does: without a
/// warning.
#[derive(Debug)]
pub struct Host {
    address: SocketAddr,
    log: Log,
    server: JoinHandle<io::Result<()>>,
}

impl Host {
    /// Serves `package`; its handler has answered when this returns.
    ///
    /// # Errors
    /// The handler does not come up; the lines that it wrote are given too.
    pub async fn start(
        package: Arc<Package>,
        options: HostOptions,
    ) -> Result<Self, (StartError, Vec<LogLine>)> {
        let log = Log::default();
        let started = Self::serve(package, options, log.clone()).await;
        started.map_err(|error| (error, log.lines()))
    }

    async fn serve(
        package: Arc<Package>,
        options: HostOptions,
        log: Log,
    ) -> Result<Self, StartError> {
        let listener = TcpListener::bind(options.listen).await;
        let address = listener
            .as_ref()
            .map_err(|_| StartError)
            .and_then(|listener| listener.local_addr().map_err(|_| StartError))?;
        let handler = Handler::start(Arc::clone(&package), &options, log.clone()).await?;
        let router: Router = front::router(package, handler, &options);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let listener = listener.map_err(|_| StartError)?;
        let server = tokio::spawn(axum::serve(listener, service).into_future());
        Ok(Self { address, log, server })
    }

    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the handler has printed, and what happened to it.
    pub fn log(&self) -> Vec<LogLine> {
        self.log.lines()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.abort();
    }
}

//! The door to HTTP: binds the loopback port that the Functions host forwards to, and serves.

use std::future::{Future, IntoFuture};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::Instrument;

use crate::config::{InvalidSettings, Settings};
use crate::deadline;

/// The port of the custom handler, from `FUNCTIONS_CUSTOMHANDLER_PORT`.
///
/// # Errors
/// The setting is missing or not a port.
pub fn port(settings: &mut Settings<'_>) -> Option<u16> {
    settings.required("FUNCTIONS_CUSTOMHANDLER_PORT", |text| {
        text.parse().map_err(|_| "must be a port: the Functions host sets it")
    })
}

/// How long requests may take to end when the process is told to stop.
const FAREWELL: Duration = Duration::from_secs(2);

/// Takes `port` of the loopback interface: connections wait from now on for whoever serves.
///
/// # Errors
/// The port is taken.
pub async fn listen(port: u16) -> Result<TcpListener, ServeError> {
    bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Serves `router` until the process is told to stop, and a little longer for requests that are under
/// way.
///
/// # Errors
/// The listener failed.
pub async fn serve(listener: TcpListener, router: Router) -> Result<(), ServeError> {
    tracing::info!(address = %listener.local_addr()?, "serving");
    let listener = listener.tap_io(|stream| end_if_stalled(stream, STALLED));
    let told = Arc::new(Notify::new());
    let tell = Arc::clone(&told);
    let stop = async move {
        told_to_stop().await;
        tell.notify_one();
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stop).into_future() => served?,
        // Streams that are open would hold us up until they end by themselves.
        () = async { told.notified().await; sleep(FAREWELL).await } => {}
    }
    Ok(())
}

/// How long a connection may take nothing of what is sent to it.
pub const STALLED: Duration = Duration::from_mins(1);

/// Lets the system end a connection whose peer takes nothing for `time`, though something is there
/// for it (RFC 5482): whoever writes to it waits, and would wait for as long as the peer likes.
pub fn end_if_stalled(stream: &TcpStream, time: Duration) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(time)) {
        tracing::debug!(%error, "stalled connections are not ended");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _elsewhere = (stream, time);
}

/// Binds `address`.
///
/// # Errors
/// The address is taken or is not this machine's.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
}

/// Resolves when the process is asked to end.
pub async fn told_to_stop() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut stream) => drop(stream.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// Runs `work` to its end even if the caller goes away: a client that disconnects drops the
/// handler's future, and a write of several steps must not stop in between. What it logs stays with
/// the caller's, and it has no more time than the caller's request.
///
/// # Errors
/// The task panicked or the process is ending.
pub async fn to_completion<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Interrupted> {
    tokio::spawn(deadline::inherited(work).in_current_span()).await.map_err(Interrupted)
}

/// Work that had to be finished was not.
#[derive(Debug, thiserror::Error)]
#[error("the work was interrupted")]
pub struct Interrupted(#[source] tokio::task::JoinError);

/// Why an app does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: is another program using it?")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The listener failed.
    #[error("the HTTP listener failed")]
    Listener(#[from] std::io::Error),
    /// The settings are not good.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_takes_nothing_ends() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let _reads_nothing = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();

        end_if_stalled(&stream, Duration::from_millis(500));
        let error = loop {
            if let Err(error) = stream.write_all(&[0; 8 * 1024]).await {
                break error;
            }
        };

        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }
}

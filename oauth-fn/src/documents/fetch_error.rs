//! Why there is no document.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::sync::Arc;

use http::StatusCode;

/// Why there is no document.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// We cannot make connections at all.
    #[error("connections cannot be made")]
    Client(#[source] Arc<reqwest::Error>),
    /// The answer is compressed, though that was not asked for.
    #[error("the document is encoded")]
    Encoded,
    /// One of its addresses is not of the public internet.
    #[error("the host has an address that is not public")]
    NotPublic,
    /// The answer is no JSON.
    #[error("the document is not application/json")]
    OtherType,
    /// The answer has another status than 200; redirects are not followed.
    #[error("the answer has status {0}")]
    Status(StatusCode),
    /// It took too long.
    #[error("the document did not come in time")]
    TimedOut,
    /// The time of the request was over before, for whatever else took it.
    #[error("the time of the request was over before")]
    TooLate,
    /// The document is longer than any that is read.
    #[error("the document is larger than 5 KiB")]
    TooLarge,
    /// The connection failed: it was refused, its certificate is not good, or it broke off.
    #[error("the connection failed")]
    Unreachable(#[source] Arc<reqwest::Error>),
    /// The name has no address, or cannot be looked up.
    #[error("the host cannot be resolved")]
    Unresolved(#[source] Arc<io::Error>),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        // What the guard said lies among the causes.
        let mut causes = successors(error.source(), |&cause| cause.source());
        if let Some(refusal) = causes.find_map(|cause| cause.downcast_ref::<Self>()) {
            return refusal.clone();
        }
        // The host alone goes into the log, and it is told beside this.
        Self::Unreachable(Arc::new(error.without_url()))
    }
}

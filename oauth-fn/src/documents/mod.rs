//! The metadata documents of clients whose identifier is a URL: fetched when a user comes along,
//! remembered as long as their headers say, and so are failures for a moment.
//!
//! A stranger chooses the URL. So a document is fetched from public addresses only, few at a time,
//! few for each neighbourhood, and once for all who ask at the same time.

mod fetch_error;
mod fetcher;
mod freshness;
mod guard;
mod public_address;
mod resolver;

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use shared::clock::{Clock, UnixTime};
use shared::telemetry::ErrorChain;
use tokio::sync::Semaphore;

use crate::limits::{FetchPermit, TooMany};
use crate::protocol::client_id_url::{ClientIdUrl, DocumentPolicy, InvalidClientIdUrl};
use crate::protocol::client_metadata::ClientMetadata;
use crate::protocol::client_metadata_document::{InvalidDocument, read_document};
use crate::protocol::registration_policy::RegistrationPolicy;

pub use fetch_error::FetchError;
pub use fetcher::{DocumentFetcher, StandInNetwork};
pub use resolver::Resolver;

/// How many documents are remembered: a few megabytes at most.
const MOST_REMEMBERED: usize = 500;
/// How many are fetched at the same time.
const MOST_AT_ONCE: usize = 16;
/// How long a failure is remembered, so that one bad URL does not make us hammer its host.
pub(crate) const FAILURE_LIFETIME: Duration = Duration::from_mins(1);

/// The clients that publish their own metadata.
#[derive(Debug)]
pub struct ClientDocuments {
    policy: DocumentPolicy,
    registration: RegistrationPolicy,
    fetcher: DocumentFetcher,
    clock: Arc<dyn Clock>,
    remembered: Cache<String, Remembered>,
    turns: Semaphore,
}

/// What came of a document.
#[derive(Clone, Debug)]
struct Remembered {
    outcome: Result<Arc<ClientMetadata>, DocumentError>,
    until: UnixTime,
}

impl ClientDocuments {
    /// The documents that `policy` allows, held to the rules of `registration`.
    pub fn new(
        policy: DocumentPolicy,
        registration: RegistrationPolicy,
        fetcher: DocumentFetcher,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (remembered, turns) = (Cache::new(MOST_REMEMBERED), Semaphore::new(MOST_AT_ONCE));
        Self { policy, registration, fetcher, clock, remembered, turns }
    }

    /// Whose documents are read.
    pub fn policy(&self) -> &DocumentPolicy {
        &self.policy
    }

    /// The URL that `client_id` is, if its document may be read. Nothing is fetched.
    ///
    /// # Errors
    /// It breaks a rule, or its host is not allowed.
    pub fn url(&self, client_id: &str) -> Result<ClientIdUrl, DocumentError> {
        let url = ClientIdUrl::try_from(client_id)?;
        if self.policy.allows(&url) { Ok(url) } else { Err(DocumentError::Host) }
    }

    /// What the document at `url` says. A permit is asked for if it must be fetched.
    ///
    /// # Errors
    /// There is no such document, it breaks a rule, or there is no permit.
    pub async fn find(
        &self,
        url: &ClientIdUrl,
        permit: impl FnOnce() -> Result<FetchPermit, TooMany> + Send,
    ) -> Result<ClientMetadata, DocumentError> {
        let now = self.clock.now();
        self.remembered.remove_if(url.as_str(), |document| document.until <= now);
        let fetched = self.fetch(url, permit);
        let document = self.remembered.get_or_insert_async(url.as_str(), fetched).await?;
        document.outcome.map(|metadata| ClientMetadata::clone(&metadata))
    }

    async fn fetch(
        &self,
        url: &ClientIdUrl,
        permit: impl FnOnce() -> Result<FetchPermit, TooMany> + Send,
    ) -> Result<Remembered, DocumentError> {
        let host = url.host();
        let _turn = self.turns.try_acquire().map_err(|_| DocumentError::Busy)?;
        let fetched = self.fetcher.fetch(url, permit()?).await;
        if let Err(error @ FetchError::TooLate) = fetched {
            // Not a failure of the website, and so not one to be remembered.
            return Err(error.into());
        }
        let read = fetched.map_err(DocumentError::from).and_then(|document| {
            let metadata = read_document(&document.body, url, &self.registration)?;
            Ok((Arc::new(metadata), document.lifetime))
        });
        let (outcome, lifetime) = match read {
            Ok((metadata, lifetime)) => {
                tracing::info!(host, "the document of a client was read");
                (Ok(metadata), lifetime)
            }
            Err(error) => {
                let chain = ErrorChain(&error);
                tracing::info!(host, error = %chain, "the document of a client was not taken");
                (Err(error), FAILURE_LIFETIME)
            }
        };
        Ok(Remembered { outcome, until: self.clock.now().plus(lifetime) })
    }
}

/// Why a client is not known by its document.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DocumentError {
    /// Too many documents are being fetched.
    #[error("too many documents are being fetched")]
    Busy,
    /// The document could not be had.
    #[error("the document cannot be had")]
    Fetch(#[from] FetchError),
    /// Its host is not one whose documents are read.
    #[error("this server does not read documents of this host (CLIENT_METADATA_HOSTS)")]
    Host,
    /// The document breaks a rule.
    #[error(transparent)]
    Invalid(#[from] InvalidDocument),
    /// Too many were fetched for its neighbourhood.
    #[error("too many documents were asked for from this address")]
    TooMany(#[from] TooMany),
    /// The identifier is not the URL of a document.
    #[error(transparent)]
    Url(#[from] InvalidClientIdUrl),
}

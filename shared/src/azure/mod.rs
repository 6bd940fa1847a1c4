//! The door to Azure: who this process is, where its storage lies, and the HTTP client under both.

mod assertion;
mod endpoint;
mod fault;
mod identity;
mod noted;
mod patience;
mod renewal;
mod shared_key;
mod token;

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use secrecy::SecretString;
use tokio::time::timeout;

pub use assertion::{AssertionAudience, InvalidAudience};
pub use endpoint::{InvalidEndpoint, StorageEndpoint, StorageService};
pub use fault::{Operation, StorageFault, kind_of};
pub use identity::AzureIdentity;
pub use patience::Patience;
pub use token::NoToken;

use assertion::IdentityAssertions;
use noted::NoteAnswer;
use patience::{GiveUp, SendAgain};
use renewal::SoonRenewed;
use shared_key::SharedKeyPolicy;

use crate::client_assertion::ClientAssertions;
use crate::deadline;

/// How long one try of a request may take, from connecting to the last byte.
const TRY: Duration = Duration::from_secs(5);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

/// How long a command of a person waits for a token: the Azure CLI takes its time.
const TOKEN_OF_A_PERSON: Duration = Duration::from_mins(1);

/// The audience of tokens for Table and Blob Storage.
const STORAGE_SCOPE: &str = "https://storage.azure.com/.default";

/// The HTTP client that all of a process shares: one pool of connections, the system's root
/// certificates loaded once, no redirects followed, nothing decompressed.
///
/// # Errors
/// TLS cannot be set up on this machine.
pub fn http_client() -> Result<reqwest::Client, SetUpError> {
    // Ranged downloads of blobs need the bytes as they are, whatever features a dependency turns on.
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(TRY)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .build()
        .map_err(SetUpError::new)
}

/// What the clients of all Azure services in a process share: transport, identity and patience.
#[derive(Clone, Debug)]
pub struct Azure {
    transport: Transport,
    credential: Arc<dyn TokenCredential>,
    identity: Arc<dyn Policy>,
    patience: Patience,
}

impl Azure {
    /// Azure as `identity`, over `http`. Nothing is sent before the first call needs a token.
    ///
    /// # Errors
    /// The identity cannot be used on this machine.
    pub fn new(identity: &AzureIdentity, http: reqwest::Client) -> Result<Self, SetUpError> {
        let transport = Transport::new(Arc::new(http));
        let patience = Patience::default();
        let options = ClientOptions {
            transport: Some(transport.clone()),
            retry: patience.for_tokens(),
            ..ClientOptions::default()
        };
        let credential = identity.credential(options).map_err(SetUpError::new)?;
        let credential: Arc<dyn TokenCredential> = Arc::new(SoonRenewed::new(credential));
        let for_storage = Arc::clone(&credential);
        let identity = BearerTokenAuthorizationPolicy::new(for_storage, [STORAGE_SCOPE]);
        Ok(Self { transport, credential, identity: Arc::new(identity), patience })
    }

    /// The same, but as patient as `patience` says.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// What the identity states of us for `audience`. Nothing is sent before the first one is needed.
    pub fn client_assertions(&self, audience: AssertionAudience) -> Arc<dyn ClientAssertions> {
        let (credential, deadline) = (Arc::clone(&self.credential), self.patience.deadline);
        Arc::new(IdentityAssertions::new(credential, audience, deadline))
    }

    /// A token of the identity for `audience`, such as `https://vault.azure.net`.
    ///
    /// # Errors
    /// The identity gets none.
    pub async fn token_for(&self, audience: &str) -> Result<SecretString, NoToken> {
        let token = token::token_for(&*self.credential, audience, TOKEN_OF_A_PERSON).await?;
        Ok(token.token.secret().to_owned().into())
    }

    /// How a client of `endpoint` proves who it is, sends, and tries again.
    ///
    /// The client itself gets no credential: authentication is a policy here, so that every client
    /// of the process shares one cache of tokens. It comes before a try is timed, since the token
    /// that one try waits for serves the next.
    pub fn client_options(&self, endpoint: &StorageEndpoint, repeats: Repeats) -> ClientOptions {
        let authentication: Arc<dyn Policy> = match endpoint.azurite_account() {
            Some(account) => Arc::new(SharedKeyPolicy::new(endpoint.service(), account)),
            None => Arc::clone(&self.identity),
        };
        let mut options = ClientOptions {
            per_try_policies: vec![authentication, Arc::new(NoteAnswer)],
            retry: RetryOptions::none(),
            transport: Some(self.transport.clone()),
            ..ClientOptions::default()
        };
        if repeats == Repeats::Allowed {
            options.per_call_policies.push(Arc::new(SendAgain(self.patience)));
            options.per_try_policies.push(Arc::new(GiveUp(self.patience)));
        }
        options
    }

    /// The answer to `call`, which asks `endpoint` for `operation`.
    ///
    /// # Errors
    /// Azure refuses, does not answer before the deadline, or answers something else. If nothing is
    /// left of the time of the request, it is not asked.
    pub async fn call<T>(
        &self,
        endpoint: &StorageEndpoint,
        operation: Operation,
        call: impl Future<Output = azure_core::Result<T>> + Send,
    ) -> Result<T, StorageFault> {
        let time = deadline::at_most(self.patience.deadline);
        if time.is_zero() {
            return Err(StorageFault::too_late(endpoint, operation));
        }
        match timeout(time, call).await {
            Ok(answer) => answer.map_err(|error| StorageFault::new(endpoint, operation, &error)),
            // Others had the time that is missing: it is not this account that is slow.
            Err(_) if time < self.patience.deadline => {
                Err(StorageFault::too_late(endpoint, operation))
            }
            Err(_) => Err(StorageFault::timed_out(endpoint, operation)),
        }
    }
}

#[cfg(test)]
impl Azure {
    /// An Azure that gives for each scope the token that `token_for` makes up.
    pub(crate) fn known_by(token_for: fn(&str) -> String, http: reqwest::Client) -> Self {
        use azure_core::credentials::{AccessToken, TokenRequestOptions};
        use azure_core::time::OffsetDateTime;

        use crate::clock::{Clock, SystemClock};

        #[derive(Debug)]
        struct MadeUp(fn(&str) -> String);

        #[async_trait::async_trait]
        impl TokenCredential for MadeUp {
            async fn get_token(
                &self,
                scopes: &[&str],
                _: Option<TokenRequestOptions<'_>>,
            ) -> azure_core::Result<AccessToken> {
                let end = i64::try_from(SystemClock.now().as_secs()).unwrap() + 3600;
                let end = OffsetDateTime::from_unix_timestamp(end).unwrap();
                Ok(AccessToken::new((self.0)(&scopes.join(" ")), end))
            }
        }

        let identity = AzureIdentity::Developer;
        Self { credential: Arc::new(MadeUp(token_for)), ..Self::new(&identity, http).unwrap() }
    }
}

/// Whether a call may be sent again when its outcome is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Repeats {
    /// At most three tries, for calls that do the same twice as once.
    Allowed,
    /// One try, for calls whose second try would answer something else than the first.
    Never,
}

/// A client of Azure cannot be built on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the Azure clients cannot be set up")]
pub struct SetUpError(#[source] Box<dyn Error + Send + Sync>);

impl SetUpError {
    /// A failure with its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

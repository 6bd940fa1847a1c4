//! How our application proves itself at Entra ID's token endpoint.

use secrecy::{ExposeSecret, SecretString};
use shared::client_assertion::{ClientAssertion, ClientAssertions, NoAssertion};

use crate::config::UpstreamCredential;

/// What says that an assertion is a JWT (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What proves our application in one request: a secret or an assertion, and never both.
#[derive(Debug)]
pub(super) enum Proof<'a> {
    /// RFC 7521 section 4.2.
    Assertion(ClientAssertion),
    /// RFC 6749 section 2.3.1.
    Secret(&'a SecretString),
}

impl<'a> Proof<'a> {
    /// The proof for one request, in the way that the settings say. It comes before anything is
    /// used up.
    pub(super) async fn of(
        credential: &'a UpstreamCredential,
        assertions: &dyn ClientAssertions,
    ) -> Result<Self, NoAssertion> {
        Ok(match credential {
            UpstreamCredential::Secret(secret) => Self::Secret(secret),
            UpstreamCredential::Federated => Self::Assertion(assertions.client_assertion().await?),
        })
    }

    /// The parameters that it adds to the form. They are secrets.
    pub(super) fn parameters(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Assertion(assertion) => vec![
                ("client_assertion_type", JWT_BEARER),
                ("client_assertion", assertion.expose()),
            ],
            Self::Secret(secret) => vec![("client_secret", secret.expose_secret())],
        }
    }
}

//! The door to client assertions where there are none.

use async_trait::async_trait;
use shared::client_assertion::{ClientAssertion, ClientAssertions, NoAssertion};

/// The application of the local system has a secret, which the development identity provider
/// knows, and nobody who vouches for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAssertions;

#[async_trait]
impl ClientAssertions for NoAssertions {
    async fn client_assertion(&self) -> Result<ClientAssertion, NoAssertion> {
        Err(NoAssertion::new("this system has no identity"))
    }
}

//! The door to statements of who we are, which prove it where others give a secret (RFC 7523).

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

/// A signed statement of who we are, by somebody whom the receiver trusts (RFC 7523 section 2.2).
/// Whoever has it is believed to be us until it ends.
#[derive(Clone, Debug)]
pub struct ClientAssertion(SecretString);

impl ClientAssertion {
    /// The statement that this text is.
    pub fn new(text: SecretString) -> Self {
        Self(text)
    }

    /// The text itself. Give it to the token endpoint that it is for, and to nobody else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Where such statements come from.
#[async_trait]
pub trait ClientAssertions: fmt::Debug + Send + Sync {
    /// A statement that can be used at once.
    ///
    /// # Errors
    /// Whoever makes them does not answer, or does not want to.
    async fn client_assertion(&self) -> Result<ClientAssertion, NoAssertion>;
}

/// There is nothing that proves who we are. Its text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("there is no client assertion")]
pub struct NoAssertion(#[source] Box<dyn Error + Send + Sync>);

impl NoAssertion {
    /// The want of one, with its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

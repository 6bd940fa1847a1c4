//! A sign-in at Entra ID on its way: what the answer has to fit.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::secret::{Secret, inside_seal};

use super::{Consented, FLOW_LIFETIME};
use crate::protocol::authorization_request::AuthorizationRequest;

/// A sign-in that a browser was sent to. It travels sealed in that browser.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SignInAttempt {
    began_at: UnixTime,
    #[serde(with = "inside_seal")]
    upstream_verifier: SecretString,
    #[serde(with = "inside_seal")]
    upstream_nonce: SecretString,
}

impl SignInAttempt {
    /// A sign-in that begins at `now`, with secrets of its own.
    pub fn new(now: UnixTime) -> Self {
        Self {
            began_at: now,
            upstream_verifier: Secret::generate().to_base64url(),
            upstream_nonce: Secret::generate().to_base64url(),
        }
    }

    /// Our PKCE verifier towards Entra ID (RFC 7636 section 4.1).
    pub fn verifier(&self) -> &SecretString {
        &self.upstream_verifier
    }

    /// What the `id_token` must repeat (`OpenID Connect` Core section 3.1.2.1).
    pub fn nonce(&self) -> &SecretString {
        &self.upstream_nonce
    }

    /// When it began.
    pub fn began_at(&self) -> UnixTime {
        self.began_at
    }

    /// Whether it took too long.
    pub fn is_over(&self, now: UnixTime) -> bool {
        self.began_at.plus(FLOW_LIFETIME) <= now
    }
}

/// What a sign-in is for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Flow {
    /// A user looks after their own connections.
    #[serde(rename = "a")]
    Account(SignInAttempt),
    /// A client gets a code.
    #[serde(rename = "c")]
    Client(Box<Consented>),
}

impl Flow {
    /// The sign-in itself.
    pub fn sign_in(&self) -> &SignInAttempt {
        match self {
            Self::Account(sign_in) => sign_in,
            Self::Client(consented) => consented.sign_in(),
        }
    }

    /// What a client asked for, if it is for one.
    pub fn request(&self) -> Option<&AuthorizationRequest> {
        match self {
            Self::Account(_) => None,
            Self::Client(consented) => Some(consented.request()),
        }
    }
}

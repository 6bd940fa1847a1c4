//! One authorization, from request to session. Each step consumes the one before it.

mod connection;
mod remembered_consent;
mod session;
mod sign_in;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::scope::Scopes;
use shared::session::{Identity, SessionId};

use crate::protocol::authorization_request::AuthorizationRequest;
use crate::protocol::client_metadata::RefreshTokens;
use crate::protocol::consent::{Memory, UserApproved};
use crate::protocol::destination::Destination;
use crate::protocol::pkce::{CodeChallenge, PkceVerified};
use crate::protocol::redirect_uri::RedirectUri;
use crate::protocol::token_request::CodeExchange;

pub use connection::{Connection, ConnectionPlace, client_key};
pub use remembered_consent::{REMEMBERED_FOR, RememberedApproval, RememberedConsents};
pub use session::{
    ACCESS_TOKEN_LIFETIME, EntraRefreshToken, REFRESH_GRACE, REFRESH_TOKEN_LIFETIME, Renewed,
    SessionGrant, UpstreamTokens,
};
pub use sign_in::{Flow, SignInAttempt};

/// How long a user may take over the consent page, and again over the sign-in.
pub const FLOW_LIFETIME: Duration = Duration::from_mins(10);
/// How long a code may be used; at most 10 minutes are recommended (RFC 6749 section 4.1.2).
pub const CODE_LIFETIME: Duration = Duration::from_mins(1);
/// How long a session may live in all.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// A client asks; nobody has answered yet.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Requested {
    request: AuthorizationRequest,
    requested_at: UnixTime,
}

impl Requested {
    /// A request that came in at `now`.
    pub fn new(request: AuthorizationRequest, now: UnixTime) -> Self {
        Self { request, requested_at: now }
    }

    /// What is asked.
    pub fn request(&self) -> &AuthorizationRequest {
        &self.request
    }

    /// Whether the page was open for too long.
    pub fn is_over(&self, now: UnixTime) -> bool {
        self.requested_at.plus(FLOW_LIFETIME) <= now
    }

    /// The user said yes: the sign-in may begin.
    pub fn approve(self, approved: UserApproved, now: UnixTime) -> Consented {
        let approval = Approval::Asked(approved.memory());
        Consented { request: self.request, approval, sign_in: SignInAttempt::new(now) }
    }

    /// The user said yes before, and does not want to be asked again.
    pub fn approve_again(self, approved: RememberedApproval, now: UnixTime) -> Consented {
        let approval = Approval::Remembered(approved.0);
        Consented { request: self.request, approval, sign_in: SignInAttempt::new(now) }
    }

    /// The user said no: the client is to hear of it.
    pub fn deny(self) -> Destination {
        self.request.destination
    }
}

/// When the user said yes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Approval {
    /// Just now, on our page.
    #[serde(rename = "a")]
    Asked(Memory),
    /// At this connection, which has to be the one of the user who signs in.
    #[serde(rename = "r")]
    Remembered(ConnectionPlace),
}

/// The user has allowed it and is on the way to Entra ID.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Consented {
    request: AuthorizationRequest,
    approval: Approval,
    sign_in: SignInAttempt,
}

impl Consented {
    /// What was asked.
    pub fn request(&self) -> &AuthorizationRequest {
        &self.request
    }

    /// When the user allowed it.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }

    /// The remembered consent does not hold: the user is to be asked after all.
    pub fn ask(self, now: UnixTime) -> Requested {
        Requested::new(self.request, now)
    }

    /// The sign-in that follows the consent.
    pub fn sign_in(&self) -> &SignInAttempt {
        &self.sign_in
    }

    /// Entra ID has said who it is: a code for `session` may be handed out, once its row is written
    /// and the connection is noted.
    pub fn fulfil(
        self,
        session: SessionId,
        signed_in: SignedIn,
        now: UnixTime,
    ) -> (Connection, Fulfilled) {
        let request = self.request;
        // Counted from the approval, so that a repeated callback finds the row of the first.
        let ends_at = self.sign_in.began_at().plus(SESSION_LIFETIME);
        let connection = Connection {
            session,
            ends_at,
            user: signed_in.identity.clone(),
            client_id: request.client_id.clone(),
            client_name: request.client_name.clone(),
            scopes: request.scopes.clone(),
            since: self.sign_in.began_at(),
        };
        let fulfilled = Fulfilled {
            binding: CodeBinding {
                client_id: request.client_id,
                client_name: request.client_name,
                redirect_uri: request.destination.redirect_uri().clone(),
                code_challenge: request.code_challenge,
                refresh_tokens: request.refresh_tokens,
                scopes: request.scopes,
            },
            signed_in,
            code_expires_at: now.plus(CODE_LIFETIME),
            ends_at,
        };
        (connection, fulfilled)
    }
}

/// What Entra ID said: who signed in, and with which tokens we may act for them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SignedIn {
    /// Who it is.
    pub identity: Identity,
    /// What we got.
    pub tokens: UpstreamTokens,
}

/// What a code is bound to (OAuth 2.1 section 4.1.2).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct CodeBinding {
    client_id: String,
    client_name: String,
    redirect_uri: RedirectUri,
    code_challenge: CodeChallenge,
    refresh_tokens: RefreshTokens,
    scopes: Scopes,
}

impl CodeBinding {
    /// Checks that the one who presents a code is the one who asked for it.
    ///
    /// # Errors
    /// Client, redirect URI or verifier are another's.
    pub fn verify(&self, exchange: &CodeExchange) -> Result<OwnerVerified, NotTheOwner> {
        let pkce: PkceVerified =
            self.code_challenge.verify(&exchange.code_verifier).map_err(|_| NotTheOwner)?;
        let same = self.client_id == exchange.client_id
            && self.redirect_uri.as_str() == exchange.redirect_uri;
        if same { Ok(OwnerVerified(pkce)) } else { Err(NotTheOwner) }
    }
}

/// Proof that a code came from its owner. Only [`CodeBinding::verify`] makes one.
#[derive(Debug)]
#[must_use]
pub struct OwnerVerified(PkceVerified);

/// The code is somebody else's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the authorization code was issued for another client, redirect URI or verifier")]
pub struct NotTheOwner;

/// The user has signed in; the client holds a code.
#[derive(Clone, Debug)]
pub struct Fulfilled {
    /// Whom the code is for.
    pub binding: CodeBinding,
    /// Who signed in.
    pub signed_in: SignedIn,
    /// When the code ends.
    pub code_expires_at: UnixTime,
    /// When the session that it opens ends at the latest.
    pub ends_at: UnixTime,
}

impl Fulfilled {
    /// The client proved itself: the code is used up, and a session begins.
    pub fn exchange(self, _: OwnerVerified) -> Exchanged {
        let SignedIn { identity, tokens } = self.signed_in;
        let refreshes = self.binding.refresh_tokens == RefreshTokens::Issued;
        Exchanged {
            code_binding: self.binding.clone(),
            renewed: Renewed {
                granted_scopes: self.binding.scopes.clone(),
                grant: SessionGrant {
                    client_id: self.binding.client_id,
                    client_name: self.binding.client_name,
                    scopes: self.binding.scopes,
                    identity,
                    ends_at: self.ends_at,
                    entra_refresh_token: tokens.refresh_token.filter(|_| refreshes),
                },
                entra_access_token: tokens.access_token,
                entra_expires_at: tokens.expires_at,
            },
        }
    }
}

/// The code was traded for a session.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// Kept, so that a second use of the code by its owner is recognised.
    pub code_binding: CodeBinding,
    /// The session.
    pub renewed: Renewed,
}

//! One authorization, from request to session. Each step consumes the one before it.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::scope::Scopes;
use shared::secret::{Secret, inside_seal};
use shared::session::{EntraAccessToken, Identity};

use crate::protocol::authorization_request::AuthorizationRequest;
use crate::protocol::client_metadata::RefreshTokens;
use crate::protocol::consent::UserApproved;
use crate::protocol::destination::Destination;
use crate::protocol::pkce::{CodeChallenge, PkceVerified};
use crate::protocol::redirect_uri::RedirectUri;
use crate::protocol::token_request::CodeExchange;

/// How long a user may take over the consent page, and again over the sign-in.
pub const FLOW_LIFETIME: Duration = Duration::from_mins(10);
/// How long a code may be used; at most 10 minutes are recommended (RFC 6749 section 4.1.2).
pub const CODE_LIFETIME: Duration = Duration::from_mins(1);
/// How long a session may be renewed after its last use.
pub const REFRESH_TOKEN_LIFETIME: Duration = Duration::from_hours(14 * 24);
/// How long a session may live in all.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(30 * 24);
/// How long an access token may live at most.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// How long a replaced refresh token is good for one more use, if its answer was lost.
pub const REFRESH_GRACE: Duration = Duration::from_mins(1);

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
    pub fn approve(self, _: UserApproved, now: UnixTime) -> Consented {
        Consented {
            request: self.request,
            approved_at: now,
            upstream_verifier: Secret::generate().to_base64url(),
            upstream_nonce: Secret::generate().to_base64url(),
        }
    }

    /// The user said no: the client is to hear of it.
    pub fn deny(self) -> Destination {
        self.request.destination
    }
}

/// The user has allowed it and is on the way to Entra ID.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Consented {
    request: AuthorizationRequest,
    approved_at: UnixTime,
    #[serde(with = "inside_seal")]
    upstream_verifier: SecretString,
    #[serde(with = "inside_seal")]
    upstream_nonce: SecretString,
}

impl Consented {
    /// Where the answer goes.
    pub fn destination(&self) -> &Destination {
        &self.request.destination
    }

    /// Our PKCE verifier towards Entra ID (RFC 7636 section 4.1).
    pub fn upstream_verifier(&self) -> &SecretString {
        &self.upstream_verifier
    }

    /// What the `id_token` must repeat (`OpenID Connect` Core section 3.1.2.1).
    pub fn upstream_nonce(&self) -> &SecretString {
        &self.upstream_nonce
    }

    /// When the user allowed it.
    pub fn approved_at(&self) -> UnixTime {
        self.approved_at
    }

    /// Whether the sign-in took too long.
    pub fn is_over(&self, now: UnixTime) -> bool {
        self.approved_at.plus(FLOW_LIFETIME) <= now
    }

    /// Entra ID has said who it is: a code may be handed out.
    pub fn fulfil(self, signed_in: SignedIn, now: UnixTime) -> Fulfilled {
        let request = self.request;
        Fulfilled {
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
            // Counted from the approval, so that a repeated callback finds the row of the first.
            ends_at: self.approved_at.plus(SESSION_LIFETIME),
        }
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

/// Tokens of Entra ID, as they go into a seal.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UpstreamTokens {
    /// For calls to other services.
    pub access_token: EntraAccessToken,
    /// When that ends.
    pub expires_at: UnixTime,
    /// For renewing both, if Entra ID gave one.
    pub refresh_token: Option<EntraRefreshToken>,
}

/// A refresh token of Entra ID. It is written into seals only.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct EntraRefreshToken(#[serde(with = "inside_seal")] pub SecretString);

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

/// What a session stands on from one renewal to the next.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SessionGrant {
    /// The client that holds it.
    pub client_id: String,
    /// What that client calls itself.
    pub client_name: String,
    /// All that the user allowed.
    pub scopes: Scopes,
    /// Who signed in.
    pub identity: Identity,
    /// When it ends at the latest.
    pub ends_at: UnixTime,
    /// What renews it at Entra ID; without one it cannot be renewed.
    pub entra_refresh_token: Option<EntraRefreshToken>,
}

impl SessionGrant {
    /// What a renewed access token may do: what is `wanted`, or all that the user allowed; nothing
    /// if more is wanted than that (RFC 6749 section 6).
    pub fn narrowed(&self, wanted: Option<Scopes>) -> Option<Scopes> {
        let scopes = wanted.unwrap_or_else(|| self.scopes.clone());
        self.scopes.covers(&scopes).then_some(scopes)
    }

    /// Entra ID has renewed its side: the session goes on with `granted_scopes`.
    pub fn renew(mut self, tokens: UpstreamTokens, granted_scopes: Scopes) -> Renewed {
        // Entra ID may keep the refresh token as it is, and then sends none (RFC 6749 section 6).
        if tokens.refresh_token.is_some() {
            self.entra_refresh_token = tokens.refresh_token;
        }
        Renewed {
            grant: self,
            granted_scopes,
            entra_access_token: tokens.access_token,
            entra_expires_at: tokens.expires_at,
        }
    }
}

/// A session with fresh tokens of Entra ID behind it.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// What it stands on.
    pub grant: SessionGrant,
    /// What the new access token may do.
    pub granted_scopes: Scopes,
    /// For calls to other services.
    pub entra_access_token: EntraAccessToken,
    /// When that ends.
    pub entra_expires_at: UnixTime,
}

impl Renewed {
    /// When an access token of `now` ends: never after the one of Entra ID behind it.
    pub fn access_expires_at(&self, now: UnixTime) -> UnixTime {
        now.plus(ACCESS_TOKEN_LIFETIME).min(self.entra_expires_at).min(self.grant.ends_at)
    }

    /// When a refresh token of `now` ends; nothing if the session cannot be renewed.
    pub fn refresh_expires_at(&self, now: UnixTime) -> Option<UnixTime> {
        let ends_at = now.plus(REFRESH_TOKEN_LIFETIME).min(self.grant.ends_at);
        self.grant.entra_refresh_token.as_ref().map(|_| ends_at)
    }
}

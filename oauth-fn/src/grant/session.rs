//! The session that a grant opens, from one renewal to the next.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::scope::Scopes;
use shared::secret::inside_seal;
use shared::session::{EntraAccessToken, Identity, SessionId};

use super::{Connection, SESSION_LIFETIME};

/// How long a session may be renewed after its last use.
pub const REFRESH_TOKEN_LIFETIME: Duration = Duration::from_hours(14 * 24);
/// How long an access token may live at most.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// How long a replaced refresh token gets its answer again, in case it was lost.
pub const REFRESH_GRACE: Duration = Duration::from_mins(1);

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

    /// What is noted of the sign-in that the session `session` came from.
    pub fn connection(&self, session: SessionId) -> Connection {
        Connection {
            session,
            ends_at: self.ends_at,
            user: self.identity.clone(),
            client_id: self.client_id.clone(),
            client_name: self.client_name.clone(),
            scopes: self.scopes.clone(),
            since: self.ends_at.minus(SESSION_LIFETIME),
        }
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

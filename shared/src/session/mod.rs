//! A signed-in user of one MCP client, at rest with us: what it is, and how a token opens it.

mod claims;
mod sessions;
mod token;
mod week;

use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;
use crate::scope::Scopes;
use crate::secret::Fingerprint;
use crate::storage::{Address, Key};

pub use claims::{Claims, ClaimsSealer, EntraAccessToken, GENERATION, generation_of};
pub use sessions::{Refusal, SessionError, Sessions};
pub use token::{Access, MintedToken, RefusedToken, SessionToken, Token, TokenKind, TokenSealer};
pub use week::ExpiryWeek;

/// What a valid access token stands for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Session {
    /// Who signed in.
    pub identity: Identity,
    /// The `client_id` of the MCP client.
    pub client_id: String,
    /// The name that the client gave itself.
    pub client_name: String,
    /// The one audience of the token (RFC 8707 section 2).
    pub resource: String,
    /// What the user allowed.
    pub scopes: Scopes,
    /// When the access token ends.
    pub expires_at: UnixTime,
}

/// A user of a tenant, as Entra ID knows them. Names may change; `tid` and `oid` do not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// The tenant, claim `tid`.
    pub tenant_id: DirectoryId,
    /// The user's object in that tenant, claim `oid`.
    pub object_id: DirectoryId,
    /// What to call the user; never a key.
    pub name: String,
}

impl Identity {
    /// The key of everything that is this user's alone.
    pub fn user_key(&self) -> Key {
        let parts = [self.tenant_id.as_str(), self.object_id.as_str()].map(str::as_bytes);
        Key::digest("user", &parts)
    }
}

/// An identifier that Entra ID gave to a tenant or an object: 1 to 64 of letters, digits and `-`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct DirectoryId(String);

impl DirectoryId {
    /// The identifier, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<DirectoryId> for String {
    fn from(id: DirectoryId) -> Self {
        id.0
    }
}

impl TryFrom<String> for DirectoryId {
    type Error = InvalidDirectoryId;

    fn try_from(mut text: String) -> Result<Self, Self::Error> {
        text.make_ascii_lowercase();
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if fits { Ok(Self(text)) } else { Err(InvalidDirectoryId) }
    }
}

/// The text is not an identifier of Entra ID.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be 1 to 64 letters, digits and hyphens, as in a GUID")]
pub struct InvalidDirectoryId;

/// The name of one session, for as long as it lives: 128 bits, unguessable.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The session that grows out of a secret that is used once: the same secret always gives the
    /// same session, so that its second use meets the first one's row.
    pub fn derived_from(secret: &[u8]) -> Self {
        let digest = Fingerprint::of("session-id", &[secret]);
        Self(digest.as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// The session with these bits.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bits.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Where its one row lies, if its grant ends in `week`.
    pub fn address(&self, week: ExpiryWeek) -> Address {
        Address::alone(week.table(), Key::digest("session", &[&self.0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(tenant: &str, object: &str, name: &str) -> Identity {
        Identity {
            tenant_id: tenant.to_owned().try_into().unwrap(),
            object_id: object.to_owned().try_into().unwrap(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_user_stays_the_same_when_the_name_changes() {
        let (before, after) = (identity("t1", "o1", "Ann"), identity("T1", "O1", "Anna"));

        assert_eq!(before.user_key(), after.user_key());
    }

    #[test]
    fn users_of_two_tenants_are_two_users_whatever_their_object_ids() {
        assert_ne!(identity("t1", "o1", "Ann").user_key(), identity("t2", "o1", "Ann").user_key());
        assert_ne!(identity("t1", "1o", "Ann").user_key(), identity("t11", "o", "Ann").user_key());
    }

    #[test]
    fn a_directory_id_has_no_room_for_other_characters() {
        for text in ["", "a/b", "a'b", "a b", "\u{e9}", &"a".repeat(65)] {
            assert!(DirectoryId::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_grown_from_one_secret_is_one_session() {
        assert_eq!(SessionId::derived_from(b"state"), SessionId::derived_from(b"state"));
        assert_ne!(SessionId::derived_from(b"state"), SessionId::derived_from(b"other"));
    }
}

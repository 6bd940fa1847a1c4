//! The row column that an access token opens, together with the keys that both apps hold.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Session, SessionToken};
use crate::seal::{KeyRing, NotOpened, Purpose, Sealer};
use crate::secret::inside_seal;
use crate::storage::Record;

const CLAIMS: &str = "claims";

/// The column that counts how often tokens were issued, in clear: four bytes, big-endian.
pub const GENERATION: &str = "generation";

/// How often tokens of this row were issued.
pub fn generation_of(record: &Record) -> u32 {
    let bytes = record.column(GENERATION).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

/// An access token of Entra ID, for tools that call other services in the user's name.
///
/// It is written into seals only.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub struct EntraAccessToken(#[serde(with = "inside_seal")] SecretString);

impl EntraAccessToken {
    /// The token with this text.
    pub fn new(text: SecretString) -> Self {
        Self(text)
    }
}

impl fmt::Debug for EntraAccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EntraAccessToken([REDACTED])")
    }
}

/// What the column holds, as it goes into the seal.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claims {
    /// The session.
    pub session: Session,
    /// What Entra ID gave us for it. It never reaches an MCP client.
    pub entra_access_token: EntraAccessToken,
}

/// Seals and opens the column.
#[derive(Clone, Debug)]
pub struct ClaimsSealer(Sealer);

impl ClaimsSealer {
    /// Columns under the keys of `ring`.
    pub fn new(ring: &KeyRing) -> Self {
        Self(ring.sealer(Purpose::Claims))
    }

    /// `record` with the claims that `token` opens.
    pub fn write(&self, record: Record, token: &SessionToken, claims: &Claims) -> Record {
        let text = Zeroizing::new(serde_json::to_vec(claims).unwrap_or_default());
        let address = token.session.address(token.week);
        let sealed = self.0.seal_with(&token.secret, &address.place(CLAIMS), &text);
        record.with(CLAIMS, sealed)
    }

    /// `record` without claims: no access token opens it any more.
    pub fn erase(&self, record: Record) -> Record {
        record.without(CLAIMS)
    }

    /// The claims that `token` opens; nothing if they were erased.
    ///
    /// # Errors
    /// The column was sealed for another token, or was tampered with.
    pub fn read(&self, record: &Record, token: &SessionToken) -> Result<Option<Claims>, NotOpened> {
        let Some(sealed) = record.column(CLAIMS) else {
            return Ok(None);
        };
        let address = token.session.address(token.week);
        let opened = self.0.open_with(&token.secret, &address.place(CLAIMS), sealed)?;
        serde_json::from_slice(&opened.plaintext).map(Some).map_err(|_| NotOpened)
    }
}

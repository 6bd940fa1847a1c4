//! The columns of a session's row that only this app opens.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::seal::{KeyRing, NotOpened, Purpose, Sealer};
use shared::session::{Token, TokenKind};
use shared::storage::Record;
use zeroize::Zeroizing;

use super::IssuedTokens;
use crate::grant::{CodeBinding, REFRESH_GRACE, SignedIn};

/// The column that the authorization code opens.
pub(super) const CODE: &str = "code";
/// The column that the newest refresh token opens.
pub(super) const UPSTREAM: &str = "upstream";
/// The column that the refresh token before it opens, for a lost answer.
pub(super) const PREVIOUS: &str = "previous";

/// What the code opens.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct CodeColumn {
    pub(super) binding: CodeBinding,
    /// Gone once the code was traded.
    pub(super) signed_in: Option<SignedIn>,
    pub(super) ends_at: UnixTime,
}

/// What the refresh token before the newest opens.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct PreviousColumn {
    pub(super) client_id: String,
    /// Until when the answer is given out again.
    pub(super) usable_until: UnixTime,
    /// What the client got, or should have.
    pub(super) answer: IssuedTokens,
}

impl PreviousColumn {
    pub(super) fn new(client_id: &str, answer: &IssuedTokens, now: UnixTime) -> Self {
        let (client_id, answer) = (client_id.to_owned(), answer.clone());
        Self { client_id, usable_until: now.plus(REFRESH_GRACE), answer }
    }
}

/// Seals and opens columns for the holders of one kind of token.
#[derive(Clone, Debug)]
pub(super) struct ColumnSealer(Sealer);

impl ColumnSealer {
    pub(super) fn new(ring: &KeyRing, purpose: Purpose) -> Self {
        Self(ring.sealer(purpose))
    }

    /// `record` with `value` in `column`, for the one who holds `token`.
    pub(super) fn write<K: TokenKind>(
        &self,
        record: Record,
        column: &str,
        token: &Token<K>,
        value: &impl Serialize,
    ) -> Record {
        let text = Zeroizing::new(serde_json::to_vec(value).unwrap_or_default());
        let address = token.session.address(token.week);
        let sealed = self.0.seal_with(&token.secret, &address.place(column), &text);
        record.with(column, sealed)
    }

    /// What is in `column`, if it is there and `token` opens it.
    pub(super) fn read<K: TokenKind, T: DeserializeOwned>(
        &self,
        record: &Record,
        column: &str,
        token: &Token<K>,
    ) -> Result<T, NotOpened> {
        let sealed = record.column(column).ok_or(NotOpened)?;
        let address = token.session.address(token.week);
        let opened = self.0.open_with(&token.secret, &address.place(column), sealed)?;
        serde_json::from_slice(&opened.plaintext).map_err(|_| NotOpened)
    }
}

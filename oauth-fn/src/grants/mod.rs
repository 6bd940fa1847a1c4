//! Grants at rest: one sealed row from the sign-in to the end of the session.
//!
//! A row is written when Entra ID has authenticated the user and no sooner. From then on each
//! step replaces it at the version that was read, so that of several callers one succeeds.

mod codes;
mod columns;
mod renewals;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, UnixTime};
use shared::scope::Scopes;
use shared::seal::{KeyRing, Purpose};
use shared::secret::inside_seal;
use shared::session::{
    Access, Claims, ClaimsSealer, ExpiryWeek, GENERATION, MintedToken, Session, SessionId, Token,
    TokenKind, TokenSealer, generation_of,
};
use shared::storage::{Address, Record, RecordStore, StoreError, Version, Versioned};

use self::columns::{ColumnSealer, UPSTREAM};
use crate::grant::Renewed;
use crate::weekly::WeeklyTables;

pub use self::codes::{CodeState, FoundCode, StartError};
pub(crate) use self::renewals::end_session;
pub use self::renewals::{FoundRefresh, Renewal};

/// The kind of token that a client gets in its redirect: `code` on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Code {}

impl TokenKind for Code {
    const PREFIX: &'static str = "mcp_ac_";
    const PURPOSE: Purpose = Purpose::AuthorizationCode;
    const TYPE: u8 = 3;
}

/// The kind of token that renews a session: `refresh_token` on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Refresh {}

impl TokenKind for Refresh {
    const PREFIX: &'static str = "mcp_rt_";
    const PURPOSE: Purpose = Purpose::RefreshToken;
    const TYPE: u8 = 2;
}

/// The store of grants.
#[derive(Debug)]
pub struct Grants {
    records: Arc<dyn RecordStore>,
    tables: WeeklyTables,
    clock: Arc<dyn Clock>,
    codes: TokenSealer<Code>,
    refresh_tokens: TokenSealer<Refresh>,
    access_tokens: TokenSealer<Access>,
    claims: ClaimsSealer,
    code_column: ColumnSealer,
    upstream_column: ColumnSealer,
    resource: String,
}

impl Grants {
    /// Grants in `records`, under the keys that mcp-fn shares and those that it does not have.
    pub fn new(
        session_keys: &KeyRing,
        grant_keys: &KeyRing,
        base_url: &PublicBaseUrl,
        records: Arc<dyn RecordStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let issuer = base_url.as_str();
        let table_of = ExpiryWeek::table;
        let tables = WeeklyTables::new(Arc::clone(&records), Arc::clone(&clock), table_of);
        Self {
            records,
            tables,
            clock,
            codes: TokenSealer::new(grant_keys, issuer),
            refresh_tokens: TokenSealer::new(grant_keys, issuer),
            access_tokens: TokenSealer::new(session_keys, issuer),
            claims: ClaimsSealer::new(session_keys),
            code_column: ColumnSealer::new(grant_keys, Purpose::CodeGrant),
            upstream_column: ColumnSealer::new(grant_keys, Purpose::Upstream),
            resource: base_url.resource(),
        }
    }

    /// The row that `token` stands for. Rows stay for longer than their tokens are good, and those of
    /// sessions that have ended stay empty: one that is nowhere is no fault of its client's.
    async fn row_of<K: TokenKind>(&self, token: &Token<K>) -> Result<Versioned, StoreError> {
        let found = self.records.get(&token.session.address(token.week)).await?;
        found.ok_or_else(|| StoreError::new(MissingRow(token.week)))
    }

    /// The next tokens of a session, and its row with all that they open.
    fn issue(
        &self,
        record: &Record,
        (session, week): (SessionId, ExpiryWeek),
        renewed: &Renewed,
        now: UnixTime,
    ) -> (Record, IssuedTokens) {
        let generation = generation_of(record).saturating_add(1);
        let expires_at = renewed.access_expires_at(now);
        let access = Token::<Access>::new(session, week, generation, expires_at);
        let mut record = record.clone().with(GENERATION, generation.to_be_bytes().to_vec());
        record = self.claims.write(record, &access, &self.claims_of(renewed, expires_at));
        let mut refresh_token = None;
        if let Some(ends_at) = renewed.refresh_expires_at(now) {
            let refresh = Token::<Refresh>::new(session, week, generation, ends_at);
            record = self.upstream_column.write(record, UPSTREAM, &refresh, &renewed.grant);
            refresh_token = Some(self.refresh_tokens.mint(&refresh).into());
        }
        let access_token = self.access_tokens.mint(&access).into();
        let scopes = renewed.granted_scopes.clone();
        (record, IssuedTokens { access_token, refresh_token, expires_at, scopes })
    }

    fn claims_of(&self, renewed: &Renewed, expires_at: UnixTime) -> Claims {
        let grant = &renewed.grant;
        Claims {
            session: Session {
                identity: grant.identity.clone(),
                client_id: grant.client_id.clone(),
                client_name: grant.client_name.clone(),
                resource: self.resource.clone(),
                scopes: renewed.granted_scopes.clone(),
                expires_at,
            },
            entra_access_token: renewed.entra_access_token.clone(),
        }
    }
}

/// The row of a token that is good is not there. So we look in the wrong place, or what was there
/// is lost: whether the token still stands for something, nobody knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "the row of the session is not in the table {table}: SESSION_TABLES_ENDPOINT must name the \
     account that it was written to",
    table = .0.table().as_str()
)]
struct MissingRow(ExpiryWeek);

/// Where a grant lies, and as what it was read.
#[derive(Clone, Debug)]
pub struct Row {
    address: Address,
    record: Record,
    version: Version,
}

/// What the client gets (RFC 6749 section 5.1), as it goes into the answer or into a seal.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct IssuedTokens {
    /// What it calls with.
    pub access_token: IssuedToken,
    /// What renews the session, if it can be renewed.
    pub refresh_token: Option<IssuedToken>,
    /// When the access token ends.
    pub expires_at: UnixTime,
    /// What the access token may do.
    pub scopes: Scopes,
}

/// A minted token. It is written into answers and seals only.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct IssuedToken(#[serde(with = "inside_seal")] MintedToken);

impl From<MintedToken> for IssuedToken {
    fn from(token: MintedToken) -> Self {
        Self(token)
    }
}

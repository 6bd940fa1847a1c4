//! Finds the session behind an access token: what mcp-fn asks on every request.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;

use super::{
    Access, ClaimsSealer, ExpiryWeek, RefusedToken, Session, SessionToken, TokenSealer,
    generation_of,
};
use crate::base_url::PublicBaseUrl;
use crate::clock::{Clock, UnixTime};
use crate::seal::KeyRing;
use crate::secret::Fingerprint;
use crate::storage::{RecordStore, StoreError};
use crate::telemetry::metrics::{self, SessionSource};

/// Sessions that are remembered at most; about 1 kB each.
const CACHE_ENTRIES: usize = 10_000;

/// The sessions of one resource, read-only.
#[derive(Debug)]
pub struct Sessions {
    tokens: TokenSealer<Access>,
    claims: ClaimsSealer,
    records: Arc<dyn RecordStore>,
    clock: Arc<dyn Clock>,
    resource: String,
    cache: Cache<Fingerprint, Remembered>,
    cache_for: Duration,
}

#[derive(Clone, Debug)]
struct Remembered {
    session: Arc<Session>,
    read_at: UnixTime,
}

impl Sessions {
    /// Sessions under the keys of `ring`, kept in `records`.
    ///
    /// A session that was read is believed for `cache_for`, which is how long a revoked one lives
    /// on; nothing is remembered if it is zero.
    pub fn new(
        ring: &KeyRing,
        base_url: &PublicBaseUrl,
        records: Arc<dyn RecordStore>,
        clock: Arc<dyn Clock>,
        cache_for: Duration,
    ) -> Self {
        Self {
            tokens: TokenSealer::new(ring, base_url.as_str()),
            claims: ClaimsSealer::new(ring),
            records,
            clock,
            resource: base_url.resource(),
            cache: Cache::new(CACHE_ENTRIES),
            cache_for,
        }
    }

    /// The session that `presented` stands for.
    ///
    /// # Errors
    /// There is none, whatever the reason; or storage failed.
    pub async fn find(&self, presented: &str) -> Result<Arc<Session>, SessionError> {
        let now = self.clock.now();
        let fingerprint = Fingerprint::of("access-token", &[presented.as_bytes()]);
        if let Some(session) = self.remembered(&fingerprint, now) {
            metrics::session_validated(SessionSource::Cache, None);
            return Ok(session);
        }
        let token = self.tokens.open(presented, now).map_err(SessionError::from);
        let (source, found) = match token {
            Ok(token) => (SessionSource::Storage, self.stored(fingerprint, &token, now).await),
            Err(error) => (SessionSource::Token, Err(error)),
        };
        metrics::session_validated(source, found.as_ref().err().map(SessionError::kind));
        found
    }

    async fn stored(
        &self,
        fingerprint: Fingerprint,
        token: &SessionToken,
        now: UnixTime,
    ) -> Result<Arc<Session>, SessionError> {
        let session = Arc::new(self.read(token).await?);
        if session.resource != self.resource {
            return Err(Refusal::OtherResource.into());
        }
        if session.expires_at <= now {
            return Err(Refusal::Expired.into());
        }
        if !self.cache_for.is_zero() {
            let remembered = Remembered { session: Arc::clone(&session), read_at: now };
            self.cache.insert(fingerprint, remembered);
        }
        Ok(session)
    }

    fn remembered(&self, fingerprint: &Fingerprint, now: UnixTime) -> Option<Arc<Session>> {
        let found = self.cache.get(fingerprint)?;
        let fresh = now.since(found.read_at) < self.cache_for && now < found.session.expires_at;
        if !fresh {
            self.cache.remove(fingerprint);
        }
        fresh.then_some(found.session)
    }

    async fn read(&self, token: &SessionToken) -> Result<Session, SessionError> {
        let address = token.session.address(token.week);
        let Some(found) = self.records.get(&address).await? else {
            return Err(SessionError::Missing(token.week));
        };
        match self.claims.read(&found.record, token) {
            Ok(Some(claims)) => Ok(claims.session),
            Ok(None) => Err(Refusal::Ended.into()),
            Err(_) if token.generation < generation_of(&found.record) => Err(Refusal::Ended.into()),
            Err(_) => Err(Refusal::Integrity(token.week).into()),
        }
    }
}

/// Why a token stands for no session. Callers learn none of it; the log does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It was revoked, replaced by a refresh, or its session has ended.
    #[error("the session has ended")]
    Ended,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// The row does not open though it should: it was moved, rolled back or changed.
    #[error("the row of the session fails its integrity check")]
    Integrity(ExpiryWeek),
    /// It is for another audience.
    #[error("the token is for another resource")]
    OtherResource,
    /// It is no access token of ours.
    #[error("the token is not one of ours")]
    Unreadable,
}

impl From<RefusedToken> for Refusal {
    fn from(refused: RefusedToken) -> Self {
        match refused {
            RefusedToken::Expired => Self::Expired,
            RefusedToken::Unreadable => Self::Unreadable,
        }
    }
}

/// Why no session was found.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The token is good, but its row is not there, though a row stays for longer than its tokens
    /// are good. So we look in the wrong place, or what was there is lost: no fault of the caller's.
    #[error(
        "the row of the session is not in the table {table}: SESSION_TABLES_ENDPOINT must name the \
         account that oauth-fn writes to",
        table = .0.table().as_str()
    )]
    Missing(ExpiryWeek),
    /// The token is not good.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody knows: storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionError {
    /// What was wrong, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Refused(Refusal::Ended) => "ended",
            Self::Refused(Refusal::Expired) => "expired",
            Self::Refused(Refusal::Integrity(_)) => "integrity",
            Self::Refused(Refusal::OtherResource) => "other_resource",
            Self::Refused(Refusal::Unreadable) => "unreadable",
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<RefusedToken> for SessionError {
    fn from(refused: RefusedToken) -> Self {
        Self::Refused(refused.into())
    }
}

//! Grants by token: the row while the session lives, and its end.

use shared::clock::UnixTime;
use shared::session::{Identity, SessionId, Token, generation_of};
use shared::storage::{Address, InsertError, Record, RecordStore, ReplaceError, StoreError};

use super::columns::{PREVIOUS, PreviousColumn, UPSTREAM};
use super::{Grants, IssuedTokens, Refresh, Row};
use crate::audit::Event;
use crate::grant::{Renewed, SessionGrant};

impl Grants {
    /// What a refresh token of ours stands for, if its session is not over.
    ///
    /// # Errors
    /// Storage failed, or does not have the row.
    pub async fn find_by_refresh_token(
        &self,
        presented: &str,
    ) -> Result<Option<FoundRefresh>, StoreError> {
        let now = self.clock.now();
        let Ok(token) = self.refresh_tokens.open(presented, now) else {
            return Ok(None);
        };
        let address = token.session.address(token.week);
        let found = self.row_of(&token).await?;
        let row = Row { address, record: found.record, version: found.version };
        Ok(self.standing(token, row, now))
    }

    /// Whether a refresh token was sealed under a key that is about to go, as what was noted of its
    /// session may be.
    pub fn is_of_older_key(&self, presented: &str) -> bool {
        !self.refresh_tokens.is_current(presented)
    }

    fn standing(&self, token: Token<Refresh>, row: Row, now: UnixTime) -> Option<FoundRefresh> {
        if let Ok(grant) = self.upstream_column.read(&row.record, UPSTREAM, &token) {
            return Some(FoundRefresh::Renewable { renewal: Renewal { token, row }, grant });
        }
        let previous = self.upstream_column.read(&row.record, PREVIOUS, &token);
        if let Ok(PreviousColumn { client_id, usable_until, answer }) = previous {
            return Some(if now < usable_until {
                FoundRefresh::LostAnswer { row, client_id, answer }
            } else {
                FoundRefresh::Reused { row, client_id: Some(client_id) }
            });
        }
        if token.generation < generation_of(&row.record) {
            return Some(FoundRefresh::Reused { row, client_id: None });
        }
        if row.record != Record::default() {
            Event::Integrity { address: row.address }.record();
        }
        None
    }

    /// Claims the row for a renewed session, and gives its new tokens. The answer is kept for the
    /// token that was used, in case it is lost.
    ///
    /// # Errors
    /// Somebody else claimed it first, or storage failed.
    pub async fn renew(
        &self,
        renewal: Renewal,
        renewed: Renewed,
    ) -> Result<IssuedTokens, ReplaceError> {
        let Renewal { token, row } = renewal;
        let now = self.clock.now();
        let (record, answer) = self.issue(&row.record, (token.session, token.week), &renewed, now);
        let previous = PreviousColumn::new(&renewed.grant.client_id, &answer, now);
        let record = self.upstream_column.write(record, PREVIOUS, &token, &previous);
        self.records.replace(&row.address, record, &row.version).await?;
        Ok(answer)
    }

    /// Ends the session of a row: none of its tokens opens anything any more.
    ///
    /// # Errors
    /// Storage failed, or others change the row again and again.
    pub async fn end(&self, row: &Row) -> Result<(), ReplaceError> {
        match self.end_unchanged(row).await {
            // Somebody was faster, and what they made of the session ends too.
            Err(ReplaceError::Lost) => end_session(&*self.records, &row.address).await,
            ended => ended,
        }
    }

    /// Ends the session of a row, unless it was renewed meanwhile.
    ///
    /// # Errors
    /// The row changed, or storage failed.
    pub async fn end_unchanged(&self, row: &Row) -> Result<(), ReplaceError> {
        self.records.replace(&row.address, Record::default(), &row.version).await
    }

    /// Makes the access token of `client_id` worthless and leaves its session (RFC 7009 section
    /// 2.1); tells whose session it is. A token of another client, and one that is none, changes
    /// nothing.
    ///
    /// # Errors
    /// Storage failed or does not have the row, or the row changed in the same moment.
    pub async fn revoke_access_token(
        &self,
        presented: &str,
        client_id: &str,
    ) -> Result<Option<Identity>, ReplaceError> {
        let Ok(token) = self.access_tokens.open(presented, self.clock.now()) else {
            return Ok(None);
        };
        let address = token.session.address(token.week);
        let found = self.row_of(&token).await?;
        match self.claims.read(&found.record, &token) {
            Ok(Some(claims)) if claims.session.client_id == client_id => {
                let record = self.claims.erase(found.record);
                self.records.replace(&address, record, &found.version).await?;
                Ok(Some(claims.session.identity))
            }
            _ => Ok(None),
        }
    }
}

/// How often a session that ends may change in the same moment. Each time somebody else succeeds.
const MOST_RACES: u32 = 8;

/// Ends the session at `address`, whoever changes it meanwhile. Its row stays, empty, so that the
/// sign-in that it grew out of starts no other session.
///
/// # Errors
/// Storage failed, or others change the row again and again.
pub(crate) async fn end_session(
    records: &dyn RecordStore,
    address: &Address,
) -> Result<(), ReplaceError> {
    for _ in 0..MOST_RACES {
        let ended = match records.get(address).await? {
            Some(found) if found.record == Record::default() => Ok(()),
            Some(found) => records.replace(address, Record::default(), &found.version).await,
            None => match records.insert(address, Record::default()).await {
                Ok(()) | Err(InsertError::NoTable) => Ok(()),
                Err(InsertError::Exists) => Err(ReplaceError::Lost),
                Err(InsertError::Store(error)) => Err(error.into()),
            },
        };
        if !matches!(ended, Err(ReplaceError::Lost)) {
            return ended;
        }
    }
    Err(ReplaceError::Lost)
}

/// What a genuine refresh token is worth (RFC 9700 section 4.14.2).
#[derive(Debug)]
pub enum FoundRefresh {
    /// It was replaced a moment ago and its successor was not used: the answer was lost.
    LostAnswer {
        /// The row of the session.
        row: Row,
        /// Whose session it is.
        client_id: String,
        /// What the client should have got.
        answer: IssuedTokens,
    },
    /// It renews the session.
    Renewable {
        /// The claim to the row.
        renewal: Renewal,
        /// What the session stands on.
        grant: SessionGrant,
    },
    /// It was replaced before: somebody has a copy.
    Reused {
        /// The row of the session.
        row: Row,
        /// Whose session it is; a token from long ago opens nothing that could tell.
        client_id: Option<String>,
    },
}

impl FoundRefresh {
    /// Whose session it is, as far as the token opens it.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::LostAnswer { client_id, .. } => Some(client_id),
            Self::Renewable { grant, .. } => Some(&grant.client_id),
            Self::Reused { client_id, .. } => client_id.as_deref(),
        }
    }

    /// Who signed in, as far as the token opens it.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Renewable { grant, .. } => Some(&grant.identity),
            Self::LostAnswer { .. } | Self::Reused { .. } => None,
        }
    }

    /// The row of the session.
    pub fn row(&self) -> &Row {
        match self {
            Self::Renewable { renewal, .. } => &renewal.row,
            Self::LostAnswer { row, .. } | Self::Reused { row, .. } => row,
        }
    }
}

/// A refresh token that renews its session, and the row as it was read.
#[derive(Debug)]
pub struct Renewal {
    token: Token<Refresh>,
    row: Row,
}

impl Renewal {
    /// The row of the session.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// The session.
    pub fn session(&self) -> SessionId {
        self.token.session
    }
}

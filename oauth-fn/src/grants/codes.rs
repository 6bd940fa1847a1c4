//! Grants by code: the row from the sign-in to the exchange.

use shared::session::{ExpiryWeek, MintedToken, SessionId, Token};
use shared::storage::{Record, ReplaceError, StoreError};

use super::columns::{CODE, CodeColumn};
use super::{Code, Grants, IssuedTokens, Row};
use crate::audit::Event;
use crate::grant::{CodeBinding, Exchanged, Fulfilled};
use shared::storage::periods::PeriodError;

impl Grants {
    /// Writes the row of a fulfilled authorization, and gives its code.
    ///
    /// # Errors
    /// The row is there already, since the sign-in was used before; or storage failed.
    pub async fn start(
        &self,
        session: SessionId,
        fulfilled: Fulfilled,
    ) -> Result<MintedToken, StartError> {
        let week = ExpiryWeek::of(fulfilled.ends_at);
        let token = Token::new(session, week, 0, fulfilled.code_expires_at);
        let column = CodeColumn {
            binding: fulfilled.binding,
            signed_in: Some(fulfilled.signed_in),
            ends_at: fulfilled.ends_at,
        };
        let record = self.code_column.write(Record::default(), CODE, &token, &column);
        self.tables.insert(&session.address(week), record).await?;
        Ok(self.codes.mint(&token))
    }

    /// The authorization behind a code, if it is one of ours, in time and not ended.
    ///
    /// # Errors
    /// Storage failed, or does not have the row.
    pub async fn find_by_code(&self, presented: &str) -> Result<Option<FoundCode>, StoreError> {
        let Ok(token) = self.codes.open(presented, self.clock.now()) else {
            return Ok(None);
        };
        let address = token.session.address(token.week);
        let found = self.row_of(&token).await?;
        // A row that is empty is what is left of a session that has ended.
        if found.record == Record::default() {
            return Ok(None);
        }
        let opened = self.code_column.read::<_, CodeColumn>(&found.record, CODE, &token);
        let Ok(column) = opened else {
            Event::Integrity { address }.record();
            return Ok(None);
        };
        let binding = column.binding.clone();
        let state = match column.signed_in {
            None => CodeState::Exchanged,
            Some(signed_in) => CodeState::Fulfilled(Box::new(Fulfilled {
                binding: column.binding,
                signed_in,
                code_expires_at: token.expires_at,
                ends_at: column.ends_at,
            })),
        };
        let row = Row { address, record: found.record, version: found.version };
        Ok(Some(FoundCode { token, row, binding, state }))
    }

    /// Claims the row for an exchanged code, and gives the tokens of the new session.
    ///
    /// # Errors
    /// Somebody else claimed it first, or storage failed.
    pub async fn open_session(
        &self,
        token: Token<Code>,
        row: Row,
        exchanged: Exchanged,
    ) -> Result<IssuedTokens, ReplaceError> {
        let used = CodeColumn {
            binding: exchanged.code_binding,
            signed_in: None,
            ends_at: exchanged.renewed.grant.ends_at,
        };
        let record = self.code_column.write(row.record, CODE, &token, &used);
        let place = (token.session, token.week);
        let (record, answer) = self.issue(&record, place, &exchanged.renewed, self.clock.now());
        self.records.replace(&row.address, record, &row.version).await?;
        Ok(answer)
    }
}

/// Why a grant was not written.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This sign-in was used before.
    #[error("the sign-in was used before")]
    AlreadyStarted,
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PeriodError> for StartError {
    fn from(error: PeriodError) -> Self {
        match error {
            PeriodError::Exists => Self::AlreadyStarted,
            PeriodError::Store(error) => Self::Store(error),
        }
    }
}

/// The authorization behind a genuine code.
#[derive(Debug)]
pub struct FoundCode {
    /// The code.
    pub token: Token<Code>,
    /// Its row.
    pub row: Row,
    /// Whose code it is.
    pub binding: CodeBinding,
    /// Whether it was used.
    pub state: CodeState,
}

/// How far an authorization with a code has come.
#[derive(Debug)]
pub enum CodeState {
    /// The code was used: this is a replay.
    Exchanged,
    /// The code is good for one use.
    Fulfilled(Box<Fulfilled>),
}

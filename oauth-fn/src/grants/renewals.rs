//! Grants by token: the row while the session lives, and its end.

use shared::clock::UnixTime;
use shared::session::{Token, generation_of};
use shared::storage::{ReplaceError, StoreError};

use super::columns::{UPSTREAM, UPSTREAM_PREVIOUS, UpstreamColumn};
use super::{Grants, IssuedTokens, Refresh, Row};
use crate::grant::{REFRESH_GRACE, Renewed, SessionGrant};

impl Grants {
    /// What a refresh token of ours stands for, if its session is not over.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn find_by_refresh_token(
        &self,
        presented: &str,
    ) -> Result<Option<FoundRefresh>, StoreError> {
        let now = self.clock.now();
        let Ok(token) = self.refresh_tokens.open(presented, now) else {
            return Ok(None);
        };
        let address = token.session.address(token.week);
        let Some(found) = self.records.get(&address).await? else {
            return Ok(None);
        };
        let row = Row { address, record: found.record, version: found.version };
        Ok(self.standing(token, row, now))
    }

    fn standing(&self, token: Token<Refresh>, row: Row, now: UnixTime) -> Option<FoundRefresh> {
        let read =
            |column| self.upstream_column.read::<_, UpstreamColumn>(&row.record, column, &token);
        if let Ok(UpstreamColumn { grant, .. }) = read(UPSTREAM) {
            let renewal = Renewal { token, row, standing: Standing::Newest };
            return Some(FoundRefresh::Renewable { renewal, grant });
        }
        if let Ok(UpstreamColumn { grant, usable_until }) = read(UPSTREAM_PREVIOUS) {
            if usable_until.is_none_or(|until| until <= now) {
                return Some(FoundRefresh::Reused { row, grant: Some(grant) });
            }
            let renewal = Renewal { token, row, standing: Standing::LostAnswer };
            return Some(FoundRefresh::Renewable { renewal, grant });
        }
        if token.generation < generation_of(&row.record) {
            return Some(FoundRefresh::Reused { row, grant: None });
        }
        let address = &row.address;
        tracing::warn!(%address, audit = "integrity", "a genuine refresh token opens nothing");
        None
    }

    /// Claims the row for a renewed session, and gives its new tokens. The refresh token that was
    /// used stays good for one more use if it was the newest, in case this answer is lost.
    ///
    /// # Errors
    /// Somebody else claimed it first, or storage failed.
    pub async fn renew(
        &self,
        renewal: Renewal,
        renewed: Renewed,
    ) -> Result<IssuedTokens, ReplaceError> {
        let Renewal { token, row, standing } = renewal;
        let record = match standing {
            Standing::Newest => {
                let column = UpstreamColumn {
                    grant: renewed.grant.clone(),
                    usable_until: Some(self.clock.now().plus(REFRESH_GRACE)),
                };
                self.upstream_column.write(row.record, UPSTREAM_PREVIOUS, &token, &column)
            }
            Standing::LostAnswer => row.record.without(UPSTREAM_PREVIOUS),
        };
        self.issue(Row { record, ..row }, (token.session, token.week), &renewed).await
    }

    /// Ends the session of a row: none of its tokens opens anything any more.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn end(&self, row: &Row) -> Result<(), StoreError> {
        self.records.remove(&row.address).await
    }

    /// Makes the access token of `client_id` worthless and leaves its session (RFC 7009 section
    /// 2.1). A token of another client, and one that is none, changes nothing.
    ///
    /// # Errors
    /// Storage failed, or the row changed in the same moment.
    pub async fn revoke_access_token(
        &self,
        presented: &str,
        client_id: &str,
    ) -> Result<(), ReplaceError> {
        let Ok(token) = self.access_tokens.open(presented, self.clock.now()) else {
            return Ok(());
        };
        let address = token.session.address(token.week);
        let Some(found) = self.records.get(&address).await? else {
            return Ok(());
        };
        match self.claims.read(&found.record, &token) {
            Ok(Some(claims)) if claims.session.client_id == client_id => {
                let record = self.claims.erase(found.record);
                self.records.replace(&address, record, &found.version).await
            }
            _ => Ok(()),
        }
    }
}

/// What a genuine refresh token is worth (RFC 9700 section 4.14.2).
#[derive(Debug)]
pub enum FoundRefresh {
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
        /// What the session stands on; a token from long ago opens nothing that could tell.
        grant: Option<SessionGrant>,
    },
}

impl FoundRefresh {
    /// What the session stands on, as far as the token opens it.
    pub fn grant(&self) -> Option<&SessionGrant> {
        match self {
            Self::Renewable { grant, .. } => Some(grant),
            Self::Reused { grant, .. } => grant.as_ref(),
        }
    }

    /// The row of the session.
    pub fn row(&self) -> &Row {
        match self {
            Self::Renewable { renewal, .. } => &renewal.row,
            Self::Reused { row, .. } => row,
        }
    }
}

/// A refresh token that renews its session, and the row as it was read.
#[derive(Debug)]
pub struct Renewal {
    token: Token<Refresh>,
    row: Row,
    standing: Standing,
}

impl Renewal {
    /// The row of the session.
    pub fn row(&self) -> &Row {
        &self.row
    }
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    /// It was replaced a moment ago, and its successor was not used: the answer was lost.
    LostAnswer,
    /// It is the newest.
    Newest,
}

//! What is noted of a sign-in, so that its user finds it again.

use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::scope::Scopes;
use shared::session::{ExpiryWeek, Identity, SessionId};
use shared::storage::{Address, Key};

use super::{ACCESS_TOKEN_LIFETIME, FLOW_LIFETIME};
use crate::protocol::client_metadata::RefreshTokens;

/// A sign-in of a user through a client.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Connection {
    /// The session that it opened.
    pub session: SessionId,
    /// When that session ends at the latest.
    pub ends_at: UnixTime,
    /// Who signed in.
    pub user: Identity,
    /// The client.
    pub client_id: String,
    /// What the client calls itself: a claim, not a fact.
    pub client_name: String,
    /// What the user allowed.
    pub scopes: Scopes,
    /// Whether the session can be renewed.
    pub refresh_tokens: RefreshTokens,
    /// When it was allowed.
    pub since: UnixTime,
}

impl Connection {
    /// The week whose tables hold it and its session.
    pub fn week(&self) -> ExpiryWeek {
        ExpiryWeek::of(self.ends_at)
    }

    /// Where its row lies.
    pub fn place(&self) -> ConnectionPlace {
        ConnectionPlace { user: self.user.user_key(), row: row_of(self.session), week: self.week() }
    }

    /// Whether its session is over for certain; the session's own row may tell that it ended sooner.
    pub fn is_over(&self, now: UnixTime) -> bool {
        let ends_at = match self.refresh_tokens {
            RefreshTokens::Issued => self.ends_at,
            RefreshTokens::Withheld => self.since.plus(FLOW_LIFETIME + ACCESS_TOKEN_LIFETIME),
        };
        ends_at <= now
    }

    /// What stands for its client where the identifier itself is too long, or too much.
    pub fn client_key(&self) -> Key {
        client_key(&self.client_id)
    }
}

/// What stands for the client `id`.
pub fn client_key(id: &str) -> Key {
    Key::digest("client-id", &[id.as_bytes()])
}

fn row_of(session: SessionId) -> Key {
    Key::digest("connection", &[session.as_bytes()])
}

/// Where the row of a connection lies. It says whose it is, and opens nothing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionPlace {
    /// The key of its user.
    pub user: Key,
    row: Key,
    week: ExpiryWeek,
}

impl ConnectionPlace {
    /// The address of the row.
    pub fn address(&self) -> Address {
        let Self { user, row, week } = self.clone();
        Address { table: week.users_table(), partition: user, row }
    }
}

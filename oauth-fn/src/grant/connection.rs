//! What is noted of a sign-in, so that its user finds it again.

use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::scope::Scopes;
use shared::session::{ExpiryWeek, Identity, SessionId};
use shared::storage::{Address, Key};

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
        ConnectionPlace { user: self.user.user_key(), session: self.session, week: self.week() }
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

/// Where the row of a connection lies. It says whose it is, and opens nothing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionPlace {
    /// The key of its user.
    pub user: Key,
    session: SessionId,
    week: ExpiryWeek,
}

impl ConnectionPlace {
    /// The address of the row.
    pub fn address(&self) -> Address {
        Address {
            table: self.week.users_table(),
            partition: self.user.clone(),
            row: Key::digest("connection", &[self.session.as_bytes()]),
        }
    }

    /// The address of the session's own row.
    pub fn session_address(&self) -> Address {
        self.session.address(self.week)
    }
}

//! What an administrator does from outside: finds the sessions of a user or a client, and ends them.
//!
//! It needs the tables and the keys of this app, and gives away nothing that opens a session.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use shared::clock::Clock;
use shared::seal::KeyRing;
use shared::session::{DirectoryId, ExpiryWeek, Identity, InvalidDirectoryId};
use shared::storage::{Key, Place, RecordStore, ReplaceError, StoreError};

use crate::audit::{Client, Event, User};
use crate::connections::Connections;
use crate::grant::Connection;

/// The sessions of a system, as an administrator sees them.
#[derive(Debug)]
pub struct Administration {
    connections: Connections,
}

impl Administration {
    /// The sessions in `records`, under the keys of oauth-fn.
    pub fn new(grant_keys: &KeyRing, records: Arc<dyn RecordStore>, clock: Arc<dyn Clock>) -> Self {
        Self { connections: Connections::new(grant_keys, records, clock) }
    }

    /// The connections that `selection` means, some at a time.
    pub fn search(&self, selection: Selection) -> Search<'_> {
        let weeks = self.connections.weeks().collect();
        Search { administration: self, selection, weeks, place: None }
    }

    /// Whether the session of `connection` lives.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn lives(&self, connection: &Connection) -> Result<bool, StoreError> {
        self.connections.lives(&connection.place()).await
    }

    /// Ends the sessions of `connections`, and with them what their users' browsers remember of
    /// them, several at a time; tells what became of each, in their order. Where it failed, to do it
    /// again does no harm.
    pub async fn revoke(
        &self,
        connections: Vec<Connection>,
    ) -> Vec<(Connection, Result<(), ReplaceError>)> {
        let told = |(connection, ended): &(Connection, Result<(), ReplaceError>)| {
            if ended.is_ok() {
                let client = Client::named(&connection.client_id);
                let user = User::from(&connection.user);
                Event::RevokedByAdministrator { client, user }.record();
            }
        };
        self.connections.end_all(connections).inspect(told).collect().await
    }
}

/// Which connections are meant: those of a user, of a client, of both together, or all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// Of this user only.
    pub user: Option<UserName>,
    /// Through this client only: its `client_id`, or what stands for it in the audit.
    pub client: Option<String>,
}

impl Selection {
    fn means(&self, connection: &Connection) -> bool {
        let user = self.user.as_ref().is_none_or(|user| connection.user.user_key() == user.0);
        let client = self.client.as_ref().is_none_or(|client| {
            *client == connection.client_id || client == connection.client_key().as_str()
        });
        user && client
    }
}

/// A user, as an administrator names one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserName(Key);

impl TryFrom<&str> for UserName {
    type Error = InvalidUserName;

    /// Reads `tenant/object`, both as Entra ID shows them, or `tenant/key` as the audit has it.
    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let (tenant, rest) = text.split_once('/').ok_or(InvalidUserName)?;
        let tenant_id = DirectoryId::try_from(tenant.to_owned())?;
        // An identifier without its hyphens could be taken for a key.
        if rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidUserName);
        }
        if let Some(key) = Key::parse_digest(rest) {
            return Ok(Self(key));
        }
        let object_id = DirectoryId::try_from(rest.to_owned())?;
        Ok(Self(Identity { tenant_id, object_id, name: String::new() }.user_key()))
    }
}

/// The text names no user.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a user is named as TENANT/OBJECT: the two ids that Entra ID shows for a user")]
pub struct InvalidUserName;

impl From<InvalidDirectoryId> for InvalidUserName {
    fn from(_: InvalidDirectoryId) -> Self {
        Self
    }
}

/// A search that is under way.
#[derive(Debug)]
pub struct Search<'a> {
    administration: &'a Administration,
    selection: Selection,
    weeks: VecDeque<ExpiryWeek>,
    place: Option<Place>,
}

impl Search<'_> {
    /// The next connections that are meant, perhaps none among these; nothing when all were seen.
    /// A user is found at once. For a client everybody's connections are looked through, page by
    /// page.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn next(&mut self) -> Result<Option<Vec<Connection>>, StoreError> {
        let connections = &self.administration.connections;
        let Some(week) = self.weeks.front().copied() else {
            return Ok(None);
        };
        let found = if let Some(UserName(user)) = &self.selection.user {
            self.weeks.clear();
            connections.of_user(user).await?
        } else {
            let (page, next) = connections.page(week, self.place.as_ref()).await?;
            self.place = next;
            if self.place.is_none() {
                self.weeks.pop_front();
            }
            page
        };
        let meant = found.into_iter().filter(|connection| self.selection.means(connection));
        Ok(Some(meant.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_both_ids_or_as_the_audit_has_it() {
        let tenant = "5f1c9a52-6c1e-4b7d-9d3a-0a4c3f8e2b10";
        let object = "a11ce000-3b5d-4c8e-9f01-2a3b4c5d6e7f";

        let named = UserName::try_from(format!("{tenant}/{object}").as_str()).unwrap();

        let audited = format!("{tenant}/{}", named.0.as_str());
        assert_eq!(UserName::try_from(audited.as_str()), Ok(named.clone()));
        let shouted = format!("{}/{}", tenant.to_uppercase(), object.to_uppercase());
        assert_eq!(UserName::try_from(shouted.as_str()), Ok(named));
        let no_hyphens = format!("{tenant}/{}", object.replace('-', ""));
        for wrong in ["", "/", "alice", object, &no_hyphens, "a b/c", "t/", "/o", "t/o/x", "t/o'"] {
            assert_eq!(UserName::try_from(wrong), Err(InvalidUserName), "{wrong}");
        }
    }
}

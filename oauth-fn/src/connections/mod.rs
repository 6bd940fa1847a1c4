//! Who is connected through which client: a sealed row for each sign-in, so that users and
//! administrators can look, and revoke. It holds nothing that opens a session.
//!
//! A row lies in the partition of its user, in a table for the week in which the session ends at
//! the latest. It is written when the session's own row has claimed the sign-in, and before anybody
//! has the code; whether the session still lives, its own row tells.

use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt};
use shared::clock::Clock;
use shared::seal::{KeyRing, NotOpened, Purpose, Sealer};
use shared::session::{ExpiryWeek, generation_of};
use shared::storage::{
    Address, Key, Place, Record, RecordStore, ReplaceError, StoreError, Versioned,
};

use crate::audit::Event;
use crate::grant::{Connection, ConnectionPlace, SESSION_LIFETIME};
use crate::grants::end_session;
use crate::weekly::WeeklyTables;
use shared::storage::periods::PeriodError;

/// How many connections are ended at the same time.
const ENDED_AT_ONCE: usize = 16;
/// The one column of a row.
const COLUMN: &str = "connection";

/// The store of connections.
#[derive(Debug)]
pub struct Connections {
    records: Arc<dyn RecordStore>,
    clock: Arc<dyn Clock>,
    tables: WeeklyTables,
    sealer: Sealer,
}

impl Connections {
    /// Connections in `records`, under keys that mcp-fn does not have.
    pub fn new(grant_keys: &KeyRing, records: Arc<dyn RecordStore>, clock: Arc<dyn Clock>) -> Self {
        let table_of = ExpiryWeek::users_table;
        let tables = WeeklyTables::new(Arc::clone(&records), Arc::clone(&clock), table_of);
        Self { records, clock, tables, sealer: grant_keys.sealer(Purpose::Connection) }
    }

    /// Notes a connection. One that is noted already stays as it is.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn note(&self, connection: &Connection) -> Result<(), StoreError> {
        let address = connection.place().address();
        let record = self.seal(connection, &address)?;
        match self.tables.insert(&address, record).await {
            Ok(()) | Err(PeriodError::Exists) => Ok(()),
            Err(PeriodError::Store(error)) => Err(error),
        }
    }

    /// Notes a connection once more, under the key that seals now; one that was forgotten stays so.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn note_again(&self, connection: &Connection) -> Result<(), StoreError> {
        let address = connection.place().address();
        let Some(found) = self.records.get(&address).await? else {
            return Ok(());
        };
        let record = self.seal(connection, &address)?;
        match self.records.replace(&address, record, &found.version).await {
            // Somebody else was faster, or the user forgets it in this moment.
            Ok(()) | Err(ReplaceError::Lost) => Ok(()),
            Err(ReplaceError::Store(error)) => Err(error),
        }
    }

    /// Every connection of the user `user` that is noted, the latest first.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn of_user(&self, user: &Key) -> Result<Vec<Connection>, StoreError> {
        let mut connections = Vec::new();
        for week in self.weeks() {
            let rows = self.records.list(&week.users_table(), user).await?;
            connections.extend(rows.into_iter().filter_map(|(row, found)| {
                let (table, partition) = (week.users_table(), user.clone());
                self.open(&Address { table, partition, row }, &found)
            }));
        }
        connections.sort_by_key(|connection| std::cmp::Reverse(connection.since));
        Ok(connections)
    }

    /// The weeks in which sessions of today may end.
    pub fn weeks(&self) -> impl Iterator<Item = ExpiryWeek> + use<> {
        let now = self.clock.now();
        ExpiryWeek::of(now).through(ExpiryWeek::of(now.plus(SESSION_LIFETIME)))
    }

    /// One page of the connections of everybody whose sessions end in `week`, and where the next
    /// page begins.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn page(
        &self,
        week: ExpiryWeek,
        place: Option<&Place>,
    ) -> Result<(Vec<Connection>, Option<Place>), StoreError> {
        let page = self.records.page(&week.users_table(), place).await?;
        let rows = page.records.iter();
        let connections = rows.filter_map(|(address, found)| self.open(address, found)).collect();
        Ok((connections, page.next))
    }

    /// Whether the session at `place` lives: it has tokens, and nobody ended it. Whether those can
    /// still be used, only their holder sees.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn lives(&self, place: &ConnectionPlace) -> Result<bool, StoreError> {
        let found = self.records.get(&place.session_address()).await?;
        Ok(found.is_some_and(|found| generation_of(&found.record) > 0))
    }

    /// Ends the session of `connection`, or its code if it is no session yet, and forgets the
    /// connection. No remembered consent stands on it any more.
    ///
    /// # Errors
    /// Storage failed, or others change the session again and again; it may be ended again.
    pub async fn end(&self, connection: &Connection) -> Result<(), ReplaceError> {
        let place = connection.place();
        end_session(&*self.records, &place.session_address()).await?;
        Ok(self.records.remove(&place.address()).await?)
    }

    /// Ends each of `connections` as [`Self::end`] does, several at a time; tells what became of each,
    /// in their order. One that cannot be ended keeps none of the others alive.
    pub fn end_all(
        &self,
        connections: Vec<Connection>,
    ) -> impl Stream<Item = (Connection, Result<(), ReplaceError>)> {
        let ending = stream::iter(connections).map(async |connection| {
            let ended = self.end(&connection).await;
            (connection, ended)
        });
        ending.buffered(ENDED_AT_ONCE)
    }

    fn seal(&self, connection: &Connection, address: &Address) -> Result<Record, StoreError> {
        let text = serde_json::to_vec(connection).map_err(StoreError::new)?;
        let sealed = self.sealer.seal(self.clock.now().day(), &address.place(COLUMN), &text);
        Ok(Record::default().with(COLUMN, sealed))
    }

    fn open(&self, address: &Address, found: &Versioned) -> Option<Connection> {
        let sealed = found.record.column(COLUMN).unwrap_or_default();
        let opened = self.sealer.open(&address.place(COLUMN), sealed);
        let read = opened
            .and_then(|opened| serde_json::from_slice(&opened.plaintext).map_err(|_| NotOpened));
        if read.is_err() {
            Event::Integrity { address: address.clone() }.record();
        }
        // What is over is nobody's concern, though its table stands until the week has passed.
        read.ok().filter(|connection: &Connection| self.clock.now() < connection.ends_at)
    }
}

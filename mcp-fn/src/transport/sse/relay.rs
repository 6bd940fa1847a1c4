//! The table through which answers travel between instances: one partition for each instance that
//! holds streams, one row for each answer, sealed, and taken away once it was passed on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use shared::clock::{Clock, UnixTime};
use shared::seal::{KeyRing, Purpose, Sealer};
use shared::storage::periods::{self, PeriodError};
use shared::storage::{Address, Key, Record, RecordStore, StoreError, TableName};

use super::answer::{Part, PostId};
use super::session_id::{InstanceId, McpSessionId};

/// A column takes at most 64 KiB.
const COLUMN: usize = 65_000;

/// How often a row is written at most while its outcome is not known.
const TRIES: u32 = 3;

/// How many tables of days that are over are dropped when a new day's is made.
const DAYS: u64 = 14;
const DAY: u64 = 86_400;

/// Where the answers for one instance lie that belong to streams which end on one day.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Mailbox {
    table: TableName,
    partition: Key,
}

impl Mailbox {
    /// Where the answers for `id` lie.
    pub(super) fn of(id: &McpSessionId) -> Self {
        Self { table: table_of(id.ends_at), partition: partition(id.instance) }
    }

    /// Whether it is one of `instance`.
    pub(super) fn is_of(&self, instance: InstanceId) -> bool {
        self.partition == partition(instance)
    }

    fn at(&self, row: &Key) -> Address {
        let Self { table, partition } = self.clone();
        Address { table, partition, row: row.clone() }
    }
}

/// Rows that were found in a mailbox, and what they hold.
pub(super) type Found = Vec<(Key, Option<Part>)>;

/// The way from one instance to another.
#[derive(Debug)]
pub(super) struct Relay {
    records: Arc<dyn RecordStore>,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
}

impl Relay {
    /// A relay through `records`, whose rows are sealed under the keys of `ring`.
    pub(super) fn new(
        ring: &KeyRing,
        records: Arc<dyn RecordStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { records, sealer: ring.sealer(Purpose::RelayedAnswer), clock }
    }

    /// Leaves `text` for the stream `id`, as answer number `sequence` to one request.
    ///
    /// # Errors
    /// Storage failed; part of it may lie there, which nobody will take for the whole.
    pub(super) async fn leave(
        &self,
        id: &McpSessionId,
        post: PostId,
        sequence: u32,
        text: &Bytes,
    ) -> Result<(), StoreError> {
        let mailbox = Mailbox::of(id);
        for part in Part::all(id.stream, post, sequence, self.clock.millis(), text) {
            self.write(&mailbox, &part).await?;
        }
        Ok(())
    }

    /// What lies in `mailbox`. A row that does not open holds nothing.
    ///
    /// # Errors
    /// Storage failed.
    pub(super) async fn look(&self, mailbox: &Mailbox) -> Result<Found, StoreError> {
        let rows = self.records.list(&mailbox.table, &mailbox.partition).await?;
        let opened = rows.into_iter().map(|(row, found)| {
            let part = self.open(&mailbox.at(&row), &found.record);
            (row, part)
        });
        Ok(opened.collect())
    }

    /// Takes a row away.
    ///
    /// # Errors
    /// Storage failed.
    pub(super) async fn take(&self, mailbox: &Mailbox, row: &Key) -> Result<(), StoreError> {
        self.records.remove(&mailbox.at(row)).await
    }

    /// Notes that the stream `id` of `whose` has ended for its age: many clients do not say which
    /// stream they open anew.
    ///
    /// # Errors
    /// Storage failed.
    pub(super) async fn note_ended(
        &self,
        whose: &Key,
        id: &McpSessionId,
    ) -> Result<(), StoreError> {
        let address = note(whose, id);
        let sealed = self.sealer.seal(0, &address.place("ended"), &id.to_bytes());
        self.insert(&address, Record::default().with("a", sealed)).await
    }

    /// The streams of `whose` that have ended for their age, on this day or within the time `past`.
    ///
    /// # Errors
    /// Storage failed.
    pub(super) async fn ended(
        &self,
        whose: &Key,
        past: Duration,
    ) -> Result<Vec<McpSessionId>, StoreError> {
        let now = self.clock.now();
        let before = UnixTime::from_secs(now.as_secs().saturating_sub(past.as_secs()));
        let mut ended = self.ended_on(whose, now).await?;
        if table_of(before) != table_of(now) {
            ended.extend(self.ended_on(whose, before).await?);
        }
        Ok(ended)
    }

    async fn ended_on(&self, whose: &Key, day: UnixTime) -> Result<Vec<McpSessionId>, StoreError> {
        let notes = notes(whose, day);
        let rows = self.records.list(&notes.table, &notes.partition).await?;
        let ended = rows.into_iter().filter_map(|(row, found)| {
            let sealed = found.record.column("a")?;
            let opened = self.sealer.open(&notes.at(&row).place("ended"), sealed).ok()?;
            McpSessionId::from_opened(&opened)
        });
        Ok(ended.collect())
    }

    /// Forgets that the stream `id` of `whose` has ended.
    ///
    /// # Errors
    /// Storage failed.
    pub(super) async fn forget_ended(
        &self,
        whose: &Key,
        id: &McpSessionId,
    ) -> Result<(), StoreError> {
        self.records.remove(&note(whose, id)).await
    }

    /// The row's name is new, so what lies there after a failure is what we wrote.
    async fn write(&self, mailbox: &Mailbox, part: &Part) -> Result<(), StoreError> {
        let name = part.name();
        let name: Vec<&[u8]> = name.iter().map(Vec::as_slice).collect();
        let address = mailbox.at(&Key::digest("relayed-answer", &name));
        self.insert(&address, self.seal(&address, part)).await
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let over = tables_over(self.clock.now()).into_iter();
            match periods::insert(&self.records, address, record.clone(), over).await {
                Ok(()) | Err(PeriodError::Exists) => return Ok(()),
                Err(PeriodError::Store(error)) if tries == TRIES => return Err(error),
                Err(PeriodError::Store(_)) => {}
            }
        }
    }

    fn seal(&self, address: &Address, part: &Part) -> Record {
        let sealed = self.sealer.seal(0, &address.place("dated-answer"), &part.to_bytes());
        let columns = sealed.chunks(COLUMN).zip('a'..);
        columns.fold(Record::default(), |record, (column, name)| {
            record.with(&name.to_string(), column.to_vec())
        })
    }

    fn open(&self, address: &Address, record: &Record) -> Option<Part> {
        let sealed: Vec<u8> = record.columns().flat_map(|(_, column)| column).copied().collect();
        let opened = self.sealer.open(&address.place("dated-answer"), &sealed).ok()?;
        Part::from_bytes(&opened.plaintext)
    }
}

/// Where it is noted that the stream `id` of `whose` has ended.
fn note(whose: &Key, id: &McpSessionId) -> Address {
    notes(whose, id.ends_at).at(&Key::digest("ended-stream", &[&id.stream.0]))
}

/// Where it is noted which streams of `whose` have ended on one day.
fn notes(whose: &Key, day: UnixTime) -> Mailbox {
    let partition = Key::digest("ended-streams", &[whose.as_str().as_bytes()]);
    Mailbox { table: table_of(day), partition }
}

fn partition(instance: InstanceId) -> Key {
    Key::digest("relay-instance", &[&instance.0])
}

/// The table of the day on which a stream ends by itself.
fn table_of(ends_at: UnixTime) -> TableName {
    TableName::of_relay_day(ends_at.as_secs() / DAY)
}

/// The tables of days whose streams have all ended; with them go the rows of instances that are no
/// more.
fn tables_over(now: UnixTime) -> Vec<TableName> {
    let yesterday = (now.as_secs() / DAY).saturating_sub(1);
    (1..=DAYS).map(|back| TableName::of_relay_day(yesterday.saturating_sub(back))).collect()
}

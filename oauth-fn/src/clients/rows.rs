//! The sealed rows of the clients that have one, each at the digest of its identifier.
//!
//! A row lies in the table of the quarter in which the client was last known to be in use, and is
//! found in that quarter and in the next: it lives for 90 to 184 days, and again as long each time
//! that it is renewed.

use std::fmt;
use std::iter::successors;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use shared::clock::Clock;
use shared::seal::Sealer;
use shared::storage::{Address, Key, Record, RecordStore, StoreError};
use zeroize::Zeroizing;

use super::quarter::Quarter;
use crate::audit::Event;
use crate::limits::RowPermit;
use shared::storage::periods::{self, PeriodError};

const METADATA: &str = "metadata";
/// How many quarters back to look for tables to drop: after a longer sleep, older ones are left
/// to the operator. Dropping one that is not there is a cheap 404.
const QUARTERS_TO_CLEAR: usize = 8;

/// The rows of clients.
#[derive(Debug)]
pub(super) struct Rows {
    sealer: Sealer,
    records: Arc<dyn RecordStore>,
    clock: Arc<dyn Clock>,
}

/// What a row holds.
pub(super) struct Found<T> {
    pub(super) value: T,
    /// The row, if it will end with this quarter.
    pub(super) ageing: Option<AgeingRow>,
}

/// A row of the quarter before, which ends with this one unless it is renewed.
pub struct AgeingRow {
    id: String,
    text: Zeroizing<Vec<u8>>,
}

impl Rows {
    /// Rows in `records`, sealed by `sealer`.
    pub(super) fn new(
        sealer: Sealer,
        records: Arc<dyn RecordStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { sealer, records, clock }
    }

    /// Writes the row of the client `id`, unless it is there.
    pub(super) async fn write(
        &self,
        id: &str,
        text: &[u8],
        _: RowPermit,
    ) -> Result<(), StoreError> {
        self.insert(id, text).await
    }

    /// Writes `row` into the table of this quarter, sealed anew for its new place.
    pub(super) async fn renew(&self, row: &AgeingRow) -> Result<(), StoreError> {
        self.insert(&row.id, &row.text).await
    }

    /// What the row of the client `id` holds, in the table of this quarter or of the one before.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        id: &str,
    ) -> Result<Option<Found<T>>, StoreError> {
        let present = Quarter::of(self.clock.now());
        for quarter in [present, present.before()] {
            let address = address(quarter, id);
            let Some(row) = self.records.get(&address).await? else {
                continue;
            };
            let Some(text) = self.open(&address, &row.record) else {
                return Ok(None);
            };
            let value = serde_json::from_slice(&text).ok();
            let ageing = (quarter != present).then(|| AgeingRow { id: id.to_owned(), text });
            return Ok(value.map(|value| Found { value, ageing }));
        }
        Ok(None)
    }

    fn open(&self, address: &Address, record: &Record) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = record.column(METADATA).unwrap_or_default();
        let opened = self.sealer.open(&address.place(METADATA), sealed);
        if opened.is_err() {
            Event::Integrity { address: address.clone() }.record();
        }
        opened.ok().map(|opened| opened.plaintext)
    }

    async fn insert(&self, id: &str, text: &[u8]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let quarter = Quarter::of(now);
        let address = address(quarter, id);
        let sealed = self.sealer.seal(now.day(), &address.place(METADATA), text);
        let record = Record::default().with(METADATA, sealed);
        let before = |quarter: &Quarter| Some(quarter.before());
        let over = successors(Some(quarter), before).skip(2).take(QUARTERS_TO_CLEAR);
        let over = over.map(Quarter::table);
        match periods::insert(&self.records, &address, record, over).await {
            Ok(()) | Err(PeriodError::Exists) => Ok(()),
            Err(PeriodError::Store(error)) => Err(error),
        }
    }
}

impl fmt::Debug for AgeingRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AgeingRow").finish_non_exhaustive()
    }
}

fn address(quarter: Quarter, id: &str) -> Address {
    Address::alone(quarter.table(), Key::digest("client-id", &[id.as_bytes()]))
}

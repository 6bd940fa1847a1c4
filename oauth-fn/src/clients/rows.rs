//! The sealed rows of the clients that have one, each at the digest of its identifier.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use shared::clock::Clock;
use shared::seal::Sealer;
use shared::storage::{Address, InsertError, Key, Record, RecordStore, StoreError, TableName};

use crate::limits::RowPermit;

const METADATA: &str = "metadata";

/// The rows of clients.
#[derive(Debug)]
pub(super) struct Rows {
    sealer: Sealer,
    records: Arc<dyn RecordStore>,
    clock: Arc<dyn Clock>,
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
        let address = address(id);
        let today = self.clock.now().day();
        let sealed = self.sealer.seal(today, &address.place(METADATA), text);
        self.insert(&address, Record::default().with(METADATA, sealed)).await
    }

    /// What the row of the client `id` holds.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        id: &str,
    ) -> Result<Option<T>, StoreError> {
        let address = address(id);
        let Some(found) = self.records.get(&address).await? else {
            return Ok(None);
        };
        let sealed = found.record.column(METADATA).unwrap_or_default();
        let Ok(opened) = self.sealer.open(&address.place(METADATA), sealed) else {
            tracing::warn!(%address, audit = "integrity", "the row of a client does not open");
            return Ok(None);
        };
        Ok(serde_json::from_slice(&opened.plaintext).ok())
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), StoreError> {
        let mut inserted = self.records.insert(address, record.clone()).await;
        if matches!(inserted, Err(InsertError::NoTable)) {
            self.records.create_table(&address.table).await?;
            inserted = self.records.insert(address, record).await;
        }
        match inserted {
            Ok(()) | Err(InsertError::Exists) => Ok(()),
            Err(InsertError::Store(error)) => Err(error),
            Err(error @ InsertError::NoTable) => Err(StoreError::new(error)),
        }
    }
}

fn address(id: &str) -> Address {
    Address {
        table: TableName::word("clients"),
        partition: Key::digest("client-id", &[id.as_bytes()]),
        row: Key::word("m"),
    }
}

//! Storage in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use shared::storage::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};

type Rows = BTreeMap<(Key, Key), (Record, u64)>;

/// Storage in memory. The contract of the port is proved on it, as on those that people use.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    tables: Mutex<BTreeMap<TableName, Rows>>,
    writes: AtomicU64,
}

impl MemoryStore {
    fn versioned((record, version): &(Record, u64)) -> Versioned {
        Versioned { record: record.clone(), version: Version::new(version.to_string()) }
    }

    fn next(&self, record: Record) -> (Record, u64) {
        (record, self.writes.fetch_add(1, Ordering::Relaxed))
    }
}

fn key(address: &Address) -> (Key, Key) {
    (address.partition.clone(), address.row.clone())
}

#[async_trait]
impl RecordStore for MemoryStore {
    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        let mut tables = self.tables.lock().unwrap();
        if tables.contains_key(table) {
            return Ok(TableCreation::Existed);
        }
        tables.insert(table.clone(), Rows::new());
        Ok(TableCreation::Made)
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        self.tables.lock().unwrap().remove(table);
        Ok(())
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        let mut tables = self.tables.lock().unwrap();
        let rows = tables.get_mut(&address.table).ok_or(InsertError::NoTable)?;
        if rows.contains_key(&key(address)) {
            return Err(InsertError::Exists);
        }
        rows.insert(key(address), self.next(record));
        Ok(())
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        let tables = self.tables.lock().unwrap();
        let row = tables.get(&address.table).and_then(|rows| rows.get(&key(address)));
        Ok(row.map(Self::versioned))
    }

    async fn replace(
        &self,
        address: &Address,
        record: Record,
        version: &Version,
    ) -> Result<(), ReplaceError> {
        let mut tables = self.tables.lock().unwrap();
        let row = tables.get_mut(&address.table).and_then(|rows| rows.get_mut(&key(address)));
        let row = row.filter(|row| Self::versioned(row).version == *version);
        *row.ok_or(ReplaceError::Lost)? = self.next(record);
        Ok(())
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        if let Some(rows) = self.tables.lock().unwrap().get_mut(&address.table) {
            rows.remove(&key(address));
        }
        Ok(())
    }

    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let tables = self.tables.lock().unwrap();
        let rows = tables.get(table).into_iter().flatten();
        let rows = rows.filter(|((found, _), _)| found == partition);
        Ok(rows.map(|((_, key), row)| (key.clone(), Self::versioned(row))).collect())
    }

    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError> {
        let tables = self.tables.lock().unwrap();
        let begin = place.map_or_else(
            || (Key::word(""), Key::word("")),
            |place| {
                let key = |text: &String| Key::from_store(text.clone());
                (key(&place.partition), key(&place.row))
            },
        );
        let mut rows = tables.get(table).into_iter().flat_map(|rows| rows.range(begin.clone()..));
        let records = rows.by_ref().take(1000).map(|((partition, row), found)| {
            let (table, partition, row) = (table.clone(), partition.clone(), row.clone());
            (Address { table, partition, row }, Self::versioned(found))
        });
        let records = records.collect();
        let next = rows.next().map(|((partition, row), _)| Place {
            partition: partition.as_str().to_owned(),
            row: row.as_str().to_owned(),
        });
        Ok(Page { records, next })
    }
}

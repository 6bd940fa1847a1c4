//! The table between instances, as tests look into it and break it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use shared::deadline;
use shared::storage::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};

type Rows = BTreeMap<(Key, Key), Record>;

/// Tables in memory, which must be made before they hold a row.
#[derive(Debug, Default)]
pub(crate) struct MemoryRelay {
    tables: Mutex<BTreeMap<String, Rows>>,
    pub(crate) dropped: Mutex<BTreeSet<String>>,
    /// How often a partition was listed.
    pub(crate) looks: AtomicUsize,
    pub(crate) broken: AtomicBool,
    /// Answers to writes are lost, though they are carried out.
    pub(crate) forgetful: AtomicBool,
}

impl MemoryRelay {
    /// Every row that is there.
    pub(crate) fn rows(&self) -> Vec<Record> {
        self.tables.lock().unwrap().values().flat_map(Rows::values).cloned().collect()
    }

    /// Changes a byte of every row.
    pub(crate) fn spoil(&self) {
        for record in self.tables.lock().unwrap().values_mut().flat_map(Rows::values_mut) {
            let mut column = record.column("a").unwrap().to_vec();
            *column.last_mut().unwrap() ^= 1;
            *record = record.clone().with("a", column);
        }
    }

    pub(crate) fn table_names(&self) -> Vec<String> {
        self.tables.lock().unwrap().keys().cloned().collect()
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) { Err(StoreError::new("no route")) } else { Ok(()) }
    }
}

#[async_trait]
impl RecordStore for MemoryRelay {
    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        self.check()?;
        self.tables.lock().unwrap().entry(table.as_str().to_owned()).or_default();
        Ok(TableCreation::Made)
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        self.tables.lock().unwrap().remove(table.as_str());
        self.dropped.lock().unwrap().insert(table.as_str().to_owned());
        Ok(())
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        self.check()?;
        if deadline::at_most(Duration::from_secs(5)).is_zero() {
            return Err(StoreError::new("the time of the request was over before").into());
        }
        let mut tables = self.tables.lock().unwrap();
        let rows = tables.get_mut(address.table.as_str()).ok_or(InsertError::NoTable)?;
        let key = (address.partition.clone(), address.row.clone());
        if rows.contains_key(&key) {
            return Err(InsertError::Exists);
        }
        rows.insert(key, record);
        if self.forgetful.swap(false, Ordering::Relaxed) {
            return Err(StoreError::new("no answer").into());
        }
        Ok(())
    }

    async fn get(&self, _: &Address) -> Result<Option<Versioned>, StoreError> {
        Err(StoreError::new("the relay reads partitions"))
    }

    async fn replace(&self, _: &Address, _: Record, _: &Version) -> Result<(), ReplaceError> {
        Err(StoreError::new("the relay changes nothing").into())
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        self.check()?;
        if let Some(rows) = self.tables.lock().unwrap().get_mut(address.table.as_str()) {
            rows.remove(&(address.partition.clone(), address.row.clone()));
        }
        Ok(())
    }

    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.check()?;
        let tables = self.tables.lock().unwrap();
        let rows = tables.get(table.as_str()).into_iter().flatten();
        let rows = rows.filter(|((found, _), _)| found == partition).map(|((_, row), record)| {
            (row.clone(), Versioned { record: record.clone(), version: Version::new("1") })
        });
        Ok(rows.collect())
    }

    async fn page(&self, _: &TableName, _: Option<&Place>) -> Result<Page, StoreError> {
        Err(StoreError::new("the relay reads partitions"))
    }
}

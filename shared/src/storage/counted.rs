//! A store that counts its calls, since calls are what latency and the bill are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};

/// How often a store was called.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StorageCalls {
    /// Calls that read a record, a partition or a page.
    pub reads: u64,
    /// Calls that write or remove a record.
    pub writes: u64,
    /// Calls that make or drop a table.
    pub tables: u64,
}

/// Counts the calls that pass through to another store.
#[derive(Debug)]
pub struct CountedStore {
    inner: Arc<dyn RecordStore>,
    reads: AtomicU64,
    writes: AtomicU64,
    tables: AtomicU64,
}

impl CountedStore {
    /// Counts the calls to `inner`, from none.
    pub fn new(inner: Arc<dyn RecordStore>) -> Self {
        Self {
            inner,
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            tables: AtomicU64::new(0),
        }
    }

    /// The calls so far.
    pub fn calls(&self) -> StorageCalls {
        StorageCalls {
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            tables: self.tables.load(Ordering::Relaxed),
        }
    }
}

#[async_trait]
impl RecordStore for CountedStore {
    fn system(&self) -> &'static str {
        self.inner.system()
    }

    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        self.tables.fetch_add(1, Ordering::Relaxed);
        self.inner.create_table(table).await
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        self.tables.fetch_add(1, Ordering::Relaxed);
        self.inner.drop_table(table).await
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.insert(address, record).await
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.get(address).await
    }

    async fn replace(
        &self,
        address: &Address,
        record: Record,
        version: &Version,
    ) -> Result<(), ReplaceError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.replace(address, record, version).await
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.remove(address).await
    }

    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.list(table, partition).await
    }

    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.page(table, place).await
    }
}

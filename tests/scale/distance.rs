//! A store that is some way off: what is asked of it takes half a trip to come there, and what it
//! answers the other half to come back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared::storage::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};
use tokio::time::sleep;

/// Another store, at a distance.
#[derive(Debug)]
pub(crate) struct DistantStore {
    inner: Arc<dyn RecordStore>,
    half: Duration,
}

impl DistantStore {
    /// `inner`, so far off that a call takes `trip`.
    pub(crate) fn new(inner: Arc<dyn RecordStore>, trip: Duration) -> Self {
        Self { inner, half: trip / 2 }
    }

    async fn travel<T>(&self, work: impl Future<Output = T> + Send) -> T {
        self.half_a_trip().await;
        let outcome = work.await;
        self.half_a_trip().await;
        outcome
    }

    async fn half_a_trip(&self) {
        if !self.half.is_zero() {
            sleep(self.half).await;
        }
    }
}

#[async_trait]
impl RecordStore for DistantStore {
    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        self.travel(self.inner.create_table(table)).await
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        self.travel(self.inner.drop_table(table)).await
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        self.travel(self.inner.insert(address, record)).await
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        self.travel(self.inner.get(address)).await
    }

    async fn replace(
        &self,
        address: &Address,
        record: Record,
        version: &Version,
    ) -> Result<(), ReplaceError> {
        self.travel(self.inner.replace(address, record, version)).await
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        self.travel(self.inner.remove(address)).await
    }

    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        self.travel(self.inner.list(table, partition)).await
    }

    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError> {
        self.travel(self.inner.page(table, place)).await
    }
}

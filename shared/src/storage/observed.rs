//! A store whose calls are observed: each has a span in the trace of its request, and is measured.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};
use crate::telemetry::calls::StorageCall;

/// Observes the calls that pass through to another store.
#[derive(Debug)]
pub struct ObservedStore {
    inner: Arc<dyn RecordStore>,
    namespace: &'static str,
}

impl ObservedStore {
    /// Observes the calls to `inner`, which keeps `namespace`.
    pub fn new(inner: Arc<dyn RecordStore>, namespace: &'static str) -> Self {
        Self { inner, namespace }
    }

    fn call<'a>(&self, operation: &'static str, table: &'a TableName) -> StorageCall<'a> {
        let (system, namespace) = (self.inner.system(), self.namespace);
        StorageCall { system, namespace, operation, collection: table.as_str() }
    }
}

#[async_trait]
impl RecordStore for ObservedStore {
    fn system(&self) -> &'static str {
        self.inner.system()
    }

    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        let work = self.inner.create_table(table);
        self.call("create_table", table).observe(work, StoreError::kind).await
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        let work = self.inner.drop_table(table);
        self.call("drop_table", table).observe(work, StoreError::kind).await
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        let work = self.inner.insert(address, record);
        let kind = |error: &InsertError| match error {
            InsertError::Exists => "exists",
            InsertError::NoTable => "no_table",
            InsertError::Store(error) => error.kind(),
        };
        self.call("insert", &address.table).observe(work, kind).await
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        let work = self.inner.get(address);
        self.call("get", &address.table).observe(work, StoreError::kind).await
    }

    async fn replace(
        &self,
        address: &Address,
        record: Record,
        version: &Version,
    ) -> Result<(), ReplaceError> {
        let work = self.inner.replace(address, record, version);
        let kind = |error: &ReplaceError| match error {
            ReplaceError::Lost => "lost",
            ReplaceError::Store(error) => error.kind(),
        };
        self.call("replace", &address.table).observe(work, kind).await
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        let work = self.inner.remove(address);
        self.call("remove", &address.table).observe(work, StoreError::kind).await
    }

    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let work = self.inner.list(table, partition);
        self.call("list", table).observe(work, StoreError::kind).await
    }

    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError> {
        let work = self.inner.page(table, place);
        self.call("page", table).observe(work, StoreError::kind).await
    }
}

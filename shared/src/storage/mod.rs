//! The storage port: the few verbs of Azure Table Storage that we need, with entity tags.
//!
//! Absence is an answer, a conflict is an answer, a fault is an error. Typed stores that seal
//! what they write stand above this port, once; implementations stand below it.

mod azure;
mod counted;
mod key;
mod observed;
pub mod periods;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;

use async_trait::async_trait;

pub use azure::AzureTables;
pub use counted::{CountedStore, StorageCalls};
pub use key::{Address, Key, TableName};
pub use observed::ObservedStore;

/// Where records are kept.
#[async_trait]
pub trait RecordStore: Debug + Send + Sync {
    /// What kind of store this is, as spans and metrics call it.
    fn system(&self) -> &'static str {
        "memory"
    }

    /// Makes `table` unless it is there.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError>;

    /// Removes `table` with all it holds; no table is no error.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError>;

    /// Writes `record` where none is.
    ///
    /// # Errors
    /// A record is there (409), its table is not (404), or a fault of the store.
    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError>;

    /// The record at `address`; a table that is not there holds none.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError>;

    /// Writes `record` over the one that has `version`: of several callers one succeeds.
    ///
    /// # Errors
    /// The record has changed or is gone (412, 404), or a fault of the store.
    async fn replace(
        &self,
        address: &Address,
        record: Record,
        version: &Version,
    ) -> Result<(), ReplaceError>;

    /// Removes the record at `address`, whatever its version; no record is no error.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn remove(&self, address: &Address) -> Result<(), StoreError>;

    /// Every record of one partition, in the order of their row keys.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError>;

    /// One page of a whole table in the order of its keys, from its beginning or from `place` on.
    /// For an operator's look at everything: no request waits for this.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError>;
}

/// Some of the records of a table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// The records; an empty page may have another one after it.
    pub records: Vec<(Address, Versioned)>,
    /// Where the next page begins, if there is one.
    pub next: Option<Place>,
}

/// Where a page begins, in an implementation's own words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Its word for the partition.
    pub partition: String,
    /// Its word for the row.
    pub row: String,
}

/// Named columns of bytes, at most 64 KiB each.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record(BTreeMap<String, Vec<u8>>);

impl Record {
    /// This record with `bytes` in the column `name`.
    #[must_use]
    pub fn with(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.0.insert(name.to_owned(), bytes);
        self
    }

    /// This record without the column `name`.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The bytes in the column `name`.
    pub fn column(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Each column with its bytes, in the order of their names.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }
}

/// A record as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Versioned {
    /// The columns.
    pub record: Record,
    /// What [`RecordStore::replace`] wants back.
    pub version: Version,
}

/// An entity tag: it changes with every write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version(String);

impl Version {
    /// The version that an implementation calls `tag`.
    pub fn new(tag: impl Into<String>) -> Self {
        Self(tag.into())
    }

    /// The implementation's own word for it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What became of a wish for a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TableCreation {
    /// It was there.
    Existed,
    /// It is there now.
    Made,
}

/// Why a record was not inserted.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// A record with these keys is there.
    #[error("a record with these keys exists")]
    Exists,
    /// The table is not there.
    #[error("the table does not exist")]
    NoTable,
    /// The store failed; whether it wrote is not known.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a record was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Somebody else changed or removed it first.
    #[error("the record has changed since it was read")]
    Lost,
    /// The store failed; whether it wrote is not known.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store cannot be reached or refuses; the caller may try again later.
#[derive(Debug, thiserror::Error)]
#[error("storage failed")]
pub struct StoreError(#[source] Box<dyn Error + Send + Sync>);

impl StoreError {
    /// A failure with its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }

    /// What went wrong, in one word.
    pub fn kind(&self) -> &'static str {
        crate::azure::kind_of(&*self.0)
    }
}

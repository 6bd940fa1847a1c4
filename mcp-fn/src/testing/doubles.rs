//! The clock and the two stores that tests move, break and look into.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use shared::clock::{Clock, UnixTime};
use shared::deadline;
use shared::storage::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};

use crate::snippets::{
    Condition, Deletion, Saving, Snippet, SnippetEntry, SnippetName, SnippetPage, SnippetStore,
    SnippetStoreError, SnippetText,
};

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub(crate) struct ManualClock(pub(super) AtomicU64);

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// Records that can be made to fail.
#[derive(Debug, Default)]
pub(crate) struct MemoryRecords {
    pub(super) rows: Mutex<HashMap<Address, Record>>,
    pub(super) broken: AtomicBool,
}

impl MemoryRecords {
    fn check(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) { Err(StoreError::new("no route")) } else { Ok(()) }
    }
}

#[async_trait]
impl RecordStore for MemoryRecords {
    async fn create_table(&self, _: &TableName) -> Result<TableCreation, StoreError> {
        Err(StoreError::new("mcp-fn makes no tables"))
    }

    async fn drop_table(&self, _: &TableName) -> Result<(), StoreError> {
        Err(StoreError::new("mcp-fn drops no tables"))
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        self.rows.lock().unwrap().insert(address.clone(), record);
        Ok(())
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        self.check()?;
        let found = self.rows.lock().unwrap().get(address).cloned();
        Ok(found.map(|record| Versioned { record, version: Version::new("1") }))
    }

    async fn replace(&self, _: &Address, _: Record, _: &Version) -> Result<(), ReplaceError> {
        Err(StoreError::new("mcp-fn changes no sessions").into())
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        self.rows.lock().unwrap().remove(address);
        Ok(())
    }

    async fn list(&self, _: &TableName, _: &Key) -> Result<Vec<(Key, Versioned)>, StoreError> {
        Err(StoreError::new("mcp-fn lists no sessions"))
    }

    async fn page(&self, _: &TableName, _: Option<&Place>) -> Result<Page, StoreError> {
        Err(StoreError::new("mcp-fn lists no sessions"))
    }
}

/// Snippets in pages of two.
#[derive(Debug, Default)]
pub(crate) struct MemorySnippets {
    texts: Mutex<BTreeMap<(Key, SnippetName), Snippet>>,
    writes: AtomicU64,
    pub(crate) broken: AtomicBool,
    /// Gives no answer, as far as the caller waits: for a minute, or until its time is over.
    pub(crate) silent: AtomicBool,
    /// Takes a second for each call.
    pub(crate) slow: AtomicBool,
}

impl MemorySnippets {
    async fn check(&self) -> Result<(), SnippetStoreError> {
        if self.silent.load(Ordering::Relaxed) {
            tokio::time::sleep(deadline::at_most(Duration::from_mins(1))).await;
            return Err(SnippetStoreError::new("no answer in time"));
        }
        if self.slow.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let broken = self.broken.load(Ordering::Relaxed);
        if broken { Err(SnippetStoreError::new("connection refused")) } else { Ok(()) }
    }
}

#[async_trait]
impl SnippetStore for MemorySnippets {
    async fn put(
        &self,
        owner: &Key,
        name: &SnippetName,
        text: &SnippetText,
        condition: &Condition,
    ) -> Result<Saving, SnippetStoreError> {
        self.check().await?;
        let mut texts = self.texts.lock().unwrap();
        let key = (owner.clone(), name.clone());
        let present = texts.get(&key).map(|snippet| &snippet.version);
        let fulfilled = match condition {
            Condition::Anything => true,
            Condition::Nothing => present.is_none(),
            Condition::Version(version) => present == Some(version),
        };
        if !fulfilled {
            return Ok(Saving::Conflict);
        }
        let version = Version::new(self.writes.fetch_add(1, Ordering::Relaxed).to_string());
        texts.insert(key, Snippet { text: text.clone(), version });
        Ok(Saving::Saved)
    }

    async fn get(
        &self,
        owner: &Key,
        name: &SnippetName,
    ) -> Result<Option<Snippet>, SnippetStoreError> {
        self.check().await?;
        Ok(self.texts.lock().unwrap().get(&(owner.clone(), name.clone())).cloned())
    }

    async fn list(
        &self,
        owner: &Key,
        from: Option<&SnippetName>,
    ) -> Result<SnippetPage, SnippetStoreError> {
        self.check().await?;
        let texts = self.texts.lock().unwrap();
        let mut all = texts
            .iter()
            .filter(|((of, name), _)| of == owner && from.is_none_or(|from| name >= from))
            .map(|((_, name), snippet)| SnippetEntry {
                name: name.clone(),
                bytes: snippet.text.as_str().len() as u64,
            });
        let snippets = all.by_ref().take(2).collect();
        Ok(SnippetPage { snippets, next: all.next().map(|entry| entry.name) })
    }

    async fn delete(
        &self,
        owner: &Key,
        name: &SnippetName,
        version: Option<&Version>,
    ) -> Result<Deletion, SnippetStoreError> {
        self.check().await?;
        let mut texts = self.texts.lock().unwrap();
        let key = (owner.clone(), name.clone());
        let Some(present) = texts.get(&key) else {
            return Ok(Deletion::NotFound);
        };
        if version.is_some_and(|version| *version != present.version) {
            return Ok(Deletion::Conflict);
        }
        texts.remove(&key);
        Ok(Deletion::Deleted)
    }
}

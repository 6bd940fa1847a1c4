//! The embedded store: records and snippets in one redb database, in a file or in memory.

mod open;
mod records;
mod snippets;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, Durability, ReadTransaction, ReadableDatabase, WriteTransaction};

pub use open::OpenError;

/// What stands for Table Storage and Blob Storage on a laptop.
pub struct EmbeddedStore {
    inner: Arc<Inner>,
    medium: Medium,
}

#[derive(Clone, Copy, Debug)]
enum Medium {
    File,
    Memory,
}

struct Inner {
    // Nothing is left once the store is closed, which frees the file for the next process.
    database: RwLock<Option<Database>>,
    durability: Durability,
    // A version is how often the database was opened, and a count since then. It never repeats,
    // and costs a write at opening only.
    epoch: u64,
    writes: AtomicU64,
}

impl EmbeddedStore {
    /// A store that lives as long as the process.
    ///
    /// # Errors
    /// The database refuses, which it has no reason to.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::new(open::in_memory()?, Durability::None, Medium::Memory)
    }

    /// The store in the file at `path`, which is made if it is not there.
    ///
    /// # Errors
    /// The file is damaged, in use or out of reach. It is left as it was found.
    pub fn in_file(path: &Path) -> Result<Self, OpenError> {
        let database = open::in_file(path)?;
        Self::new(database, Durability::Immediate, Medium::File)
            .map_err(|error| error.in_file(path))
    }

    /// Ends every use of the store; what comes later fails.
    pub fn close(&self) {
        let mut database = self.inner.database.write().unwrap_or_else(PoisonError::into_inner);
        drop(database.take());
    }

    fn new(database: Database, durability: Durability, medium: Medium) -> Result<Self, OpenError> {
        let epoch = open::next_epoch(&database)?;
        let database = RwLock::new(Some(database));
        let writes = AtomicU64::new(0);
        Ok(Self { inner: Arc::new(Inner { database, durability, epoch, writes }), medium })
    }

    /// Does `work` where it stalls nobody: disks are slow, memory is not.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        match self.medium {
            Medium::Memory => work(&self.inner),
            Medium::File => {
                let inner = Arc::clone(&self.inner);
                tokio::task::spawn_blocking(move || work(&inner)).await?
            }
        }
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("EmbeddedStore").field(&self.medium).finish()
    }
}

impl Inner {
    /// What `ask` finds in the database as the last commit left it.
    fn read<T>(
        &self,
        ask: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Fault::Closed)?;
        let transaction = database.begin_read().map_err(redb::Error::from)?;
        Ok(ask(&transaction)?)
    }

    /// Lets `change` look at what is there and write, alone; it is written whole or not at all.
    fn write<T>(
        &self,
        change: impl FnOnce(&Change<'_>) -> Result<Outcome<T>, redb::Error>,
    ) -> Result<T, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Fault::Closed)?;
        let mut writing = database.begin_write().map_err(redb::Error::from)?;
        writing.set_durability(self.durability).map_err(redb::Error::from)?;
        let present = database.begin_read().map_err(redb::Error::from)?;
        let outcome = change(&Change { writing: &writing, present, inner: self })?;
        match outcome {
            Outcome::Commit(value) => {
                writing.commit().map_err(redb::Error::from)?;
                Ok(value)
            }
            Outcome::Leave(value) => {
                writing.abort().map_err(redb::Error::from)?;
                Ok(value)
            }
        }
    }
}

/// One change in the making. Only one is made at a time, so `present` is what it starts from.
struct Change<'a> {
    writing: &'a WriteTransaction,
    present: ReadTransaction,
    inner: &'a Inner,
}

impl Change<'_> {
    fn next_version(&self) -> (u64, u64) {
        (self.inner.epoch, self.inner.writes.fetch_add(1, Ordering::Relaxed))
    }
}

enum Outcome<T> {
    Commit(T),
    Leave(T),
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the embedded store is closed")]
    Closed,
    #[error("the embedded database failed")]
    Database(#[from] redb::Error),
    #[error("the work on the embedded database was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

//! Opening the database: a damaged, foreign or busy file is named and left as it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError, ReadableTable, StorageBackend, TableDefinition};

use crate::files::Unfinished;

const OPENINGS: TableDefinition<'_, &str, u64> = TableDefinition::new("openings");
const CACHE: usize = 64 * 1024 * 1024;

/// A database in memory.
pub(super) fn in_memory() -> Result<Database, OpenError> {
    builder().create_with_backend(InMemoryBackend::new()).map_err(OpenError::from)
}

/// The database in the file at `path`, which is made if it is not there.
pub(super) fn in_file(path: &Path) -> Result<Database, OpenError> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => existing(file, path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => new(path),
        Err(error) => Err(OpenError::unreachable(path, error)),
    }
}

/// How often `database` was opened, this time included.
pub(super) fn next_epoch(database: &Database) -> Result<u64, OpenError> {
    let count = || -> Result<u64, redb::Error> {
        let writing = database.begin_write()?;
        let mut openings = writing.open_table(OPENINGS)?;
        let epoch = openings.get("count")?.map_or(0, |count| count.value()) + 1;
        openings.insert("count", epoch)?;
        drop(openings);
        writing.commit()?;
        Ok(epoch)
    };
    count().map_err(OpenError::from)
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
}

fn new(path: &Path) -> Result<Database, OpenError> {
    let unreachable = |error| OpenError::unreachable(path, error);
    let (unfinished, file) = Unfinished::begin(path).map_err(unreachable)?;
    drop(on_file(file, path)?);
    unfinished.finish(path).map_err(unreachable)?;
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(unreachable)?;
    existing(file, path)
}

// The lock comes first, so that nobody writes between the check and the opening.
fn existing(mut file: File, path: &Path) -> Result<Database, OpenError> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(OpenError::unreachable(path, error)),
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| OpenError::unreachable(path, error))?;
    check(&bytes).map_err(|error| OpenError::damaged(path, error))?;
    on_file(file, path)
}

fn on_file(file: File, path: &Path) -> Result<Database, OpenError> {
    let open = || builder().create_with_backend(FileBackend::new(file)?);
    open().map_err(|error| OpenError::from(error).in_file(path))
}

/// Opens a copy of the file with every checksum verified: redb repairs what it opens in place,
/// and may panic where it trusts a file that was changed.
fn check(bytes: &[u8]) -> Result<(), DatabaseError> {
    if bytes.is_empty() {
        let problem = "the file is empty".to_owned();
        return Err(redb::StorageError::Corrupted(problem).into());
    }
    let copy = InMemoryBackend::new();
    copy.set_len(bytes.len() as u64)?;
    copy.write(0, bytes)?;
    builder().set_check_integrity_on_open(true).create_with_backend(copy)?;
    Ok(())
}

/// Why the store does not open. The file, if there is one, is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not a database of ours, or it was cut or changed.
    #[error(
        "the data file {} is damaged or is not a data file; it was left as it is. \
         Put a good copy in its place, or move it away to begin with an empty store",
        .file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<redb::Error>,
    },
    /// Another process has it open.
    #[error(
        "the data file {} is in use by another process; stop that one first, \
         or give this one a directory of its own with --data",
        .0.display()
    )]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error(
        "the data file {} cannot be opened; check that the directory exists and may be written to",
        .file.display()
    )]
    Unreachable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The database in memory failed.
    #[error("the database in memory failed")]
    Memory(#[source] Box<redb::Error>),
}

impl OpenError {
    /// This error, if it is one about the file at `path`.
    pub(super) fn in_file(self, path: &Path) -> Self {
        match self {
            Self::Memory(source) => match *source {
                redb::Error::DatabaseAlreadyOpen => Self::InUse(path.to_owned()),
                redb::Error::Io(error) => Self::unreachable(path, error),
                other => Self::damaged(path, other),
            },
            named => named,
        }
    }

    fn damaged(path: &Path, source: impl Into<redb::Error>) -> Self {
        Self::Damaged { file: path.to_owned(), source: Box::new(source.into()) }
    }

    fn unreachable(path: &Path, source: io::Error) -> Self {
        Self::Unreachable { file: path.to_owned(), source }
    }
}

impl<E: Into<redb::Error>> From<E> for OpenError {
    fn from(error: E) -> Self {
        Self::Memory(Box::new(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use shared::storage::{Address, Key, Record, RecordStore, TableName};

    use super::super::EmbeddedStore;
    use super::*;

    const TABLE: TableName = TableName::word("table");

    fn address(row: &'static str) -> Address {
        Address { table: TABLE, partition: Key::word("partition"), row: Key::word(row) }
    }

    fn record() -> Record {
        Record::default().with("column", vec![7; 5_000])
    }

    async fn filled(path: &Path) -> EmbeddedStore {
        let store = EmbeddedStore::in_file(path).unwrap();
        store.create_table(&TABLE).await.unwrap();
        for row in ["a", "b", "c"] {
            store.insert(&address(row), record()).await.unwrap();
        }
        store
    }

    /// The bytes of a store that was closed in order.
    async fn good_file(path: &Path) -> Vec<u8> {
        filled(path).await.close();
        fs::read(path).unwrap()
    }

    #[tokio::test]
    async fn a_closed_store_opens_again_with_its_records_and_new_versions() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.redb");
        let store = filled(&path).await;
        let before = store.get(&address("a")).await.unwrap().unwrap();
        store.close();

        let store = EmbeddedStore::in_file(&path).unwrap();
        let after = store.get(&address("a")).await.unwrap().unwrap();
        store.replace(&address("a"), record(), &after.version).await.unwrap();
        let replaced = store.get(&address("a")).await.unwrap().unwrap();

        assert_eq!(after, before);
        assert_ne!(replaced.version, before.version);
    }

    #[tokio::test]
    async fn a_store_whose_process_was_killed_opens_with_every_record() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("store.redb"), directory.path().join("copy"));
        let _store = filled(&path).await;
        fs::copy(&path, &copy).unwrap();

        let store = EmbeddedStore::in_file(&copy).unwrap();

        assert_eq!(store.get(&address("c")).await.unwrap().unwrap().record, record());
    }

    #[tokio::test]
    async fn a_store_that_another_has_open_is_named_as_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.redb");
        let first = filled(&path).await;

        let second = EmbeddedStore::in_file(&path);

        assert!(matches!(second, Err(OpenError::InUse(named)) if named == path));
        assert!(first.get(&address("a")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_closed_store_fails_and_frees_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.redb");
        let first = filled(&path).await;

        first.close();

        assert!(first.get(&address("a")).await.is_err());
        assert!(EmbeddedStore::in_file(&path).is_ok());
    }

    #[tokio::test]
    async fn a_foreign_empty_or_cut_file_is_named_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.redb");
        let good = good_file(&path).await;
        let mut broken = vec![
            Vec::new(),
            b"{\"not\": \"a database\"}\n".to_vec(),
            vec![0; 8_192],
            [&good[..9], &[0xff; 9_000]].concat(),
            [&good[..], b"more"].concat(),
        ];
        broken.extend(
            [1, 9, 100, 4_096, good.len() / 2, good.len() - 1].map(|cut| good[..cut].to_vec()),
        );

        for bytes in broken {
            fs::write(&path, &bytes).unwrap();

            let error = EmbeddedStore::in_file(&path).unwrap_err();

            assert!(matches!(error, OpenError::Damaged { .. }), "{} bytes: {error:?}", bytes.len());
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }

    #[tokio::test]
    async fn a_changed_byte_is_harmless_or_found_before_anything_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.redb");
        let good = good_file(&path).await;
        let used = good.iter().rposition(|byte| *byte != 0).unwrap();
        let mut found = 0;

        // Samples of the header, and of all that follows.
        for index in (0..320).step_by(9).chain((512..used).step_by(used / 40)) {
            let mut bytes = good.clone();
            bytes[index] ^= 0x40;
            fs::write(&path, &bytes).unwrap();

            match EmbeddedStore::in_file(&path) {
                Ok(store) => {
                    for row in ["a", "b", "c"] {
                        let read = store.get(&address(row)).await.unwrap();
                        assert!(read.is_none_or(|read| read.record == record()), "byte {index}");
                    }
                }
                Err(OpenError::Damaged { .. }) => {
                    assert_eq!(fs::read(&path).unwrap(), bytes, "byte {index}");
                    found += 1;
                }
                Err(error) => panic!("byte {index}: {error:?}"),
            }
        }

        assert!(found > 10, "only {found} changes were found");
    }
}

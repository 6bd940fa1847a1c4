//! The contract of the storage port, proved on the embedded store in memory and in a file.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

#[macro_use]
mod contract;

mod in_memory {
    use std::future::ready;
    use std::sync::Arc;

    use local::embedded::EmbeddedStore;
    use shared::storage::RecordStore;

    contract_tests!(ready(open()));

    fn open() -> (Arc<dyn RecordStore>, ()) {
        (Arc::new(EmbeddedStore::in_memory().unwrap()), ())
    }
}

mod in_a_file {
    use std::future::ready;
    use std::sync::Arc;

    use local::embedded::EmbeddedStore;
    use shared::storage::RecordStore;
    use tempfile::TempDir;

    contract_tests!(ready(open()));

    fn open() -> (Arc<dyn RecordStore>, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::in_file(&directory.path().join("store.redb")).unwrap();
        (Arc::new(store), directory)
    }
}

//! The contracts of the two storage ports, proved on the embedded store in memory and in a file.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

#[macro_use]
mod contract;
#[macro_use]
mod snippets;

mod in_memory {
    use std::future::ready;
    use std::sync::Arc;

    use local::embedded::EmbeddedStore;

    contract_tests!(ready((open(), ())));

    mod snippets {
        snippet_contract_tests!(std::future::ready((super::open(), ())));
    }

    fn open() -> Arc<EmbeddedStore> {
        Arc::new(EmbeddedStore::in_memory().unwrap())
    }
}

mod in_a_file {
    use std::future::ready;
    use std::sync::Arc;

    use local::embedded::EmbeddedStore;
    use tempfile::TempDir;

    contract_tests!(ready(open()));

    mod snippets {
        snippet_contract_tests!(std::future::ready(super::open()));
    }

    fn open() -> (Arc<EmbeddedStore>, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::in_file(&directory.path().join("store.redb")).unwrap();
        (Arc::new(store), directory)
    }
}

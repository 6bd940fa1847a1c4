//! The contract of the storage port on Azure's tables, and what only they do.

use std::sync::Arc;

use shared::azure::StorageService;
use shared::secret::random_bytes;
use shared::storage::{Address, AzureTables, Key, Record, RecordStore, TableName};

contract_tests!(std::future::ready(open()));

fn open() -> (Arc<dyn RecordStore>, ()) {
    let endpoint = crate::azurite("AZURITE_TABLES", StorageService::Table);
    (Arc::new(AzureTables::new(&crate::azure(), endpoint)), ())
}

/// Table Storage answers at most 1000 records at once.
#[tokio::test]
async fn a_partition_of_many_pages_is_listed_whole_and_in_order() {
    let (store, ()) = open();
    let table = new_table(&*store).await;
    let place = |row: usize| Address {
        table: table.clone(),
        partition: Key::word("p"),
        row: Key::from_store(format!("{row:05}")),
    };
    for row in 0..2100 {
        store.insert(&place(row), Record::default()).await.unwrap();
    }

    let listed = store.list(&table, &Key::word("p")).await.unwrap();

    let expected: Vec<_> = (0..2100).map(|row| place(row).row).collect();
    let listed: Vec<_> = listed.into_iter().map(|(row, _)| row).collect();
    assert_eq!(listed, expected);
    store.drop_table(&table).await.unwrap();
}

#[tokio::test]
async fn keys_with_quotes_and_signs_stay_keys() {
    let (store, ()) = open();
    let table = new_table(&*store).await;
    let partition = Key::from_store("o'brien' or 1 eq 1 + & %".to_owned());
    let address = Address { table, partition: partition.clone(), row: Key::word("r") };

    store.insert(&address, Record::default().with("c", vec![1])).await.unwrap();

    assert!(store.get(&address).await.unwrap().is_some());
    assert_eq!(store.list(&address.table, &partition).await.unwrap().len(), 1);
    store.drop_table(&address.table).await.unwrap();
}

async fn new_table(store: &dyn RecordStore) -> TableName {
    let table = TableName::of_week(i32::from(u16::from_be_bytes(random_bytes())), 54);
    store.create_table(&table).await.unwrap();
    table
}

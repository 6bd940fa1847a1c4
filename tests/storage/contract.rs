//! What every implementation of the storage port must do. Each case takes a table of its own, so
//! that one store can serve them all at once and again.

use std::sync::Arc;

use shared::secret::random_bytes;
use shared::storage::{
    Address, InsertError, Key, Page, Record, RecordStore, ReplaceError, TableCreation, TableName,
    Version, Versioned,
};

/// Makes a test of each case. `$open` gives a store, and what must live as long as it.
macro_rules! contract_tests {
    ($open:expr) => {
        contract_tests! { $open =>
            a_table_is_made_once
            a_dropped_table_is_gone_with_what_it_held
            a_record_comes_back_as_it_was_written
            a_second_insert_changes_nothing
            an_insert_needs_its_table
            absence_is_an_answer
            a_replacement_at_the_version_that_was_read_is_written
            a_replacement_at_an_older_version_is_lost
            a_replacement_of_what_is_gone_is_lost
            a_replacement_leaves_nothing_of_the_record_before
            every_write_changes_the_version
            a_version_does_not_outlive_its_record
            of_eight_replacements_at_one_version_one_is_written
            of_eight_inserts_at_one_place_one_is_written
            a_partition_is_listed_in_the_order_of_its_row_keys
            a_table_of_many_pages_is_paged_whole_and_in_order
            a_table_that_is_not_there_has_one_empty_page
            a_column_holds_every_byte
            a_column_holds_64_kib_and_nothing_at_all
            a_record_without_columns_is_a_record
        }
    };
    ($open:expr => $($case:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let (store, _kept) = $open.await;
                crate::contract::$case(store).await;
            }
        )+
    };
}

type Store = Arc<dyn RecordStore>;

pub(crate) async fn a_table_is_made_once(store: Store) {
    let table = unused_table();

    let first = store.create_table(&table).await.unwrap();
    let second = store.create_table(&table).await.unwrap();

    assert_eq!(first, TableCreation::Made);
    assert_eq!(second, TableCreation::Existed);
}

pub(crate) async fn a_dropped_table_is_gone_with_what_it_held(store: Store) {
    let address = place_in_new_table(&store).await;
    store.insert(&address, record("one")).await.unwrap();

    store.drop_table(&address.table).await.unwrap();
    store.drop_table(&address.table).await.unwrap();

    assert_eq!(store.get(&address).await.unwrap(), None);
    let inserted = store.insert(&address, record("two")).await;
    assert!(matches!(inserted, Err(InsertError::NoTable)), "{inserted:?}");
}

pub(crate) async fn a_record_comes_back_as_it_was_written(store: Store) {
    let address = place_in_new_table(&store).await;
    let record = record("one").with("another", b"column".to_vec());

    store.insert(&address, record.clone()).await.unwrap();

    assert_eq!(read(&store, &address).await.record, record);
}

pub(crate) async fn a_second_insert_changes_nothing(store: Store) {
    let address = place_in_new_table(&store).await;
    store.insert(&address, record("one")).await.unwrap();
    let before = read(&store, &address).await;

    let second = store.insert(&address, record("two")).await;

    assert!(matches!(second, Err(InsertError::Exists)), "{second:?}");
    assert_eq!(read(&store, &address).await, before);
}

pub(crate) async fn an_insert_needs_its_table(store: Store) {
    let address = place_in(unused_table());

    let inserted = store.insert(&address, record("one")).await;

    assert!(matches!(inserted, Err(InsertError::NoTable)), "{inserted:?}");
}

pub(crate) async fn absence_is_an_answer(store: Store) {
    let no_record = place_in_new_table(&store).await;
    let no_table = place_in(unused_table());

    for address in [no_record, no_table] {
        assert_eq!(store.get(&address).await.unwrap(), None);
        assert_eq!(store.list(&address.table, &address.partition).await.unwrap(), []);
        store.remove(&address).await.unwrap();
        store.drop_table(&address.table).await.unwrap();
    }
}

pub(crate) async fn a_replacement_at_the_version_that_was_read_is_written(store: Store) {
    let address = place_in_new_table(&store).await;
    store.insert(&address, record("one")).await.unwrap();
    let version = read(&store, &address).await.version;

    store.replace(&address, record("two"), &version).await.unwrap();

    assert_eq!(read(&store, &address).await.record, record("two"));
}

pub(crate) async fn a_replacement_at_an_older_version_is_lost(store: Store) {
    let address = place_in_new_table(&store).await;
    store.insert(&address, record("one")).await.unwrap();
    let older = read(&store, &address).await.version;
    store.replace(&address, record("two"), &older).await.unwrap();

    let replaced = store.replace(&address, record("three"), &older).await;

    assert!(matches!(replaced, Err(ReplaceError::Lost)), "{replaced:?}");
    assert_eq!(read(&store, &address).await.record, record("two"));
}

pub(crate) async fn a_replacement_of_what_is_gone_is_lost(store: Store) {
    let removed = place_in_new_table(&store).await;
    store.insert(&removed, record("one")).await.unwrap();
    let version = read(&store, &removed).await.version;
    store.remove(&removed).await.unwrap();
    let no_table = place_in(unused_table());

    for address in [removed, no_table] {
        let replaced = store.replace(&address, record("two"), &version).await;

        assert!(matches!(replaced, Err(ReplaceError::Lost)), "{replaced:?}");
        assert_eq!(store.get(&address).await.unwrap(), None);
    }
}

pub(crate) async fn a_replacement_leaves_nothing_of_the_record_before(store: Store) {
    let address = place_in_new_table(&store).await;
    store.insert(&address, record("one").with("extra", vec![1])).await.unwrap();
    let version = read(&store, &address).await.version;

    store.replace(&address, record("two"), &version).await.unwrap();

    assert_eq!(read(&store, &address).await.record.column("extra"), None);
}

pub(crate) async fn every_write_changes_the_version(store: Store) {
    let address = place_in_new_table(&store).await;
    store.insert(&address, record("same")).await.unwrap();

    let mut versions: Vec<Version> = vec![read(&store, &address).await.version];
    for _ in 0..5 {
        store.replace(&address, record("same"), versions.last().unwrap()).await.unwrap();
        let version = read(&store, &address).await.version;
        assert!(!versions.contains(&version), "{version:?} came before");
        versions.push(version);
    }
}

pub(crate) async fn a_version_does_not_outlive_its_record(store: Store) {
    let address = place_in_new_table(&store).await;
    store.insert(&address, record("same")).await.unwrap();
    let version = read(&store, &address).await.version;
    store.remove(&address).await.unwrap();
    store.insert(&address, record("same")).await.unwrap();

    let replaced = store.replace(&address, record("two"), &version).await;

    assert!(matches!(replaced, Err(ReplaceError::Lost)), "{replaced:?}");
}

pub(crate) async fn of_eight_replacements_at_one_version_one_is_written(store: Store) {
    let address = place_in_new_table(&store).await;
    store.insert(&address, record("start")).await.unwrap();
    let version = read(&store, &address).await.version;

    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let (store, address, version) = (store.clone(), address.clone(), version.clone());
            tokio::spawn(async move {
                match store.replace(&address, record(&format!("racer {racer}")), &version).await {
                    Ok(()) => Some(racer),
                    Err(ReplaceError::Lost) => None,
                    Err(error) => panic!("{error:?}"),
                }
            })
        })
        .collect();
    let winner = the_one_winner(racers).await;

    assert_eq!(read(&store, &address).await.record, record(&format!("racer {winner}")));
}

pub(crate) async fn of_eight_inserts_at_one_place_one_is_written(store: Store) {
    let address = place_in_new_table(&store).await;

    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let (store, address) = (store.clone(), address.clone());
            tokio::spawn(async move {
                match store.insert(&address, record(&format!("racer {racer}"))).await {
                    Ok(()) => Some(racer),
                    Err(InsertError::Exists) => None,
                    Err(error) => panic!("{error:?}"),
                }
            })
        })
        .collect();
    let winner = the_one_winner(racers).await;

    assert_eq!(read(&store, &address).await.record, record(&format!("racer {winner}")));
}

pub(crate) async fn a_partition_is_listed_in_the_order_of_its_row_keys(store: Store) {
    let table = place_in_new_table(&store).await.table;
    for (partition, row) in
        [("p1", "b"), ("p1", "10"), ("p0", "z"), ("p1", "9"), ("p11", "a"), ("p1", "aa")]
    {
        let address =
            Address { table: table.clone(), partition: Key::word(partition), row: Key::word(row) };
        store.insert(&address, record(row)).await.unwrap();
    }

    let listed = store.list(&table, &Key::word("p1")).await.unwrap();

    let keys: Vec<&str> = listed.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["10", "9", "aa", "b"]);
    for (key, found) in &listed {
        assert_eq!(found.record, record(key.as_str()));
    }
}

pub(crate) async fn a_table_of_many_pages_is_paged_whole_and_in_order(store: Store) {
    let table = place_in_new_table(&store).await.table;
    let place = |number: usize| Address {
        table: table.clone(),
        partition: Key::from_store(format!("p{}", number / 400)),
        row: Key::from_store(format!("{number:05}")),
    };
    for number in 0..1100 {
        store.insert(&place(number), record(&number.to_string())).await.unwrap();
    }

    let (mut found, mut pages, mut next) = (Vec::new(), 0, None);
    loop {
        let page = store.page(&table, next.as_ref()).await.unwrap();
        found.extend(page.records);
        pages += 1;
        next = page.next;
        if next.is_none() {
            break;
        }
    }

    assert!(pages >= 2, "{pages} pages");
    assert_eq!(found.len(), 1100);
    for (number, (address, versioned)) in found.iter().enumerate() {
        assert_eq!(*address, place(number));
        assert_eq!(versioned.record, record(&number.to_string()));
    }
}

pub(crate) async fn a_table_that_is_not_there_has_one_empty_page(store: Store) {
    assert_eq!(store.page(&unused_table(), None).await.unwrap(), Page::default());
}

pub(crate) async fn a_column_holds_every_byte(store: Store) {
    let address = place_in_new_table(&store).await;
    let bytes: Vec<u8> = (0..=255).collect();

    store.insert(&address, Record::default().with("bytes", bytes.clone())).await.unwrap();

    assert_eq!(read(&store, &address).await.record.column("bytes"), Some(bytes.as_slice()));
}

pub(crate) async fn a_column_holds_64_kib_and_nothing_at_all(store: Store) {
    let address = place_in_new_table(&store).await;
    let record = Record::default().with("long", vec![0xa5; 64 * 1024]).with("empty", Vec::new());

    store.insert(&address, record.clone()).await.unwrap();

    assert_eq!(read(&store, &address).await.record, record);
}

pub(crate) async fn a_record_without_columns_is_a_record(store: Store) {
    let address = place_in_new_table(&store).await;

    store.insert(&address, Record::default()).await.unwrap();

    assert_eq!(read(&store, &address).await.record, Record::default());
}

fn record(text: &str) -> Record {
    Record::default().with("text", text.as_bytes().to_vec())
}

/// A table that no other case and no earlier run has made.
fn unused_table() -> TableName {
    let number = u32::from_be_bytes(random_bytes()) >> 1;
    TableName::of_week(i32::try_from(number).unwrap(), 1)
}

fn place_in(table: TableName) -> Address {
    Address { table, partition: Key::word("partition"), row: Key::word("row") }
}

async fn place_in_new_table(store: &Store) -> Address {
    let address = place_in(unused_table());
    store.create_table(&address.table).await.unwrap();
    address
}

async fn read(store: &Store, address: &Address) -> Versioned {
    store.get(address).await.unwrap().unwrap()
}

async fn the_one_winner(racers: Vec<tokio::task::JoinHandle<Option<usize>>>) -> usize {
    let mut winners = Vec::new();
    for racer in racers {
        winners.extend(racer.await.unwrap());
    }
    assert_eq!(winners.len(), 1, "winners: {winners:?}");
    winners[0]
}

//! The storage port on the embedded database: one redb table for each table.

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};
use shared::storage::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};

use super::{EmbeddedStore, Fault, Outcome};

type RowKey = (&'static str, &'static str);
type Row = (StoredVersion, Columns<'static>);
pub(super) type StoredVersion = (u64, u64);
type Columns<'a> = Vec<(&'a str, &'a [u8])>;
type ReadTable = redb::ReadOnlyTable<RowKey, Row>;

#[async_trait]
impl RecordStore for EmbeddedStore {
    fn system(&self) -> &'static str {
        "redb"
    }

    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        let name = stored_name(table);
        let made = self.run(move |inner| {
            inner.write(|change| {
                if exists(&change.present, &name)? {
                    return Ok(Outcome::Leave(TableCreation::Existed));
                }
                open(change.writing, &name)?;
                Ok(Outcome::Commit(TableCreation::Made))
            })
        });
        Ok(made.await?)
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        let name = stored_name(table);
        let dropped = self.run(move |inner| {
            inner.write(|change| {
                change.writing.delete_table(definition(&name))?;
                Ok(Outcome::Commit(()))
            })
        });
        Ok(dropped.await?)
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        let (name, address) = (stored_name(&address.table), address.clone());
        let inserted = self.run(move |inner| {
            inner.write(|change| {
                if !exists(&change.present, &name)? {
                    return Ok(Outcome::Leave(Err(InsertError::NoTable)));
                }
                let mut table = open(change.writing, &name)?;
                if table.get(key(&address))?.is_some() {
                    return Ok(Outcome::Leave(Err(InsertError::Exists)));
                }
                table.insert(key(&address), (change.next_version(), columns(&record)))?;
                Ok(Outcome::Commit(Ok(())))
            })
        });
        inserted.await.map_err(StoreError::from)?
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        let (name, address) = (stored_name(&address.table), address.clone());
        let found = self.run(move |inner| {
            inner.read(|transaction| {
                let Some(table) = look_into(transaction, &name)? else {
                    return Ok(None);
                };
                Ok(table.get(key(&address))?.map(|row| versioned(row.value())))
            })
        });
        Ok(found.await?)
    }

    async fn replace(
        &self,
        address: &Address,
        record: Record,
        version: &Version,
    ) -> Result<(), ReplaceError> {
        let (name, address, version) =
            (stored_name(&address.table), address.clone(), version.clone());
        let replaced = self.run(move |inner| {
            inner.write(|change| {
                if !exists(&change.present, &name)? {
                    return Ok(Outcome::Leave(Err(ReplaceError::Lost)));
                }
                let mut table = open(change.writing, &name)?;
                let present = table.get(key(&address))?.map(|row| tag(row.value().0));
                if present.as_ref() != Some(&version) {
                    return Ok(Outcome::Leave(Err(ReplaceError::Lost)));
                }
                table.insert(key(&address), (change.next_version(), columns(&record)))?;
                Ok(Outcome::Commit(Ok(())))
            })
        });
        replaced.await.map_err(StoreError::from)?
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        let (name, address) = (stored_name(&address.table), address.clone());
        let removed = self.run(move |inner| {
            inner.write(|change| {
                if !exists(&change.present, &name)? {
                    return Ok(Outcome::Leave(()));
                }
                open(change.writing, &name)?.remove(key(&address))?;
                Ok(Outcome::Commit(()))
            })
        });
        Ok(removed.await?)
    }

    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let (name, partition) = (stored_name(table), partition.clone());
        let listed = self.run(move |inner| {
            inner.read(|transaction| {
                let Some(table) = look_into(transaction, &name)? else {
                    return Ok(Vec::new());
                };
                let mut rows = Vec::new();
                for entry in table.range((partition.as_str(), "")..)? {
                    let (key, row) = entry?;
                    let (found, row_key) = key.value();
                    if found != partition.as_str() {
                        break;
                    }
                    rows.push((Key::from_store(row_key.to_owned()), versioned(row.value())));
                }
                Ok(rows)
            })
        });
        Ok(listed.await?)
    }

    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError> {
        let (name, table, place) = (stored_name(table), table.clone(), place.cloned());
        let page = self.run(move |inner| {
            inner.read(|transaction| match look_into(transaction, &name)? {
                Some(rows) => page_of(&rows, &table, place.as_ref()),
                None => Ok(Page::default()),
            })
        });
        Ok(page.await?)
    }
}

/// As many records as Table Storage gives at once.
const PAGE: usize = 1000;

fn page_of(
    rows: &ReadTable,
    table: &TableName,
    place: Option<&Place>,
) -> Result<Page, redb::Error> {
    let begin = place.map_or(("", ""), |place| (place.partition.as_str(), place.row.as_str()));
    let mut page = Page::default();
    for entry in rows.range(begin..)? {
        let (key, row) = entry?;
        let (partition, row_key) = key.value();
        if page.records.len() == PAGE {
            page.next = Some(Place { partition: partition.to_owned(), row: row_key.to_owned() });
            break;
        }
        let [partition, row_key] = [partition, row_key].map(|key| Key::from_store(key.to_owned()));
        let address = Address { table: table.clone(), partition, row: row_key };
        page.records.push((address, versioned(row.value())));
    }
    Ok(page)
}

fn stored_name(table: &TableName) -> String {
    format!("records/{}", table.as_str())
}

fn definition(name: &str) -> TableDefinition<'_, RowKey, Row> {
    TableDefinition::new(name)
}

fn open<'a>(
    transaction: &'a WriteTransaction,
    name: &str,
) -> Result<redb::Table<'a, RowKey, Row>, redb::Error> {
    Ok(transaction.open_table(definition(name))?)
}

/// The table, if it is there.
fn look_into(transaction: &ReadTransaction, name: &str) -> Result<Option<ReadTable>, redb::Error> {
    match transaction.open_table(definition(name)) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn exists(transaction: &ReadTransaction, name: &str) -> Result<bool, redb::Error> {
    Ok(look_into(transaction, name)?.is_some())
}

fn key(address: &Address) -> (&str, &str) {
    (address.partition.as_str(), address.row.as_str())
}

fn columns(record: &Record) -> Columns<'_> {
    record.columns().collect()
}

fn versioned((version, columns): (StoredVersion, Columns<'_>)) -> Versioned {
    let record = columns
        .into_iter()
        .fold(Record::default(), |record, (name, bytes)| record.with(name, bytes.to_vec()));
    Versioned { record, version: tag(version) }
}

pub(super) fn tag((epoch, write): StoredVersion) -> Version {
    Version::new(format!("{epoch}-{write}"))
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::new(fault)
    }
}

//! The door to Azure Table Storage: the storage port over its REST protocol, as there is no
//! supported crate for tables yet.
//!
//! Reads, removals and the making and dropping of tables are sent again while their outcome is not
//! known: twice does the same as once. Inserts and conditional replacements are sent once. A second
//! try would meet what the first one wrote and report it as somebody else's, and a caller would end
//! a session for a replay that was none. So an outcome that is not known is an error there.

mod entity;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use azure_core::http::headers::{ACCEPT, CONTENT_TYPE, HeaderName, IF_MATCH, PREFER, VERSION};
use azure_core::http::{Context, Method, Pipeline, RawResponse, Request, Url};
use serde::Serialize;

use super::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};
use crate::azure::{Azure, Operation, Repeats, StorageEndpoint, StorageFault};
use entity::Entities;

const READER: &str = "Storage Table Data Reader";
const CONTRIBUTOR: &str = "Storage Table Data Contributor";

const CREATE_TABLE: Operation = Operation::new("make a table", CONTRIBUTOR);
const DROP_TABLE: Operation = Operation::new("drop a table", CONTRIBUTOR);
const GET: Operation = Operation::new("read a record", READER);
const INSERT: Operation = Operation::new("insert a record", CONTRIBUTOR);
const LIST: Operation = Operation::new("list a partition", READER);
const PAGE: Operation = Operation::new("list a table", READER);
const REMOVE: Operation = Operation::new("remove a record", CONTRIBUTOR);
const REPLACE: Operation = Operation::new("replace a record", CONTRIBUTOR);

/// Records in the tables of one storage account.
#[derive(Debug)]
pub struct AzureTables {
    azure: Azure,
    endpoint: StorageEndpoint,
    repeating: Pipeline,
    once: Pipeline,
}

impl AzureTables {
    /// The tables at `endpoint`. Nothing is sent yet.
    pub fn new(azure: &Azure, endpoint: StorageEndpoint) -> Self {
        let pipeline = |repeats| {
            let options = azure.client_options(&endpoint, repeats);
            let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
            Pipeline::new(Some(name), Some(version), options, Vec::new(), Vec::new(), None)
        };
        let (repeating, once) = (pipeline(Repeats::Allowed), pipeline(Repeats::Never));
        Self { azure: azure.clone(), endpoint, repeating, once }
    }

    /// Sends `request` until there is an answer.
    async fn ask<T>(
        &self,
        operation: Operation,
        mut request: Request,
        read: fn(&RawResponse) -> azure_core::Result<T>,
    ) -> Result<T, StorageFault> {
        let call = async { read(&send(&self.repeating, &mut request).await?) };
        self.azure.call(&self.endpoint, operation, call).await
    }

    /// Sends `request` once.
    async fn tell(&self, operation: Operation, mut request: Request) -> Result<(), StorageFault> {
        let call = async { send(&self.once, &mut request).await.map(drop) };
        self.azure.call(&self.endpoint, operation, call).await
    }

    fn table_url(&self, table: &TableName) -> Url {
        self.endpoint.at(&[&format!("Tables('{}')", table.as_str())])
    }

    fn record_url(&self, address: &Address) -> Url {
        let Address { table, partition, row } = address;
        let (table, partition, row) = (table.as_str(), quoted(partition), quoted(row));
        self.endpoint.at(&[&format!("{table}(PartitionKey={partition},RowKey={row})")])
    }

    /// The URL of what `table` holds, or of what `partition` of it holds, from `place` on.
    fn query_url(&self, table: &TableName, partition: Option<&Key>, place: Option<&Place>) -> Url {
        let mut url = self.endpoint.at(&[&format!("{}()", table.as_str())]);
        if let Some(partition) = partition {
            let filter = format!("PartitionKey eq {}", quoted(partition));
            url.query_pairs_mut().append_pair("$filter", &filter);
        }
        if let Some(Place { partition, row }) = place {
            url.query_pairs_mut()
                .append_pair("NextPartitionKey", partition)
                .append_pair("NextRowKey", row);
        }
        if url.query().is_none() {
            return url;
        }
        // A plus sign is a space in a form only, and OData is none.
        let query = url.query().unwrap_or_default().replace('+', "%20");
        url.set_query(Some(&query));
        url
    }

    /// One answer to the question what is at `url`; a table that is not there holds nothing.
    async fn query(&self, operation: Operation, url: Url) -> Result<Entities, StoreError> {
        match self.ask(operation, Request::new(url, Method::Get), Entities::read).await {
            Ok(entities) => Ok(entities),
            Err(fault) => match fault.refusal() {
                Some((404, "TableNotFound")) => Ok(Entities::default()),
                _ => Err(fault.into()),
            },
        }
    }
}

#[async_trait]
impl RecordStore for AzureTables {
    fn system(&self) -> &'static str {
        "azure.tables"
    }

    /// A table that this call made is said to have existed if the first answer was lost.
    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct NewTable<'a> {
            table_name: &'a str,
        }
        let table = NewTable { table_name: table.as_str() };
        let request = with_body(self.endpoint.at(&["Tables"]), Method::Post, &table)?;

        match self.ask(CREATE_TABLE, request, |_| Ok(())).await {
            Ok(()) => Ok(TableCreation::Made),
            Err(fault) => match fault.refusal() {
                Some((409, "TableAlreadyExists")) => Ok(TableCreation::Existed),
                _ => Err(fault.into()),
            },
        }
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        let request = Request::new(self.table_url(table), Method::Delete);

        self.ask(DROP_TABLE, request, |_| Ok(())).await.or_else(|fault| match fault.refusal() {
            Some((404, _) | (409, "TableBeingDeleted")) => Ok(()),
            _ => Err(fault.into()),
        })
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        let url = self.endpoint.at(&[address.table.as_str()]);
        let request = with_body(url, Method::Post, &entity::write(address, &record))?;

        self.tell(INSERT, request).await.map_err(|fault| match fault.refusal() {
            Some((409, "EntityAlreadyExists")) => InsertError::Exists,
            Some((404, "TableNotFound")) => InsertError::NoTable,
            _ => InsertError::Store(fault.into()),
        })
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        let request = Request::new(self.record_url(address), Method::Get);

        match self.ask(GET, request, entity::read).await {
            Ok(found) => Ok(Some(found)),
            Err(fault) => match fault.refusal() {
                Some((404, "ResourceNotFound" | "TableNotFound")) => Ok(None),
                _ => Err(fault.into()),
            },
        }
    }

    async fn replace(
        &self,
        address: &Address,
        record: Record,
        version: &Version,
    ) -> Result<(), ReplaceError> {
        let entity = entity::write(address, &record);
        let mut request = with_body(self.record_url(address), Method::Put, &entity)?;
        request.insert_header(IF_MATCH, version.as_str().to_owned());

        self.tell(REPLACE, request).await.map_err(|fault| match fault.refusal() {
            Some((404 | 412, _)) => ReplaceError::Lost,
            _ => ReplaceError::Store(fault.into()),
        })
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        let mut request = Request::new(self.record_url(address), Method::Delete);
        request.insert_header(IF_MATCH, "*");

        self.ask(REMOVE, request, |_| Ok(())).await.or_else(|fault| match fault.refusal() {
            Some((404, _)) => Ok(()),
            _ => Err(fault.into()),
        })
    }

    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let mut records = Vec::new();
        let mut place = None;
        loop {
            let url = self.query_url(table, Some(partition), place.as_ref());
            let found = self.query(LIST, url).await?;
            records.extend(found.entities.into_iter().map(|(_, row, found)| (row, found)));
            place = found.next;
            if place.is_none() {
                return Ok(records);
            }
        }
    }

    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError> {
        let Entities { entities, next } =
            self.query(PAGE, self.query_url(table, None, place)).await?;
        let records = entities.into_iter().map(|(partition, row, found)| {
            (Address { table: table.clone(), partition, row }, found)
        });
        Ok(Page { records: records.collect(), next })
    }
}

impl From<StorageFault> for StoreError {
    fn from(fault: StorageFault) -> Self {
        Self::new(fault)
    }
}

async fn send(pipeline: &Pipeline, request: &mut Request) -> azure_core::Result<RawResponse> {
    // Names the type of each column and the entity tag of each record.
    request.insert_header(ACCEPT, "application/json;odata=minimalmetadata");
    request.insert_header(HeaderName::from_static("dataserviceversion"), "3.0");
    request.insert_header(VERSION, "2019-02-02");
    pipeline.send(&Context::new(), request, None).await
}

/// A request that carries `body`, which the answer need not repeat.
fn with_body(url: Url, method: Method, body: &impl Serialize) -> Result<Request, StoreError> {
    let mut request = Request::new(url, method);
    request.set_body(serde_json::to_vec(body).map_err(StoreError::new)?);
    request.insert_header(CONTENT_TYPE, "application/json");
    request.insert_header(PREFER, "return-no-content");
    Ok(request)
}

/// `key` as a quoted string. Keys hold nothing that needs it, but here nobody has to know.
fn quoted(key: &Key) -> String {
    format!("'{}'", key.as_str().replace('\'', "''"))
}

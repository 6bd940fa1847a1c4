//! Tables by week: made when the first row of a week is written, dropped when a week is over.

use std::sync::Arc;

use shared::clock::Clock;
use shared::session::ExpiryWeek;
use shared::storage::{
    Address, InsertError, Record, RecordStore, StoreError, TableCreation, TableName,
};
use shared::telemetry::ErrorChain;

/// How many weeks back to look for tables to drop: after a longer sleep, older ones are left to
/// the operator. Dropping one that is not there is a cheap 404.
const WEEKS_TO_CLEAR: u16 = 26;

/// The tables of one kind, one for each week in which what they hold ends.
#[derive(Debug)]
pub(crate) struct WeeklyTables {
    records: Arc<dyn RecordStore>,
    clock: Arc<dyn Clock>,
    table_of: fn(ExpiryWeek) -> TableName,
}

impl WeeklyTables {
    /// The tables in `records` that `table_of` names.
    pub(crate) fn new(
        records: Arc<dyn RecordStore>,
        clock: Arc<dyn Clock>,
        table_of: fn(ExpiryWeek) -> TableName,
    ) -> Self {
        Self { records, clock, table_of }
    }

    /// Writes `record` where none is, into a table of this kind that is made if it is missed.
    ///
    /// # Errors
    /// A record is there, or storage failed.
    pub(crate) async fn insert(
        &self,
        address: &Address,
        record: Record,
    ) -> Result<(), InsertError> {
        match self.records.insert(address, record.clone()).await {
            Err(InsertError::NoTable) => {}
            other => return other,
        }
        if self.records.create_table(&address.table).await? == TableCreation::Made {
            // Once a week; nobody has to wait for it.
            let over = ExpiryWeek::of(self.clock.now()).before(WEEKS_TO_CLEAR);
            let tables = over.map(self.table_of).collect();
            tokio::spawn(drop_tables(Arc::clone(&self.records), tables));
        }
        match self.records.insert(address, record).await {
            Err(error @ InsertError::NoTable) => Err(StoreError::new(error).into()),
            other => other,
        }
    }
}

async fn drop_tables(records: Arc<dyn RecordStore>, tables: Vec<TableName>) {
    for table in tables {
        if let Err(error) = records.drop_table(&table).await {
            let (table, error) = (table.as_str(), ErrorChain(&error));
            tracing::warn!(table, %error, "an old table could not be dropped");
            return;
        }
    }
}

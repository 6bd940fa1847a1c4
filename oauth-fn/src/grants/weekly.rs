//! Tables by week: made when the first grant of a week is written, dropped when a week is over.

use std::sync::Arc;

use shared::session::ExpiryWeek;
use shared::storage::{
    Address, InsertError, Record, RecordStore, StoreError, TableCreation, TableName,
};
use shared::telemetry::ErrorChain;

use super::Grants;

/// How many weeks back to look for tables to drop: after a longer sleep, older ones are left to
/// the operator. Dropping one that is not there is a cheap 404.
const WEEKS_TO_CLEAR: u16 = 26;

/// Why a grant was not written.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This sign-in was used before.
    #[error("the sign-in was used before")]
    AlreadyStarted,
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Grants {
    pub(super) async fn insert(&self, address: Address, record: Record) -> Result<(), StartError> {
        match self.records.insert(&address, record.clone()).await {
            Err(InsertError::NoTable) => {}
            other => return outcome(other),
        }
        if self.records.create_table(&address.table).await? == TableCreation::Made {
            // Once a week; nobody has to wait for it.
            let over = ExpiryWeek::of(self.clock.now()).before(WEEKS_TO_CLEAR);
            let tables = over.map(ExpiryWeek::table).collect();
            tokio::spawn(drop_tables(Arc::clone(&self.records), tables));
        }
        outcome(self.records.insert(&address, record).await)
    }
}

fn outcome(inserted: Result<(), InsertError>) -> Result<(), StartError> {
    inserted.map_err(|error| match error {
        InsertError::Exists => StartError::AlreadyStarted,
        InsertError::NoTable => StartError::Store(StoreError::new(error)),
        InsertError::Store(error) => StartError::Store(error),
    })
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

//! Tables by period: made when the first row of a period is written, and dropped whole when their
//! time is over. No timer, no scan, no row is deleted for its age.

use std::sync::Arc;

use super::{Address, InsertError, Record, RecordStore, StoreError, TableCreation, TableName};
use crate::telemetry::ErrorChain;

/// Inserts `record` at `address`. If its table is missing, a period has begun: the table is made,
/// and those that are `over` are dropped.
///
/// # Errors
/// A record is there, or storage failed.
pub async fn insert(
    records: &Arc<dyn RecordStore>,
    address: &Address,
    record: Record,
    over: impl Iterator<Item = TableName> + Send,
) -> Result<(), PeriodError> {
    match records.insert(address, record.clone()).await {
        Err(InsertError::NoTable) => {}
        other => return other.map_err(PeriodError::from),
    }
    if records.create_table(&address.table).await? == TableCreation::Made {
        // Once a period; nobody has to wait for it.
        tokio::spawn(drop_tables(Arc::clone(records), over.collect()));
    }
    records.insert(address, record).await.map_err(PeriodError::from)
}

/// Why a record was not inserted.
#[derive(Debug, thiserror::Error)]
pub enum PeriodError {
    /// A record with these keys is there.
    #[error("a record with these keys exists")]
    Exists,
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<InsertError> for PeriodError {
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::Exists => Self::Exists,
            InsertError::NoTable => Self::Store(StoreError::new(error)),
            InsertError::Store(error) => Self::Store(error),
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

//! Tables by week: what ends in a week lies in its table.

use std::sync::Arc;

use shared::clock::Clock;
use shared::session::ExpiryWeek;
use shared::storage::{Address, Record, RecordStore, TableName};

use shared::storage::periods::{self, PeriodError};

/// How many weeks back to look for tables to drop: after a longer sleep, older ones are left to
/// the operator. Dropping one that is not there is a cheap 404.
const WEEKS_TO_CLEAR: u16 = 26;

/// The tables of one kind, one for each week.
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
    ) -> Result<(), PeriodError> {
        let over = ExpiryWeek::of(self.clock.now()).before(WEEKS_TO_CLEAR).map(self.table_of);
        periods::insert(&self.records, address, record, over).await
    }
}

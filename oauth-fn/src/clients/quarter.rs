//! The quarter in which a client was last known to be in use. Rows of one quarter share a table,
//! which is dropped whole.

use shared::clock::UnixTime;
use shared::storage::TableName;
use time::OffsetDateTime;

/// A quarter of a calendar year, in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Quarter {
    year: i32,
    /// 1 to 4.
    quarter: u8,
}

impl Quarter {
    /// The quarter that `now` lies in.
    pub(super) fn of(now: UnixTime) -> Self {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let date = OffsetDateTime::from_unix_timestamp(seconds);
        let date = date.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self { year: date.year(), quarter: (u8::from(date.month()) - 1) / 3 + 1 }
    }

    /// The quarter before this one.
    pub(super) fn before(self) -> Self {
        match self.quarter {
            1 => Self { year: self.year - 1, quarter: 4 },
            quarter => Self { year: self.year, quarter: quarter - 1 },
        }
    }

    /// The table that holds the clients of this quarter.
    pub(super) fn table(self) -> TableName {
        TableName::of_quarter(self.year, self.quarter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_of(seconds: u64) -> String {
        Quarter::of(UnixTime::from_secs(seconds)).table().as_str().to_owned()
    }

    #[test]
    fn a_quarter_begins_at_midnight_utc() {
        for (first_second, before, table) in [
            // 2027-01-01, 2027-04-01, 2027-07-01, 2027-10-01.
            (1_798_761_600, "c2026q4", "c2027q1"),
            (1_806_537_600, "c2027q1", "c2027q2"),
            (1_814_400_000, "c2027q2", "c2027q3"),
            (1_822_348_800, "c2027q3", "c2027q4"),
        ] {
            assert_eq!(table_of(first_second - 1), before);
            assert_eq!(table_of(first_second), table);
        }
    }

    #[test]
    fn the_quarters_before_follow_the_calendar_back() {
        let mut quarter = Quarter::of(UnixTime::from_secs(1_798_761_600));
        for table in ["c2026q4", "c2026q3", "c2026q2", "c2026q1", "c2025q4"] {
            quarter = quarter.before();

            assert_eq!(quarter.table().as_str(), table);
        }
    }
}

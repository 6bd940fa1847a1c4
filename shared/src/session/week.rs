//! The ISO week in which a grant ends. Rows of one week share a table, which is dropped whole.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::clock::UnixTime;
use crate::storage::TableName;

const DAY: u64 = 86_400;

/// Weeks since Monday, 29 December 1969.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ExpiryWeek(u16);

impl ExpiryWeek {
    /// The week that `end` lies in.
    pub fn of(end: UnixTime) -> Self {
        // The epoch was a Thursday: three days after its Monday.
        let weeks = (end.as_secs() / DAY + 3) / 7;
        Self(u16::try_from(weeks).unwrap_or(u16::MAX))
    }

    /// The week that travels as this number.
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// The number that the week travels as.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The table that holds the grants of this week.
    pub fn table(self) -> TableName {
        let (year, week) = self.iso();
        TableName::of_week(year, week)
    }

    /// The table that tells the users of these grants.
    pub fn users_table(self) -> TableName {
        let (year, week) = self.iso();
        TableName::of_users(year, week)
    }

    /// Every week from this one to `last`.
    pub fn through(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }

    /// The `count` weeks before this one, the latest first.
    pub fn before(self, count: u16) -> impl Iterator<Item = Self> {
        (1..=count).map(move |back| Self(self.0.saturating_sub(back)))
    }

    /// The ISO year and week: those of the week's Thursday.
    fn iso(self) -> (i32, u8) {
        let thursday = Duration::from_secs(u64::from(self.0) * 7 * DAY);
        let date = (OffsetDateTime::UNIX_EPOCH + thursday).date();
        let (year, week, _) = date.to_iso_week_date();
        (year, week)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week_of(seconds: u64) -> ExpiryWeek {
        ExpiryWeek::of(UnixTime::from_secs(seconds))
    }

    #[test]
    fn a_week_begins_on_monday_at_midnight_utc() {
        // 2026-12-14 00:00:00 UTC, a Monday.
        let monday = 1_797_206_400;

        assert_eq!(week_of(monday).table().as_str(), "g2026w51");
        assert_eq!(week_of(monday - 1).table().as_str(), "g2026w50");
    }

    #[test]
    fn the_first_days_of_a_year_may_belong_to_the_last_week_of_the_one_before() {
        // 2027-01-01 is a Friday of week 53 of 2026.
        assert_eq!(week_of(1_798_761_600).table().as_str(), "g2026w53");
        assert_eq!(week_of(1_798_761_600 + 3 * DAY).table().as_str(), "g2027w01");
    }

    #[test]
    fn the_weeks_before_are_the_ones_just_past() {
        let week = week_of(1_797_206_400);

        let tables: Vec<_> = week.before(2).map(|week| week.table().as_str().to_owned()).collect();

        assert_eq!(tables, ["g2026w50", "g2026w49"]);
    }

    #[test]
    fn a_week_survives_its_number() {
        let week = week_of(1_797_206_400);

        assert_eq!(ExpiryWeek::from_number(week.number()), week);
    }
}

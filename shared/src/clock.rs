//! The door to time. Everything that expires asks a [`Clock`], so that tests can move it.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> UnixTime;

    /// Milliseconds since the epoch, to measure what lies between two machines.
    fn millis(&self) -> u64 {
        self.now().as_secs().saturating_mul(1000)
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one door that the lint keeps others to"
    )]
    fn now(&self) -> UnixTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime(since_epoch.as_secs())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one door that the lint keeps others to"
    )]
    fn millis(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A moment, in whole seconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The moment `seconds` after the epoch.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// The moment `later` after this one; the end of time where that would overflow.
    #[must_use]
    pub const fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later.as_secs()))
    }

    /// The moment `earlier` than this one; the epoch where there is none.
    #[must_use]
    pub const fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(earlier.as_secs()))
    }

    /// How long ago `earlier` was; nothing if it lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// The day in UTC, as in `2026-11-25` (ISO 8601).
    pub fn to_date(self) -> String {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        let date = OffsetDateTime::from_unix_timestamp(seconds).map(OffsetDateTime::date);
        date.map(|date| date.to_string()).unwrap_or_default()
    }

    /// Days since the epoch, for keys that change daily; stays at its greatest value after 2149.
    pub fn day(self) -> u16 {
        u16::try_from(self.0 / 86_400).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_in_the_future_was_no_time_ago() {
        let now = UnixTime::from_secs(100);

        let elapsed = now.since(UnixTime::from_secs(160));

        assert_eq!(elapsed, Duration::ZERO);
    }

    #[test]
    fn the_system_clock_is_past_the_year_2026() {
        assert!(SystemClock.now() > UnixTime::from_secs(1_767_225_600));
    }
}

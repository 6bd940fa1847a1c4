//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared::clock::{Clock, UnixTime};

/// Tells the time that it was set to.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Tuesday, 15 December 2026, noon UTC: the middle of a year, a week and a day.
    pub const START: UnixTime = UnixTime::from_secs(1_797_336_000);

    /// A clock that stands at `now`.
    pub const fn at(now: UnixTime) -> Self {
        Self(AtomicU64::new(now.as_secs()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(duration.as_secs(), Ordering::SeqCst);
    }

    /// Moves the clock to `now`.
    pub fn set(&self, now: UnixTime) {
        self.0.store(now.as_secs(), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Self::START)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_moves_only_when_it_is_moved() {
        let clock = ManualClock::default();

        clock.advance(Duration::from_mins(2));

        assert_eq!(clock.now(), ManualClock::START.plus(Duration::from_mins(2)));
        assert_eq!(clock.now(), clock.now());
    }
}

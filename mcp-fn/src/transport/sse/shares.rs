//! What one user may have go through the relay: so much at once, and so much more each second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use shared::clock::UnixTime;
use shared::storage::Key;

/// So many users are remembered before those are forgotten whose share is whole again.
const REMEMBERED: usize = 1_024;

/// The shares of all users.
#[derive(Debug)]
pub(super) struct Shares {
    whole: u64,
    each_second: u64,
    taken: Mutex<HashMap<Key, Taken>>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    bytes: u64,
    at: UnixTime,
}

impl Shares {
    /// Shares of `whole` bytes, which grow again by `each_second`.
    pub(super) fn new(whole: u64, each_second: u64) -> Self {
        Self { whole, each_second, taken: Mutex::default() }
    }

    /// Takes so many bytes of the share of `user`, if they are left. A share that is whole gives
    /// whatever is asked for, so that no answer is too long.
    pub(super) fn take(&self, user: &Key, bytes: u64, now: UnixTime) -> bool {
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.retain(|_, taken| self.still_taken(*taken, now) > 0);
        }
        let before = all.get(user).map_or(0, |taken| self.still_taken(*taken, now));
        let fits = before == 0 || before + bytes <= self.whole;
        if fits {
            all.insert(user.clone(), Taken { bytes: before + bytes, at: now });
        }
        fits
    }

    fn still_taken(&self, taken: Taken, now: UnixTime) -> u64 {
        taken.bytes.saturating_sub(now.since(taken.at).as_secs().saturating_mul(self.each_second))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_797_206_400);

    #[test]
    fn a_share_is_used_up_grows_again_and_is_nobody_elses() {
        let shares = Shares::new(100, 10);
        let (ann, ben) = (Key::word("ann"), Key::word("ben"));
        let later = |seconds| NOW.plus(Duration::from_secs(seconds));

        let first = shares.take(&ann, 60, NOW);
        let too_much = shares.take(&ann, 60, NOW);
        let others = shares.take(&ben, 60, NOW);
        let too_soon = shares.take(&ann, 60, later(1));
        let in_time = shares.take(&ann, 60, later(2));

        assert_eq!((first, too_much, others, too_soon, in_time), (true, false, true, false, true));
    }

    #[test]
    fn an_answer_that_is_longer_than_a_share_takes_all_of_it() {
        let shares = Shares::new(100, 10);
        let ann = Key::word("ann");

        assert!(shares.take(&ann, 1_000, NOW));
        assert!(!shares.take(&ann, 1, NOW.plus(Duration::from_secs(89))));
        assert!(shares.take(&ann, 1, NOW.plus(Duration::from_secs(100))));
    }
}

//! How often an instance knows a session: many instances of the real cache, and a clock that is moved.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use local::ManualClock;
use shared::session::Sessions;
use shared::storage::CountedStore;

use crate::chance::Chance;
use crate::formulas::{believed_for, cache_hit};
use crate::users::{START, Users, base_url};

/// When all users have come, one after the other, and when it is measured what became of it: in times
/// that a session is believed.
const ALL_HAVE_COME: f64 = 2.0;
const MEASURED_FROM: f64 = 3.0;

/// Users who ask alike, whose requests are spread over instances by chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) sessions: usize,
    /// Requests of one user each second.
    pub(crate) rate: f64,
    pub(crate) instances: usize,
    /// Requests that are measured.
    pub(crate) requests: u32,
}

/// A case, what the formula says of it, and what came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    case: Case,
    pub(crate) formula: f64,
    pub(crate) simulated: f64,
}

impl Case {
    /// Lets the users ask.
    pub(crate) async fn play(self, chance: &mut Chance) -> Outcome {
        let users = Users::sign_in(self.sessions).await;
        let records = Arc::new(CountedStore::new(Arc::clone(&users.records)));
        let clock = Arc::new(ManualClock::at(START));
        let instances: Vec<_> = (0..self.instances)
            .map(|_| {
                let records = Arc::clone(&records) as _;
                let clock = Arc::clone(&clock) as _;
                Sessions::new(&users.keys, &base_url(), records, clock, believed_for())
            })
            .collect();
        let (all, believed) = (count(self.sessions), believed_for().as_secs_f64());
        let mut seconds = 0.0;
        let mut ask = async || {
            seconds += chance.seconds_until_next(self.rate * all);
            clock.set(START.plus(Duration::from_secs_f64(seconds)));
            let (user, instance) = (chance.one_of(self.sessions), chance.one_of(self.instances));
            if count(user) / all < seconds / believed / ALL_HAVE_COME {
                instances[instance].find(&users.tokens[user]).await.unwrap();
            }
            seconds
        };

        while ask().await < believed * MEASURED_FROM {}
        let before = records.calls().reads;
        for _ in 0..self.requests {
            ask().await;
        }

        let reads = u32::try_from(records.calls().reads - before).unwrap();
        Outcome {
            case: self,
            formula: cache_hit(self.rate, count(self.instances), count(self.sessions)),
            simulated: 1.0 - f64::from(reads) / f64::from(self.requests),
        }
    }
}

fn count(many: usize) -> f64 {
    f64::from(u32::try_from(many).unwrap())
}

/// A row of the table in the document.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case: Case { sessions, rate, instances, .. }, formula, simulated } = self;
        write!(
            formatter,
            "| {rate} | {instances} | {sessions} | {:.1} | {:.1} |",
            formula * 100.0,
            simulated * 100.0
        )
    }
}

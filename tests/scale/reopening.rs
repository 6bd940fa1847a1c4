//! How often the relay is looked at while streams end and are opened anew on any instance.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::chance::Chance;
use crate::cluster::Cluster;
use crate::formulas::{looks, mailboxes};

/// Instances, streams that each holds on the average, and how long these live.
const INSTANCES: usize = 4;
const STREAMS: usize = 10;
const LIFETIME: Duration = Duration::from_mins(5);
/// How long looks are counted.
const COUNTED: Duration = Duration::from_mins(10);

/// Looks of an instance a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) formula: f64,
    pub(crate) simulated: f64,
}

impl Outcome {
    /// Lets every client open its next stream where chance leads it.
    pub(crate) async fn play(chance: &mut Chance) -> Self {
        let users = INSTANCES * STREAMS;
        let cluster = Arc::new(Cluster::start(INSTANCES, users, LIFETIME, Duration::ZERO).await);
        let chosen = |chance: &mut Chance| (0..6).map(|_| chance.one_of(INSTANCES)).collect();
        for user in 0..users {
            let (begin, instances) = (chance.up_to(LIFETIME), chosen(chance));
            tokio::spawn(live(Arc::clone(&cluster), user, begin, instances));
        }

        sleep(LIFETIME * 2).await;
        let before = cluster.relay.calls().reads;
        sleep(COUNTED).await;

        let reads = u32::try_from(cluster.relay.calls().reads - before).unwrap();
        let count = |many: usize| f64::from(u32::try_from(many).unwrap());
        let seen = mailboxes(count(INSTANCES), count(STREAMS), LIFETIME);
        Self {
            formula: looks(Duration::ZERO, seen),
            simulated: f64::from(reads) / COUNTED.as_secs_f64() / count(INSTANCES),
        }
    }
}

/// A client that opens a stream at one instance after the other.
async fn live(cluster: Arc<Cluster>, user: usize, begin: Duration, instances: Vec<usize>) {
    sleep(begin).await;
    for instance in instances {
        cluster.open(user, instance).await.end().await;
    }
}

/// A row of the table in the document.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { formula, simulated } = self;
        let minutes = LIFETIME.as_secs() / 60;
        write!(formatter, "| {INSTANCES} | {STREAMS} | {minutes} | {formula:.1} | {simulated:.1} |")
    }
}

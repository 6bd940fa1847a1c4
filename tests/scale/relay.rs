//! How long answers take through the relay, and how often it is looked at.

use std::fmt;
use std::time::Duration;

use tokio::time::sleep;

use crate::chance::Chance;
use crate::cluster::Cluster;
use crate::formulas::{late_delay, looks, mean_delay, stream_lifetime};

/// Instances, and how many streams each holds.
const INSTANCES: usize = 3;
const STREAMS: usize = 2;
/// Answers that are timed.
const ANSWERS: u32 = 1_000;
/// The longest pause between two of them.
const UNTIL_THE_NEXT: Duration = Duration::from_secs(1);
/// How long looks are counted.
const COUNTED: Duration = Duration::from_mins(2);

/// What came of it where a call of storage takes `trip`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    trip: Duration,
    pub(crate) mean: Duration,
    pub(crate) late: Duration,
    /// Looks of an instance a second while its streams are silent.
    pub(crate) looks: f64,
    /// Calls of all instances together in two minutes without a stream.
    pub(crate) without_streams: u64,
}

impl Outcome {
    /// Sends messages to instances that do not hold their stream, one after the other.
    pub(crate) async fn of(trip: Duration, chance: &mut Chance) -> Self {
        let users = INSTANCES * STREAMS;
        let cluster = Cluster::start(INSTANCES, users, stream_lifetime(), trip).await;
        let mut streams = Vec::new();
        for user in 0..users {
            streams.push(cluster.open(user, user % INSTANCES).await);
        }
        // The first answer of a day makes its table.
        cluster.delay(&mut streams[0], 1).await;
        let mut delays = Vec::new();
        for _ in 0..ANSWERS {
            sleep(chance.up_to(UNTIL_THE_NEXT)).await;
            let stream = &mut streams[chance.one_of(users)];
            let elsewhere = (stream.instance + 1 + chance.one_of(INSTANCES - 1)) % INSTANCES;
            delays.push(cluster.delay(stream, elsewhere).await);
        }
        delays.sort_unstable();
        let silent = calls_within(&cluster, COUNTED).await;
        drop(streams);
        sleep(Duration::from_secs(1)).await;
        Self {
            trip,
            mean: delays.iter().sum::<Duration>() / ANSWERS,
            late: delays[delays.len() * 99 / 100],
            looks: each_second(silent, COUNTED) / f64::from(u32::try_from(INSTANCES).unwrap()),
            without_streams: calls_within(&cluster, COUNTED).await,
        }
    }
}

/// Calls of the relay in the `time` from now on.
async fn calls_within(cluster: &Cluster, time: Duration) -> u64 {
    let before = cluster.relay.calls();
    sleep(time).await;
    let after = cluster.relay.calls();
    assert_eq!(after.tables, before.tables, "no table is made");
    after.reads + after.writes - before.reads - before.writes
}

fn each_second(calls: u64, time: Duration) -> f64 {
    f64::from(u32::try_from(calls).unwrap()) / time.as_secs_f64()
}

/// A row of the table in the document.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trip, mean, late, looks: simulated, without_streams } = *self;
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(
            formatter,
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {simulated:.1} | {without_streams} |",
            ms(trip),
            ms(mean_delay(trip)),
            ms(mean),
            ms(late_delay(trip)),
            ms(late),
            looks(trip, 1.0),
        )
    }
}

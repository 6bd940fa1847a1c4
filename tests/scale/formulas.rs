//! The two formulas that docs/scale.md stands on: how often a session is known, and how long an answer
//! is on its way from one instance to another.

use std::time::Duration;

use mcp_fn::config::{Config, LegacySse};
use shared::seal::KeyRing;

use crate::users::base_url;

/// Sessions that an instance remembers, as `shared::session::Sessions` has it.
pub(crate) const REMEMBERED: f64 = 10_000.0;

/// The pause between two looks of an instance into the relay, as `mcp_fn::transport::sse` has it.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// How long an instance looks for what came late for a stream that another one held, as
/// `mcp_fn::transport::sse` has it.
pub(crate) const LATE: Duration = Duration::from_mins(1);

/// How long a session that was read is believed, unless a setting says otherwise.
pub(crate) fn believed_for() -> Duration {
    Config::new(base_url(), KeyRing::generate()).session_cache
}

/// How long a stream lives, unless a setting says otherwise.
pub(crate) fn stream_lifetime() -> Duration {
    match LegacySse::default() {
        LegacySse::On { lifetime } => lifetime,
        LegacySse::Off => Duration::ZERO,
    }
}

/// The part of requests whose session is known where they land, if each of so many `sessions` asks
/// at `rate` a second and lands on any of the `instances`.
///
/// Of a session there is one read, and then, for as long as it is believed, no other: 1 of 1 + rT. An
/// instance that sees more sessions than it remembers knows no larger part than that of them.
pub(crate) fn cache_hit(rate: f64, instances: f64, sessions: f64) -> f64 {
    let expected = rate / instances * believed_for().as_secs_f64();
    (expected / (1.0 + expected)).min(REMEMBERED / sessions)
}

/// The mean of the way of an answer through the relay, if a call of storage takes `trip` there and
/// back: half of it until the row is there, on the average half the time between two looks until it
/// is seen, half a trip until the one who looks knows.
pub(crate) fn mean_delay(trip: Duration) -> Duration {
    trip + (PAUSE + trip) / 2
}

/// The 99th percentile of it.
pub(crate) fn late_delay(trip: Duration) -> Duration {
    trip + (PAUSE + trip).mul_f64(0.99)
}

/// Looks of an instance a second while it holds streams, into so many `mailboxes`.
pub(crate) fn looks(trip: Duration, mailboxes: f64) -> f64 {
    mailboxes / (PAUSE + trip).as_secs_f64()
}

/// Mailboxes that an instance looks into, if each of the `instances` holds so many `streams`, which
/// their clients open anew on any instance when they end: its own, and those of the others whose
/// streams came to it lately.
pub(crate) fn mailboxes(instances: f64, streams: f64, lifetime: Duration) -> f64 {
    let came_lately = streams * LATE.as_secs_f64() / lifetime.as_secs_f64();
    1.0 + (instances - 1.0) * (1.0 - (-came_lately / instances).exp())
}

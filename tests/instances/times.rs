//! How long answers took.

use std::time::Duration;

use local::say;

use crate::cluster::Cluster;

/// Times in their order.
#[derive(Debug)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// Prints the median and the 99th percentile, from the message to its answer.
    pub(crate) fn print(&self, what: &str, cluster: &Cluster) {
        let at = |share: usize| self.0[(self.0.len() - 1) * share / 100].as_secs_f64() * 1000.0;
        say::line(format_args!(
            "{what}: {} messages, {} of them landed elsewhere; median {:.1} ms, 99th percentile \
             {:.1} ms",
            self.0.len(),
            cluster.messages_elsewhere(),
            at(50),
            at(99),
        ));
    }
}

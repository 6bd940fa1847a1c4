//! What was measured, and what is told of it: medians, and ratios to the bare server.

use std::time::Duration;

use crate::load::Load;
use crate::sign_in::SignIns;
use crate::streams::{Events, Held};

/// How many connections load a server, each number in turn.
pub(crate) const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) requests: Vec<Requests>,
    pub(crate) starts: Vec<Starts>,
    pub(crate) streams: Vec<Streams>,
    pub(crate) sign_ins: Vec<SigningIn>,
}

/// The requests of one server.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) server: &'static str,
    /// For each number of connections: one load a round.
    pub(crate) rounds: [Vec<Load>; CONNECTIONS.len()],
}

/// The starts of one server.
#[derive(Debug)]
pub(crate) struct Starts {
    pub(crate) server: &'static str,
    pub(crate) times: Vec<Duration>,
    /// Bytes.
    pub(crate) memory_at_rest: u64,
}

/// The streams of one server.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) server: &'static str,
    pub(crate) held: Vec<Held>,
    pub(crate) events: Option<Events>,
}

/// The sign-ins of one system, and what its processes are called.
#[derive(Debug)]
pub(crate) struct SigningIn {
    pub(crate) system: &'static str,
    pub(crate) processes: Vec<&'static str>,
    pub(crate) rounds: Vec<SignIns>,
}

/// A figure beside that of the bare server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    pub(crate) figure: f64,
    pub(crate) ratio: f64,
}

impl Requests {
    /// The median of the rounds for one number of connections, and the median of the ratios to
    /// `bare`, round by round.
    pub(crate) fn compared(
        &self,
        bare: &Self,
        connections: usize,
        figure: impl Fn(&Load) -> f64,
    ) -> Compared {
        let (own, bare) = (&self.rounds[connections], &bare.rounds[connections]);
        let ratios = own.iter().zip(bare).map(|(own, bare)| figure(own) / figure(bare));
        Compared { figure: median(own.iter().map(&figure)), ratio: median(ratios) }
    }
}

impl Starts {
    /// The median, in milliseconds.
    pub(crate) fn milliseconds(&self) -> f64 {
        median(self.times.iter().map(|time| time.as_secs_f64() * 1e3))
    }

    /// What is held in memory at rest, in MB.
    pub(crate) fn megabytes(&self) -> f64 {
        self.memory_at_rest as f64 / 1e6
    }
}

/// The one in the middle.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(processor: [f64; 3]) -> [Vec<Load>; 4] {
        let load = |processor| Load {
            requests_per_second: 1.0,
            processor,
            median: 1.0,
            percentile_99: 1.0,
        };
        [processor.map(load).to_vec(), Vec::new(), Vec::new(), Vec::new()]
    }

    #[test]
    fn a_server_is_compared_with_the_bare_one_of_the_same_round() {
        // A machine that is busy in the second round, and busier still in the third.
        let bare = Requests { server: "bare", rounds: rounds([10.0, 20.0, 30.0]) };
        let own = Requests { server: "own", rounds: rounds([15.0, 30.0, 45.0]) };

        let compared = own.compared(&bare, 0, |load| load.processor);

        assert!((compared.figure - 30.0).abs() < 1e-9);
        assert!((compared.ratio - 1.5).abs() < 1e-9);
    }
}

//! Chance that can be repeated: what happens when, drawn from a seed.

use std::time::Duration;

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};
use shared::config::{Env, ProcessEnv};

/// The seed of a run, unless `SCALE_SEED` names another one.
const SEED: u64 = 2_026;

/// A sequence of draws.
#[derive(Debug)]
pub(crate) struct Chance(TestRng);

impl Chance {
    /// The sequence of this run.
    pub(crate) fn of_this_run() -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed().to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// One of so many.
    pub(crate) fn one_of(&mut self, many: usize) -> usize {
        self.0.random_range(0..many)
    }

    /// A time up to `longest`, each as likely as any other.
    pub(crate) fn up_to(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.0.random::<f64>())
    }

    /// The seconds until the next of what happens so many times a second on the average, and at any
    /// time as likely as at any other.
    pub(crate) fn seconds_until_next(&mut self, each_second: f64) -> f64 {
        -(1.0 - self.0.random::<f64>()).ln() / each_second
    }
}

/// What `SCALE_SEED` says.
pub(crate) fn seed() -> u64 {
    ProcessEnv.get("SCALE_SEED").map_or(SEED, |text| text.parse().unwrap())
}

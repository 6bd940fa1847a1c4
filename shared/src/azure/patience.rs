//! How long we wait for Azure, and how often we ask.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::RETRY_AFTER;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, ExponentialRetryOptions, Request, RetryOptions, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use crate::deadline;
use crate::secret::random_bytes;

/// How often a call is sent at most.
const TRIES: u32 = 3;

/// The answers that another try may better. All others are the last word.
const PASSING: [StatusCode; 6] = [
    StatusCode::RequestTimeout,
    StatusCode::TooManyRequests,
    StatusCode::InternalServerError,
    StatusCode::BadGateway,
    StatusCode::ServiceUnavailable,
    StatusCode::GatewayTimeout,
];

/// How long a process waits for Azure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// How long one call may take in all: its tries, the pauses between them, and the token
    /// before it.
    pub deadline: Duration,
    /// How long one try may take where there may be another.
    pub each_try: Duration,
    /// The pause before the second try, give or take half of it; before the third it is twice as
    /// long.
    pub pause: Duration,
}

impl Default for Patience {
    /// Five seconds in all: a client that is told then to try again has lost little.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            each_try: Duration::from_secs(2),
            pause: Duration::from_millis(200),
        }
    }
}

impl Patience {
    /// How to ask for the tokens of an identity, which knows best what to ask again.
    pub(super) fn for_tokens(&self) -> RetryOptions {
        let seconds = self.deadline.as_secs_f64();
        RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: TRIES - 1,
            max_total_elapsed: azure_core::time::Duration::seconds_f64(seconds),
            ..ExponentialRetryOptions::default()
        })
    }

    /// How long to wait after `tries` tries: at least as long as Azure asked for. Chance keeps
    /// apart those who failed at the same moment.
    fn pause_after(&self, tries: u32, asked: Option<Duration>) -> Duration {
        let pause = self.pause.saturating_mul(1 << (tries - 1).min(8));
        let chance = f64::from(u16::from_be_bytes(random_bytes())) / f64::from(u16::MAX);
        asked.unwrap_or(pause / 2).saturating_add(pause.mul_f64(chance))
    }
}

/// Sends a request again as long as its outcome may be better, at most twice. It goes into a
/// pipeline of calls that do the same twice as once.
#[derive(Debug)]
pub(super) struct SendAgain(pub(super) Patience);

#[expect(elided_lifetimes_in_paths, reason = "the trait hides this lifetime, so must we")]
#[async_trait]
impl Policy for SendAgain {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let began = Instant::now();
        let time = deadline::at_most(self.0.deadline);
        let (following, rest) = next.split_first().ok_or_else(|| ErrorKind::Other.into_error())?;
        let mut tries = 1;
        loop {
            let outcome = following.send(context, request, rest).await;
            if tries == TRIES || !may_pass(&outcome) {
                return outcome;
            }
            let pause = self.0.pause_after(tries, asked_for(&outcome));
            // Who would have to wait for longer than that is told at once.
            if began.elapsed().saturating_add(pause) >= time {
                return outcome;
            }
            sleep(pause).await;
            request.body_mut().reset().await?;
            tries += 1;
        }
    }
}

/// Gives a try up in time for another one.
#[derive(Debug)]
pub(super) struct GiveUp(pub(super) Patience);

#[expect(elided_lifetimes_in_paths, reason = "the trait hides this lifetime, so must we")]
#[async_trait]
impl Policy for GiveUp {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let (following, rest) = next.split_first().ok_or_else(|| ErrorKind::Other.into_error())?;
        let answer = timeout(self.0.each_try, following.send(context, request, rest)).await;
        answer.unwrap_or_else(|_| Err(Error::with_message(ErrorKind::Io, "it took too long")))
    }
}

fn may_pass(outcome: &PolicyResult) -> bool {
    match outcome {
        Ok(answer) => PASSING.contains(&answer.status()),
        Err(error) => matches!(error.kind(), ErrorKind::Connection | ErrorKind::Io),
    }
}

/// How long Azure asks to be left alone. It says so in seconds, and never as a date.
fn asked_for(outcome: &PolicyResult) -> Option<Duration> {
    let asked = outcome.as_ref().ok()?.headers().get_optional_str(&RETRY_AFTER)?;
    asked.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        deadline: Duration::from_secs(5),
        each_try: Duration::from_secs(2),
        pause: Duration::from_millis(200),
    };

    #[test]
    fn pauses_are_scattered_and_grow() {
        for (tries, least, most) in [(1, 100, 300), (2, 200, 600)] {
            let pauses: Vec<_> = (0..100).map(|_| PATIENCE.pause_after(tries, None)).collect();

            let range = Duration::from_millis(least)..=Duration::from_millis(most);
            assert!(pauses.iter().all(|pause| range.contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }

    #[test]
    fn nobody_comes_back_sooner_than_asked_for_nor_all_at_once() {
        let asked = Duration::from_secs(1);

        let pauses: Vec<_> = (0..100).map(|_| PATIENCE.pause_after(1, Some(asked))).collect();

        assert!(pauses.iter().all(|pause| *pause >= asked && *pause <= asked + PATIENCE.pause));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }

    #[test]
    fn three_tries_at_their_slowest_begin_before_the_deadline() {
        let Patience { deadline, each_try, pause } = Patience::default();

        assert!(each_try * 2 + pause.mul_f64(1.5 + 3.0) < deadline);
    }
}

//! How long an incoming request may wait for others in all: however many calls it makes, and
//! however slow each is, its client hears in time.

use std::future::Future;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

/// How long all calls of a request may take together: the slowest one to Entra ID (10 seconds), and
/// one to storage (5 seconds). What would begin later fails at once, as if it had not been answered.
pub const REQUEST: Duration = Duration::from_secs(15);

tokio::task_local! {
    static CURRENT: Deadline;
}

/// When the time of a request is over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of the request that is being answered, if there is one.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|deadline| *deadline).ok()
    }

    /// Does `work` under this deadline, in whichever task it is done.
    pub async fn hold<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }
}

/// Lets the time of a request run, from here.
pub async fn begin(request: Request, next: Next) -> Response {
    Deadline(Instant::now() + REQUEST).hold(next.run(request)).await
}

/// At most `limit`, and no more than is left of the request that is being answered.
#[must_use]
pub fn at_most(limit: Duration) -> Duration {
    let left = Deadline::current().map(|end| end.0.saturating_duration_since(Instant::now()));
    left.map_or(limit, |left| left.min(limit))
}

/// `work`, which another task will do, under the deadline that there is here.
pub fn inherited<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let deadline = Deadline::current();
    async move {
        match deadline {
            Some(deadline) => deadline.hold(work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::to_completion;

    const CALL: Duration = Duration::from_secs(10);

    async fn slow_calls(how_many: u32) -> Duration {
        let began = Instant::now();
        for _ in 0..how_many {
            let never = std::future::pending::<()>();
            tokio::time::timeout(at_most(CALL), never).await.unwrap_err();
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn all_calls_of_a_request_together_end_with_its_time() {
        let deadline = Deadline(Instant::now() + REQUEST);

        let one = deadline.hold(slow_calls(1)).await;
        let rest = deadline.hold(slow_calls(4)).await;

        assert_eq!((one, one + rest), (CALL, REQUEST));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_must_be_finished_has_no_more_time_than_its_request() {
        let deadline = Deadline(Instant::now() + REQUEST);

        let calls = deadline.hold(to_completion(slow_calls(4))).await;

        assert_eq!(calls.unwrap(), REQUEST);
    }

    #[tokio::test(start_paused = true)]
    async fn outside_of_a_request_each_call_has_its_own_time() {
        assert_eq!(slow_calls(4).await, CALL * 4);
    }
}

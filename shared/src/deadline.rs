//! How long an incoming request may wait for others in all: however many calls it makes, and
//! however slow each is, its client hears in time.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::{Instant, timeout};

/// How long all calls of a request may take together, from when its body is there: those to Entra
/// ID (10 seconds), and one to storage afterwards ([`FOR_STORAGE`]). What would begin later fails at
/// once, and is not sent.
pub const REQUEST: Duration = Duration::from_secs(15);

/// What of it is kept for storage while others are asked: what they answer has to be written.
pub const FOR_STORAGE: Duration = Duration::from_secs(5);

/// How long the body of a request may take to come. The Functions host hands on whole bodies, so
/// that nobody meets this bound behind it.
pub const BODY: Duration = Duration::from_secs(30);

/// After how many seconds a client may come again for what failed: no sooner than one call to
/// storage ends.
pub const COME_AGAIN: u64 = 5;

tokio::task_local! {
    static CURRENT: Cell<Deadline>;
}

/// When the time of a request is over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of what begins now and may take `time`.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Does `work` under this deadline, in whichever task it is done.
    pub async fn hold<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(Cell::new(self), work).await
    }

    /// The deadline of the request that is being answered, if there is one.
    fn current() -> Option<Self> {
        CURRENT.try_with(Cell::get).ok()
    }
}

/// Lets the time of a request run: from here, and anew from when its [`body`] is there.
pub async fn begin(request: Request, next: Next) -> Response {
    Deadline::after(REQUEST).hold(next.run(request)).await
}

/// What `read` reads of the body of the request that is being answered. A slow upload takes nothing
/// of the time for storage.
///
/// # Errors
/// It takes longer than [`BODY`].
pub async fn body<T>(read: impl Future<Output = T>) -> Result<T, SlowBody> {
    let body = timeout(BODY, read).await.map_err(|_| SlowBody)?;
    // Outside of a request there is no time that runs.
    let _running = CURRENT.try_with(|current| current.set(Deadline::after(REQUEST)));
    Ok(body)
}

/// The body of a request did not come in time (RFC 9110 section 15.5.9).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body took longer than {} seconds to come: send it again", BODY.as_secs())]
pub struct SlowBody;

/// At most `limit`, and no more than is left of the request that is being answered.
#[must_use]
pub fn at_most(limit: Duration) -> Duration {
    at_most_keeping(limit, Duration::ZERO)
}

/// At most `limit`, and no more than is left of the request that is being answered if `reserve` is
/// kept for what comes afterwards.
#[must_use]
pub fn at_most_keeping(limit: Duration, reserve: Duration) -> Duration {
    let Some(Deadline(end)) = Deadline::current() else {
        return limit;
    };
    let left = end.saturating_duration_since(Instant::now()).saturating_sub(reserve);
    left.min(limit)
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
            timeout(at_most(CALL), never).await.unwrap_err();
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn all_calls_of_a_request_together_end_with_its_time() {
        let deadline = Deadline::after(REQUEST);

        let one = deadline.hold(slow_calls(1)).await;
        let rest = deadline.hold(slow_calls(4)).await;

        assert_eq!((one, one + rest), (CALL, REQUEST));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_request_runs_from_when_its_body_is_there() {
        let upload = Duration::from_secs(20);

        let calls = Deadline::after(REQUEST).hold(async {
            body(tokio::time::sleep(upload)).await.unwrap();
            slow_calls(4).await
        });

        assert_eq!(calls.await, REQUEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let began = Instant::now();

        let read = Deadline::after(REQUEST).hold(body(std::future::pending::<()>())).await;

        assert_eq!((read, began.elapsed()), (Err(SlowBody), BODY));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_for_later_is_left_for_it() {
        let deadline = Deadline::after(REQUEST);

        deadline.hold(slow_calls(1)).await;
        let left = deadline.hold(async { (at_most(CALL), at_most_keeping(CALL, FOR_STORAGE)) });

        assert_eq!(left.await, (Duration::from_secs(5), Duration::ZERO));
        assert_eq!(at_most_keeping(CALL, FOR_STORAGE), CALL);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_must_be_finished_has_no_more_time_than_its_request() {
        let deadline = Deadline::after(REQUEST);

        let calls = deadline.hold(to_completion(slow_calls(4))).await;

        assert_eq!(calls.unwrap(), REQUEST);
    }

    #[tokio::test(start_paused = true)]
    async fn outside_of_a_request_each_call_has_its_own_time() {
        assert_eq!(slow_calls(4).await, CALL * 4);
    }
}

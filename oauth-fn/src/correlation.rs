//! The name of the request that is being answered: it joins the answer to the log.

use std::future::Future;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use shared::serve::{self, Interrupted};
use tracing::Span;

use crate::protocol::error::CorrelationId;

tokio::task_local! {
    static CURRENT: CorrelationId;
}

/// Gives a request its name, for as long as it takes to answer it, and notes it in its span.
pub(crate) async fn begin(request: Request, next: Next) -> Response {
    let id = CorrelationId::generate();
    Span::current().record("correlation_id", tracing::field::display(id));
    CURRENT.scope(id, next.run(request)).await
}

/// The name of the request that is being answered; a new one where none is.
pub(crate) fn current() -> CorrelationId {
    CURRENT.try_with(|id| *id).unwrap_or_else(|_| CorrelationId::generate())
}

/// Runs `work` to its end as [`serve::to_completion`] does, under the name of the request.
///
/// # Errors
/// The task panicked or the process is ending.
pub(crate) async fn to_completion<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Interrupted> {
    serve::to_completion(CURRENT.scope(current(), work)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_goes_on_by_itself_keeps_the_name_of_its_request() {
        let id = CorrelationId::generate();

        let names = CURRENT.scope(id, async {
            let spawned = to_completion(async { (current(), current()) }).await;
            (current(), spawned.unwrap())
        });

        assert_eq!(names.await, (id, (id, id)));
        assert_ne!(current(), current());
    }
}

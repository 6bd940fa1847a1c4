//! The limits in process, before anything of a request is read.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::ClientError;
use super::page_error::PageError;
use crate::App;
use crate::limits::{Limit, Neighbourhood};

/// Lets a request through, if its neighbourhood has not had its share.
pub(super) async fn permit(
    State((app, limit)): State<(App, Limit)>,
    request: Request,
    next: Next,
) -> Response {
    let from = Neighbourhood::of(request.headers());
    match app.limits.permit_request(limit, from) {
        Ok(()) => next.run(request).await,
        Err(error) if limit == Limit::FrontChannel => PageError::too_many(error).into_response(),
        Err(error) => ClientError::from(error).into_response(),
    }
}

//! The errors that people see as a page instead of being sent on.

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use shared::storage::StoreError;

use super::answer::log_failure;
use super::callback::CallbackError;
use crate::correlation;
use crate::limits::TooMany;
use crate::pages::ErrorPage;
use crate::protocol::error::CorrelationId;
use crate::upstream::UpstreamError;

/// Why a person sees a page instead of being sent on.
#[derive(Debug)]
pub(super) struct PageError {
    status: StatusCode,
    title: &'static str,
    explanation: &'static str,
    next_step: &'static str,
    correlation_id: CorrelationId,
    retry_after: Option<u64>,
}

const START_AGAIN: &str = "Go back to the program and connect once more.";

impl PageError {
    /// The request cannot be answered, and the browser cannot be sent back.
    pub(super) fn unusable(explanation: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "This request cannot be used", explanation)
    }

    /// The request did not come from where it should.
    pub(super) fn forbidden(explanation: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "This did not start here", explanation)
    }

    /// Something failed on our side.
    pub(super) fn unavailable(error: &StoreError) -> Self {
        let mut page = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Something does not work right now",
            "The server cannot reach its storage.",
        );
        page.next_step = "Wait a moment and reload this page.";
        log_failure(error);
        page
    }

    /// Entra ID could not be asked who it is.
    pub(super) fn sign_in_unreachable(error: &UpstreamError) -> Self {
        let mut page = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Something does not work right now",
            "The sign-in service cannot be reached.",
        );
        page.next_step = "Wait a moment and try again.";
        log_failure(error);
        page
    }

    /// Entra ID did not say who it is, or named somebody who may not come in.
    pub(super) fn sign_in_failed(error: &CallbackError) -> Self {
        let explanation = "You could not be signed in, or may not sign in here.";
        let mut page = Self::new(StatusCode::FORBIDDEN, "You are not signed in", explanation);
        page.next_step = "Open this server's page /account and sign in once more.";
        log_failure(error);
        page
    }

    /// The neighbourhood has had its share. It is logged where that is known, and not each time.
    pub(super) fn too_many(error: TooMany) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            title: "That was too much at once",
            explanation: "Too many requests came from your network.",
            next_step: "Wait a minute and reload this page.",
            correlation_id: correlation::current(),
            retry_after: Some(error.retry_after),
        }
    }

    fn new(status: StatusCode, title: &'static str, explanation: &'static str) -> Self {
        tracing::info!(explanation, "a browser was shown an error page");
        let correlation_id = correlation::current();
        let next_step = START_AGAIN;
        Self { status, title, explanation, next_step, correlation_id, retry_after: None }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let page = ErrorPage {
            status: self.status,
            title: self.title,
            explanation: self.explanation,
            next_step: self.next_step,
            correlation_id: &self.correlation_id.to_string(),
        };
        let wait = self.retry_after.map(|seconds| [(RETRY_AFTER, HeaderValue::from(seconds))]);
        (wait, page).into_response()
    }
}

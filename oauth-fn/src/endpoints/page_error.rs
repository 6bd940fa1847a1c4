//! The errors that people see as a page instead of being sent on.

use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use shared::deadline::COME_AGAIN;

use super::answer::log_failure;
use super::sign_in_error::SignInError;
use crate::correlation;
use crate::documents::{DocumentError, FAILURE_LIFETIME, FetchError};
use crate::limits::TooMany;
use crate::pages::ErrorPage;
use crate::protocol::client_metadata_document::InvalidDocument;
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

    /// The form took too long to come.
    pub(super) fn slow_body() -> Self {
        let title = "This took too long";
        let page = Self::new(StatusCode::REQUEST_TIMEOUT, title, "The form did not come in time.");
        Self { next_step: "Go back to the page and send it once more.", ..page }
    }

    /// The request did not come from where it should.
    pub(super) fn forbidden(explanation: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "This did not start here", explanation)
    }

    /// Something failed on our side.
    pub(super) fn unavailable(error: &(dyn Error + 'static)) -> Self {
        log_failure(error);
        Self::unavailable_for(COME_AGAIN, "The server cannot reach its storage.")
    }

    /// A client is not known by the document that it publishes, for its fault or for ours.
    pub(super) fn document(error: &DocumentError) -> Self {
        let explanation = explain(error);
        match error {
            DocumentError::TooMany(error) => {
                Self::later(StatusCode::TOO_MANY_REQUESTS, error.retry_after, explanation)
            }
            DocumentError::Busy | DocumentError::Fetch(FetchError::TooLate) => {
                Self::unavailable_for(COME_AGAIN, explanation)
            }
            DocumentError::Fetch(FetchError::Client(_) | FetchError::TimedOut) => {
                Self::unavailable_for(FAILURE_LIFETIME.as_secs(), explanation)
            }
            _ => Self::unusable(explanation),
        }
    }

    /// Entra ID could not be asked who it is.
    pub(super) fn sign_in_unreachable(error: &UpstreamError) -> Self {
        log_failure(error);
        Self::unavailable_for(COME_AGAIN, "The sign-in service cannot be reached.")
    }

    /// Entra ID did not say who it is, or named somebody who may not come in.
    pub(super) fn sign_in_failed(error: &SignInError) -> Self {
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

    /// Something does not work for so many seconds.
    fn unavailable_for(seconds: u64, explanation: &'static str) -> Self {
        Self::later(StatusCode::SERVICE_UNAVAILABLE, seconds, explanation)
    }

    /// The request may be answered after so many seconds.
    fn later(status: StatusCode, seconds: u64, explanation: &'static str) -> Self {
        let page = Self::new(status, "Something does not work right now", explanation);
        let next_step = "Wait a moment and try again.";
        Self { next_step, retry_after: Some(seconds), ..page }
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

fn explain(error: &DocumentError) -> &'static str {
    match error {
        DocumentError::Busy => "The server is looking up too many programs at once.",
        DocumentError::Fetch(error) => match error {
            FetchError::Client(_) => "The server cannot look up programs.",
            FetchError::Encoded => "The program's own description is compressed.",
            // One and the same, so that nobody learns which names there are inside.
            FetchError::NotPublic | FetchError::Unreachable(_) | FetchError::Unresolved(_) => {
                "The program's website cannot be found, or not reached securely."
            }
            FetchError::OtherType => "The program's own description is not JSON.",
            FetchError::Status(_) => "The program's website does not have its description.",
            FetchError::TimedOut => "The program's website did not answer in time.",
            FetchError::TooLate => "The server was too slow to look up the program.",
            FetchError::TooLarge => "The program's own description is too long.",
        },
        DocumentError::Host => "This server does not take programs of this website.",
        DocumentError::Invalid(InvalidDocument::OtherClient) => {
            "The description belongs to another program."
        }
        DocumentError::Invalid(_) => "The program's own description breaks a rule.",
        DocumentError::TooMany(_) => "Too many programs were looked up from your address.",
        DocumentError::Url(_) => {
            "The program's identifier is not an address that can be looked up."
        }
    }
}

//! How endpoints answer: errors of clients are JSON, those of people are pages.

use std::error::Error;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use shared::deadline::{COME_AGAIN, SlowBody};
use shared::storage::{ReplaceError, StoreError};
use shared::telemetry::ErrorChain;

use super::page_error::PageError;
use crate::limits::TooMany;
use crate::protocol::client_authentication::InvalidClient;

/// Why a client does not get what it asked for (RFC 6749 section 5.2, RFC 7591 section 3.2.2).
#[derive(Debug)]
pub(super) enum ClientError {
    /// The client is not the one that it says (RFC 6749 section 5.2, `invalid_client`).
    InvalidClient(InvalidClient),
    /// The request broke a rule, which has an error code.
    Refused { code: &'static str, description: String },
    /// The body did not come in time.
    SlowBody(SlowBody),
    /// The client's neighbourhood has had its share for now.
    TooMany(TooMany),
    /// The body is larger than so many bytes.
    TooLarge(usize),
    /// Storage or Entra ID failed: nothing was changed, and the client may try again.
    Unavailable,
}

impl ClientError {
    /// A refusal with a code of its own.
    pub(super) fn refused(code: &'static str, description: &str) -> Self {
        Self::Refused { code, description: description.to_owned() }
    }

    /// A refusal of a request that is not well-formed.
    pub(super) fn invalid_request(description: &str) -> Self {
        Self::refused("invalid_request", description)
    }

    /// A refusal of a code or refresh token. Its reason stays ours.
    pub(super) fn invalid_grant() -> Self {
        Self::refused(
            "invalid_grant",
            "the code or token is unknown, used, expired, or another client's",
        )
    }
}

impl From<SlowBody> for ClientError {
    fn from(error: SlowBody) -> Self {
        Self::SlowBody(error)
    }
}

impl From<TooMany> for ClientError {
    fn from(error: TooMany) -> Self {
        Self::TooMany(error)
    }
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> Self {
        log_failure(&error);
        Self::Unavailable
    }
}

impl From<ReplaceError> for ClientError {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Lost => Self::Unavailable,
            ReplaceError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for ClientError {
    fn into_response(self) -> Response {
        let answer = |status: StatusCode, code: &str, description: &str| {
            let body = json!({ "error": code, "error_description": description });
            (status, Json(body)).into_response()
        };
        match self {
            Self::InvalidClient(why) => {
                let description = why.to_string();
                let mut response = answer(StatusCode::UNAUTHORIZED, "invalid_client", &description);
                // RFC 9110 section 15.5.2 wants a challenge with every 401, and Basic is the one
                // scheme that clients authenticate by (RFC 6749 section 5.2).
                let challenge = HeaderValue::from_static("Basic realm=\"mcp\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                response
            }
            Self::Refused { code, description } => {
                answer(StatusCode::BAD_REQUEST, code, &description)
            }
            Self::SlowBody(error) => {
                answer(StatusCode::REQUEST_TIMEOUT, "invalid_request", &error.to_string())
            }
            Self::TooMany(error) => {
                let description = format!("{error}: try again later");
                let code = "temporarily_unavailable";
                let mut response = answer(StatusCode::TOO_MANY_REQUESTS, code, &description);
                let wait = HeaderValue::from(error.retry_after);
                response.headers_mut().insert(RETRY_AFTER, wait);
                response
            }
            Self::TooLarge(largest) => {
                let description = format!("the body is larger than {largest} bytes");
                answer(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", &description)
            }
            Self::Unavailable => {
                let description = "try again in a moment";
                let code = "temporarily_unavailable";
                let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, code, description);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(COME_AGAIN));
                response
            }
        }
    }
}

/// Adds cookies to an answer.
pub(super) fn with_cookies(
    mut response: Response,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Sends the browser on with a GET, whatever it came with (RFC 9110 sections 15.4.3 and 15.4.4).
pub(super) fn redirect(
    status: StatusCode,
    location: &str,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else {
        return PageError::unusable("The address to go on to is not valid.").into_response();
    };
    with_cookies((status, [(LOCATION, location)]).into_response(), cookies)
}

/// Logs a failure with its causes, once, where it is answered.
pub(super) fn log_failure(error: &(dyn Error + 'static)) {
    tracing::error!(error = %ErrorChain(error), "a request failed");
}

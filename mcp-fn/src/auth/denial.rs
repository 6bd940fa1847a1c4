//! The answers to requests that are not let in (RFC 6750 section 3).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use shared::deadline::COME_AGAIN;
use shared::scope::Scopes;
use shared::session::SessionError;

use super::Gate;
use super::bearer::MalformedAuthorization;

/// Why a request is not served.
#[derive(Debug)]
pub(super) enum Denial {
    /// The token does not cover what was asked for; these scopes together would.
    InsufficientScope(Scopes),
    /// The token is not good, whatever the reason.
    InvalidToken,
    /// The credentials cannot be read.
    Malformed(MalformedAuthorization),
    /// There is no access token.
    NoCredentials,
    /// Whether the token is good cannot be found out now.
    Unavailable,
}

impl From<MalformedAuthorization> for Denial {
    fn from(malformed: MalformedAuthorization) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<SessionError> for Denial {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Refused(_) => Self::InvalidToken,
            SessionError::Missing(_) | SessionError::Store(_) => Self::Unavailable,
        }
    }
}

impl Gate {
    /// The answer to a request that is denied.
    pub(super) fn deny(&self, denial: &Denial) -> Response {
        let body = Body::of(denial);
        let (status, scopes) = match denial {
            Denial::InsufficientScope(scopes) => (StatusCode::FORBIDDEN, scopes.clone()),
            Denial::InvalidToken | Denial::NoCredentials => {
                (StatusCode::UNAUTHORIZED, Scopes::all())
            }
            Denial::Malformed(_) => (StatusCode::BAD_REQUEST, Scopes::all()),
            Denial::Unavailable => {
                let retry = [(RETRY_AFTER, HeaderValue::from(COME_AGAIN))];
                return (StatusCode::SERVICE_UNAVAILABLE, retry, Json(body)).into_response();
            }
        };
        // A client that sent nothing did nothing wrong, so it is told no error (section 3.1).
        let error = match denial {
            Denial::NoCredentials => String::new(),
            _ => format!(
                "error=\"{}\", error_description=\"{}\", ",
                body.error, body.error_description
            ),
        };
        let metadata = &self.resource_metadata;
        let challenge =
            format!("Bearer {error}resource_metadata=\"{metadata}\", scope=\"{scopes}\"");
        let mut response = (status, Json(body)).into_response();
        // Nothing in it comes from the request, so it is always a header's text.
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// What the client's developer reads.
#[derive(Debug, Serialize)]
struct Body {
    error: &'static str,
    error_description: String,
}

impl Body {
    fn of(denial: &Denial) -> Self {
        let (error, error_description) = match denial {
            Denial::InsufficientScope(scopes) => (
                "insufficient_scope",
                format!("This needs an access token with the scopes: {scopes}."),
            ),
            Denial::InvalidToken => {
                ("invalid_token", "The access token is not valid, or has expired.".to_owned())
            }
            Denial::Malformed(malformed) => ("invalid_request", malformed.to_string()),
            Denial::NoCredentials => (
                "unauthorized",
                "Send an access token in the Authorization header; the resource metadata in \
                 WWW-Authenticate tells where to get one."
                    .to_owned(),
            ),
            Denial::Unavailable => (
                "temporarily_unavailable",
                "Access tokens cannot be checked right now. Try again in a moment.".to_owned(),
            ),
        };
        Self { error, error_description }
    }
}

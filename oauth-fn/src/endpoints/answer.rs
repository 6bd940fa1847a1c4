//! How endpoints read forms and answer; errors of clients are JSON, those of people are pages.

use std::error::Error;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use http_body_util::LengthLimitError;
use serde_json::json;
use shared::storage::{ReplaceError, StoreError};
use shared::telemetry::ErrorChain;

use super::page_error::PageError;
use crate::limits::TooMany;
use crate::protocol::client_authentication::InvalidClient;
use crate::protocol::parameters::Parameters;

/// Largest form, in bytes.
const LARGEST_FORM: usize = 16 * 1024;

/// The parameters of a form body. Those of the query do not count.
#[derive(Debug)]
pub(super) struct OAuthForm(pub(super) Parameters);

impl<S: Send + Sync> FromRequest<S> for OAuthForm {
    type Rejection = ClientError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ClientError> {
        if request.uri().query().is_some() {
            return Err(ClientError::invalid_request(
                "send the parameters in the body, not in the URL",
            ));
        }
        if !is_form(request.headers()) {
            return Err(ClientError::invalid_request(
                "the Content-Type must be application/x-www-form-urlencoded",
            ));
        }
        let body = bounded(request.into_body(), LARGEST_FORM).await?;
        let parameters = Parameters::parse(&body);
        parameters.map(Self).map_err(|error| ClientError::invalid_request(&error.to_string()))
    }
}

/// The parameters of the query, each of which may come once only.
pub(super) fn query(uri: &Uri) -> Result<Parameters, PageError> {
    let unreadable = "The address says something twice, or cannot be read.";
    let parameters = Parameters::parse(uri.query().unwrap_or_default().as_bytes());
    let parameters = parameters.map_err(|_| PageError::unusable(unreadable))?;
    parameters.each_once().map_err(|_| PageError::unusable(unreadable))?;
    Ok(parameters)
}

/// The body, if it is not larger than `largest` bytes.
pub(super) async fn bounded(body: Body, largest: usize) -> Result<Vec<u8>, ClientError> {
    to_bytes(body, largest).await.map(Into::into).map_err(|error| {
        if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
            ClientError::TooLarge(largest)
        } else {
            ClientError::invalid_request("the body broke off")
        }
    })
}

/// The one value of the header `name`. One that came twice, or not as text, says nothing that
/// could be believed, and is no value that anything waits for.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap_or("unreadable"));
    if values.next().is_some() { Some("repeated") } else { value }
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

fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Why a client does not get what it asked for (RFC 6749 section 5.2, RFC 7591 section 3.2.2).
#[derive(Debug)]
pub(super) enum ClientError {
    /// The client is not the one that it says (RFC 6749 section 5.2, `invalid_client`).
    InvalidClient(InvalidClient),
    /// The request broke a rule, which has an error code.
    Refused { code: &'static str, description: String },
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
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
        }
    }
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

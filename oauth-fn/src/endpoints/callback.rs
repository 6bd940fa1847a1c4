//! `GET /oauth-callback`: the browser comes back from Entra ID (RFC 6749 section 4.1.2).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::{HeaderMap, StatusCode, Uri};
use shared::session::SessionId;

use super::answer::with_cookies;
use super::form::query;
use super::page_error::PageError;
use super::sign_in_error::SignInError;
use super::{account, code};
use crate::App;
use crate::grant::Flow;
use crate::protocol::parameters::Parameters;

/// `GET /oauth-callback`.
pub(super) async fn finish(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let parameters = query(&uri)?;
    let upstream_state = parameters.get("state").unwrap_or_default().to_owned();
    let flow = app.browsers.open_flow(&upstream_state, &headers, app.clock.now());
    let flow = flow.ok_or_else(|| {
        PageError::forbidden(
            "The sign-in was not allowed in this browser, was finished before, or took too long.",
        )
    })?;
    let answer = UpstreamAnswer::read(&parameters, &app).into_code();
    let finished = match flow {
        Flow::Client(consented) => {
            let session = SessionId::derived_from(upstream_state.as_bytes());
            code::finish(&app, session, *consented, answer, &headers).await
        }
        Flow::Account(sign_in) => account::arrive(&app, &sign_in, answer).await,
    };
    // However it ended, it is over.
    let response = finished.unwrap_or_else(PageError::into_response);
    Ok(with_cookies(response, app.browsers.clear_flow(&upstream_state)))
}

/// `HEAD /oauth-callback`, which would otherwise be a GET whose answer is thrown away.
pub(super) async fn refuse() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")]).into_response()
}

/// What Entra ID sent along (RFC 6749 sections 4.1.2 and 4.1.2.1).
enum UpstreamAnswer {
    Code(String),
    Error(String),
    /// It names another issuer than the one that was asked (RFC 9207 section 2.4).
    Foreign,
    Nothing,
}

impl UpstreamAnswer {
    fn read(parameters: &Parameters, app: &App) -> Self {
        if parameters.get("iss").is_some_and(|issuer| !app.upstream.is_issuer(issuer)) {
            return Self::Foreign;
        }
        match (parameters.get("error"), parameters.get("code")) {
            (Some(error), _) => Self::Error(error.to_owned()),
            (None, Some(code)) => Self::Code(code.to_owned()),
            (None, None) => Self::Nothing,
        }
    }

    /// The code, or why there is none.
    fn into_code(self) -> Result<String, SignInError> {
        match self {
            Self::Code(code) => Ok(code),
            Self::Error(error) => Err(SignInError::SignIn(error)),
            Self::Foreign => Err(SignInError::ForeignIssuer),
            Self::Nothing => Err(SignInError::NoAnswer),
        }
    }
}

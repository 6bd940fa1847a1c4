//! `GET /oauth-callback`: the browser comes back from Entra ID (RFC 6749 section 4.1.2).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::{HeaderMap, StatusCode, Uri};
use shared::serve::Interrupted;
use shared::session::SessionId;
use shared::storage::StoreError;

use super::answer::{query, with_cookies};
use super::page_error::PageError;
use super::{account, code};
use crate::App;
use crate::grant::Flow;
use crate::grants::StartError;
use crate::protocol::parameters::Parameters;
use crate::upstream::UpstreamError;

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
    let response = match flow {
        Flow::Client(consented) => {
            let session = SessionId::derived_from(upstream_state.as_bytes());
            code::finish(&app, session, *consented, answer, &headers).await?
        }
        Flow::Account(sign_in) => account::arrive(&app, &sign_in, answer).await?,
    };
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
    fn into_code(self) -> Result<String, CallbackError> {
        match self {
            Self::Code(code) => Ok(code),
            Self::Error(error) => Err(CallbackError::SignIn(error)),
            Self::Foreign => Err(CallbackError::ForeignIssuer),
            Self::Nothing => Err(CallbackError::NoAnswer),
        }
    }
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallbackError {
    #[error("the answer names another issuer than the one that was asked")]
    ForeignIssuer,
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("the sign-in service answered neither code nor error")]
    NoAnswer,
    #[error("the sign-in service answered {0:?}")]
    SignIn(String),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl CallbackError {
    /// Its name in the audit.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::ForeignIssuer => "foreign_issuer",
            Self::Interrupted(_) => "interrupted",
            Self::NoAnswer => "no_answer",
            Self::SignIn(upstream) if upstream == "access_denied" => "declined",
            Self::SignIn(_) => "upstream_error",
            Self::Start(StartError::AlreadyStarted) => "already_finished",
            Self::Start(StartError::Store(_)) | Self::Store(_) => "storage",
            Self::Upstream(UpstreamError::ForeignTenant) => "foreign_tenant",
            Self::Upstream(UpstreamError::Invalid(_)) => "invalid_answer",
            Self::Upstream(UpstreamError::NotPermitted(_)) => "not_permitted",
            Self::Upstream(UpstreamError::Refused(_)) => "code_refused",
            Self::Upstream(UpstreamError::Unavailable(_)) => "unavailable",
        }
    }
}

//! `GET /oauth-callback`: the browser comes back from Entra ID (RFC 6749 section 4.1.2).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use secrecy::ExposeSecret;
use shared::serve::{Interrupted, to_completion};
use shared::session::SessionId;
use shared::storage::StoreError;

use super::account;
use super::answer::{PageError, log_correlated, query, redirect, with_cookies};
use super::authorize::go_to_consent;
use crate::App;
use crate::grant::{Approval, ConnectionPlace, Consented, Flow};
use crate::grants::StartError;
use crate::protocol::authorization_request::AuthorizationRequest;
use crate::protocol::consent::Memory;
use crate::protocol::error::{AuthorizationErrorCode, AuthorizationRefusal, CorrelationId};
use crate::protocol::parameters::Parameters;
use crate::protocol::prompt::Prompts;
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
            finish_for_client(&app, session, *consented, answer, &headers).await?
        }
        Flow::Account(sign_in) => account::arrive(&app, &sign_in, answer).await?,
    };
    Ok(with_cookies(response, app.browsers.clear_flow(&upstream_state)))
}

async fn finish_for_client(
    app: &App,
    session: SessionId,
    consented: Consented,
    answer: Result<String, CallbackError>,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    let AuthorizationRequest { destination, prompts, .. } = consented.request().clone();
    let outcome = match answer {
        Ok(code) => {
            let work = start_session(app.clone(), session, consented.clone(), code);
            to_completion(work).await.map_err(CallbackError::from).flatten()
        }
        Err(error) => Err(error),
    };
    let location = match outcome {
        Ok(Started::Code(code, connection)) => {
            let cookie = remember(app, &consented, connection, headers);
            let location = destination.with_code(&code, &app.base_url);
            return Ok(redirect(StatusCode::FOUND, &location, cookie));
        }
        Ok(Started::Nothing) => match prompts.permit_consent_page() {
            Ok(()) => {
                let requested = consented.ask(app.clock.now());
                return Ok(go_to_consent(app, &requested, headers));
            }
            Err(error) => destination.with_refusal(&error.into(), &app.base_url),
        },
        Err(CallbackError::Start(StartError::AlreadyStarted)) => {
            return Err(PageError::unusable("This sign-in was finished before."));
        }
        Err(error) => destination.with_refusal(&refusal(&error, &prompts), &app.base_url),
    };
    Ok(redirect(StatusCode::FOUND, &location, None))
}

/// The cookie that spares the user the next consent page, if that is what the user wants.
fn remember(
    app: &App,
    consented: &Consented,
    connection: ConnectionPlace,
    headers: &HeaderMap,
) -> Option<HeaderValue> {
    let wanted = *consented.approval() == Approval::Asked(Memory::Kept);
    let given_at = consented.sign_in().began_at();
    wanted.then(|| {
        let consents = app.browsers.open_consents(headers).remember(
            consented.request(),
            &app.base_url.resource(),
            connection,
            given_at,
        );
        app.browsers.seal_consents(&consents, app.clock.now())
    })?
}

/// `HEAD /oauth-callback`, which would otherwise be a GET whose answer is thrown away.
pub(super) async fn refuse() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")]).into_response()
}

/// What became of a sign-in.
enum Started {
    /// The client gets this code, for this connection.
    Code(String, ConnectionPlace),
    /// A consent that was remembered does not hold for who signed in: the user is to be asked.
    Nothing,
}

/// Learns who signed in, writes the first rows, and gives the code. It runs to its end even if the
/// browser goes away, since Entra ID's code works once.
async fn start_session(
    app: App,
    session: SessionId,
    consented: Consented,
    upstream_code: String,
) -> Result<Started, CallbackError> {
    let signed_in = app.upstream.redeem(&upstream_code, consented.sign_in()).await?;
    let tenant = signed_in.identity.tenant_id.as_str().to_owned();
    let user = signed_in.identity.user_key();
    if let Approval::Remembered(connection) = consented.approval()
        && (connection.user != user || !app.connections.stands(connection).await?)
    {
        let user = user.as_str();
        tracing::info!(audit = "consent_outdated", tenant, user, "the user is asked again");
        return Ok(Started::Nothing);
    }
    let (connection, fulfilled) = consented.fulfil(session, signed_in, app.clock.now());
    // First, so that no session lives that its user does not find.
    app.connections.note(&connection).await?;
    let code = app.grants.start(session, fulfilled).await?;
    tracing::info!(audit = "signed_in", tenant, user = user.as_str(), "a user signed in");
    Ok(Started::Code(code.expose_secret().to_owned(), connection.place()))
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

/// What the client gets to know: a code and a sentence of ours, and where our log tells more.
fn refusal(error: &CallbackError, prompts: &Prompts) -> AuthorizationRefusal {
    let correlation_id = CorrelationId::generate();
    log_correlated(&correlation_id, error);
    let unasked = match error {
        CallbackError::SignIn(upstream) => prompts.unasked(upstream),
        _ => None,
    };
    let (code, sentence) = match unasked {
        Some(code) => (code, "The user would have to be asked."),
        None => explain(error),
    };
    AuthorizationRefusal::new(code, sentence).correlated(correlation_id)
}

fn explain(error: &CallbackError) -> (AuthorizationErrorCode, &'static str) {
    match error {
        CallbackError::SignIn(upstream) if upstream == "access_denied" => {
            (AuthorizationErrorCode::AccessDenied, "The user or the organisation declined.")
        }
        CallbackError::Upstream(UpstreamError::ForeignTenant) => {
            (AuthorizationErrorCode::AccessDenied, "The user's organisation is not allowed here.")
        }
        CallbackError::Upstream(UpstreamError::NotPermitted(_)) => {
            (AuthorizationErrorCode::AccessDenied, "The user may not use this server.")
        }
        CallbackError::Start(_)
        | CallbackError::Store(_)
        | CallbackError::Upstream(UpstreamError::Unavailable(_)) => {
            (AuthorizationErrorCode::TemporarilyUnavailable, "Try again in a moment.")
        }
        CallbackError::SignIn(upstream) if upstream == "temporarily_unavailable" => {
            (AuthorizationErrorCode::TemporarilyUnavailable, "Try again in a moment.")
        }
        CallbackError::ForeignIssuer
        | CallbackError::Interrupted(_)
        | CallbackError::NoAnswer
        | CallbackError::SignIn(_)
        | CallbackError::Upstream(UpstreamError::Invalid(_) | UpstreamError::Refused(_)) => {
            (AuthorizationErrorCode::ServerError, "The sign-in failed.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_forbade_pages_hears_that_the_user_would_have_to_be_asked() {
        let none = Prompts::try_from("none").unwrap();
        for (upstream, prompts, expected) in [
            ("login_required", &none, "login_required"),
            ("interaction_required", &none, "interaction_required"),
            ("consent_required", &none, "consent_required"),
            ("login_required", &Prompts::default(), "server_error"),
            ("access_denied", &none, "access_denied"),
            ("server_error", &none, "server_error"),
        ] {
            let refused = refusal(&CallbackError::SignIn(upstream.to_owned()), prompts);

            assert_eq!(refused.code.as_str(), expected, "{upstream}");
            assert!(refused.description().contains("Correlation id: "));
        }
    }
}

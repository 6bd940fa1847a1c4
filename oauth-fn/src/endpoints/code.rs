//! A client's sign-in that has come to its end: the client gets a code, or hears why there is none.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret;
use shared::session::SessionId;

use super::answer::{log_failure, redirect};
use super::authorize::go_to_consent;
use super::page_error::PageError;
use super::sign_in_error::SignInError;
use crate::App;
use crate::audit::{Client, Event, User};
use crate::correlation::{self, to_completion};
use crate::grant::{Approval, ConnectionPlace, Consented};
use crate::grants::StartError;
use crate::protocol::authorization_request::AuthorizationRequest;
use crate::protocol::consent::Memory;
use crate::protocol::error::{AuthorizationErrorCode, AuthorizationRefusal};
use crate::protocol::prompt::Prompts;
use crate::upstream::UpstreamError;

/// Sends the browser back to the client, or to our consent page if a remembered consent does not
/// hold.
///
/// # Errors
/// The sign-in was finished before.
pub(super) async fn finish(
    app: &App,
    session: SessionId,
    consented: Consented,
    answer: Result<String, SignInError>,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    let AuthorizationRequest { client_id, destination, prompts, .. } = consented.request().clone();
    let outcome = match answer {
        Ok(code) => {
            let work = start_session(app.clone(), session, consented.clone(), code);
            to_completion(work).await.map_err(SignInError::from).flatten()
        }
        Err(error) => Err(error),
    };
    if let Err(error) = &outcome {
        let client = Client::named(&client_id);
        Event::SignInFailed { client, reason: error.reason() }.record();
    }
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
        Err(SignInError::Start(StartError::AlreadyStarted)) => {
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
) -> Result<Started, SignInError> {
    let signed_in = app.upstream.redeem(&upstream_code, consented.sign_in()).await?;
    let client = Client::named(&consented.request().client_id);
    let user = User::from(&signed_in.identity);
    if let Approval::Remembered(connection) = consented.approval()
        && (connection.user != signed_in.identity.user_key()
            || !app.connections.lives(connection).await?)
    {
        Event::ConsentOutdated { client, user }.record();
        return Ok(Started::Nothing);
    }
    let (connection, fulfilled) = consented.fulfil(session, signed_in, app.clock.now());
    let code = app.grants.start(session, fulfilled).await?;
    // Nobody has the code yet, so no session will live that its user does not find.
    app.connections.note(&connection).await?;
    Event::SignedIn { client, user }.record();
    Ok(Started::Code(code.expose_secret().to_owned(), connection.place()))
}

/// What the client gets to know: a code and a sentence of ours, and where our log tells more.
fn refusal(error: &SignInError, prompts: &Prompts) -> AuthorizationRefusal {
    log_failure(error);
    let unasked = match error {
        SignInError::SignIn(upstream) => prompts.unasked(upstream),
        _ => None,
    };
    let (code, sentence) = match unasked {
        Some(code) => (code, "The user would have to be asked."),
        None => explain(error),
    };
    AuthorizationRefusal::new(code, sentence).correlated(correlation::current())
}

fn explain(error: &SignInError) -> (AuthorizationErrorCode, &'static str) {
    match error {
        SignInError::SignIn(upstream) if upstream == "access_denied" => {
            (AuthorizationErrorCode::AccessDenied, "The user or the organisation declined.")
        }
        SignInError::Upstream(UpstreamError::ForeignTenant) => {
            (AuthorizationErrorCode::AccessDenied, "The user's organisation is not allowed here.")
        }
        SignInError::Upstream(UpstreamError::NotPermitted(_)) => {
            (AuthorizationErrorCode::AccessDenied, "The user may not use this server.")
        }
        SignInError::Start(_)
        | SignInError::Store(_)
        | SignInError::Upstream(UpstreamError::Unavailable(_) | UpstreamError::Unproved(_)) => {
            (AuthorizationErrorCode::TemporarilyUnavailable, "Try again in a moment.")
        }
        SignInError::SignIn(upstream) if upstream == "temporarily_unavailable" => {
            (AuthorizationErrorCode::TemporarilyUnavailable, "Try again in a moment.")
        }
        SignInError::ForeignIssuer
        | SignInError::Interrupted(_)
        | SignInError::NoAnswer
        | SignInError::SignIn(_)
        | SignInError::Upstream(UpstreamError::Invalid(_) | UpstreamError::Refused(_)) => {
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
            let refused = refusal(&SignInError::SignIn(upstream.to_owned()), prompts);

            assert_eq!(refused.code.as_str(), expected, "{upstream}");
            assert!(refused.description().contains("Correlation id: "));
        }
    }
}

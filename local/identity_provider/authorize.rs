//! The authorization endpoint: asks who signs in, and sends the browser back.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use url::Url;

use super::code::SignIn;
use super::entra_error::EntraError;
use super::page::{self, Choice};
use super::parameters::Parameters;
use super::people::Person;
use super::{CLIENT_ID, IdentityProvider, redirect};

/// `GET /dev-idp/authorize`: the page, or the answer at once where nobody is to be asked.
pub(super) async fn ask(
    State(provider): State<IdentityProvider>,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let request = match read(&provider, &parameters) {
        Ok(request) => request,
        Err(refusal) => return refuse(&provider, refusal),
    };
    match (provider.0.sign_in_as, parameters.get("prompt")) {
        (Some(person), _) => finish(&provider, request, Choice::Person(person)),
        (None, Some("none")) => finish(&provider, request, Choice::SessionExpired),
        (None, _) => page::sign_in(&parameters),
    }
}

/// `POST /dev-idp/authorize`: a button of the page was pressed.
pub(super) async fn answer(State(provider): State<IdentityProvider>, form: Bytes) -> Response {
    let parameters = Parameters::parse(&form);
    let request = match read(&provider, &parameters) {
        Ok(request) => request,
        Err(refusal) => return refuse(&provider, refusal),
    };
    match parameters.get("choice").and_then(Choice::parse) {
        Some(choice) => finish(&provider, request, choice),
        None => page::sign_in(&parameters),
    }
}

/// A request that may be answered by a redirect.
#[derive(Debug)]
struct Request {
    back: ReturnPath,
    scope: String,
    nonce: Option<String>,
    code_challenge: String,
}

/// Where the browser goes when it is done here.
#[derive(Clone, Debug)]
struct ReturnPath {
    redirect_uri: String,
    state: Option<String>,
}

/// Why a request is refused: on a page, as long as nobody knows where to send the browser.
#[derive(Debug)]
enum Refusal {
    Page(EntraError),
    Redirect(ReturnPath, EntraError),
}

fn read(provider: &IdentityProvider, parameters: &Parameters) -> Result<Request, Refusal> {
    if parameters.get("client_id") != Some(CLIENT_ID) {
        let message = "The application was not found in the directory.";
        return Err(Refusal::Page(EntraError::new("unauthorized_client", 700_016, message)));
    }
    let redirect_uri = parameters.get("redirect_uri").unwrap_or_default().to_owned();
    if redirect_uri != provider.redirect_uri() {
        let message = "The redirect URI of the request is not the one of the application.";
        return Err(Refusal::Page(EntraError::new("invalid_request", 50_011, message)));
    }
    let back = ReturnPath { redirect_uri, state: parameters.get("state").map(str::to_owned) };
    match check(parameters) {
        Ok((scope, challenge)) => Ok(Request {
            back,
            scope: scope.to_owned(),
            nonce: parameters.get("nonce").map(str::to_owned),
            code_challenge: challenge.to_owned(),
        }),
        Err(error) => Err(Refusal::Redirect(back, error)),
    }
}

/// What holds of every good request; the scope and the code challenge that it has.
fn check(parameters: &Parameters) -> Result<(&str, &str), EntraError> {
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => {
            let message = "The response type is not supported.";
            return Err(EntraError::new("unsupported_response_type", 700_054, message));
        }
        None => return Err(EntraError::missing("response_type")),
    }
    if parameters.get("resource").is_some() {
        let message = "The resource parameter does not match with the requested scopes.";
        return Err(EntraError::new("invalid_target", 9_010_010, message));
    }
    let scope = parameters.get("scope").ok_or_else(|| EntraError::missing("scope"))?;
    let challenge =
        parameters.get("code_challenge").ok_or_else(|| EntraError::missing("code_challenge"))?;
    if parameters.get("code_challenge_method") != Some("S256") || challenge.len() != 43 {
        let message = "Only a code challenge of the method S256 is taken here.";
        return Err(EntraError::new("invalid_request", 50_147, message));
    }
    Ok((scope, challenge))
}

fn refuse(provider: &IdentityProvider, refusal: Refusal) -> Response {
    match refusal {
        Refusal::Page(error) => page::error(&error.description(provider.now())),
        Refusal::Redirect(back, error) => send_error(provider, &back, &error),
    }
}

fn finish(provider: &IdentityProvider, request: Request, choice: Choice) -> Response {
    let now = provider.now();
    let sign_in = |person, request: Request| SignIn {
        person,
        scope: request.scope,
        nonce: request.nonce,
        redirect_uri: request.back.redirect_uri,
        code_challenge: request.code_challenge,
    };
    let back = request.back.clone();
    match choice {
        Choice::Person(person) if provider.is_disabled(person) => {
            let message = "The user account is disabled.";
            page::error(&EntraError::new("invalid_grant", 50_057, message).description(now))
        }
        Choice::Person(person) => {
            send_code(&back, &provider.0.codes.issue(sign_in(person, request), now))
        }
        Choice::CodeExpired => {
            let sign_in = sign_in(Person::Alice, request);
            send_code(&back, &provider.0.codes.issue_expired(sign_in, now))
        }
        Choice::Cancelled => {
            let message = "User declined to consent to access the app.";
            send_error(provider, &back, &EntraError::new("access_denied", 65_004, message))
        }
        Choice::SessionExpired => {
            let message = "The session is not valid or has expired; sign in again.";
            send_error(provider, &back, &EntraError::new("login_required", 50_058, message))
        }
        Choice::ServerError => {
            let message = "An unexpected, non-retryable error stemming from the directory service.";
            send_error(provider, &back, &EntraError::new("server_error", 90_033, message))
        }
        Choice::TemporarilyUnavailable => {
            let message = "The service is temporarily unavailable.";
            let error = EntraError::new("temporarily_unavailable", 90_033, message);
            send_error(provider, &back, &error)
        }
    }
}

fn send_code(back: &ReturnPath, code: &str) -> Response {
    send(back, &[("code", code)])
}

fn send_error(provider: &IdentityProvider, back: &ReturnPath, error: &EntraError) -> Response {
    let description = error.description(provider.now());
    send(back, &[("error", error.error), ("error_description", &description)])
}

fn send(back: &ReturnPath, parameters: &[(&str, &str)]) -> Response {
    let Ok(mut location) = Url::parse(&back.redirect_uri) else {
        return page::error("The redirect URI is not a URL.");
    };
    location
        .query_pairs_mut()
        .extend_pairs(parameters)
        .extend_pairs(back.state.iter().map(|state| ("state", state)));
    redirect(location.as_str())
}

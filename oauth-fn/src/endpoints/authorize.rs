//! `GET /authorize`: a client asks for access to the user's account (RFC 6749 section 4.1.1).
//!
//! Whatever is wrong before the redirect URI is proved ends in a page; whatever is wrong after it
//! goes back to the client. Nothing is stored: the request travels on, sealed, in the URL.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};

use super::answer::redirect;
use super::form::only;
use super::page_error::PageError;
use super::sign_in::begin_for_client;
use crate::App;
use crate::audit::{Client, Event};
use crate::clients::FindError;
use crate::grant::{RememberedApproval, Requested};
use crate::limits::Neighbourhood;
use crate::protocol::authorization_request::AuthorizationRequest;
use crate::protocol::consent::OwnNavigation;
use crate::protocol::destination::{Destination, NoDestination};
use crate::protocol::error::AuthorizationRefusal;
use crate::protocol::parameters::Parameters;
use crate::protocol::registration_policy::OutsidePolicy;

/// `GET /authorize`.
pub(super) async fn authorize(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, AuthorizeError> {
    // A picture on a foreign page must not make us look a client up.
    if !matches!(only(&headers, "sec-fetch-dest"), None | Some("document")) {
        return Err(PageError::forbidden("This address is for a browser window of its own.").into());
    }
    let parameters = parameters(&uri)?;
    let client_id = parameters
        .get("client_id")
        .ok_or_else(|| PageError::unusable("The program did not say which one it is."))?;
    let refused = |reason| record_refusal(client_id, reason);
    let from = Neighbourhood::of(&headers);
    let client = app.clients.find(client_id, || app.limits.permit_fetch(from)).await;
    let client = client.inspect_err(|error| {
        if let FindError::Document(_) = error {
            refused("client_document");
        }
    })?;
    let client = client.ok_or_else(|| {
        refused("unknown_client");
        PageError::unusable("The program is not registered here, or no longer.")
    })?;
    let (redirect_uri, state) = (parameters.get("redirect_uri"), parameters.get("state"));
    let destination = Destination::new(&client, redirect_uri, state);
    let destination = destination.inspect_err(|_| refused("no_destination"))?;
    let within_policy = app.registration.check(destination.redirect_uri());
    within_policy.inspect_err(|_| refused("outside_policy"))?;
    let read = AuthorizationRequest::read(
        &parameters,
        client_id,
        &client,
        destination.clone(),
        &app.base_url,
    );
    let request = read.map_err(|error| app.refuse(client_id, &destination, error))?;
    let requested = Requested::new(request, app.clock.now());
    if let Some(approved) = remembered(&app, &requested, &headers) {
        Event::ConsentRemembered { client: Client::named(client_id) }.record();
        let consented = requested.approve_again(approved, app.clock.now());
        return Ok(begin_for_client(&app, consented, &headers, StatusCode::FOUND).await);
    }
    let permitted = requested.request().prompts.permit_consent_page();
    permitted.map_err(|error| app.refuse(client_id, &destination, error))?;
    Event::AuthorizationRequested { client: Client::named(client_id) }.record();
    Ok(go_to_consent(&app, &requested, &headers))
}

/// The consent that spares the user the page. No other site can make use of it.
fn remembered(app: &App, requested: &Requested, headers: &HeaderMap) -> Option<RememberedApproval> {
    let said = |name| only(headers, name);
    let (site, mode, dest) =
        (said("sec-fetch-site"), said("sec-fetch-mode"), said("sec-fetch-dest"));
    let navigation = OwnNavigation::check(site, mode, dest)?;
    let consents = app.browsers.open_consents(headers);
    let resource = app.base_url.resource();
    consents.approval(requested.request(), &resource, &navigation, app.clock.now())
}

/// Sends the browser to the consent page.
pub(super) fn go_to_consent(app: &App, requested: &Requested, headers: &HeaderMap) -> Response {
    let now = app.clock.now();
    let (browser, cookie) = match app.browsers.recognise(headers) {
        Some(browser) => (browser, None),
        None => app.browsers.welcome(),
    };
    let sealed = app.browsers.seal_request(requested, &browser, now);
    let location = app.base_url.at(&format!("/consent?request={sealed}"));
    redirect(StatusCode::FOUND, &location, cookie)
}

fn parameters(uri: &Uri) -> Result<Parameters, PageError> {
    let query = uri.query().unwrap_or_default().as_bytes();
    let unreadable = "The address has a broken percent escape or is not UTF-8.";
    Parameters::parse(query).map_err(|_| PageError::unusable(unreadable))
}

fn record_refusal(client_id: &str, reason: &'static str) {
    Event::AuthorizationRefused { client: Client::named(client_id), reason }.record();
}

impl App {
    fn refuse(
        &self,
        client_id: &str,
        to: &Destination,
        error: impl Into<AuthorizationRefusal>,
    ) -> AuthorizeError {
        let refusal = error.into();
        record_refusal(client_id, refusal.code.as_str());
        AuthorizeError::Redirect(to.with_refusal(&refusal, &self.base_url))
    }
}

/// Why there is nothing to consent to.
#[derive(Debug)]
pub(super) enum AuthorizeError {
    /// The redirect URI is not proved: show a page.
    Page(PageError),
    /// It is: send the browser back with the error.
    Redirect(String),
}

impl From<PageError> for AuthorizeError {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl From<FindError> for AuthorizeError {
    fn from(error: FindError) -> Self {
        Self::Page(match error {
            FindError::Document(error) => PageError::document(&error),
            FindError::Store(error) => PageError::unavailable(&error),
        })
    }
}

impl From<NoDestination> for AuthorizeError {
    fn from(error: NoDestination) -> Self {
        Self::Page(PageError::unusable(match error {
            NoDestination::LongState => "The program sent more state than 1024 bytes.",
            NoDestination::MissingRedirectUri => {
                "The program did not say, or said twice, where to send you back to."
            }
            NoDestination::OtherRedirectUri => {
                "The program asked to send you to an address that it did not register."
            }
        }))
    }
}

impl From<OutsidePolicy> for AuthorizeError {
    fn from(_: OutsidePolicy) -> Self {
        let explanation =
            "The program asked to send you to an address that this server does not allow any more.";
        Self::Page(PageError::unusable(explanation))
    }
}

impl IntoResponse for AuthorizeError {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => page.into_response(),
            Self::Redirect(location) => redirect(StatusCode::FOUND, &location, None),
        }
    }
}

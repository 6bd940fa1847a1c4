//! `GET` and `POST /consent`: the user is asked before anyone is sent to Entra ID.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use super::answer::with_cookies;
use super::form::{check_origin, query, read_form};
use super::page_error::PageError;
use super::sign_in::{begin_for_client, send_back};
use crate::App;
use crate::audit::{Client, Event};
use crate::grant::Requested;
use crate::pages::ConsentPage;
use crate::protocol::client_id_url::ClientIdUrl;
use crate::protocol::consent::Decision;
use crate::protocol::error::{AuthorizationErrorCode, AuthorizationRefusal};

/// `GET /consent`: the page.
pub(super) async fn ask(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let parameters = query(&uri)?;
    let sealed_request = parameters.get("request").unwrap_or_default();
    let requested = app.requested(sealed_request, &headers)?;
    let request = requested.request();
    let client_id_url = ClientIdUrl::try_from(request.client_id.as_str()).ok();
    Ok(ConsentPage {
        client_name: &request.client_name,
        of_website: request.of_website,
        client_host: client_id_url.as_ref().map(ClientIdUrl::host),
        redirect_uri: request.destination.redirect_uri().as_url(),
        scopes: &request.scopes,
        sealed_request,
    }
    .into_response())
}

/// `POST /consent`: the decision.
pub(super) async fn decide(
    State(app): State<App>,
    request: Request,
) -> Result<Response, PageError> {
    let headers = request.headers().clone();
    let same_origin = check_origin(&app, &headers)?;
    let form = read_form(request).await?;
    let requested = app.requested(form.get("request").unwrap_or_default(), &headers)?;
    let decision = Decision::read(&form, &same_origin)
        .map_err(|_| PageError::unusable("The page was sent without a decision."))?;
    let forgotten = forget_earlier(&app, &requested, &headers);
    let now = app.clock.now();
    let response = match decision {
        Decision::Allow(approved) => {
            let client = Client::named(&requested.request().client_id);
            Event::ConsentAllowed { client }.record();
            let consented = requested.approve(approved, now);
            begin_for_client(&app, consented, &headers, StatusCode::SEE_OTHER).await
        }
        Decision::Deny => {
            let client = Client::named(&requested.request().client_id);
            Event::ConsentDenied { client }.record();
            let refusal = AuthorizationRefusal::new(
                AuthorizationErrorCode::AccessDenied,
                "The user did not allow it.",
            );
            send_back(&app, &requested.deny(), &refusal, StatusCode::SEE_OTHER)
        }
    };
    Ok(with_cookies(response, forgotten))
}

/// Whatever was decided before, this decision is what counts from now on.
fn forget_earlier(app: &App, requested: &Requested, headers: &HeaderMap) -> Option<HeaderValue> {
    let consents = app.browsers.open_consents(headers);
    let left = consents.clone().forget(requested.request(), &app.base_url.resource());
    let changed = left != consents;
    changed.then(|| app.browsers.seal_consents(&left, app.clock.now())).flatten()
}

impl App {
    /// The request that the page carries, for the browser that brought it.
    fn requested(&self, sealed: &str, headers: &HeaderMap) -> Result<Requested, PageError> {
        let browser = self.browsers.recognise(headers);
        let opened = browser
            .and_then(|browser| self.browsers.open_request(sealed, &browser, self.clock.now()));
        opened.ok_or_else(|| {
            PageError::forbidden(
                "The request was not started in this browser, or more than ten minutes ago.",
            )
        })
    }
}

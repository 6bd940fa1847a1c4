//! `GET` and `POST /consent`: the user is asked before anyone is sent to Entra ID.

use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::ORIGIN;
use http::{HeaderMap, StatusCode, Uri};
use shared::secret::Secret;

use super::answer::{ClientError, OAuthForm, PageError, log_correlated, query, redirect};
use crate::App;
use crate::grant::Requested;
use crate::pages::ConsentPage;
use crate::protocol::consent::{Decision, SameOrigin, UserApproved};
use crate::protocol::destination::Destination;
use crate::protocol::error::{AuthorizationErrorCode, AuthorizationRefusal, CorrelationId};

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
    Ok(ConsentPage {
        client_name: &request.client_name,
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
    let OAuthForm(form) = OAuthForm::from_request(request, &()).await.map_err(unreadable_form)?;
    form.each_once().map_err(|_| PageError::unusable("The form says something twice."))?;
    let requested = app.requested(form.get("request").unwrap_or_default(), &headers)?;
    let decision = Decision::read(&form, &same_origin)
        .map_err(|_| PageError::unusable("The page was sent without a decision."))?;
    match decision {
        Decision::Allow(approval) => Ok(go_to_sign_in(&app, requested, approval, &headers).await),
        Decision::Deny => {
            tracing::info!(audit = "consent_denied", "the user denied access");
            let refusal = AuthorizationRefusal::new(
                AuthorizationErrorCode::AccessDenied,
                "The user did not allow it.",
            );
            Ok(send_back(&app, &requested.deny(), &refusal))
        }
    }
}

/// Only now, after the approval, does the browser get the cookie that permits the callback.
async fn go_to_sign_in(
    app: &App,
    requested: Requested,
    approval: UserApproved,
    headers: &HeaderMap,
) -> Response {
    let now = app.clock.now();
    let upstream_state = Secret::generate().to_base64url();
    let consented = requested.approve(approval, now);
    match app.upstream.authorize_url(consented.sign_in(), &upstream_state).await {
        Ok(url) => {
            tracing::info!(audit = "consent_allowed", "the user allowed access");
            let cookies = app.browsers.seal_flow(&consented, &upstream_state, headers, now);
            redirect(StatusCode::SEE_OTHER, url.as_str(), cookies)
        }
        Err(error) => {
            let correlation_id = CorrelationId::generate();
            log_correlated(&correlation_id, &error);
            let refusal = AuthorizationRefusal::new(
                AuthorizationErrorCode::TemporarilyUnavailable,
                "The sign-in service cannot be reached.",
            );
            send_back(app, consented.destination(), &refusal.correlated(correlation_id))
        }
    }
}

fn send_back(app: &App, destination: &Destination, refusal: &AuthorizationRefusal) -> Response {
    redirect(StatusCode::SEE_OTHER, &destination.with_refusal(refusal, &app.base_url), None)
}

fn check_origin(app: &App, headers: &HeaderMap) -> Result<SameOrigin, PageError> {
    // A header that came twice, or not as text, says nothing that could be believed.
    let text = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap_or("unreadable"));
        if values.next().is_some() { Some("repeated") } else { value }
    };
    SameOrigin::check(text(ORIGIN.as_str()), text("sec-fetch-site"), &app.base_url).map_err(|_| {
        PageError::forbidden("The answer did not come from the consent page of this server.")
    })
}

fn unreadable_form(_: ClientError) -> PageError {
    PageError::unusable("The form cannot be read.")
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

//! The way to Entra ID, whatever a sign-in is for.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use shared::secret::Secret;

use super::answer::{log_failure, redirect};
use crate::App;
use crate::audit::{Client, Event};
use crate::correlation;
use crate::grant::{Consented, Flow};
use crate::protocol::authorization_request::AuthorizationRequest;
use crate::protocol::destination::Destination;
use crate::protocol::error::{AuthorizationErrorCode, AuthorizationRefusal};
use crate::upstream::UpstreamError;

/// Sends the browser to Entra ID. Only now does it get the cookie that permits the callback.
///
/// # Errors
/// Entra ID cannot be reached.
pub(super) async fn begin(
    app: &App,
    flow: &Flow,
    headers: &HeaderMap,
    status: StatusCode,
) -> Result<Response, UpstreamError> {
    let upstream_state = Secret::generate().to_base64url();
    let url = app.upstream.authorize_url(flow, &upstream_state).await?;
    let cookies = app.browsers.seal_flow(flow, &upstream_state, headers, app.clock.now());
    Ok(redirect(status, url.as_str(), cookies))
}

/// Sends the browser to Entra ID for a client, or back to the client if that cannot be.
pub(super) async fn begin_for_client(
    app: &App,
    consented: Consented,
    headers: &HeaderMap,
    status: StatusCode,
) -> Response {
    let AuthorizationRequest { client_id, destination, .. } = consented.request().clone();
    let flow = Flow::Client(Box::new(consented));
    begin(app, &flow, headers, status).await.unwrap_or_else(|error| {
        log_failure(&error);
        let client = Client::named(&client_id);
        Event::SignInFailed { client, reason: "unavailable" }.record();
        let refusal = AuthorizationRefusal::new(
            AuthorizationErrorCode::TemporarilyUnavailable,
            "The sign-in service cannot be reached.",
        );
        send_back(app, &destination, &refusal.correlated(correlation::current()), status)
    })
}

/// Sends the browser back to the client with a refusal.
pub(super) fn send_back(
    app: &App,
    destination: &Destination,
    refusal: &AuthorizationRefusal,
    status: StatusCode,
) -> Response {
    redirect(status, &destination.with_refusal(refusal, &app.base_url), None)
}

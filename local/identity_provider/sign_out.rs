//! The end of a session (OpenID Connect RP-Initiated Logout 1.0). Nobody is signed in here for
//! longer than a click, so all that is left is the way back.

use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::parameters::Parameters;
use super::{IdentityProvider, page, redirect};

/// `GET /dev-idp/sign-out`: back to the application if it asks for an address of its own.
pub(super) async fn sign_out(
    State(provider): State<IdentityProvider>,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let back = provider.0.base_url.at("/account");
    match parameters.get("post_logout_redirect_uri") {
        Some(wanted) if wanted == back => redirect(&back),
        // As Entra ID does where the address is not registered.
        _ => page::signed_out(),
    }
}

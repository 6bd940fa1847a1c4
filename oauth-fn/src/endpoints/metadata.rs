//! `GET /.well-known/oauth-authorization-server` and its relatives (RFC 8414 section 3).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;

use crate::App;
use crate::protocol::metadata::AuthorizationServerMetadata;

/// The metadata document; the same under every path that clients try.
pub(super) async fn show(State(app): State<App>) -> Response {
    let document =
        Json(AuthorizationServerMetadata::new(&app.base_url, app.clients.document_policy()));
    ([(CACHE_CONTROL, "public, max-age=300")], document).into_response()
}

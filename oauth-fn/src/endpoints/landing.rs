//! `GET /`: what this is and how to connect a client. The Functions host polls it, so it is cheap.

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::App;
use crate::pages::LandingPage;

/// `GET /`.
pub(super) async fn show(State(app): State<App>) -> Response {
    LandingPage { base_url: &app.base_url }.into_response()
}

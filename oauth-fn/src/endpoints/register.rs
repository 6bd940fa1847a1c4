//! `POST /register`: a client introduces itself (RFC 7591 section 3).

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use super::answer::{ClientError, bounded};
use crate::App;
use crate::protocol::client_metadata::{ClientRegistration, RegistrationError};

/// Largest registration, in bytes.
const LARGEST: usize = 64 * 1024;

/// `POST /register`.
pub(super) async fn register(
    State(app): State<App>,
    request: Request,
) -> Result<Response, ClientError> {
    let body = bounded(request.into_body(), LARGEST).await?;
    let (metadata, registration) = ClientRegistration::parse(&body)?.accept()?;
    let client_id = app.clients.register(&metadata).await?;
    tracing::info!(audit = "client_registered", "a client was registered");
    let client_id_issued_at = app.clock.now().as_secs();
    let answer = RegistrationAnswer { client_id, client_id_issued_at, registration };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// What was registered (RFC 7591 section 3.2.1).
#[derive(Serialize)]
struct RegistrationAnswer {
    client_id: String,
    client_id_issued_at: u64,
    #[serde(flatten)]
    registration: ClientRegistration,
}

impl From<RegistrationError> for ClientError {
    fn from(error: RegistrationError) -> Self {
        Self::refused(error.code(), &error.to_string())
    }
}

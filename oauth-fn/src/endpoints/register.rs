//! `POST /register`: a client introduces itself (RFC 7591 section 3).

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use secrecy::SecretString;
use serde::Serialize;
use shared::secret::inside_seal;

use super::answer::ClientError;
use super::form::bounded;
use crate::App;
use crate::audit::{Client, Event};
use crate::clients::RegisterError;
use crate::limits::Neighbourhood;
use crate::protocol::client_authentication::ClientSecret;
use crate::protocol::client_metadata::{
    AcceptedRegistration, ClientRegistration, RegistrationError,
};

/// Largest registration, in bytes.
const LARGEST: usize = 64 * 1024;

/// `POST /register`.
pub(super) async fn register(
    State(app): State<App>,
    request: Request,
) -> Result<Response, ClientError> {
    let from = Neighbourhood::of(request.headers());
    let body = bounded(request.into_body(), LARGEST).await?;
    let accepted = ClientRegistration::parse(&body)?.accept(&app.registration)?;
    let AcceptedRegistration { metadata, secret_method, answer: registration } = accepted;
    let (client_id, secret) = match secret_method {
        None => (app.clients.register(&metadata, || app.limits.permit_row(from)).await?, None),
        Some(method) => {
            let permit = app.limits.permit_row(from)?;
            let (id, secret) = app.clients.register_confidential(&metadata, method, permit).await?;
            (id, Some(secret.into()))
        }
    };
    let kind = if secret.is_some() { "confidential" } else { "public" };
    Event::ClientRegistered { client: Client::named(&client_id), kind }.record();
    let client_id_issued_at = app.clock.now().as_secs();
    let answer = RegistrationAnswer { client_id, client_id_issued_at, secret, registration };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// What was registered (RFC 7591 section 3.2.1).
#[derive(Serialize)]
struct RegistrationAnswer {
    client_id: String,
    client_id_issued_at: u64,
    #[serde(flatten)]
    secret: Option<SecretAnswer>,
    #[serde(flatten)]
    registration: ClientRegistration,
}

/// The secret, told this once. It lives as long as its client.
#[derive(Serialize)]
struct SecretAnswer {
    #[serde(serialize_with = "inside_seal::serialize")]
    client_secret: SecretString,
    client_secret_expires_at: u64,
}

impl From<ClientSecret> for SecretAnswer {
    fn from(secret: ClientSecret) -> Self {
        Self { client_secret: secret.into_text(), client_secret_expires_at: 0 }
    }
}

impl From<RegisterError> for ClientError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Store(error) => error.into(),
            RegisterError::TooMany(error) => error.into(),
        }
    }
}

impl From<RegistrationError> for ClientError {
    fn from(error: RegistrationError) -> Self {
        Self::refused(error.code(), &error.to_string())
    }
}

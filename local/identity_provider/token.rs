//! The token endpoint: trades a code or a refresh token for tokens.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{HeaderMap, header};
use secrecy::ExposeSecret;
use serde_json::json;
use shared::secret::random_bytes;

use super::entra_error::EntraError;
use super::fault::Fault;
use super::parameters::Parameters;
use super::people::Person;
use super::{CLIENT_ID, IdentityProvider, unstored};

/// Entra ID lets access tokens live for 60 to 90 minutes.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_mins(75);

/// `POST /dev-idp/token`.
pub(super) async fn token(
    State(provider): State<IdentityProvider>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    provider.0.token_calls.fetch_add(1, Ordering::Relaxed);
    let fault = provider.0.faults.take();
    if let Some(Fault::Slow(duration)) = fault {
        tokio::time::sleep(duration).await;
    }
    let answer = match fault {
        Some(Fault::NotJson) => Html("<!doctype html><title>Sign in</title>").into_response(),
        _ => match exchange(&provider, &headers, &Parameters::parse(&form), fault) {
            Ok(answer) => answer,
            Err(error) => error.answer(provider.now()),
        },
    };
    unstored(answer)
}

/// Who signed in, by whichever grant.
struct Granted {
    person: Person,
    scope: String,
    nonce: Option<String>,
}

fn exchange(
    provider: &IdentityProvider,
    headers: &HeaderMap,
    parameters: &Parameters,
    fault: Option<Fault>,
) -> Result<Response, EntraError> {
    if fault == Some(Fault::Unavailable) {
        let message = "The service is temporarily unavailable.";
        return Err(EntraError::new("temporarily_unavailable", 90_033, message));
    }
    authenticate(provider, headers, parameters)?;
    let granted = granted(provider, parameters)?;
    if fault == Some(Fault::InvalidGrant) {
        let message = "The grant was revoked.";
        return Err(EntraError::new("invalid_grant", 50_173, message));
    }
    if provider.is_disabled(granted.person) {
        let message = "The user account is disabled.";
        return Err(EntraError::new("invalid_grant", 50_057, message));
    }
    Ok(tokens(provider, &granted, fault))
}

/// RFC 6749 section 2.3.1, both ways, and RFC 7521 section 4.2.
fn authenticate(
    provider: &IdentityProvider,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<(), EntraError> {
    if headers.contains_key(header::ORIGIN) {
        let message = "Cross-origin token redemption is permitted only for the \
                       'Single-Page Application' client-type.";
        return Err(EntraError::new("invalid_request", 9_002_326, message));
    }
    let basic = basic_credentials(headers);
    let (id, secret) = match &basic {
        Some((id, secret)) => (Some(id.as_str()), Some(secret.as_str())),
        None => (parameters.get("client_id"), parameters.get("client_secret")),
    };
    if id != Some(CLIENT_ID) {
        let message = "The application was not found in the directory.";
        return Err(EntraError::new("unauthorized_client", 700_016, message));
    }
    if parameters.iter().any(|(name, _)| name.starts_with("client_assertion")) {
        if secret.is_some() {
            let message = "More than one client authentication method was used in the request.";
            return Err(EntraError::new("invalid_request", 90_013, message));
        }
        return provider.check_assertion(parameters);
    }
    let expected = provider.0.client_secret.expose_secret();
    let presented = secret.unwrap_or_default();
    verify_slices_are_equal(presented.as_bytes(), expected.as_bytes()).map_err(|_| {
        EntraError::new("invalid_client", 7_000_215, "Invalid client secret provided.")
    })
}

fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = BASE64.decode(value.strip_prefix("Basic ")?.as_bytes()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

/// Both parts are form-encoded before they are joined (RFC 6749 section 2.3.1).
fn form_decoded(text: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn granted(provider: &IdentityProvider, parameters: &Parameters) -> Result<Granted, EntraError> {
    let required = |name| parameters.get(name).ok_or_else(|| EntraError::missing(name));
    let now = provider.now();
    match required("grant_type")? {
        "authorization_code" => {
            let (code, redirect_uri) = (required("code")?, required("redirect_uri")?);
            let verifier = required("code_verifier")?;
            let sign_in = provider.0.codes.redeem(code, redirect_uri, verifier, now)?;
            let (person, scope, nonce) = (sign_in.person, sign_in.scope, sign_in.nonce);
            Ok(Granted { person, scope, nonce })
        }
        "refresh_token" => {
            let grant = provider.0.refresh_tokens.read(required("refresh_token")?, now)?;
            Ok(Granted { person: grant.person, scope: grant.scope, nonce: None })
        }
        _ => {
            let message = "The app requested an unsupported grant type.";
            Err(EntraError::new("unsupported_grant_type", 70_003, message))
        }
    }
}

fn tokens(provider: &IdentityProvider, granted: &Granted, fault: Option<Fault>) -> Response {
    let asked = |name: &str| granted.scope.split(' ').any(|scope| scope == name);
    let mut body = json!({
        "token_type": "Bearer",
        "scope": granted.scope,
        "expires_in": ACCESS_TOKEN_LIFETIME.as_secs(),
        "ext_expires_in": ACCESS_TOKEN_LIFETIME.as_secs(),
        // As long as one of Entra ID, and nothing that anybody may look into.
        "access_token": BASE64URL_NOPAD.encode(&random_bytes::<900>()),
    });
    let refresh_token = (asked("offline_access") && fault != Some(Fault::RefreshTokenMissing))
        .then(|| provider.0.refresh_tokens.issue(granted.person, &granted.scope, provider.now()));
    let id_token = (asked("openid") && fault != Some(Fault::IdTokenMissing))
        .then(|| provider.id_token(granted.person, granted.nonce.as_deref(), fault));
    if let Some(body) = body.as_object_mut() {
        body.extend(refresh_token.map(|token| ("refresh_token".to_owned(), token.into())));
        body.extend(id_token.map(|token| ("id_token".to_owned(), token.into())));
    }
    Json(body).into_response()
}

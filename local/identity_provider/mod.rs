//! The development identity provider: stands for Entra ID, with people who need no password.
//!
//! It speaks OpenID Connect as Entra ID does (discovery, authorization code with PKCE, refresh
//! tokens, RS256), so that oauth-fn runs as deployed. Tests script its faults.

mod authorize;
mod client_assertion;
mod code;
mod entra_error;
mod fault;
mod id_token;
mod page;
mod parameters;
mod people;
mod refresh_token;
mod sign_out;
mod signing;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, UnixTime};

pub use client_assertion::FederatedCredential;
pub use fault::Fault;
pub use people::{OTHER_TENANT, Person, TENANT, UnknownPerson};
pub use signing::{SigningKey, UnusableKey};

use code::Codes;
use fault::Faults;
use refresh_token::RefreshTokens;

/// Where it is mounted.
pub const MOUNT: &str = "/dev-idp";

/// The application that oauth-fn is to the identity provider.
pub const CLIENT_ID: &str = "0af5c0de-1f2e-4d3c-8b4a-596877665544";

/// A development identity provider; clones are handles to one and the same.
#[derive(Clone)]
pub struct IdentityProvider(Arc<Inner>);

/// What a development identity provider is made of.
#[derive(Debug)]
pub struct Parts {
    /// The origin that it is mounted at.
    pub base_url: PublicBaseUrl,
    /// The secret of the application [`CLIENT_ID`].
    pub client_secret: SecretString,
    /// Signs each `id_token`.
    pub signing_key: SigningKey,
    /// Makes refresh tokens, which outlive the process.
    pub refresh_key: SecretString,
    /// Who is signed in without being asked.
    pub sign_in_as: Option<Person>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

struct Inner {
    base_url: PublicBaseUrl,
    client_secret: SecretString,
    signing_key: SigningKey,
    codes: Codes,
    refresh_tokens: RefreshTokens,
    sign_in_as: Option<Person>,
    clock: Arc<dyn Clock>,
    faults: Faults,
    disabled: Mutex<BTreeSet<Person>>,
    trusted: Mutex<Option<FederatedCredential>>,
    token_calls: AtomicU64,
}

impl IdentityProvider {
    /// An identity provider without faults and with everybody enabled.
    pub fn new(parts: Parts) -> Self {
        let Parts { base_url, client_secret, signing_key, refresh_key, sign_in_as, clock } = parts;
        Self(Arc::new(Inner {
            base_url,
            client_secret,
            signing_key,
            codes: Codes::default(),
            refresh_tokens: RefreshTokens::new(refresh_key.expose_secret()),
            sign_in_as,
            clock,
            faults: Faults::default(),
            disabled: Mutex::default(),
            trusted: Mutex::default(),
            token_calls: AtomicU64::new(0),
        }))
    }

    /// Its endpoints, all below [`MOUNT`].
    pub fn router(&self) -> Router {
        Router::new()
            .route("/dev-idp/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
            .route("/dev-idp/authorize", get(authorize::ask).post(authorize::answer))
            .route("/dev-idp/token", axum::routing::post(token::token))
            .route("/dev-idp/jwks", get(key_set))
            .route("/dev-idp/sign-out", get(sign_out::sign_out))
            .route("/dev-idp/style.css", get(page::style))
            .with_state(self.clone())
    }

    /// The issuer for the users of the directory `tenant`, below the origin `base_url`.
    pub fn issuer_at(base_url: &PublicBaseUrl, tenant: &str) -> String {
        base_url.at(&format!("{MOUNT}/{tenant}/v2.0"))
    }

    /// Makes `fault` happen to the next call of the token endpoint that none waits for yet.
    pub fn fail_next(&self, fault: Fault) {
        self.0.faults.push(fault);
    }

    /// Disables `person`: nobody signs in or refreshes as them any more.
    pub fn disable(&self, person: Person) {
        self.0.disabled.lock().unwrap_or_else(PoisonError::into_inner).insert(person);
    }

    /// Undoes [`Self::disable`].
    pub fn enable(&self, person: Person) {
        self.0.disabled.lock().unwrap_or_else(PoisonError::into_inner).remove(&person);
    }

    /// Trusts, from now on, whoever `credential` describes to be the application [`CLIENT_ID`].
    pub fn trust(&self, credential: FederatedCredential) {
        *self.0.trusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(credential);
    }

    /// How often the token endpoint was called.
    pub fn token_calls(&self) -> u64 {
        self.0.token_calls.load(Ordering::Relaxed)
    }

    fn is_disabled(&self, person: Person) -> bool {
        self.0.disabled.lock().unwrap_or_else(PoisonError::into_inner).contains(&person)
    }

    fn trusted(&self) -> Option<FederatedCredential> {
        self.0.trusted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self) -> UnixTime {
        self.0.clock.now()
    }

    /// The only redirect URI that is registered.
    fn redirect_uri(&self) -> String {
        self.0.base_url.at("/oauth-callback")
    }

    fn issuer(&self, tenant: &str) -> String {
        Self::issuer_at(&self.0.base_url, tenant)
    }

    fn endpoint(&self, name: &str) -> String {
        self.0.base_url.at(&format!("{MOUNT}/{name}"))
    }
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("IdentityProvider").field(&self.0.base_url).finish()
    }
}

/// OpenID Connect Discovery 1.0 section 4, with the members that Entra ID has.
async fn configuration(
    State(provider): State<IdentityProvider>,
    Path(tenant): Path<String>,
) -> Response {
    if ![TENANT, OTHER_TENANT].contains(&tenant.as_str()) {
        let message = format!("Tenant '{tenant}' not found.");
        let error = entra_error::EntraError::new("invalid_tenant", 90_002, message);
        return error.answer(provider.now());
    }
    Json(json!({
        "issuer": provider.issuer(&tenant),
        "authorization_endpoint": provider.endpoint("authorize"),
        "token_endpoint": provider.endpoint("token"),
        "jwks_uri": provider.endpoint("jwks"),
        "end_session_endpoint": provider.endpoint("sign-out"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_post", "client_secret_basic", "private_key_jwt"
        ],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "name", "preferred_username",
            "oid", "tid", "ver"
        ],
    }))
    .into_response()
}

async fn key_set(State(provider): State<IdentityProvider>) -> Json<Value> {
    Json(provider.0.signing_key.key_set())
}

/// An answer that no cache keeps.
fn unstored(response: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], response).into_response()
}

/// Sends the browser to `location` with a GET (RFC 9110 section 15.4.3).
fn redirect(location: &str) -> Response {
    unstored((StatusCode::FOUND, [(header::LOCATION, location)]))
}

//! A stand-in for Azure Key Vault, which opens for the tokens that its own endpoint gave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::seal::KeyRing;
use tokio::net::TcpListener;

pub(crate) const CLIENT_ID: &str = "7d1ea1e6-3b34-4cd7-a53d-a2a9a4ed0e6a";
pub(crate) const HEADER: &str = "3F2504E04F8941D39A0C0305E82C3301";
const TOKEN: &str = "a-token-for-vaults";

/// A vault with a ring of one key under each name.
#[derive(Clone)]
pub(crate) struct Vault {
    pub(crate) url: String,
    secrets: Arc<Mutex<BTreeMap<String, Vec<Version>>>>,
    refusal: Arc<Mutex<Option<(u16, &'static str)>>>,
}

/// Value and content type.
type Version = (String, String);

impl Vault {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let vault = Self { url, secrets: Arc::default(), refusal: Arc::default() };
        for name in ["session-keys", "grant-keys"] {
            vault.put(name, KeyRing::generate().to_setting().expose_secret());
        }
        let router = Router::new()
            .route("/msi/token", get(token))
            .route("/secrets/{name}", get(read).put(write))
            .with_state(vault.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        vault
    }

    /// Gives the secret `name` one more version.
    pub(crate) fn put(&self, name: &str, value: &str) {
        self.add(name, (value.to_owned(), String::new()));
    }

    /// Every version of the secret `name`, the newest last.
    pub(crate) fn versions(&self, name: &str) -> Vec<String> {
        let secrets = self.secrets.lock().unwrap();
        secrets[name].iter().map(|(value, _)| value.clone()).collect()
    }

    /// What the newest version of the secret `name` says that it is.
    pub(crate) fn content_type(&self, name: &str) -> String {
        self.secrets.lock().unwrap()[name].last().unwrap().1.clone()
    }

    /// From now on it refuses everything in these words.
    pub(crate) fn refuse(&self, status: u16, code: &'static str) {
        *self.refusal.lock().unwrap() = Some((status, code));
    }

    fn add(&self, name: &str, version: Version) {
        self.secrets.lock().unwrap().entry(name.to_owned()).or_default().push(version);
    }

    /// The answer to who may not, and to who asks in another way than the documentation says.
    fn refusal(&self, query: Option<&str>, headers: &HeaderMap) -> Option<Response> {
        let bearer = format!("Bearer {TOKEN}");
        let signed_in = headers.get(AUTHORIZATION).is_some_and(|header| header == bearer.as_str());
        if !signed_in {
            return Some(StatusCode::UNAUTHORIZED.into_response());
        }
        if query != Some("api-version=7.4") {
            return Some(StatusCode::BAD_REQUEST.into_response());
        }
        let (status, code) = (*self.refusal.lock().unwrap())?;
        let body = if status == 403 {
            json!({ "error": { "code": "Forbidden", "innererror": { "code": code } } })
        } else {
            json!({ "error": { "code": code } })
        };
        Some((StatusCode::from_u16(status).unwrap(), Json(body)).into_response())
    }
}

/// Gives a token for vaults, and for nothing else.
async fn token(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let for_vaults = query.contains("resource=https%3A%2F%2Fvault.azure.net")
        && query.contains(&format!("client_id={CLIENT_ID}"));
    let known = headers.get("x-identity-header").is_some_and(|header| header == HEADER);
    if !for_vaults || !known {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let answer = json!({
        "access_token": TOKEN, "expires_on": "4102444800", "token_type": "Bearer",
        "resource": "https://vault.azure.net", "client_id": CLIENT_ID,
    });
    Json(answer).into_response()
}

async fn read(
    State(vault): State<Vault>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = vault.refusal(query.as_deref(), &headers) {
        return refusal;
    }
    let value = vault.versions(&name).pop().unwrap();
    Json(json!({ "value": value, "id": format!("{}secrets/{name}/1", vault.url) })).into_response()
}

async fn write(
    State(vault): State<Vault>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Json(secret): Json<Value>,
) -> Response {
    if let Some(refusal) = vault.refusal(query.as_deref(), &headers) {
        return refusal;
    }
    let text = |member: &str| secret[member].as_str().unwrap().to_owned();
    vault.add(&name, (text("value"), text("contentType")));
    Json(json!({ "value": text("value") })).into_response()
}

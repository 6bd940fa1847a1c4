//! The endpoint at which Azure Functions gives an app the tokens of its managed identity.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, StatusCode};
use local::identity_provider::{FederatedCredential, SigningKey, TENANT};
use serde_json::json;
use shared::clock::{Clock, SystemClock};
use shared::secret::random_bytes;
use tokio::net::TcpListener;
use url::form_urlencoded;

/// Whom the identity is to Azure, and to the application that trusts it.
pub(crate) const CLIENT_ID: &str = "7d1ea1e6-3b34-4cd7-a53d-a2a9a4ed0e6a";
const PRINCIPAL_ID: &str = "0b1c7f0a-93f5-4a55-8d1d-5f0f6c1f7e21";

/// What the tokens are asked for.
pub(crate) const EXCHANGE: &str = "api://AzureADTokenExchange";
pub(crate) const STORAGE: &str = "https://storage.azure.com";

/// The secret that only processes of the app are told.
pub(crate) const HEADER: &str = "3F2504E04F8941D39A0C0305E82C3301";

const DAY: Duration = Duration::from_hours(24);

/// Clones are handles to one and the same.
#[derive(Clone)]
pub(crate) struct IdentityEndpoint(Arc<Shared>);

struct Shared {
    key: Arc<SigningKey>,
    health: Mutex<Health>,
    lifetime: Mutex<Duration>,
    /// Each token with what it is for, in their order.
    given: Mutex<Vec<(String, String)>>,
}

/// What the endpoint does when it is asked.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Health {
    #[default]
    Answers,
    Hangs,
    Refuses,
}

impl IdentityEndpoint {
    /// An endpoint that gives tokens for a day, and its URL.
    pub(crate) async fn start() -> (Self, String) {
        let endpoint = Self(Arc::new(Shared {
            key: Arc::new(SigningKey::generate().unwrap()),
            health: Mutex::default(),
            lifetime: Mutex::new(DAY),
            given: Mutex::default(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/msi/token", listener.local_addr().unwrap());
        let router = Router::new().route("/msi/token", get(token)).with_state(endpoint.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        (endpoint, url)
    }

    /// What an application in Entra ID has to hold to trust this identity.
    pub(crate) fn federated_credential(&self) -> FederatedCredential {
        FederatedCredential {
            issuer: issuer(),
            subject: PRINCIPAL_ID.to_owned(),
            audience: EXCHANGE.to_owned(),
            key: Arc::clone(&self.0.key),
        }
    }

    /// From now on tokens are good for this long.
    pub(crate) fn give_for(&self, lifetime: Duration) {
        *self.0.lifetime.lock().unwrap() = lifetime;
    }

    pub(crate) fn go_away(&self) {
        *self.0.health.lock().unwrap() = Health::Refuses;
    }

    /// From now on nobody gets an answer.
    pub(crate) fn hang(&self) {
        *self.0.health.lock().unwrap() = Health::Hangs;
    }

    pub(crate) fn come_back(&self) {
        *self.0.health.lock().unwrap() = Health::Answers;
    }

    /// The tokens that were given for `resource`.
    pub(crate) fn given_for(&self, resource: &str) -> Vec<String> {
        let given = self.0.given.lock().unwrap();
        let of_it = given.iter().filter(|(asked, _)| asked == resource);
        of_it.map(|(_, token)| token.clone()).collect()
    }

    /// All tokens that were given.
    pub(crate) fn given(&self) -> Vec<String> {
        self.0.given.lock().unwrap().iter().map(|(_, token)| token.clone()).collect()
    }
}

/// `GET /msi/token` of the version 2019-08-01. It wants exactly what the documentation names.
async fn token(
    State(IdentityEndpoint(shared)): State<IdentityEndpoint>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let health = *shared.health.lock().unwrap();
    match health {
        Health::Answers => {}
        Health::Hangs => return std::future::pending().await,
        Health::Refuses => {
            return (StatusCode::SERVICE_UNAVAILABLE, "the body of the endpoint").into_response();
        }
    }
    if headers.get("x-identity-header").is_none_or(|header| header != HEADER) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let query = query.unwrap_or_default();
    let mut query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    query.sort_unstable();
    let query: Vec<_> = query.iter().map(|(name, value)| (&**name, &**value)).collect();
    let [("api-version", "2019-08-01"), ("client_id", CLIENT_ID), ("resource", resource)] =
        query[..]
    else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let now = SystemClock.now();
    let end = now.plus(*shared.lifetime.lock().unwrap()).as_secs();
    let token = match resource {
        STORAGE => BASE64URL_NOPAD.encode(&random_bytes::<96>()),
        audience => shared.key.sign_claims(&json!({
            "iss": issuer(), "sub": PRINCIPAL_ID, "aud": audience,
            "nbf": now.as_secs(), "exp": end, "jti": BASE64URL_NOPAD.encode(&random_bytes::<16>()),
        })),
    };
    shared.given.lock().unwrap().push((resource.to_owned(), token.clone()));
    Json(json!({
        "access_token": token, "expires_on": end.to_string(), "resource": resource,
        "token_type": "Bearer", "client_id": CLIENT_ID,
    }))
    .into_response()
}

fn issuer() -> String {
    format!("https://login.microsoftonline.com/{TENANT}/v2.0")
}

//! Storage is away: nothing is granted, nothing is lost, and everyone is told to try again
//! (threat 47).

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use local::{ManualClock, NoAssertions};
use oauth_fn::documents::DocumentFetcher;
use oauth_fn::grants::{Code, Refresh};
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use oauth_fn::protocol::preregistration::PreregisteredClients;
use oauth_fn::protocol::registration_policy::RegistrationPolicy;
use oauth_fn::upstream::Gate;
use oauth_fn::{Config, Doors, UpstreamConfig, UpstreamCredential};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;
use shared::clock::Clock;
use shared::seal::KeyRing;
use shared::session::{Access, ExpiryWeek, SessionId, Token, TokenKind, TokenSealer};
use shared::storage::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};
use tower::ServiceExt;

use crate::running::not_on_packages;

const ORIGIN: &str = "https://gw.example.com";

/// A store that cannot be reached.
#[derive(Debug)]
struct Away;

fn away() -> StoreError {
    StoreError::new(std::io::Error::other("connection refused by secret-account-name"))
}

#[async_trait]
impl RecordStore for Away {
    async fn create_table(&self, _: &TableName) -> Result<TableCreation, StoreError> {
        Err(away())
    }

    async fn drop_table(&self, _: &TableName) -> Result<(), StoreError> {
        Err(away())
    }

    async fn insert(&self, _: &Address, _: Record) -> Result<(), InsertError> {
        Err(away().into())
    }

    async fn get(&self, _: &Address) -> Result<Option<Versioned>, StoreError> {
        Err(away())
    }

    async fn replace(&self, _: &Address, _: Record, _: &Version) -> Result<(), ReplaceError> {
        Err(away().into())
    }

    async fn remove(&self, _: &Address) -> Result<(), StoreError> {
        Err(away())
    }

    async fn list(&self, _: &TableName, _: &Key) -> Result<Vec<(Key, Versioned)>, StoreError> {
        Err(away())
    }

    async fn page(&self, _: &TableName, _: Option<&Place>) -> Result<Page, StoreError> {
        Err(away())
    }
}

struct Server {
    router: Router,
    session_keys: KeyRing,
    grant_keys: KeyRing,
    clock: Arc<ManualClock>,
}

impl Server {
    fn new() -> Self {
        not_on_packages("breaks the storage of a router in its process");
        let (session_keys, grant_keys) = (KeyRing::generate(), KeyRing::generate());
        let clock = Arc::new(ManualClock::default());
        let config = Config {
            base_url: PublicBaseUrl::try_from(ORIGIN).unwrap(),
            session_keys: session_keys.clone(),
            grant_keys: grant_keys.clone(),
            upstream: UpstreamConfig {
                issuer: "https://login.example/t/v2.0".parse().unwrap(),
                client_id: "app".to_owned(),
                credential: UpstreamCredential::Secret("secret".into()),
                scopes: Vec::new(),
                allowed_tenants: Vec::new(),
                gate: Gate::default(),
            },
            registration: RegistrationPolicy::default(),
            requests_per_minute: None,
            preregistered: PreregisteredClients::default(),
            documents: DocumentPolicy::default(),
        };
        let doors = Doors {
            records: Arc::new(Away),
            clock: Arc::clone(&clock) as _,
            http: reqwest::Client::new(),
            documents: DocumentFetcher::public(),
            assertions: Arc::new(NoAssertions),
        };
        Self { router: oauth_fn::router(config, doors), session_keys, grant_keys, clock }
    }

    /// A token that could be genuine: only its row would tell.
    fn token<K: TokenKind>(&self, ring: &KeyRing) -> String {
        let end = self.clock.now().plus(std::time::Duration::from_mins(1));
        let token = Token::<K>::new(SessionId::derived_from(b"x"), ExpiryWeek::of(end), 0, end);
        TokenSealer::new(ring, ORIGIN).mint(&token).expose_secret().to_owned()
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn register(&self, registration: &Value) -> Response {
        let request = Request::post("/register").body(registration.to_string().into());
        self.send(request.unwrap()).await
    }

    async fn form(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn client_id(&self) -> String {
        let registration = json!({ "redirect_uris": ["https://app.example/cb"] });
        let body = json_of(self.register(&registration).await).await;
        body["client_id"].as_str().unwrap().to_owned()
    }
}

async fn json_of(response: Response) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// Asserts the one answer to clients while storage is away.
async fn asks_for_patience(response: Response) {
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = json_of(response).await;
    assert_eq!(body["error"], "temporarily_unavailable");
    assert!(!body.to_string().contains("secret-account-name"), "{body}");
}

#[tokio::test]
async fn a_short_registration_needs_no_storage_and_a_long_one_is_told_to_wait() {
    let server = Server::new();
    let long = json!({ "redirect_uris": [format!("https://app.example/{}", "p".repeat(400))] });

    assert!(server.client_id().await.starts_with("mcp_client_"));
    asks_for_patience(server.register(&long).await).await;
}

#[tokio::test]
async fn a_code_is_neither_granted_nor_refused() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let code = server.token::<Code>(&server.grant_keys);
    let verifier = "v".repeat(43);

    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", "https://app.example/cb"),
        ("code_verifier", verifier.as_str()),
    ];

    asks_for_patience(server.form("/token", &form).await).await;
}

#[tokio::test]
async fn a_refresh_token_is_neither_renewed_nor_refused() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let token = server.token::<Refresh>(&server.grant_keys);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client_id.as_str()),
        ("refresh_token", token.as_str()),
    ];

    asks_for_patience(server.form("/token", &form).await).await;
}

#[tokio::test]
async fn a_revocation_that_was_not_written_is_not_confirmed() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let access = server.token::<Access>(&server.session_keys);
    let refresh = server.token::<Refresh>(&server.grant_keys);
    for token in [access, refresh] {
        let form = [("client_id", client_id.as_str()), ("token", token.as_str())];

        asks_for_patience(server.form("/revoke", &form).await).await;
    }
}

#[tokio::test]
async fn what_needs_no_storage_goes_on() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let query = format!(
        "response_type=code&client_id={client_id}&redirect_uri=https://app.example/cb\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    for (path, status) in [
        ("/".to_owned(), StatusCode::OK),
        ("/.well-known/oauth-authorization-server".to_owned(), StatusCode::OK),
        (format!("/authorize?{query}"), StatusCode::FOUND),
    ] {
        let response = server.send(Request::get(&path).body(Body::empty()).unwrap()).await;

        assert_eq!(response.status(), status, "{path}");
    }
}

#[tokio::test]
async fn over_https_every_cookie_has_the_host_prefix() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let path = format!(
        "/authorize?response_type=code&client_id={client_id}&redirect_uri=https://app.example/cb\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );

    let response = server.send(Request::get(&path).body(Body::empty()).unwrap()).await;

    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-mcp-browser="), "{cookie}");
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    assert!(!cookie.contains("Domain"), "{cookie}");
}

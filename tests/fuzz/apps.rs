//! Both apps in this process, for inputs of all kinds.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request};
use local::embedded::EmbeddedStore;
use local::{ManualClock, NoAssertions};
use secrecy::{ExposeSecret, SecretString};
use shared::config::Settings;
use shared::scope::Scopes;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    TokenSealer,
};
use shared::storage::{CountedStore, Record, RecordStore};
use tokio::runtime::Runtime;
use tower::ServiceExt;

const ENVIRONMENT: [(&str, &str); 9] = [
    ("PUBLIC_BASE_URL", "http://127.0.0.1:8787"),
    ("SESSION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("GRANT_KEYS", "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="),
    ("UPSTREAM_ISSUER", "http://127.0.0.1:8787/nowhere"),
    ("UPSTREAM_CLIENT_ID", "client"),
    ("UPSTREAM_CREDENTIAL", "secret"),
    ("ALLOWED_TENANTS", "11111111-2222-3333-4444-555555555555"),
    // No input may lead to the internet.
    ("CLIENT_METADATA_HOSTS", "off"),
    // The clock stands still, so that a share would never fill again.
    ("REQUESTS_PER_MINUTE", "0"),
];
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// An app, and what it has stored.
pub(crate) struct App {
    runtime: Runtime,
    router: Router,
    records: Arc<CountedStore>,
}

impl App {
    pub(crate) fn oauth_fn() -> Self {
        let records = Arc::new(CountedStore::new(Arc::new(EmbeddedStore::in_memory().unwrap())));
        let mut settings = Settings::new(&ENVIRONMENT);
        let config = oauth_fn::Config::read(&mut settings);
        let doors = oauth_fn::Doors {
            records: Arc::clone(&records) as _,
            clock: Arc::new(ManualClock::default()),
            http: reqwest::Client::new(),
            documents: oauth_fn::documents::DocumentFetcher::public(),
            assertions: Arc::new(NoAssertions),
        };
        let router = oauth_fn::router(settings.finish(config).unwrap(), doors);
        Self { runtime: runtime(), router, records }
    }

    /// mcp-fn, and an access token of a session that may do everything.
    pub(crate) fn mcp_fn() -> (Self, String) {
        let runtime = runtime();
        let mut settings = Settings::new(&ENVIRONMENT);
        let config = mcp_fn::config::Config::read(&mut settings);
        let config = settings.finish(config).unwrap();
        let store = Arc::new(EmbeddedStore::in_memory().unwrap());
        let token = runtime.block_on(session(&config, store.as_ref()));
        let records = Arc::new(CountedStore::new(Arc::clone(&store) as _));
        let doors = mcp_fn::Doors {
            records: Arc::clone(&records) as _,
            relay: Arc::clone(&records) as _,
            clock: Arc::new(ManualClock::default()),
        };
        let app = Self { runtime, router: mcp_fn::router(&config, doors, store), records };
        (app, token.expose_secret().to_owned())
    }

    pub(crate) fn answer(&self, request: Request<Body>) -> Response {
        let answer = self.router.clone().oneshot(request);
        self.runtime.block_on(answer).unwrap()
    }

    /// How often it wrote, or made a table.
    pub(crate) fn writes(&self) -> u64 {
        let calls = self.records.calls();
        calls.writes + calls.tables
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A session in `records`, and its access token.
async fn session(config: &mcp_fn::config::Config, records: &dyn RecordStore) -> SecretString {
    let expires_at = ManualClock::START.plus(std::time::Duration::from_hours(1));
    let week = ExpiryWeek::of(expires_at);
    let token = SessionToken::new(SessionId::derived_from(b"state"), week, 1, expires_at);
    let id = |text: &str| text.to_owned().try_into().unwrap();
    let name = "Alice".to_owned();
    let session = Session {
        identity: Identity { tenant_id: id("tenant"), object_id: id("alice"), name },
        client_id: "client".to_owned(),
        client_name: "App".to_owned(),
        resource: config.base_url.resource(),
        scopes: Scopes::all(),
        expires_at,
    };
    let claims = Claims { session, entra_access_token: EntraAccessToken::new("x".into()) };
    let sealer = ClaimsSealer::new(&config.session_keys);
    let record = sealer.write(Record::default(), &token, &claims);
    records.create_table(&week.table()).await.unwrap();
    records.insert(&token.session.address(week), record).await.unwrap();
    TokenSealer::new(&config.session_keys, config.base_url.as_str()).mint(&token)
}

pub(crate) fn post(path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header(HOST, "127.0.0.1:8787");
    request.header(CONTENT_TYPE, content_type).body(body.into()).unwrap()
}

/// A form that a page of oauth-fn sends.
pub(crate) fn post_from_own_page(path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = post(path, FORM, body);
    let headers = request.headers_mut();
    headers.insert("origin", HeaderValue::from_static("http://127.0.0.1:8787"));
    headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
    request
}

pub(crate) fn post_mcp(
    token: &str,
    version: Option<&HeaderValue>,
    message: Vec<u8>,
) -> Request<Body> {
    let mut request = post("/mcp", "application/json", message);
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    if let Some(version) = version {
        headers.insert("mcp-protocol-version", version.clone());
    }
    request
}

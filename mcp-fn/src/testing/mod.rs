//! The whole router over doubles of the outside world, for the tests of this crate.

mod doubles;
mod relay;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, UnixTime};
use shared::scope::Scopes;
use shared::seal::KeyRing;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    Sessions, TokenSealer,
};
use shared::storage::{Address, CountedStore, Record, RecordStore};
use tower::ServiceExt;

use crate::auth::Gate;
use crate::config::Config;
use crate::snippets::SnippetStore;
use crate::{Doors, router};
use doubles::{MemoryRecords, MemorySnippets};

pub(crate) use doubles::ManualClock;
pub(crate) use relay::MemoryRelay;

pub(crate) const BASE_URL: &str = "https://gw.example.com";
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_797_206_400);
/// How long the tokens of [`TestServer::sign_in`] live.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_mins(10);

/// The app, and the levers of its world.
pub(crate) struct TestServer {
    router: Router,
    config: Config,
    records: Arc<MemoryRecords>,
    pub(crate) relay: Arc<MemoryRelay>,
    pub(crate) counted: Arc<CountedStore>,
    pub(crate) snippets: Arc<MemorySnippets>,
    pub(crate) clock: Arc<ManualClock>,
}

impl TestServer {
    pub(crate) fn new() -> Self {
        Self::at(BASE_URL, Duration::from_secs(30))
    }

    pub(crate) fn at(base_url: &str, session_cache: Duration) -> Self {
        let base_url = PublicBaseUrl::try_from(base_url).unwrap();
        Self::with(Config { session_cache, ..Config::new(base_url, KeyRing::generate()) })
    }

    pub(crate) fn with(config: Config) -> Self {
        let records = Arc::new(MemoryRecords::default());
        let counted = Arc::new(CountedStore::new(Arc::clone(&records) as Arc<dyn RecordStore>));
        let snippets = Arc::new(MemorySnippets::default());
        let clock = Arc::new(ManualClock(AtomicU64::new(NOW.as_secs())));
        let relay = Arc::new(MemoryRelay::default());
        let router = Router::new();
        Self { router, config, records, relay, counted, snippets, clock }.started()
    }

    /// Another instance of the same server.
    pub(crate) fn another(&self) -> Self {
        let Self { router, config, records, relay, counted, snippets, clock } = self;
        Self {
            router: router.clone(),
            config: config.clone(),
            records: Arc::clone(records),
            relay: Arc::clone(relay),
            counted: Arc::clone(counted),
            snippets: Arc::clone(snippets),
            clock: Arc::clone(clock),
        }
        .started()
    }

    fn started(self) -> Self {
        let doors = Doors {
            records: Arc::clone(&self.counted) as Arc<dyn RecordStore>,
            relay: Arc::clone(&self.relay) as Arc<dyn RecordStore>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        };
        let snippets = Arc::clone(&self.snippets) as Arc<dyn SnippetStore>;
        Self { router: router(&self.config, doors, snippets), ..self }
    }

    /// The gate that this server has, for another router.
    pub(crate) fn gate(&self) -> Gate {
        let Config { base_url, session_keys, session_cache, .. } = &self.config;
        let records = Arc::clone(&self.counted) as Arc<dyn RecordStore>;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Gate::new(base_url, Sessions::new(session_keys, base_url, records, clock, *session_cache))
    }

    /// A session of `user` with `scopes`, and its access token.
    pub(crate) async fn sign_in(&self, user: &str, scopes: &str) -> String {
        self.session(user, scopes, &self.config.base_url.resource()).await.0
    }

    /// A session of `user` through the client with this id, with all scopes.
    pub(crate) async fn sign_in_through(&self, client_id: &str, user: &str) -> String {
        let scopes = Scopes::all().to_string();
        let resource = self.config.base_url.resource();
        self.session_through(client_id, user, &scopes, &resource).await.0
    }

    /// A session for `resource`: its access token, and where its row is.
    pub(crate) async fn session(
        &self,
        user: &str,
        scopes: &str,
        resource: &str,
    ) -> (String, Address) {
        self.session_through("client-1", user, scopes, resource).await
    }

    async fn session_through(
        &self,
        client_id: &str,
        user: &str,
        scopes: &str,
        resource: &str,
    ) -> (String, Address) {
        let expires_at = self.clock.now().plus(TOKEN_LIFETIME);
        let week = ExpiryWeek::of(expires_at);
        let token = SessionToken::new(
            SessionId::derived_from(&shared::secret::random_bytes::<32>()),
            week,
            0,
            expires_at,
        );
        let session = Session {
            identity: Identity {
                tenant_id: "tenant-1".to_owned().try_into().unwrap(),
                object_id: user.to_owned().try_into().unwrap(),
                name: format!("Name of {user}"),
            },
            client_id: client_id.to_owned(),
            client_name: "Test client".to_owned(),
            resource: resource.to_owned(),
            scopes: Scopes::try_from(scopes).unwrap(),
            expires_at,
        };
        let entra_access_token = EntraAccessToken::new("entra".to_owned().into());
        let claims = Claims { session, entra_access_token };
        let sealer = ClaimsSealer::new(&self.config.session_keys);
        let address = token.session.address(week);
        self.records
            .insert(&address, sealer.write(Record::default(), &token, &claims))
            .await
            .unwrap();
        let tokens = TokenSealer::new(&self.config.session_keys, self.config.base_url.as_str());
        (tokens.mint(&token).expose_secret().to_owned(), address)
    }

    /// Empties the row of a session, as a revocation does.
    pub(crate) async fn revoke(&self, address: &Address) {
        self.records.insert(address, Record::default()).await.unwrap();
    }

    /// Takes the row of a session away, as nobody does.
    pub(crate) async fn lose(&self, address: &Address) {
        self.records.remove(address).await.unwrap();
    }

    /// Spoils the sealed column of a row.
    pub(crate) async fn tamper(&self, address: &Address) {
        let found = self.records.get(address).await.unwrap().unwrap();
        let mut sealed = found.record.column("claims").unwrap().to_vec();
        *sealed.last_mut().unwrap() ^= 1;
        self.records
            .rows
            .lock()
            .unwrap()
            .insert(address.clone(), found.record.with("claims", sealed));
    }

    /// Makes the store of records fail from now on, or not any more.
    pub(crate) fn break_records(&self, broken: bool) {
        self.records.broken.store(broken, Ordering::Relaxed);
    }

    /// The response, whose body may never end.
    pub(crate) async fn respond(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.respond(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// One request of an `initialize`-era client.
    pub(crate) async fn ask(&self, token: &str, method: &str, params: Value) -> Reply {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let request = post(token).header("mcp-protocol-version", "2025-11-25");
        self.send(request.body(message.to_string().into()).unwrap()).await
    }

    /// One request of a client of 2026-07-28 that can do nothing beyond what it must.
    pub(crate) async fn ask_modern(&self, token: &str, method: &str, params: Value) -> Reply {
        self.ask_of(json!({}), token, method, params).await
    }

    /// One request of a client of 2026-07-28 with these capabilities.
    pub(crate) async fn ask_of(
        &self,
        capabilities: Value,
        token: &str,
        method: &str,
        mut params: Value,
    ) -> Reply {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        params["_meta"]["io.modelcontextprotocol/clientInfo"] =
            json!({"name": "test", "version": "1"});
        let mut request =
            post(token).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
        if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
            request = request.header("mcp-name", name);
        }
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        self.send(request.body(message.to_string().into()).unwrap()).await
    }

    /// What a tool answers.
    pub(crate) async fn call(&self, token: &str, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let reply = self.ask(token, "tools/call", params).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.json()["result"].clone()
    }

    /// What a tool says when it refuses.
    pub(crate) async fn refusal(&self, token: &str, tool: &str, arguments: Value) -> String {
        let result = self.call(token, tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

/// A `POST /mcp` with the headers that the transport asks for.
pub(crate) fn post(token: &str) -> http::request::Builder {
    Request::post("/mcp")
        .header(HOST, "127.0.0.1:40001")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(ACCEPT, "application/json, text/event-stream")
        .header(CONTENT_TYPE, "application/json")
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn challenge(&self) -> &str {
        self.header(WWW_AUTHENTICATE.as_str())
    }
}

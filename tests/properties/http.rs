//! Whole requests, at the routers of both apps: whatever comes, it is not our fault.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, StatusCode};
use local::ManualClock;
use local::embedded::EmbeddedStore;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::config::Settings;
use shared::scope::Scopes;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    TokenSealer,
};
use shared::storage::{Record, RecordStore};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::registration::json as any_json;

const ENVIRONMENT: [(&str, &str); 8] = [
    ("PUBLIC_BASE_URL", "http://127.0.0.1:8787"),
    ("SESSION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("GRANT_KEYS", "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="),
    ("UPSTREAM_ISSUER", "http://127.0.0.1:8787/nowhere"),
    ("UPSTREAM_CLIENT_ID", "client"),
    ("UPSTREAM_CREDENTIAL", "secret"),
    ("ALLOWED_TENANTS", "11111111-2222-3333-4444-555555555555"),
    // The clock stands still, so that a share would never fill again.
    ("REQUESTS_PER_MINUTE", "0"),
];
const FORM: &str = "application/x-www-form-urlencoded";

/// An app, and how long it takes to answer.
struct App {
    runtime: Runtime,
    router: Router,
}

impl App {
    fn oauth_fn() -> Self {
        let mut settings = Settings::new(&ENVIRONMENT);
        let config = oauth_fn::Config::read(&mut settings);
        let doors = oauth_fn::Doors {
            records: Arc::new(EmbeddedStore::in_memory().unwrap()),
            clock: Arc::new(ManualClock::default()),
            http: reqwest::Client::new(),
            documents: oauth_fn::documents::DocumentFetcher::public(),
        };
        let router = oauth_fn::router(settings.finish(config).unwrap(), doors);
        Self { runtime: Runtime::new().unwrap(), router }
    }

    /// mcp-fn, and an access token of a session that may do everything.
    fn mcp_fn() -> (Self, String) {
        let runtime = Runtime::new().unwrap();
        let mut settings = Settings::new(&ENVIRONMENT);
        let config = mcp_fn::config::Config::read(&mut settings);
        let config = settings.finish(config).unwrap();
        let store = Arc::new(EmbeddedStore::in_memory().unwrap());
        let token = runtime.block_on(session(&config, store.as_ref()));
        let doors = mcp_fn::Doors {
            records: Arc::clone(&store) as _,
            snippets: store,
            clock: Arc::new(ManualClock::default()),
        };
        (Self { runtime, router: mcp_fn::router(&config, doors) }, token.expose_secret().to_owned())
    }

    fn status(&self, request: Request<Body>) -> StatusCode {
        let answer = self.router.clone().oneshot(request);
        self.runtime.block_on(answer).unwrap().status()
    }
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

fn post(path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header(HOST, "127.0.0.1:8787");
    request.header(CONTENT_TYPE, content_type).body(body.into()).unwrap()
}

fn post_mcp(token: &str, version: Option<&HeaderValue>, message: Vec<u8>) -> Request<Body> {
    let mut request = post("/mcp", "application/json", message);
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    if let Some(version) = version {
        headers.insert("mcp-protocol-version", version.clone());
    }
    request
}

fn versions() -> impl Strategy<Value = Option<HeaderValue>> {
    const KNOWN: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
    prop_oneof![
        Just(None),
        prop::sample::select(&KNOWN).prop_map(|text| Some(HeaderValue::from_static(text))),
        "[ -~]{0,12}".prop_map(|text| HeaderValue::try_from(text).ok()),
    ]
}

/// Messages that are right in some parts.
fn messages() -> impl Strategy<Value = Value> {
    let method = "(initialize|ping|tools/list|tools/call|server/discover|notifications/initialized|\
                  resources/list|prompts/get|[a-z/]{0,12})";
    let tool =
        "(hello_mcp|save_snippet|get_snippet|list_snippets|delete_snippet|whoami|[a-z]{0,9})";
    let arguments = hash_map("(snippetname|snippet|cursor|[a-z]{0,6})", any_json(), 0..4);
    let call = (tool, arguments)
        .prop_map(|(name, arguments)| json!({ "name": name, "arguments": arguments }));
    let params = prop_oneof![call, any_json()];
    let id = prop_oneof![Just(json!(1)), any_json()];
    (prop_oneof![Just(json!("2.0")), any_json()], id, method, params).prop_map(
        |(version, id, method, params)| {
            json!({ "jsonrpc": version, "id": id, "method": method, "params": params })
        },
    )
}

#[test]
fn the_token_of_these_tests_is_good() {
    let (app, token) = App::mcp_fn();
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let version = HeaderValue::from_static("2025-11-25");

    let status = app.status(post_mcp(&token, Some(&version), message.to_string().into_bytes()));

    assert_eq!(status, StatusCode::OK);
}

#[test]
fn no_message_breaks_the_mcp_endpoint() {
    let (app, token) = App::mcp_fn();
    let text = messages().prop_map(|message| message.to_string().into_bytes());
    let bodies = prop_oneof![
        2 => text,
        1 => any_json().prop_map(|json| json.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..300),
    ];

    proptest!(crate::cases(), |(body in bodies, version in versions())| {
        let status = app.status(post_mcp(&token, version.as_ref(), body));

        prop_assert!(!status.is_server_error(), "{}", status);
        prop_assert_ne!(status, StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn no_credential_breaks_the_mcp_endpoint_or_opens_it() {
    let (app, _) = App::mcp_fn();

    proptest!(crate::cases(), |(bytes in vec(any::<u8>(), 0..200))| {
        let mut request = post_mcp("x", None, b"{}".to_vec());
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            request.headers_mut().insert(AUTHORIZATION, value);
        }

        let status = app.status(request);

        let refused = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED];
        prop_assert!(refused.contains(&status), "{}", status);
    });
}

#[test]
fn no_form_and_no_document_breaks_the_authorization_server() {
    let app = App::oauth_fn();
    let parameter = "(grant_type|code|client_id|redirect_uri|code_verifier|refresh_token|token|scope|\
                     resource|request|decision|response_type|state|code_challenge)";
    let value =
        "(authorization_code|refresh_token|allow|mcp_(ac|at|rt)_[A-Za-z0-9_-]{0,40}|.{0,20})";
    let form = vec((parameter, value), 0..8).prop_map(|pairs| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(pairs).finish().into_bytes()
    });
    let document = any_json().prop_map(|json| json.to_string().into_bytes());
    let bodies = prop_oneof![3 => form, 1 => document, 1 => vec(any::<u8>(), 0..300)];

    proptest!(crate::cases(), |(body in bodies)| {
        for (path, content_type) in [
            ("/token", FORM),
            ("/revoke", FORM),
            ("/consent", FORM),
            ("/register", "application/json"),
        ] {
            let status = app.status(post(path, content_type, body.clone()));

            prop_assert!(!status.is_server_error(), "{} {}", path, status);
            prop_assert_ne!(status, StatusCode::OK);
        }
        let query = data_encoding::HEXLOWER.encode(&body);
        let text = String::from_utf8(body).ok().filter(|text| text.is_ascii());
        for path in ["/authorize", "/consent", "/oauth-callback"] {
            let uri = format!("{path}?{}", text.as_ref().unwrap_or(&query));
            let Ok(request) = Request::get(uri).body(Body::empty()) else {
                continue;
            };

            let status = app.status(request);

            prop_assert!(status.is_client_error(), "{} {}", path, status);
        }
    });
}

#[test]
fn a_body_of_untold_length_is_bounded_too() {
    let app = App::oauth_fn();
    for path in ["/token", "/revoke", "/register"] {
        let piece = || Ok::<_, std::io::Error>("x=y&".repeat(256));
        let body = Body::from_stream(futures::stream::iter((0..100).map(move |_| piece())));
        let content_type = if path == "/register" { "application/json" } else { FORM };

        let status = app.status(post(path, content_type, body));

        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

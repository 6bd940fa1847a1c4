//! The limits in process, at the router of oauth-fn (threat S15).

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures::stream::poll_fn;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use local::embedded::EmbeddedStore;
use local::{ManualClock, NoAssertions, Options};
use oauth_fn::documents::DocumentFetcher;
use oauth_fn::{Config, Doors};
use serde_json::Value;
use shared::config::Settings;
use shared::storage::CountedStore;
use tower::ServiceExt;

use crate::client::Browser;
use crate::running::not_on_packages;
use crate::system::System;

const SHARE: usize = 6;
const ENVIRONMENT: [(&str, &str); 7] = [
    ("PUBLIC_BASE_URL", "https://gw.example.com"),
    ("SESSION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("GRANT_KEYS", "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="),
    ("UPSTREAM_ISSUER", "https://login.example/t/v2.0"),
    ("UPSTREAM_CLIENT_ID", "client"),
    ("UPSTREAM_CREDENTIAL", "secret"),
    ("ALLOWED_TENANTS", "11111111-2222-3333-4444-555555555555"),
];
/// The routes of each kind, with their method.
const KINDS: [&[(&str, &str)]; 3] = [
    &[("POST", "/register")],
    &[("POST", "/token"), ("POST", "/revoke"), ("GET", "/token")],
    &[
        ("GET", "/authorize"),
        ("GET", "/consent"),
        ("POST", "/consent"),
        ("GET", "/account"),
        ("POST", "/account"),
        ("GET", "/oauth-callback"),
    ],
];

struct Server {
    router: Router,
    records: Arc<CountedStore>,
    clock: Arc<ManualClock>,
}

impl Server {
    /// A server with so many requests a minute; any number if it is none.
    fn new(requests_per_minute: Option<usize>) -> Self {
        not_on_packages("sends requests to a router in its process");
        let clock = Arc::new(ManualClock::default());
        let mut settings = Settings::new(&ENVIRONMENT);
        let config = Config::read(&mut settings);
        let share = requests_per_minute.map(|share| u32::try_from(share).unwrap());
        let config = Config {
            requests_per_minute: share.and_then(NonZeroU32::new),
            ..settings.finish(config).unwrap()
        };
        let records = Arc::new(CountedStore::new(Arc::new(EmbeddedStore::in_memory().unwrap())));
        let doors = Doors {
            records: Arc::clone(&records) as _,
            clock: Arc::clone(&clock) as _,
            http: reqwest::Client::new(),
            documents: DocumentFetcher::public(),
            assertions: Arc::new(NoAssertions),
        };
        Self { router: oauth_fn::router(config, doors), records, clock }
    }

    async fn send(&self, address: &str, (method, path): (&str, &str), body: Body) -> Response {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("x-client-address", address).body(body).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, address: &str, route: (&str, &str)) -> StatusCode {
        self.send(address, route, Body::empty()).await.status()
    }

    /// Uses the share of `address` up, by the routes of one kind in turn.
    async fn use_up(&self, address: &str, kind: &[(&str, &str)]) {
        for route in kind.iter().cycle().take(SHARE) {
            let status = self.status(address, *route).await;
            assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "{route:?}");
        }
    }
}

/// A body that nobody may read.
fn unreadable() -> Body {
    Body::from_stream(poll_fn(|_| -> Poll<Option<io::Result<Vec<u8>>>> {
        panic!("the body of a refused request was read")
    }))
}

fn wait_of(headers: &HeaderMap) -> u64 {
    headers["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_address_is_refused_after_its_share_and_another_is_served() {
    for kind in KINDS {
        let server = Server::new(Some(SHARE));
        server.use_up("192.0.2.1", kind).await;
        for route in kind {
            let refused = server.send("192.0.2.1", *route, Body::empty()).await;

            assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{route:?}");
            assert_eq!(wait_of(refused.headers()), 10, "{route:?}");
            assert_eq!(refused.headers()["cache-control"], "no-store");
        }
        server.use_up("192.0.2.2", kind).await;
        server.use_up("2001:db8::1", kind).await;
    }
}

#[tokio::test]
async fn each_kind_of_request_has_a_share_of_its_own() {
    let server = Server::new(Some(SHARE));

    for kind in KINDS {
        server.use_up("192.0.2.1", kind).await;
    }
}

#[tokio::test]
async fn a_share_fills_again_with_the_time() {
    let server = Server::new(Some(SHARE));
    let route = KINDS[2][0];
    server.use_up("192.0.2.1", &[route]).await;
    let refused = server.send("192.0.2.1", route, Body::empty()).await;

    server.clock.advance(Duration::from_secs(wait_of(refused.headers())));

    assert_eq!(server.status("192.0.2.1", route).await, StatusCode::BAD_REQUEST);
    assert_eq!(server.status("192.0.2.1", route).await, StatusCode::TOO_MANY_REQUESTS);
    server.clock.advance(Duration::from_mins(1));
    server.use_up("192.0.2.1", &[route]).await;
}

#[tokio::test]
async fn a_client_reads_an_error_and_a_browser_a_page() {
    let server = Server::new(Some(SHARE));
    for kind in &KINDS[..2] {
        server.use_up("192.0.2.1", kind).await;
        let refused = server.send("192.0.2.1", kind[0], Body::empty()).await;

        assert_eq!(refused.headers()["access-control-allow-origin"], "*");
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        let error: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(error["error"], "temporarily_unavailable");
        assert!(error["error_description"].as_str().unwrap().contains("too many requests"));
    }

    let one = NonZeroU32::MIN;
    let system =
        System::start_with(Options { requests_per_minute: Some(one), ..Options::default() }).await;
    let browser = Browser::new();
    browser.open(system.url("/authorize")).await.is_page(400);
    let page = browser.open(system.url("/authorize")).await;
    page.is_page(429);
    assert_eq!(page.header("retry-after"), Some("60"));
    assert!(page.body.contains("Too many requests"), "{}", page.body);
}

#[tokio::test]
async fn of_a_refused_request_nothing_is_read_and_nothing_is_done() {
    let server = Server::new(Some(SHARE));
    for kind in KINDS {
        server.use_up("192.0.2.1", kind).await;
        for route in kind {
            let refused = server.send("192.0.2.1", *route, unreadable()).await;

            assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{route:?}");
            assert!(refused.headers().get("set-cookie").is_none());
        }
    }
    let calls = server.records.calls();
    assert_eq!((calls.reads, calls.writes), (0, 0));
}

#[tokio::test]
async fn documents_are_never_limited() {
    let server = Server::new(Some(1));
    for kind in KINDS {
        server.status("192.0.2.1", kind[0]).await;
    }
    for path in [
        "/",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
    ] {
        for _ in 0..20 {
            assert_eq!(server.status("192.0.2.1", ("GET", path)).await, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn a_limit_that_is_switched_off_refuses_nobody() {
    let server = Server::new(None);
    for kind in KINDS {
        for route in kind.iter().cycle().take(1000) {
            let status = server.status("192.0.2.1", *route).await;
            assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "{route:?}");
        }
    }
}

//! What the host answers itself, and which requests it lets through.

use functions_host::HostOptions;
use reqwest::Method;
use serde_json::json;

use crate::served::{Files, KEY, Served, anonymous, with_host, with_trigger};

#[tokio::test]
async fn the_key_is_in_the_header_or_else_in_the_query() {
    let served = Served::start().await;
    let header = |key: &'static str| Some(("x-functions-key", key));
    for (path, header, status) in [
        ("/echo", None, 401),
        ("/echo", header("wrong"), 401),
        ("/echo", header(""), 401),
        ("/echo", header(KEY), 200),
        ("/echo?code=the-function-key", None, 200),
        ("/oauth-callback?code=of-oauth&state=x", None, 401),
        ("/oauth-callback?code=of-oauth&state=x", header(KEY), 200),
        ("/echo?code=the-function-key", header("wrong"), 401),
    ] {
        let mut request = served.request_without_key(Method::GET, path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }

        let answer = request.send().await.unwrap();

        assert_eq!(answer.status(), status, "{path} {header:?}");
        assert_eq!(answer.text().await.unwrap().is_empty(), status == 401);
    }
    let seen = served.seen(served.get("/echo")).await;
    assert_eq!(seen["headers"]["x-functions-key"], KEY, "the handler sees the key");
}

#[tokio::test]
async fn an_anonymous_function_needs_no_key() {
    let served = Served::start_with(&anonymous(), &[], HostOptions::default()).await;

    for path in ["/echo", "/oauth-callback?code=of-oauth"] {
        let request = served.request_without_key(Method::GET, path);

        assert_eq!(request.send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_preflight_never_reaches_the_handler() {
    let served = Served::start().await;
    let preflight = || {
        let request = served.request_without_key(Method::OPTIONS, "/echo");
        request.header("origin", "https://app.example")
    };

    let answer = preflight().header("access-control-request-method", "POST").send().await.unwrap();
    let no_preflight = preflight().header("x-functions-key", KEY).send().await.unwrap();

    assert_eq!(answer.status(), 204);
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    assert_eq!(no_preflight.status(), 200);
    assert!(no_preflight.text().await.unwrap().contains("OPTIONS"));
}

#[tokio::test]
async fn the_places_of_the_host_are_not_the_handlers() {
    let served = Served::start().await;
    for (path, status) in [
        ("/admin", 401),
        ("/admin/host/status", 401),
        ("/ADMIN/functions", 401),
        ("/%61dmin/host/keys", 401),
        ("/runtime/webhooks/mcp", 404),
        ("/administration", 200),
        ("/.well-known/oauth-authorization-server", 200),
    ] {
        assert_eq!(served.get(path).send().await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_catch_all_takes_the_root_too() {
    let served = Served::start().await;
    let probes = served.notes("probe");

    // The small handler answers its root with an error, which the probe of the host takes.
    assert_eq!(served.get("/").send().await.unwrap().status(), 500);

    assert_eq!(served.notes("probe"), probes + 1);
}

#[tokio::test]
async fn only_the_methods_of_the_trigger_reach_the_handler() {
    let files = with_trigger(&[("methods", json!(["get", "post"]))]);
    let served = Served::start_with(&files, &[], HostOptions::default()).await;

    for (method, status) in [(Method::GET, 200), (Method::POST, 200), (Method::DELETE, 404)] {
        let answer = served.request(method.clone(), "/echo").send().await.unwrap();

        assert_eq!(answer.status(), status, "{method}");
    }
}

#[tokio::test]
async fn a_prefix_stands_before_every_route_unless_it_is_empty() {
    let mut files = with_host("extensions", json!({}));
    let served = Served::start_with(&files, &[], HostOptions::default()).await;
    assert_eq!(served.get("/echo").send().await.unwrap().status(), 404);
    assert_eq!(served.get("/api/echo").send().await.unwrap().status(), 200);

    files = Files::good();
    let served = Served::start_with(&files, &[], HostOptions::default()).await;
    assert_eq!(served.get("/echo").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused() {
    let served = Served::start().await;
    let long = format!("/echo?x={}", "y".repeat(8 * 1024));
    let fits = format!("/echo?x={}", "y".repeat(8 * 1024 - 100));
    let large = "z".repeat(33 * 1024);

    assert_eq!(served.get(&long).send().await.unwrap().status(), 414);
    assert_eq!(served.get(&fits).send().await.unwrap().status(), 200);
    let head = served.get("/echo").header("x-large", large);
    assert_eq!(head.send().await.unwrap().status(), 431);
}

//! Streamable HTTP in both eras, over the real router.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;
use shared::seal::KeyRing;
use tokio::time::{sleep, timeout};

use super::LARGEST_MESSAGE;
use crate::config::Config;
use crate::testing::{BASE_URL, Reply, TestServer, post};

const BOTH: &str = "snippets:read snippets:write";
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

async fn ping_with(server: &TestServer, header: HeaderName, value: &str) -> Reply {
    let token = server.sign_in("ann", BOTH).await;
    let mut request = post(&token).body(Body::from(PING)).unwrap();
    request.headers_mut().insert(header, HeaderValue::from_str(value).unwrap());
    server.send(request).await
}

async fn send(server: &TestServer, body: impl Into<Body>) -> Reply {
    let token = server.sign_in("ann", BOTH).await;
    server.send(post(&token).body(body.into()).unwrap()).await
}

#[tokio::test]
async fn only_post_is_allowed() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for method in [Method::GET, Method::DELETE, Method::PUT, Method::PATCH, Method::HEAD] {
        let mut request = post(&token).body(Body::empty()).unwrap();
        *request.method_mut() = method.clone();
        let reply = server.send(request).await;

        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(reply.header("allow"), "POST");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn a_client_of_the_initialize_era_is_served_without_a_session() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let params = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        });
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let reply = server.send(post(&token).body(message.to_string().into()).unwrap()).await;

        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("mcp-session-id"), "");
        let result = &reply.json()["result"];
        assert_eq!(result["protocolVersion"], version);
        assert_eq!(result["serverInfo"]["name"], "remote-mcp-functions-rust");
        assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(result["serverInfo"]["title"].is_string());
        assert!(result["instructions"].is_string());
        assert!(result["capabilities"]["tools"].is_object());
    }

    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let accepted = server.send(post(&token).body(initialized.to_string().into()).unwrap()).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(accepted.header("cache-control"), "no-store");
    let tools = server.ask(&token, "tools/list", json!({})).await.json();
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 6);
    assert_eq!(tools["result"]["ttlMs"], Value::Null);
}

#[tokio::test]
async fn a_client_of_2026_07_28_discovers_lists_and_calls() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    let discovered = server.ask_modern(&token, "server/discover", json!({})).await;
    let listed = server.ask_modern(&token, "tools/list", json!({})).await;
    let call = json!({"name": "hello_mcp", "arguments": {}});
    let called = server.ask_modern(&token, "tools/call", call).await;

    assert_eq!(discovered.status, StatusCode::OK);
    let versions = &discovered.json()["result"]["supportedVersions"];
    assert!(versions.as_array().unwrap().contains(&json!("2026-07-28")));
    for cacheable in [discovered.json(), listed.json()] {
        assert_eq!(cacheable["result"]["ttlMs"], 300_000);
        assert_eq!(cacheable["result"]["cacheScope"], "public");
    }
    assert_eq!(called.json()["result"]["resultType"], "complete");
    assert_eq!(called.json()["result"]["content"][0]["text"], "Hello I am MCPTool!");
}

#[tokio::test]
async fn headers_that_contradict_the_message_are_refused() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let message =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}});

    let request = post(&token)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call");
    let reply = server.send(request.body(message.to_string().into()).unwrap()).await;

    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.json()["error"]["code"], -32020);
}

#[tokio::test]
async fn unknown_methods_versions_and_tools_have_the_errors_of_their_era() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let no_tool = json!({"name": "no_such_tool", "arguments": {}});

    let modern = server.ask_modern(&token, "no/such", json!({})).await;
    let legacy = server.ask(&token, "no/such", json!({})).await;
    let version = ping_with(&server, HeaderName::from_static("mcp-protocol-version"), "1999").await;
    let tool = server.ask(&token, "tools/call", no_tool).await;

    assert_eq!(modern.status, StatusCode::NOT_FOUND);
    assert_eq!(modern.json()["error"]["code"], -32601);
    assert_eq!(legacy.status, StatusCode::OK);
    assert_eq!(legacy.json()["error"]["code"], -32601);
    assert_eq!(version.status, StatusCode::BAD_REQUEST);
    assert_eq!(version.json()["error"]["code"], -32600);
    assert_eq!(tool.status, StatusCode::OK);
    assert_eq!(tool.json()["error"]["code"], -32602);
}

#[tokio::test]
async fn params_that_do_not_fit_their_method_are_invalid_params() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for (method, params) in [
        ("initialize", json!({})),
        ("tools/call", json!({})),
        ("tools/call", json!({"name": 5})),
        ("tools/call", json!({"name": "hello_mcp", "arguments": [1]})),
    ] {
        let reply = server.ask(&token, method, params.clone()).await;

        assert_eq!(reply.json()["error"]["code"], -32602, "{method} {params}");
        assert_eq!(reply.json()["id"], 7);
    }
}

#[tokio::test]
async fn only_our_own_origin_may_call_from_a_browser() {
    let server = TestServer::new();

    for (origin, expected) in [
        (BASE_URL, StatusCode::OK),
        ("https://gw.example.com:443", StatusCode::OK),
        ("https://gw.example.com:8443", StatusCode::FORBIDDEN),
        ("http://gw.example.com", StatusCode::FORBIDDEN),
        ("https://evil.example.com", StatusCode::FORBIDDEN),
        ("http://localhost:6274", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
        ("nonsense", StatusCode::FORBIDDEN),
    ] {
        let reply = ping_with(&server, ORIGIN, origin).await;

        assert_eq!(reply.status, expected, "{origin}");
        assert_eq!(reply.json()["error"].is_object(), expected != StatusCode::OK);
    }
}

#[tokio::test]
async fn a_server_of_this_machine_serves_the_pages_of_this_machine() {
    let server = TestServer::at("http://127.0.0.1:8787", Duration::ZERO);

    for (origin, expected) in [
        ("http://127.0.0.1:8787", StatusCode::OK),
        ("http://localhost:6274", StatusCode::OK),
        ("http://[::1]:6274", StatusCode::OK),
        ("https://localhost:6274", StatusCode::FORBIDDEN),
        ("http://localhost.evil.example.com", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(ping_with(&server, ORIGIN, origin).await.status, expected, "{origin}");
    }
}

#[tokio::test]
async fn only_our_own_host_and_this_machine_are_served() {
    let server = TestServer::new();

    for (host, expected) in [
        ("127.0.0.1:40001", StatusCode::OK),
        ("localhost", StatusCode::OK),
        ("gw.example.com", StatusCode::OK),
        ("evil.example.com", StatusCode::FORBIDDEN),
        ("not a host", StatusCode::BAD_REQUEST),
    ] {
        let reply = ping_with(&server, HOST, host).await;

        assert_eq!(reply.status, expected, "{host}");
        assert_eq!(reply.header("content-type"), "application/json", "{host}");
    }
}

#[tokio::test]
async fn what_is_not_json_or_cannot_be_answered_is_refused() {
    let server = TestServer::new();

    let media_type = ping_with(&server, CONTENT_TYPE, "text/plain").await;
    let accept = ping_with(&server, ACCEPT, "text/html").await;
    let not_json = send(&server, "{").await;
    let batch = send(&server, format!("[{PING}]")).await;
    let empty = send(&server, "").await;

    for (reply, status, code) in [
        (media_type, StatusCode::UNSUPPORTED_MEDIA_TYPE, -32600),
        (accept, StatusCode::NOT_ACCEPTABLE, -32600),
        (not_json, StatusCode::BAD_REQUEST, -32700),
        (batch, StatusCode::BAD_REQUEST, -32600),
        (empty, StatusCode::BAD_REQUEST, -32700),
    ] {
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(reply.json()["error"]["code"], code, "{reply:?}");
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn a_message_above_the_bound_is_413_and_one_at_the_bound_is_read() {
    let server = TestServer::new();

    let fits = send(&server, " ".repeat(LARGEST_MESSAGE - PING.len()) + PING).await;
    let too_large = send(&server, " ".repeat(LARGEST_MESSAGE - PING.len() + 1) + PING).await;

    assert_eq!(fits.status, StatusCode::OK);
    assert_eq!(too_large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(too_large.json()["error"]["code"], -32600);
}

#[tokio::test]
async fn a_snippet_of_1_mib_fits_however_its_characters_are_escaped() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let arguments = |text: String| json!({"snippetname": "a", "snippet": text});

    let controls = server.call(&token, "save_snippet", arguments("\u{1}".repeat(1 << 20))).await;
    let longer = "a".repeat((1 << 20) + 1);
    let refused = server.refusal(&token, "save_snippet", arguments(longer)).await;

    assert_eq!(controls["structuredContent"]["bytes"], 1 << 20);
    assert_eq!(refused, "A snippet is at most 1 MiB (1048576 bytes).");
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let server = TestServer::new();

    for path in ["/mcp/", "/mcp/other", "/.well-known/oauth-protected-resource/other"] {
        let reply = server.send(Request::get(path).body(Body::empty()).unwrap()).await;

        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_cancels_its_request_since_2026_07_28_and_not_before() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.snippets.slow.store(true, Ordering::Relaxed);
    let moment = Duration::from_millis(100);
    let arguments = |name| json!({"snippetname": name, "snippet": "text"});
    let params = |name| json!({"name": "save_snippet", "arguments": arguments(name)});

    let modern = timeout(moment, server.ask_modern(&token, "tools/call", params("modern"))).await;
    let legacy = timeout(moment, server.ask(&token, "tools/call", params("legacy"))).await;
    sleep(Duration::from_secs(5)).await;
    let list = server.call(&token, "list_snippets", json!({})).await;

    assert!(modern.is_err() && legacy.is_err());
    let names = &list["structuredContent"]["snippets"];
    assert_eq!(names.as_array().unwrap().len(), 1, "{names}");
    assert_eq!(names[0]["snippetname"], "legacy");
}

#[tokio::test]
async fn pages_of_the_origins_in_the_settings_may_call() {
    let origins = ["https://inspector.example.com", "http://localhost:6274"];
    let config = Config {
        allowed_origins: origins.map(|text| PublicBaseUrl::try_from(text).unwrap()).to_vec(),
        ..Config::new(PublicBaseUrl::try_from(BASE_URL).unwrap(), KeyRing::generate())
    };
    let server = TestServer::with(config);

    for (origin, expected) in [
        (BASE_URL, StatusCode::OK),
        ("https://inspector.example.com", StatusCode::OK),
        ("https://inspector.example.com:8443", StatusCode::FORBIDDEN),
        ("http://localhost:6274", StatusCode::OK),
        ("http://localhost:6275", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(ping_with(&server, ORIGIN, origin).await.status, expected, "{origin}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_come_to_its_end_is_408() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let never = stream::pending::<Result<Bytes, Infallible>>();

    let reply = server.send(post(&token).body(Body::from_stream(never)).unwrap()).await;

    assert_eq!(reply.status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(reply.json()["error"]["code"], -32600);
}

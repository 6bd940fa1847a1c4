//! The bearer layer, over the real router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN};
use http::{Method, Request, StatusCode};
use serde_json::json;
use shared::storage::StorageCalls;
use tower::ServiceExt;

use crate::testing::{Reply, TOKEN_LIFETIME, TestServer, post};

const BOTH: &str = "snippets:read snippets:write";
const CHALLENGE: &str = "Bearer resource_metadata=\
     \"https://gw.example.com/.well-known/oauth-protected-resource/mcp\", \
     scope=\"snippets:read snippets:write\"";

async fn ping(server: &TestServer, token: &str) -> Reply {
    server.ask(token, "ping", json!({})).await
}

async fn with_authorization(server: &TestServer, uri: &str, values: &[&[u8]]) -> Reply {
    let mut request = Request::post(uri).header(HOST, "localhost");
    for value in values {
        request = request.header(AUTHORIZATION, *value);
    }
    server.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_client_without_a_token_learns_where_to_get_one_and_is_told_no_error() {
    let server = TestServer::new();

    let reply = with_authorization(&server, "/mcp", &[]).await;

    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reply.challenge(), CHALLENGE);
    assert_eq!(reply.header(CACHE_CONTROL.as_str()), "no-store");
    assert_eq!(reply.header(CONTENT_TYPE.as_str()), "application/json");
    assert!(reply.json()["error_description"].is_string());
}

#[tokio::test]
async fn another_scheme_and_a_token_in_the_query_count_as_no_credentials() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    let in_query = with_authorization(&server, &format!("/mcp?access_token={token}"), &[]).await;
    let basic = with_authorization(&server, "/mcp", &[b"Basic YTpi"]).await;

    for reply in [in_query, basic] {
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.challenge(), CHALLENGE);
    }
}

#[tokio::test]
async fn the_challenge_comes_before_any_other_validation() {
    let server = TestServer::new();
    let methods = [Method::GET, Method::DELETE, Method::PUT, Method::HEAD, Method::POST];

    for method in methods {
        let request = Request::builder()
            .method(method.clone())
            .uri("/mcp")
            .header(HOST, "evil.example.com")
            .header(ORIGIN, "https://evil.example.com")
            .header(CONTENT_TYPE, "text/plain")
            .header("mcp-protocol-version", "1999-01-01")
            .body(Body::from(vec![b'x'; 8 * 1024 * 1024]));
        let reply = server.send(request.unwrap()).await;

        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method}");
        assert_eq!(reply.challenge(), CHALLENGE, "{method}");
    }
}

#[tokio::test]
async fn every_bad_token_gets_one_and_the_same_answer() {
    let server = TestServer::new();
    let (elsewhere, _) = server.session("ann", BOTH, "https://gw.example.com/other").await;
    let (revoked, address) = server.session("ann", BOTH, "https://gw.example.com/mcp").await;
    server.revoke(&address).await;
    let (tampered, address) = server.session("ann", BOTH, "https://gw.example.com/mcp").await;
    server.tamper(&address).await;
    let other_server = TestServer::new().sign_in("ann", BOTH).await;
    let cut = elsewhere[..elsewhere.len() - 1].to_owned();

    let mut replies = Vec::new();
    for token in ["x", "mcp_at_AAAA", "a,b", &other_server, &cut, &elsewhere, &revoked, &tampered] {
        replies.push(ping(&server, token).await);
    }

    for reply in &replies {
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.headers, replies[0].headers);
        assert_eq!(reply.body, replies[0].body);
        assert_eq!(reply.json()["error"], "invalid_token");
    }
    assert_eq!(
        replies[0].challenge(),
        "Bearer error=\"invalid_token\", \
         error_description=\"The access token is not valid, or has expired.\", \
         resource_metadata=\"https://gw.example.com/.well-known/oauth-protected-resource/mcp\", \
         scope=\"snippets:read snippets:write\""
    );
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_an_invalid_request() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let bearer = format!("Bearer {token}");
    let bearer = bearer.as_bytes();
    let twice = [bearer, b", ", bearer].concat();

    for (uri, values) in [
        ("/mcp", vec![bearer, bearer]),
        ("/mcp", vec![b"Basic YTpi".as_slice(), bearer]),
        ("/mcp", vec![twice.as_slice()]),
        ("/mcp", vec![b"Bearer".as_slice()]),
        ("/mcp", vec![b"Bearer \xff".as_slice()]),
        ("/mcp?access_token=x", vec![bearer]),
    ] {
        let reply = with_authorization(&server, uri, &values).await;

        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{values:?}");
        assert!(reply.challenge().starts_with("Bearer error=\"invalid_request\""), "{values:?}");
        assert_eq!(reply.json()["error"], "invalid_request");
    }
}

#[tokio::test]
async fn the_scheme_may_be_written_in_any_case() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {token}");
        let reply = with_authorization(&server, "/mcp", &[value.as_bytes()]).await;

        assert_ne!(reply.status, StatusCode::UNAUTHORIZED, "{scheme}");
    }
}

#[tokio::test]
async fn garbage_and_expired_tokens_never_reach_storage() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.clock.advance(TOKEN_LIFETIME);

    for presented in ["x", "mcp_at_AAAA", "mcp_rt_AAAA", &token] {
        assert_eq!(ping(&server, presented).await.status, StatusCode::UNAUTHORIZED);
    }

    assert_eq!(server.counted.calls(), StorageCalls::default());
}

#[tokio::test]
async fn a_token_ends_in_its_second_even_if_its_session_is_remembered() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.clock.advance(TOKEN_LIFETIME.saturating_sub(Duration::from_secs(1)));

    assert_eq!(ping(&server, &token).await.status, StatusCode::OK);
    server.clock.advance(Duration::from_secs(1));

    assert_eq!(ping(&server, &token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.counted.calls(), StorageCalls { reads: 1, ..StorageCalls::default() });
}

#[tokio::test]
async fn a_session_is_read_once_within_the_cache_time_and_again_after() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    ping(&server, &token).await;
    server.clock.advance(Duration::from_secs(29));
    ping(&server, &token).await;
    assert_eq!(server.counted.calls().reads, 1);
    server.clock.advance(Duration::from_secs(1));
    ping(&server, &token).await;

    assert_eq!(server.counted.calls(), StorageCalls { reads: 2, ..StorageCalls::default() });
}

#[tokio::test]
async fn every_request_is_one_read_where_nothing_is_remembered() {
    let server = TestServer::at("https://gw.example.com", Duration::ZERO);
    let token = server.sign_in("ann", BOTH).await;

    for _ in 0..3 {
        assert_eq!(ping(&server, &token).await.status, StatusCode::OK);
    }

    assert_eq!(server.counted.calls(), StorageCalls { reads: 3, ..StorageCalls::default() });
}

#[tokio::test]
async fn a_revoked_session_dies_when_the_cache_time_is_over() {
    let server = TestServer::new();
    let (token, address) = server.session("ann", BOTH, "https://gw.example.com/mcp").await;
    assert_eq!(ping(&server, &token).await.status, StatusCode::OK);

    server.revoke(&address).await;
    let within = ping(&server, &token).await;
    server.clock.advance(Duration::from_secs(30));
    let after = ping(&server, &token).await;

    assert_eq!(within.status, StatusCode::OK);
    assert_eq!(after.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_fault_of_storage_is_503_and_never_a_pass() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.break_records(true);

    let reply = ping(&server, &token).await;
    server.break_records(false);
    let again = ping(&server, &token).await;

    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), "5");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.challenge(), "");
    assert_eq!(reply.json()["error"], "temporarily_unavailable");
    assert!(!String::from_utf8_lossy(&reply.body).contains("no route"));
    assert_eq!(again.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_whose_row_is_nowhere_is_a_fault_of_ours_and_not_of_its_client() {
    let server = TestServer::new();
    let (token, address) = server.session("ann", BOTH, "https://gw.example.com/mcp").await;
    server.lose(&address).await;

    let reply = ping(&server, &token).await;

    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.challenge(), "");
    assert_eq!(reply.json()["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn a_read_only_token_that_changes_something_gets_403_with_all_scopes_to_ask_for() {
    let server = TestServer::new();
    let token = server.sign_in("ann", "snippets:read").await;
    let forms = json!({"elicitation": {}});
    let confirmed = json!({"snippetname": "a", "confirm": true});
    let answered = json!({
        "name": "delete_snippet",
        "arguments": {"snippetname": "a"},
        "requestState": "AAAA",
        "inputResponses": {"confirmation": {"action": "accept", "content": {"confirm": true}}},
    });

    for params in [
        json!({"name": "save_snippet", "arguments": {"snippetname": "a", "snippet": "b"}}),
        json!({"name": "delete_snippet", "arguments": {"snippetname": "a"}}),
        json!({"name": "delete_snippet", "arguments": confirmed}),
        answered,
    ] {
        let legacy = server.ask(&token, "tools/call", params.clone()).await;
        let modern = server.ask_modern(&token, "tools/call", params.clone()).await;
        let asking = server.ask_of(forms.clone(), &token, "tools/call", params.clone()).await;

        for reply in [legacy, modern, asking] {
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{params}");
            assert_eq!(
                reply.challenge(),
                "Bearer error=\"insufficient_scope\", error_description=\"This needs an access \
                 token with the scopes: snippets:read snippets:write.\", resource_metadata=\
                 \"https://gw.example.com/.well-known/oauth-protected-resource/mcp\", \
                 scope=\"snippets:read snippets:write\""
            );
            assert_eq!(reply.header("cache-control"), "no-store");
            assert_eq!(reply.json()["error"], "insufficient_scope");
        }
    }
    let list = server.call(&token, "list_snippets", json!({})).await;
    assert_eq!(list["structuredContent"]["snippets"], json!([]));
    let resources = server.ask(&token, "resources/list", json!({})).await.json();
    assert_eq!(resources["result"]["resources"], json!([]));
}

#[tokio::test]
async fn each_tool_asks_for_its_scope_before_it_looks_at_its_arguments() {
    let server = TestServer::new();
    let none = server.sign_in("ann", "").await;

    for (tool, scope) in [
        ("save_snippet", "snippets:write"),
        ("delete_snippet", "snippets:write"),
        ("get_snippet", "snippets:read"),
        ("list_snippets", "snippets:read"),
    ] {
        let params = json!({"name": tool, "arguments": {"nonsense": 1}});
        let reply = server.ask(&none, "tools/call", params).await;

        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{tool}");
        assert!(reply.challenge().ends_with(&format!("scope=\"{scope}\"")), "{tool}");
    }
    for tool in ["hello_mcp", "whoami"] {
        assert_eq!(server.call(&none, tool, json!({})).await["isError"], false, "{tool}");
    }
}

#[tokio::test]
async fn the_token_goes_no_further_than_the_bearer_layer() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let echo = |request: Request<Body>| async move { format!("{:?}", request.headers()) };
    let layer = from_fn_with_state(Arc::new(server.gate()), super::admit);
    let router = Router::new().route("/mcp", any(echo)).layer(layer);

    let response = router.oneshot(post(&token).body(Body::empty()).unwrap()).await.unwrap();
    let headers = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();

    let headers = String::from_utf8_lossy(&headers);
    assert!(headers.contains("127.0.0.1:40001"), "{headers}");
    assert!(!headers.contains("mcp_at_"), "{headers}");
}

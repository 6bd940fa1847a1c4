//! Where a request belongs in the trace of its client.

use http::StatusCode;
use serde_json::{Value, json};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;

use super::promises::Log;
use super::{BOTH, save};
use crate::testing::TestServer;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOTED: &str = "trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\" parent_id=\"00f067aa0ba902b7\"";

/// The answer of either era to a request with this `_meta`, and what was logged on the way.
async fn traced(
    server: &TestServer,
    token: &str,
    (method, mut params): (&str, Value),
    meta: &Value,
    modern: bool,
) -> (Value, String) {
    let log = Log::default();
    let spans = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(log.clone());
    let ours = Targets::new().with_target("mcp_fn", LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry().with(ours).with(spans);
    params["_meta"] = meta.clone();
    // The handler runs in a task of its own, on this thread.
    let guard = tracing::subscriber::set_default(subscriber);
    let reply = if modern {
        server.ask_modern(token, method, params).await
    } else {
        server.ask(token, method, params).await
    };
    drop(guard);
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    (reply.json()["result"].clone(), log.text())
}

#[tokio::test]
async fn the_trace_of_the_client_stands_in_the_span_of_each_request() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "a", "text").await;
    let complete = json!({
        "ref": {"type": "ref/resource", "uri": "snippet://{name}"},
        "argument": {"name": "name", "value": ""},
    });

    for (method, params, span) in [
        ("server/discover", json!({}), "discover"),
        ("tools/list", json!({}), "list_tools"),
        ("tools/call", json!({"name": "whoami", "arguments": {}}), "call_tool"),
        ("resources/list", json!({}), "list_resources"),
        ("resources/templates/list", json!({}), "list_resource_templates"),
        ("resources/read", json!({"uri": "snippet://a"}), "read_resource"),
        ("completion/complete", complete, "complete"),
    ] {
        // Discovery is of 2026-07-28 alone.
        let eras: &[bool] = if method == "server/discover" { &[true] } else { &[true, false] };
        for modern in eras.iter().copied() {
            let meta = json!({"traceparent": PARENT, "tracestate": "congo=CONFIDENTIAL"});
            let request = (method, params.clone());
            let (_, log) = traced(&server, &token, request, &meta, modern).await;

            let span = log.lines().find(|line| line.contains(&format!(" {span}{{"))).unwrap();
            assert!(span.contains(NOTED), "{method}: {log}");
            assert!(!log.contains("CONFIDENTIAL"), "{log}");
        }
    }
}

#[tokio::test]
async fn what_is_no_trace_is_ignored_and_never_logged() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let call = || ("tools/call", json!({"name": "hello_mcp", "arguments": {}}));

    for meta in [
        json!({}),
        json!({"traceparent": "GARBAGE\n injected=1"}),
        json!({"traceparent": PARENT.replace("-01", "-GARBAGE")}),
        json!({"traceparent": 5}),
        json!({"traceparent": [PARENT]}),
        json!({"traceparent": null, "tracestate": "GARBAGE=1"}),
    ] {
        for modern in [true, false] {
            let (result, log) = traced(&server, &token, call(), &meta, modern).await;

            assert_eq!(result["content"][0]["text"], "Hello I am MCPTool!", "{meta}");
            assert!(log.contains("call_tool{tool=\"hello_mcp\"}"), "{log}");
            assert!(!log.contains("trace_id") && !log.contains("GARBAGE"), "{log}");
        }
    }
    for state in [json!("=GARBAGE"), json!({"a": "GARBAGE"})] {
        let meta = json!({"traceparent": PARENT, "tracestate": state});
        let (_, log) = traced(&server, &token, call(), &meta, true).await;

        assert!(log.contains(NOTED) && !log.contains("GARBAGE"), "{log}");
    }
}

//! The span of each MCP request, and where it belongs in the trace of its client.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::{Value, json};
use shared::telemetry::is_discreet;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};

use super::promises::Log;
use super::{BOTH, save};
use crate::testing::TestServer;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The answer of either era to a request with this `_meta`, and the span of the request.
async fn traced(
    server: &TestServer,
    token: &str,
    (method, mut params): (&str, Value),
    meta: &Value,
    modern: bool,
) -> (Value, SpanData) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("test"))
        .with_context_activation(false)
        .with_filter(Targets::new().with_target("mcp_fn", LevelFilter::INFO));
    params["_meta"] = meta.clone();
    // The handler runs in a task of its own, on this thread.
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans));
    let reply = if modern {
        server.ask_modern(token, method, params).await
    } else {
        server.ask(token, method, params).await
    };
    drop(guard);
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let ended = exporter.get_finished_spans().unwrap();
    let mut operations = ended.into_iter().filter(|span| span.name.starts_with(method));
    (reply.json(), operations.next().unwrap())
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map(|attribute| attribute.value.to_string())
}

#[tokio::test]
async fn each_request_is_a_part_of_its_clients_trace() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "a", "text").await;
    let complete = json!({
        "ref": {"type": "ref/resource", "uri": "snippet://{name}"},
        "argument": {"name": "name", "value": ""},
    });

    for (method, params, name) in [
        ("server/discover", json!({}), "server/discover"),
        ("tools/list", json!({}), "tools/list"),
        ("tools/call", json!({"name": "whoami", "arguments": {}}), "tools/call whoami"),
        ("resources/list", json!({}), "resources/list"),
        ("resources/templates/list", json!({}), "resources/templates/list"),
        ("resources/read", json!({"uri": "snippet://a"}), "resources/read"),
        ("completion/complete", complete, "completion/complete"),
    ] {
        // Discovery is of 2026-07-28 alone.
        let eras: &[bool] = if method == "server/discover" { &[true] } else { &[true, false] };
        for modern in eras.iter().copied() {
            let meta = json!({"traceparent": PARENT, "tracestate": "congo=1"});
            let request = (method, params.clone());
            let (_, span) = traced(&server, &token, request, &meta, modern).await;

            assert_eq!(span.name, name);
            assert_eq!(span.span_kind, SpanKind::Server);
            let trace_id = span.span_context.trace_id().to_string();
            assert_eq!(trace_id, "4bf92f3577b34da6a3ce929d0e0e4736", "{method}");
            assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
            assert_eq!(span.span_context.trace_state().header(), "", "it is the client's text");
            assert_eq!(attribute(&span, "mcp.method.name").as_deref(), Some(method));
            let version = if modern { "2026-07-28" } else { "2025-11-25" };
            assert_eq!(attribute(&span, "mcp.protocol.version").as_deref(), Some(version));
            assert_eq!(span.status, Status::Unset);
        }
    }
}

#[tokio::test]
async fn what_is_no_trace_is_ignored_and_never_noted() {
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
            let (reply, span) = traced(&server, &token, call(), &meta, modern).await;

            assert_eq!(reply["result"]["content"][0]["text"], "Hello I am MCPTool!", "{meta}");
            assert_eq!(span.name, "tools/call hello_mcp");
            assert!(!span.parent_span_is_remote && span.links.is_empty(), "{span:?}");
            assert!(!format!("{span:?}").contains("GARBAGE"), "{span:?}");
        }
    }
    for state in [json!("congo=GARBAGE"), json!("=GARBAGE"), json!({"a": "GARBAGE"})] {
        let meta = json!({"traceparent": PARENT, "tracestate": state});
        let (_, span) = traced(&server, &token, call(), &meta, true).await;

        assert!(span.parent_span_is_remote && !format!("{span:?}").contains("GARBAGE"), "{span:?}");
    }
}

#[tokio::test]
async fn a_tool_that_fails_and_one_that_is_not_there_are_errors_without_the_clients_words() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let call =
        |name: &str| ("tools/call", json!({"name": name, "arguments": {"snippetname": "GARBAGE"}}));

    let (_, failed) = traced(&server, &token, call("get_snippet"), &json!({}), false).await;
    let (reply, unknown) = traced(&server, &token, call("GARBAGE"), &json!({}), false).await;

    assert_eq!(attribute(&failed, "error.type").as_deref(), Some("tool_error"));
    assert_eq!(attribute(&failed, "gen_ai.tool.name").as_deref(), Some("get_snippet"));
    assert_eq!(attribute(&failed, "gen_ai.operation.name").as_deref(), Some("execute_tool"));
    assert_eq!(reply["error"]["code"], -32602);
    assert_eq!(unknown.name, "tools/call");
    assert_eq!(attribute(&unknown, "error.type").as_deref(), Some("-32602"));
    assert_eq!(attribute(&unknown, "rpc.response.status_code").as_deref(), Some("-32602"));
    assert_eq!(attribute(&unknown, "gen_ai.tool.name"), None);
    for span in [failed, unknown] {
        assert!(matches!(span.status, Status::Error { .. }));
        assert!(!format!("{span:?}").contains("GARBAGE"), "{span:?}");
    }
}

/// Writes warnings and errors into `log`, of whatever library may be logged.
fn warnings(log: &Log) -> tracing::subscriber::DefaultGuard {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(log.clone())
        .with_filter(LevelFilter::WARN.and(filter_fn(is_discreet)));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(lines))
}

#[tokio::test]
async fn what_a_client_did_wrong_is_no_warning_and_its_words_stand_in_no_line() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let log = Log::default();
    let id = "GARBAGE".repeat(10_000);
    let message = json!({"jsonrpc": "2.0", "id": id, "method": "no/such", "params": {}});

    let guard = warnings(&log);
    let request = crate::testing::post(&token).header("mcp-protocol-version", "2025-11-25");
    let reply = server.send(request.body(message.to_string().into()).unwrap()).await;
    drop(guard);

    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn a_failure_of_storage_behind_a_resource_is_one_line() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.snippets.broken.store(true, Ordering::Relaxed);
    let log = Log::default();

    let guard = warnings(&log);
    server.ask(&token, "resources/list", json!({})).await;
    drop(guard);

    assert_eq!(log.text().lines().count(), 1, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_client_goes_away_says_so_in_its_span() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.snippets.slow.store(true, Ordering::Relaxed);
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("test"))
        .with_context_activation(false)
        .with_filter(filter_fn(|metadata| {
            metadata.is_span() && metadata.fields().field("otel.kind").is_some()
        }));

    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans));
    let params = json!({"name": "get_snippet", "arguments": {"snippetname": "a"}});
    let asked = server.ask_modern(&token, "tools/call", params);
    let moment = Duration::from_millis(100);
    let gone = tokio::time::timeout(moment, asked).await;
    tokio::time::sleep(moment).await;
    drop(guard);

    assert!(gone.is_err());
    let ended = exporter.get_finished_spans().unwrap();
    let request = ended.iter().find(|span| span.name == "POST /mcp").unwrap();
    assert_eq!(attribute(request, "error.type").as_deref(), Some("cancelled"));
    let storage = ended.iter().find(|span| span.name == "get snippets").unwrap();
    assert_eq!(attribute(storage, "error.type").as_deref(), Some("cancelled"));
}

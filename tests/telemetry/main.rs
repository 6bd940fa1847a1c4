//! One trace from the client's call to the row it read, as a collector receives it over OTLP.
//!
//! It runs on the local system, all of it in this process; and with `E2E_PACKAGES` on the packages,
//! each a process of its own behind a host. What spans and metrics are sent to belongs to a process, so
//! this is one of its own.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

#[path = "../e2e/client.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod client;
#[path = "../e2e/packages.rs"]
mod packages;
#[path = "../deployed/process.rs"]
#[expect(dead_code, reason = "other tests of processes need more of it")]
mod process;
mod receiver;
#[path = "../e2e/running.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod running;
#[path = "../e2e/system.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod system;
#[path = "../e2e/traced.rs"]
mod traced;
mod tree;

use std::time::Duration;

use local::Options;
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;
use shared::telemetry::{self, Destinations, Sampling, TelemetryConfig};
use url::Url;

use client::Browser;
use process::Process;
use receiver::Receiver;
use running::Told;
use system::{Answer, System};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The span in which the client made its requests.
const OF_THE_CLIENT: &str = "00f067aa0ba902b7";
/// The span in which it called a tool, told in `_meta` alone.
const OF_THE_CALL: &str = "00000000000000c1";

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_tells_of_a_sign_in_and_a_tool_call_from_the_gateway_to_the_row() {
    let receiver = Receiver::start().await;
    send_to(&receiver);
    let mut system = start(&receiver).await;
    let client = system.client("Traced").await;
    system.sign_in(&client).await; // What is fetched once is there, and the tables of the week are.

    let mut headers = HeaderMap::new();
    let parent = format!("00-{TRACE}-{OF_THE_CLIENT}-01");
    headers.insert("traceparent", HeaderValue::try_from(parent).unwrap());
    let builder = || reqwest::Client::builder().default_headers(headers.clone()).no_proxy();
    let by_itself = reqwest::redirect::Policy::none();
    system.http = builder().build().unwrap();
    let browser = Browser(builder().cookie_store(true).redirect(by_itself).build().unwrap());
    let code = browser.code(&system, &client).await;
    let tokens = system.redeem(&client, &code).await.tokens();
    let arguments = json!({ "snippetname": "a", "snippet": "text" });
    let saved = system.call(&tokens.access_token, "save_snippet", arguments).await;
    let read = read_in_a_span_of_its_own(&system, &tokens.access_token).await;
    let refused = system.mcp("nonsense", "ping", json!({})).await;

    assert_eq!((saved.status, read.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    receiver.wait_until(|receiver| tree::of(&receiver.spans(), TRACE) == expected("tree")).await;
    let spans = receiver.spans();
    assert_eq!(tree::of(&spans, TRACE), expected("tree"));
    assert!(spans.iter().all(|span| span.events == 0));
    let sent = receiver.bytes();
    let token = tokens.access_token.as_bytes();
    assert!(!sent.windows(16).any(|part| token.windows(16).any(|secret| secret == part)));
    let operation = spans.iter().find(|span| span.parent_id == OF_THE_CALL).unwrap();
    let linked = spans.iter().find(|span| operation.links.contains(&span.id)).unwrap();
    assert_eq!(linked.name, "POST /mcp");
    telemetry::end().await;
    receiver.wait_until(|receiver| metrics(receiver) == expected("metrics")).await;
    assert_eq!(metrics(&receiver), expected("metrics"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_three_seconds_before_a_kill_without_warning_has_arrived() {
    let receiver = Receiver::start().await;
    let mut app = deployed(&receiver, "1");
    let head = format!("POST /mcp\ntraceparent: 00-{TRACE}-{OF_THE_CLIENT}-00\n");

    let (status, _) = app.ask(&head, "{}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    app.kill();
    let spans = receiver.spans();

    assert_eq!(status, 401);
    let span = spans.iter().find(|span| span.parent_id == OF_THE_CLIENT).unwrap();
    assert_eq!((span.service.as_str(), span.name.as_str()), ("mcp-fn", "POST /mcp"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_has_its_traces_kept_by_saying_so_and_a_clean_end_sends_what_is_left() {
    let receiver = Receiver::start().await;
    let mut app = deployed(&receiver, "0");
    let head = format!("POST /mcp\ntraceparent: 00-{TRACE}-{OF_THE_CLIENT}-01\n");

    let (status, _) = app.ask(&head, "{}");
    let ended = app.stop();

    assert_eq!(status, 401);
    assert!(ended.success());
    assert!(receiver.spans().is_empty());
    let refused = "http.server.request.duration{http.request.method=POST, \
                   http.response.status_code=401, http.route=/mcp, url.scheme=https}";
    assert_eq!(receiver.counts().get(refused), Some(&1.0), "{:?}", receiver.counts());
}

/// mcp-fn as it is deployed, of whose traces this part is kept.
fn deployed(receiver: &Receiver, kept: &str) -> Process {
    let settings = [
        ("PUBLIC_BASE_URL", "https://gw.example.com"),
        ("SESSION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("SESSION_TABLES_ENDPOINT", "https://sessions.table.core.windows.net"),
        ("RELAY_TABLES_ENDPOINT", "https://relay.table.core.windows.net"),
        ("BLOBS_ENDPOINT", "https://snippets.blob.core.windows.net"),
        ("AZURE_CLIENT_ID", "6f2b7a1c-3d53-4d5c-9a57-0b1f6f3e7a10"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint.as_str()),
        ("OTEL_TRACES_SAMPLER_ARG", kept),
    ];
    Process::start(env!("CARGO_BIN_EXE_deployed-mcp-fn"), &settings)
}

/// Sends what this process tells to `receiver`: the gateway, and on the local system all. The log is
/// that of deployed apps, as its filter decides which spans there are.
fn send_to(receiver: &Receiver) {
    let nothing = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    telemetry::log_through(nothing, &[("RUST_LOG", "info")], "off");
    let config = TelemetryConfig {
        sampling: Sampling::ALL,
        otlp: Some(Url::parse(&receiver.endpoint).unwrap()),
        application_insights: None,
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    telemetry::export(&config, &Destinations { service: "gateway", http, azure: None });
}

async fn start(receiver: &Receiver) -> System {
    let document_policy = DocumentPolicy::Off;
    let options = Options { document_policy, ..Options::default() };
    let of_both = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint.clone()),
        ("OTEL_TRACES_SAMPLER_ARG", "1".to_owned()),
    ];
    System::start_with(Told { of_both, ..Told::from(options) }).await
}

/// Calls a tool as a client that tells of its trace in the message too.
async fn read_in_a_span_of_its_own(system: &System, access_token: &str) -> Answer {
    let meta = json!({ "traceparent": format!("00-{TRACE}-{OF_THE_CALL}-01") });
    let arguments = json!({ "snippetname": "a" });
    let params = json!({ "name": "get_snippet", "arguments": arguments, "_meta": meta });
    system.mcp(access_token, "tools/call", params).await
}

/// How often everything was counted, but for what the host asks by itself and what nobody waits for.
fn metrics(receiver: &Receiver) -> String {
    let counts = receiver.counts().into_iter();
    let told = counts.filter(|(series, _)| {
        !series.contains("http.route=/,") && !series.contains("db.operation.name=drop_table")
    });
    let lines: Vec<String> = told.map(|(series, count)| format!("{series} {count}\n")).collect();
    lines.concat()
}

/// What stands in the file of that name, for what this runs on.
fn expected(name: &str) -> String {
    let on = if packages::wanted() { "packages" } else { "memory" };
    let path = format!("{}/tests/telemetry/{name}-{on}.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap_or_default()
}

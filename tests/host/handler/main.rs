//! A handler for the tests of the host: it does what the path of a request says.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "it is a test")]

use std::convert::Infallible;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::exit;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{any, get};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use shared::config::{Env, ProcessEnv};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    note("start");
    if let Some(code) = ProcessEnv.get("EXIT_AT_ONCE") {
        exit(code.parse().unwrap());
    }
    let delay = ProcessEnv.get("LISTEN_AFTER_MS").map(|text| text.parse().unwrap());
    tokio::time::sleep(Duration::from_millis(delay.unwrap_or_default())).await;
    let port: u16 = ProcessEnv.get("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap().parse().unwrap();
    let router = Router::new()
        .route("/", get(probe))
        .route("/cookies", get(cookies))
        .route("/redirect", get(redirect))
        .route("/environment", get(environment))
        .route("/first-byte-after/{ms}", get(first_byte_after))
        .route("/silent-after-first", get(silent_after_first))
        .route("/busy-for/{ms}", get(busy_for))
        .route("/never", any(never))
        .route("/half", get(half))
        .route("/die-once", any(die_once))
        .route("/exit/{code}", any(end))
        .route("/print", get(print))
        .route("/refuse", get(|| async { (StatusCode::BAD_GATEWAY, "mine") }))
        .route("/wait", get(wait))
        .fallback(echo);
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}

/// Adds a word to the file of notes, where there is one.
fn note(word: &str) {
    if let Some(path) = ProcessEnv.get("NOTES").map(PathBuf::from) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{word}").unwrap();
    }
}

/// Any status will do for the host.
async fn probe() -> StatusCode {
    note("probe");
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn echo(request: Request) -> axum::Json<Value> {
    let (parts, body) = request.into_parts();
    let mut headers = Map::<String, Value>::new();
    for name in parts.headers.keys() {
        let values = parts.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap_or("?")).collect();
        headers.insert(name.to_string(), values.join(" | ").into());
    }
    let body = body.collect().await.unwrap().to_bytes();
    axum::Json(json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "version": format!("{:?}", parts.version),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    }))
}

async fn cookies() -> impl IntoResponse {
    (AppendHeaders([(header::SET_COOKIE, "a=1; Path=/"), (header::SET_COOKIE, "b=2")]), "two")
}

async fn redirect() -> impl IntoResponse {
    let headers = [
        ("location", "https://elsewhere.example/"),
        ("keep-alive", "timeout=5"),
        ("alt-svc", "h3=\":443\""),
        ("proxy-authenticate", "Basic"),
        ("www-authenticate", "Bearer"),
        ("mcp-session-id", "kept"),
    ];
    (StatusCode::FOUND, headers, "gone")
}

async fn environment() -> axum::Json<Value> {
    let names = [
        "FUNCTIONS_CUSTOMHANDLER_PORT",
        "FUNCTIONS_CUSTOMHANDLER_WORKER_ID",
        "FUNCTIONS_HTTPWORKER_PORT",
        "FUNCTIONS_HTTPWORKER_ID",
        "FUNCTIONS_APP_ROOT_PATH",
        "SETTING_OF_THE_APP",
        "CARGO_MANIFEST_DIR",
    ];
    let known = names.map(|name| (name.to_owned(), ProcessEnv.get(name).into()));
    axum::Json(Value::Object(known.into_iter().collect()))
}

fn streamed(events: impl futures::Stream<Item = &'static str> + Send + 'static) -> Response {
    let bytes = events.map(|text| Ok::<_, Infallible>(Bytes::from_static(text.as_bytes())));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(bytes)).into_response()
}

async fn first_byte_after(Path(ms): Path<u64>) -> Response {
    let later = stream::once(async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        "first"
    });
    streamed(later)
}

async fn silent_after_first() -> Response {
    streamed(stream::iter(["first"]).chain(stream::pending()))
}

/// Says something every few milliseconds, so that it never looks idle.
async fn busy_for(Path(ms): Path<u64>) -> Response {
    streamed(stream::iter(0..ms / 20).then(|_| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        "busy\n"
    }))
}

async fn never() -> StatusCode {
    std::future::pending().await
}

/// Ends the process in the middle of an answer.
async fn half() -> Response {
    streamed(stream::iter(["first"]).chain(stream::once(async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        exit(3);
    })))
}

/// Ends the process before an answer, unless an earlier process did so already.
async fn die_once(headers: HeaderMap, body: Bytes) -> String {
    note("die-once");
    let path = ProcessEnv.get("DIED").unwrap();
    if fs::exists(&path).unwrap() {
        return format!("{} {}", headers.len(), String::from_utf8_lossy(&body));
    }
    fs::write(path, "").unwrap();
    exit(3)
}

async fn end(Path(code): Path<i32>, _whole: Bytes) -> StatusCode {
    note("end");
    exit(code)
}

async fn print() -> &'static str {
    println!("an ordinary line");
    eprintln!("a WARNing");
    eprintln!("a failure");
    "printed"
}

/// Notes that nobody waits for the answer any more.
async fn wait() -> StatusCode {
    struct Dropped;
    impl Drop for Dropped {
        fn drop(&mut self) {
            note("dropped");
        }
    }
    let _dropped = Dropped;
    note("waiting");
    std::future::pending().await
}

//! What the whole suite makes the system log at the level of trace and send to a collector, and the
//! secrets that it used: kept in files for the one test that looks for the one in the other (threat 46).

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use shared::seal::KeyRing;
use shared::telemetry::{self, Destinations, Sampling, TelemetryConfig};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing_subscriber::fmt::format::FmtSpan;
use url::form_urlencoded;

/// Names the directory of the files; without it nothing is kept.
pub(crate) const DIRECTORY: &str = "TRACE_THE_SUITE_INTO";
pub(crate) const LOG: &str = "log";
pub(crate) const SENT: &str = "otlp";
pub(crate) const SECRETS: &str = "secrets";

/// Parameters and members whose values are nobody else's business.
const SECRET_NAMES: [&str; 12] = [
    "access_token",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "id_token",
    "login_hint",
    "nonce",
    "refresh_token",
    "request",
    "state",
    "token",
];
/// Shorter values are made up by tests and stand in ordinary words.
const SHORTEST: usize = 24;

static FOUND: LazyLock<Option<Mutex<BufWriter<File>>>> = LazyLock::new(|| {
    let directory = directory()?;
    let file = OpenOptions::new().create(true).append(true).open(directory.join(SECRETS)).unwrap();
    Some(Mutex::new(BufWriter::new(file)))
});

#[expect(clippy::disallowed_methods, reason = "this is for a test and not for the product")]
fn directory() -> Option<std::path::PathBuf> {
    std::env::var(DIRECTORY).ok().map(Into::into)
}

/// Begins to write down every event and every span of this process, if that is wanted.
pub(crate) fn begin() {
    static BEGUN: LazyLock<()> = LazyLock::new(|| {
        if let Some(directory) = directory() {
            log_into(&directory);
            send_into(&directory);
        }
    });
    LazyLock::force(&BEGUN);
}

fn log_into(directory: &Path) {
    let file = Mutex::new(File::create(directory.join(LOG)).unwrap());
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_writer(file);
    // The cookies of the tests' own browsers are known to that library, which no app of ours has.
    let everything = "trace,cookie_store=off";
    telemetry::log_through(lines, &[("RUST_LOG", everything)], "off");
}

/// Sends spans and metrics to a collector of its own, which no test ends, and keeps what comes.
fn send_into(directory: &Path) {
    let file = Mutex::new(File::create(directory.join(SENT)).unwrap());
    let collector = async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = TelemetryConfig {
            sampling: Sampling::ALL,
            otlp: Some(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()),
            application_insights: None,
        };
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        telemetry::export(
            &config,
            &Destinations { service: "suite", http, azure: None, keys: &KeyRing::generate() },
        );
        let router = Router::new().fallback(keep).with_state(Arc::new(file));
        axum::serve(listener, router).await.unwrap();
    };
    std::thread::spawn(|| Runtime::new().unwrap().block_on(collector));
}

async fn keep(State(file): State<Arc<Mutex<File>>>, body: Bytes) {
    file.lock().unwrap().write_all(&body).unwrap();
}

/// Notes the secrets of a request.
pub(crate) fn sent(request: &Request) {
    let query = request.url().query().unwrap_or_default().as_bytes();
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    note_parameters(query);
    note_parameters(body);
    for value in request.headers().get_all(AUTHORIZATION) {
        note(value.to_str().unwrap_or_default().split(' ').next_back());
    }
}

/// Notes the secrets of an answer.
pub(crate) fn received(headers: &HeaderMap, body: &str) {
    for cookie in headers.get_all("set-cookie") {
        let pair = cookie.to_str().unwrap_or_default().split(';').next();
        note(pair.and_then(|pair| pair.split_once('=')).map(|(_, value)| value));
    }
    let location = headers.get("location").and_then(|value| value.to_str().ok());
    let query = location.and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
    note_parameters(query.as_bytes());
    if let Ok(serde_json::Value::Object(members)) = serde_json::from_str(body) {
        for name in SECRET_NAMES {
            note(members.get(name).and_then(serde_json::Value::as_str));
        }
    }
}

fn note_parameters(text: &[u8]) {
    for (name, value) in form_urlencoded::parse(text) {
        if SECRET_NAMES.contains(&name.as_ref()) {
            note(Some(&value));
        }
    }
}

fn note(value: Option<&str>) {
    let (Some(value), Some(file)) = (value, &*FOUND) else {
        return;
    };
    if value.len() >= SHORTEST && !value.contains('\n') {
        let mut file = file.lock().unwrap();
        writeln!(file, "{value}").unwrap();
        file.flush().unwrap();
    }
}

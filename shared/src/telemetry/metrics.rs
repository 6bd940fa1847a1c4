//! Every metric that the apps emit, by the names of the semantic conventions where there is one.
//!
//! Attributes have few values: words of ours, routes, tools of ours, status codes. `docs/observe.md`
//! lists them, and a test holds the list against [`METRICS`].

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider, UpDownCounter};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::calls::{HttpCall, StorageCall};

/// A metric as it is documented: its name, its unit, and the attributes that it may have.
pub type Documented = (&'static str, &'static str, &'static [&'static str]);

const AUDITED: Documented =
    ("oauth.events", "{event}", &["oauth.event", "oauth.kind", "oauth.limit", "oauth.reason"]);
const HTTP_CLIENT: Documented = (
    "http.client.request.duration",
    "s",
    &["error.type", "http.request.method", "http.response.status_code", "server.address"],
);
const HTTP_SERVER: Documented = (
    "http.server.request.duration",
    "s",
    &["error.type", "http.request.method", "http.response.status_code", "http.route", "url.scheme"],
);
const MCP_SERVER: Documented =
    ("mcp.server.operation.duration", "s", &["error.type", "gen_ai.tool.name", "mcp.method.name"]);
const RELAY: Documented = ("mcp.relay.duration", "s", &[]);
const SESSIONS: Documented =
    ("oauth.session.validations", "{validation}", &["error.type", "oauth.session.source"]);
const STORAGE: Documented = (
    "db.client.operation.duration",
    "s",
    &["db.namespace", "db.operation.name", "db.system.name", "error.type"],
);
const STREAMS: Documented = ("mcp.streams", "{stream}", &[]);

/// Every metric.
pub const METRICS: &[Documented] =
    &[AUDITED, HTTP_CLIENT, HTTP_SERVER, MCP_SERVER, RELAY, SESSIONS, STORAGE, STREAMS];

/// Bounds of the buckets of times, in seconds: those that the conventions give for HTTP, and finer
/// ones below, as what is remembered takes no millisecond.
const SECONDS: [f64; 17] = [
    0.000_25, 0.000_5, 0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
    7.5, 10.0,
];

/// The `error.type` of what nobody waited for any more.
pub const CANCELLED: &str = "cancelled";

/// Where a session was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionSource {
    /// It was read within the time that sessions are believed for.
    Cache,
    /// Its row was read.
    Storage,
    /// Nowhere: the token itself was not good.
    Token,
}

impl SessionSource {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Storage => "storage",
            Self::Token => "token",
        }
    }
}

/// Counts an event of the audit, with what it says in words of ours.
pub fn audited(event: &'static str, words: impl Iterator<Item = (&'static str, &'static str)>) {
    record(|instruments| {
        let event = KeyValue::new("oauth.event", event);
        let words = words.map(|(name, word)| KeyValue::new(name, word));
        let attributes: Vec<KeyValue> = std::iter::once(event).chain(words).collect();
        instruments.audited.add(1, &attributes);
    });
}

/// Notes a call of ours to somebody else.
pub(super) fn http_client(call: &HttpCall<'_>, status: Result<u16, &'static str>, took: Duration) {
    record(|instruments| {
        let mut attributes = vec![KeyValue::new("http.request.method", call.method)];
        if let Some(server) = call.server {
            attributes.push(KeyValue::new("server.address", server.to_owned()));
        }
        match status {
            Ok(status) => {
                attributes.push(KeyValue::new("http.response.status_code", i64::from(status)));
                if status >= 400 {
                    attributes.push(KeyValue::new("error.type", status.to_string()));
                }
            }
            Err(error) => attributes.push(KeyValue::new("error.type", error)),
        }
        instruments.http_client.record(took.as_secs_f64(), &attributes);
    });
}

/// Notes a request that was answered, or whose client went away.
pub(super) fn http_server(
    (scheme, method): (&'static str, &'static str),
    route: Option<&str>,
    status: Option<StatusCode>,
    took: Duration,
) {
    record(|instruments| {
        let mut attributes =
            vec![KeyValue::new("url.scheme", scheme), KeyValue::new("http.request.method", method)];
        if let Some(route) = route {
            attributes.push(KeyValue::new("http.route", route.to_owned()));
        }
        match status {
            None => attributes.push(KeyValue::new("error.type", CANCELLED)),
            Some(status) => {
                let code = i64::from(status.as_u16());
                attributes.push(KeyValue::new("http.response.status_code", code));
                if status.is_server_error() {
                    attributes.push(KeyValue::new("error.type", status.as_str().to_owned()));
                }
            }
        }
        instruments.http_server.record(took.as_secs_f64(), &attributes);
    });
}

/// Notes a request of MCP that was answered, with its tool where it is one of ours.
pub fn mcp_server(method: &'static str, tool: Option<&str>, error: Option<String>, took: Duration) {
    record(|instruments| {
        let mut attributes = vec![KeyValue::new("mcp.method.name", method)];
        if let Some(tool) = tool {
            attributes.push(KeyValue::new("gen_ai.tool.name", tool.to_owned()));
        }
        if let Some(error) = error {
            attributes.push(KeyValue::new("error.type", error));
        }
        instruments.mcp_server.record(took.as_secs_f64(), &attributes);
    });
}

/// Notes how long an answer lay between the instance that made it and the one that holds its stream.
pub fn relayed(took: Duration) {
    record(|instruments| instruments.relay.record(took.as_secs_f64(), &[]));
}

/// Notes where a session was found, or why it was not.
pub fn session_validated(source: SessionSource, error: Option<&'static str>) {
    record(|instruments| {
        let source = KeyValue::new("oauth.session.source", source.as_str());
        match error {
            None => instruments.sessions.add(1, &[source]),
            Some(error) => {
                instruments.sessions.add(1, &[source, KeyValue::new("error.type", error)]);
            }
        }
    });
}

/// Notes a call of storage.
pub(super) fn storage(call: &StorageCall<'_>, error: Option<&'static str>, took: Duration) {
    record(|instruments| {
        let mut attributes = vec![
            KeyValue::new("db.system.name", call.system),
            KeyValue::new("db.namespace", call.namespace),
            KeyValue::new("db.operation.name", call.operation),
        ];
        attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
        instruments.storage.record(took.as_secs_f64(), &attributes);
    });
}

/// An open stream of HTTP+SSE, for as long as this lives.
#[derive(Debug)]
pub struct OpenStream(());

impl OpenStream {
    /// One more stream.
    #[expect(clippy::new_without_default, reason = "a stream is opened and not made up")]
    pub fn new() -> Self {
        record(|instruments| instruments.streams.add(1, &[]));
        Self(())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        record(|instruments| instruments.streams.add(-1, &[]));
    }
}

/// What counts in this process, once it is sent anywhere.
static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();

struct Instruments {
    audited: Counter<u64>,
    http_client: Histogram<f64>,
    http_server: Histogram<f64>,
    mcp_server: Histogram<f64>,
    relay: Histogram<f64>,
    sessions: Counter<u64>,
    storage: Histogram<f64>,
    streams: UpDownCounter<i64>,
}

/// Counts from now on, for `provider`.
pub(super) fn begin(provider: &SdkMeterProvider) {
    INSTRUMENTS.get_or_init(|| Instruments::of(&provider.meter(env!("CARGO_PKG_NAME"))));
}

fn record(note: impl FnOnce(&Instruments)) {
    if let Some(instruments) = INSTRUMENTS.get() {
        note(instruments);
    }
}

impl Instruments {
    fn of(meter: &Meter) -> Self {
        let counter = |(name, unit, _): Documented| meter.u64_counter(name).with_unit(unit).build();
        let times = |(name, unit, _): Documented| {
            let builder = meter.f64_histogram(name).with_unit(unit);
            builder.with_boundaries(SECONDS.to_vec()).build()
        };
        let (streams, stream, _) = STREAMS;
        Self {
            audited: counter(AUDITED),
            http_client: times(HTTP_CLIENT),
            http_server: times(HTTP_SERVER),
            mcp_server: times(MCP_SERVER),
            relay: times(RELAY),
            sessions: counter(SESSIONS),
            storage: times(STORAGE),
            streams: meter.i64_up_down_counter(streams).with_unit(stream).build(),
        }
    }
}

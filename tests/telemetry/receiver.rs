//! A receiver of OTLP over HTTP: what a collector would be sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use tokio::net::TcpListener;

/// How long something may be under way on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver, for as long as its runtime lives.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    received: Arc<Mutex<Received>>,
    pub(crate) endpoint: String,
}

#[derive(Debug, Default)]
struct Received {
    spans: Vec<Span>,
    series: BTreeMap<Series, f64>,
    bytes: Vec<u8>,
}

/// A metric with its attributes, of one process: `name{key=value, …}`.
type Series = (String, String);

/// A span as it came.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    pub(crate) parent_id: String,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) failed: bool,
    pub(crate) began: u64,
    pub(crate) attributes: Attributes,
    /// The ids of the spans that it has links to.
    pub(crate) links: Vec<String>,
    /// The values of its events, of which it should have none.
    pub(crate) events: usize,
}

pub(crate) type Attributes = BTreeMap<String, String>;

impl Receiver {
    /// A receiver on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Received>>::default();
        let router = Router::new()
            .route("/v1/traces", post(take_spans))
            .route("/v1/metrics", post(take_metrics))
            .with_state(Arc::clone(&received));
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { received, endpoint }
    }

    /// The spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.received.lock().unwrap().spans.clone()
    }

    /// How often each metric was counted so far, over all processes.
    pub(crate) fn counts(&self) -> BTreeMap<String, f64> {
        let mut counts = BTreeMap::new();
        for ((_, series), count) in &self.received.lock().unwrap().series {
            *counts.entry(series.clone()).or_default() += count;
        }
        counts
    }

    /// Every byte that came.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.received.lock().unwrap().bytes.clone()
    }

    /// Waits until `enough` is so.
    pub(crate) async fn wait_until(&self, enough: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !enough(self) && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn take_spans(State(received): State<Arc<Mutex<Received>>>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
    let mut received = received.lock().unwrap();
    received.bytes.extend_from_slice(&body);
    for resource in request.resource_spans {
        let service = service(&resource.resource.unwrap().attributes);
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            received.spans.push(Span {
                service: service.clone(),
                trace_id: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent_id: hex(&span.parent_span_id),
                kind: span.kind(),
                failed: span.status.is_some_and(|status| status.code == 2),
                name: span.name,
                began: span.start_time_unix_nano,
                attributes: attributes(&span.attributes),
                links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
                events: span.events.len(),
            });
        }
    }
}

async fn take_metrics(State(received): State<Arc<Mutex<Received>>>, body: Bytes) {
    let request = ExportMetricsServiceRequest::decode(body.clone()).unwrap();
    let mut received = received.lock().unwrap();
    received.bytes.extend_from_slice(&body);
    for resource in request.resource_metrics {
        let instance = attributes(&resource.resource.unwrap().attributes);
        let instance = instance["service.instance.id"].clone();
        for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            let points: Vec<(Attributes, f64)> = match metric.data.unwrap() {
                metric::Data::Sum(sum) => sum
                    .data_points
                    .iter()
                    .map(|point| (attributes(&point.attributes), number(point.value.unwrap())))
                    .collect(),
                metric::Data::Histogram(histogram) => histogram
                    .data_points
                    .iter()
                    .map(|point| {
                        let count = u32::try_from(point.count).unwrap();
                        (attributes(&point.attributes), f64::from(count))
                    })
                    .collect(),
                other => panic!("{} is no sum and no histogram: {other:?}", metric.name),
            };
            for (attributes, count) in points {
                let pairs: Vec<String> =
                    attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let series = format!("{}{{{}}}", metric.name, pairs.join(", "));
                received.series.insert((instance.clone(), series), count);
            }
        }
    }
}

fn number(value: number_data_point::Value) -> f64 {
    match value {
        number_data_point::Value::AsDouble(value) => value,
        number_data_point::Value::AsInt(value) => f64::from(i32::try_from(value).unwrap()),
    }
}

fn service(resource: &[KeyValue]) -> String {
    attributes(resource)["service.name"].clone()
}

fn attributes(pairs: &[KeyValue]) -> Attributes {
    pairs.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

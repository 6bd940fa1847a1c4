//! Sends spans and metrics on, in batches, while requests go on.
//!
//! The Functions host ends a process without warning, so a span waits for two seconds at the most.
//! Spans that ended before [`export`] go nowhere: whatever sends them is built when the port is bound.

use std::sync::OnceLock;
use std::time::Duration;

use data_encoding::HEXLOWER;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_application_insights::Exporter;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, SamplingResult,
    SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor,
};
use secrecy::ExposeSecret;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::config::TelemetryConfig;
use super::metrics;
use super::upload::Upload;
use crate::azure::Azure;
use crate::secret::random_bytes;

/// How long a span waits until it is sent. It takes a moment to arrive.
const SPANS_WAIT: Duration = Duration::from_millis(1500);

/// How often metrics are sent, if there are any. What is sent are sums, so that more often would
/// cost more and say the same; a process that is killed loses what it counted since the last time.
const METRICS_WAIT: Duration = Duration::from_secs(10);

/// How long a process that ends waits for the last of them to be taken.
const FAREWELL: Duration = Duration::from_secs(2);

/// What sends telemetry on in this process, once it does.
static EXPORT: OnceLock<Export> = OnceLock::new();

#[derive(Debug)]
struct Export {
    sampler: Sampler,
    spans: Vec<BatchSpanProcessor>,
    metrics: SdkMeterProvider,
}

/// Through what telemetry leaves this process.
#[derive(Debug)]
pub struct Destinations<'a> {
    /// What the process is called, `service.name` in OpenTelemetry.
    pub service: &'static str,
    /// The client that sends.
    pub http: reqwest::Client,
    /// Who we are to Application Insights.
    pub azure: Option<&'a Azure>,
}

/// Sends spans and metrics to where `config` says, from now on and until the process ends. Must be
/// called within a tokio runtime; what is called again changes nothing.
pub fn export(config: &TelemetryConfig, destinations: &Destinations<'_>) {
    if config.otlp.is_none() && config.application_insights.is_none() {
        return;
    }
    let resource = Resource::builder()
        .with_service_name(destinations.service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", HEXLOWER.encode(&random_bytes::<8>())))
        .build();
    let mut spans = Vec::new();
    let mut meters = SdkMeterProvider::builder().with_resource(resource.clone());
    if let Some((span_exporter, metric_exporter)) = otlp(config, destinations) {
        spans.push(batches(span_exporter, &resource));
        meters = meters.with_reader(every_ten_seconds(metric_exporter));
    }
    if let Some((span_exporter, metric_exporter)) = application_insights(config, destinations) {
        spans.push(batches(span_exporter, &resource));
        meters = meters.with_reader(every_ten_seconds(metric_exporter));
    }
    let sampler = Sampler::TraceIdRatioBased(config.sampling.ratio());
    let export = Export { sampler, spans, metrics: meters.build() };
    let export = EXPORT.get_or_init(|| export);
    metrics::begin(&export.metrics);
}

/// Sends what is left, for at most a few seconds: for the end of a process.
pub async fn end() {
    let sent = spawn_blocking(|| {
        let Some(Export { spans, metrics, .. }) = EXPORT.get() else { return };
        let sent = spans.iter().map(|spans| spans.shutdown_with_timeout(FAREWELL));
        let sent = sent.chain([metrics.shutdown_with_timeout(FAREWELL)]);
        for error in sent.filter_map(Result::err) {
            tracing::warn!(%error, "the last telemetry was not sent");
        }
    });
    if timeout(FAREWELL * 2, sent).await.is_err() {
        tracing::warn!("the last telemetry was not sent in time");
    }
}

/// What makes spans. Until [`export`] they are known to the log alone.
pub(super) fn tracer_provider() -> SdkTracerProvider {
    SdkTracerProvider::builder().with_sampler(AsExported).with_span_processor(AsExported).build()
}

fn otlp(
    config: &TelemetryConfig,
    destinations: &Destinations<'_>,
) -> Option<(SpanExporter, MetricExporter)> {
    let endpoint = config.otlp.as_ref()?.as_str().trim_end_matches('/');
    let upload = Upload::to_anybody("OTLP", destinations.http.clone());
    let spans = SpanExporter::builder()
        .with_http()
        .with_http_client(upload.clone())
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build();
    let metrics = MetricExporter::builder()
        .with_http()
        .with_http_client(upload)
        .with_endpoint(format!("{endpoint}/v1/metrics"))
        .build();
    usable(spans.and_then(|spans| Ok((spans, metrics?))))
}

type ApplicationInsights = Exporter<Upload>;

fn application_insights(
    config: &TelemetryConfig,
    destinations: &Destinations<'_>,
) -> Option<(ApplicationInsights, ApplicationInsights)> {
    let connection = config.application_insights.as_ref()?.expose_secret();
    let http = destinations.http.clone();
    let upload = match destinations.azure {
        Some(azure) => Upload::to_azure_monitor(azure.clone(), http),
        None => Upload::to_anybody("Application Insights", http),
    };
    let exporter = || Exporter::new_from_connection_string(connection, upload.clone());
    let spans = exporter().map(|spans| spans.with_sample_rate(config.sampling.ratio()));
    usable(spans.and_then(|spans| Ok((spans, exporter()?))))
}

/// Telemetry that cannot be sent is no reason to serve nobody.
fn usable<T, E: std::fmt::Display>(exporter: Result<T, E>) -> Option<T> {
    exporter.inspect_err(|error| tracing::error!(%error, "telemetry cannot be exported")).ok()
}

fn batches<E>(exporter: E, resource: &Resource) -> BatchSpanProcessor
where
    E: opentelemetry_sdk::trace::SpanExporter + 'static,
{
    let config = BatchConfigBuilder::default().with_scheduled_delay(SPANS_WAIT).build();
    let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    processor.set_resource(resource);
    processor
}

fn every_ten_seconds<E>(exporter: E) -> PeriodicReader<E>
where
    E: opentelemetry_sdk::metrics::exporter::PushMetricExporter,
{
    PeriodicReader::builder(exporter).with_interval(METRICS_WAIT).build()
}

/// Samples and sends as [`EXPORT`] does, once there is one.
#[derive(Clone, Debug)]
struct AsExported;

impl ShouldSample for AsExported {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        match EXPORT.get() {
            Some(Export { sampler, .. }) => {
                sampler.should_sample(parent, trace_id, name, kind, attributes, links)
            }
            None => SamplingResult {
                decision: SamplingDecision::Drop,
                attributes: Vec::new(),
                trace_state: parent
                    .map(|parent| parent.span().span_context().trace_state().clone())
                    .unwrap_or_default(),
            },
        }
    }
}

impl SpanProcessor for AsExported {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if let Some((last, others)) = EXPORT.get().and_then(|export| export.spans.split_last()) {
            for other in others {
                other.on_end(span.clone());
            }
            last.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

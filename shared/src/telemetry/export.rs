//! Sends spans and metrics on, in batches, while requests go on.
//!
//! The Functions host ends a process without warning, so a span waits for two seconds at the most.
//! Spans that ended before [`export`] go nowhere: whatever sends them is built when the port is bound.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use data_encoding::HEXLOWER;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_application_insights::Exporter;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SamplingDecision, SamplingResult, SdkTracerProvider,
    ShouldSample, Span, SpanData, SpanProcessor,
};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::config::{Sampling, TelemetryConfig};
use super::metrics;
use super::upload::Upload;
use crate::azure::Azure;
use crate::seal::{KeyRing, Purpose, Sealer};
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
    sampler: KeyedSampler,
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
    /// What decides which traces are kept, and is the same in all apps: nobody can tell beforehand.
    pub keys: &'a KeyRing,
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
    let sampler = KeyedSampler::new(config.sampling, destinations.keys);
    let export = Export { sampler, spans, metrics: meters.build() };
    let export = EXPORT.get_or_init(|| export);
    metrics::begin(&export.metrics);
}

/// Sends what is left, for at most two seconds: for the end of a process.
pub async fn end() {
    let Some(Export { spans, metrics, .. }) = EXPORT.get() else { return };
    let (done, mut each) = mpsc::channel(spans.len() + 1);
    // Threads that nobody waits for: those of the runtime would hold the process up.
    for spans in spans {
        let done = done.clone();
        thread::spawn(move || done.blocking_send(spans.shutdown_with_timeout(FAREWELL).is_ok()));
    }
    thread::spawn(move || done.blocking_send(metrics.shutdown_with_timeout(FAREWELL).is_ok()));
    let sent = async {
        let mut all = true;
        while let Some(sent) = each.recv().await {
            all &= sent;
        }
        all
    };
    if timeout(FAREWELL, sent).await != Ok(true) {
        tracing::warn!("the last telemetry was not taken");
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
    let upload = |what| Upload::to_anybody(what, destinations.http.clone());
    let spans = SpanExporter::builder()
        .with_http()
        .with_http_client(upload("traces over OTLP"))
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build();
    let metrics = MetricExporter::builder()
        .with_http()
        .with_http_client(upload("metrics over OTLP"))
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

/// Keeps a part of all traces, by a digest of their ids that nobody else can make.
#[derive(Debug)]
struct KeyedSampler {
    kept: Sampling,
    digests: Sealer,
}

impl KeyedSampler {
    fn new(kept: Sampling, keys: &KeyRing) -> Self {
        Self { kept, digests: keys.sealer(Purpose::TraceSampling) }
    }

    fn keeps(&self, parent: Option<&Context>, trace_id: TraceId) -> bool {
        let parent = parent.map(|parent| parent.span().span_context().clone());
        // What this process has decided of a trace holds for all of its spans.
        if let Some(ours) = parent.filter(|parent| parent.is_valid() && !parent.is_remote()) {
            return ours.is_sampled();
        }
        if self.kept == Sampling::ALL {
            return true;
        }
        let digest = self.digests.sign(&trace_id.to_bytes());
        let digest = digest.last_chunk().map_or(u32::MAX, |last| u32::from_be_bytes(*last));
        f64::from(digest) < self.kept.ratio() * f64::from(u32::MAX)
    }
}

/// Samples and sends as [`EXPORT`] does, once there is one.
#[derive(Clone, Debug)]
struct AsExported;

impl ShouldSample for AsExported {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let kept = EXPORT.get().is_some_and(|export| export.sampler.keeps(parent, trace_id));
        SamplingResult {
            decision: if kept { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
            attributes: Vec::new(),
            trace_state: TraceState::NONE,
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

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    fn ids(prefix: u64) -> impl Iterator<Item = TraceId> {
        (1..2000_u64).map(move |low| TraceId::from((u128::from(prefix) << 64) | u128::from(low)))
    }

    #[test]
    fn who_chooses_ids_has_no_more_traces_kept_than_others() {
        let keys = KeyRing::generate();
        let sampler = KeyedSampler::new(Sampling::try_from("0.1").unwrap(), &keys);

        // The least ids are those that a sampler without a key keeps all of.
        let kept = ids(7).filter(|id| sampler.keeps(None, *id)).count();

        assert!((120..280).contains(&kept), "{kept} of 1999");
    }

    #[test]
    fn apps_with_the_same_keys_keep_the_same_traces() {
        let keys = KeyRing::generate();
        let sampler = |keys| KeyedSampler::new(Sampling::try_from("0.5").unwrap(), keys);

        let (one, same, other) = (sampler(&keys), sampler(&keys), sampler(&KeyRing::generate()));

        assert!(ids(1).all(|id| one.keeps(None, id) == same.keeps(None, id)));
        assert!(ids(1).any(|id| one.keeps(None, id) != other.keeps(None, id)));
    }

    #[test]
    fn the_flag_of_a_caller_decides_nothing_and_that_of_our_own_span_everything() {
        let keys = KeyRing::generate();
        let sampler = KeyedSampler::new(Sampling::try_from("0").unwrap(), &keys);
        let parent = |is_remote| {
            let (trace, span) = (TraceId::from(7), SpanId::from(7));
            let state = TraceState::NONE;
            let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, is_remote, state);
            Context::new().with_remote_span_context(context)
        };

        assert!(!sampler.keeps(Some(&parent(true)), TraceId::from(7)));
        assert!(sampler.keeps(Some(&parent(false)), TraceId::from(7)));
    }
}

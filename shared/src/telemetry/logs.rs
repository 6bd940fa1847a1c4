//! Logs: one line of JSON an event, with the span that it happened in.

use std::fmt;
use std::io::Write;
use std::sync::OnceLock;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use serde_json::{Map, Value};
use tracing::dispatcher::WeakDispatch;
use tracing::field::{Field, Visit};
use tracing::span::{Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// The field of a span that every event within has too: the name of the request.
const CORRELATION_ID: &str = "correlation_id";

/// Writes every event as one line of JSON.
///
/// A line has `timestamp`, `level`, `target`, the fields of the event (its text is `message`), and
/// where there is one the `correlation_id` of the request, and `trace_id` and `span_id` of the span.
#[derive(Debug)]
pub(super) struct JsonLines<W> {
    output: W,
    /// Everybody who listens, among whom is who knows the trace.
    listeners: OnceLock<WeakDispatch>,
}

impl<W: Fn() -> O, O: Write> JsonLines<W> {
    /// Lines to what `output` gives.
    pub(super) fn to(output: W) -> Self {
        Self { output, listeners: OnceLock::new() }
    }

    /// The span of the trace that a present event belongs to.
    fn place<S>(&self, context: &Context<'_, S>) -> Option<SpanContext>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let listeners = self.listeners.get()?.upgrade()?;
        // Not through `context`, which shows only spans that are logged.
        let spans = listeners.downcast_ref::<Registry>()?;
        let innermost = spans.span(context.current_span().id()?)?;
        let mut places =
            innermost.scope().filter_map(|span| get_otel_context(&span.id(), &listeners));
        Some(places.next()?.span().span_context().clone())
    }
}

impl<S, W, O> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_register_dispatch(&self, listeners: &Dispatch) {
        // There is one for the whole process, which is registered once.
        let _first = self.listeners.set(listeners.downgrade());
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let (Some(value), Some(span)) = (fields.0.remove(CORRELATION_ID), context.span(id)) {
            span.extensions_mut().replace(CorrelationId(value));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        let mut timestamp = String::new();
        if SystemTime.format_time(&mut Writer::new(&mut timestamp)).is_ok() {
            line.put("timestamp", timestamp);
        }
        line.put("level", event.metadata().level().as_str());
        line.put("target", event.metadata().target());
        event.record(&mut line);
        let mut spans = context.event_scope(event).into_iter().flatten();
        let request = spans.find_map(|span| span.extensions().get::<CorrelationId>().cloned());
        if let Some(CorrelationId(value)) = request {
            line.0.insert(CORRELATION_ID.to_owned(), value);
        }
        if let Some(span) = self.place(&context) {
            line.put("trace_id", span.trace_id().to_string());
            line.put("span_id", span.span_id().to_string());
        }
        let mut text = Value::Object(line.0).to_string();
        text.push('\n');
        // Whoever read the lines has gone away; there is nobody to tell.
        let _gone = (self.output)().write_all(text.as_bytes());
    }
}

#[derive(Clone)]
struct CorrelationId(Value);

/// Fields by their names.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}

/// Whether an event may be logged at all.
///
/// Libraries that handle the texts of users keep to warnings, whatever `RUST_LOG` says: below, that
/// of MCP logs whole messages, and that of Azure the names of what it keeps.
pub(super) fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let talkative = ["azure", "rmcp", "typespec"];
    let library = talkative.iter().any(|name| metadata.target().starts_with(name));
    !library || *metadata.level() <= Level::WARN
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::field::Empty;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written_by(work: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let subscriber =
            tracing_subscriber::registry().with(JsonLines::to(move || writer.clone())).with(
                tracing_opentelemetry::layer().with_tracer(tracer).with_context_activation(false),
            );
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_event_is_one_line_with_its_fields_whatever_they_hold() {
        let lines = written_by(|| {
            let error = std::fmt::Error;
            tracing::warn!(target: "audit", audit = "signed_in", count = 3, %error, "two\nlines");
        });

        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["level"], "WARN");
        assert_eq!(lines[0]["target"], "audit");
        assert_eq!(lines[0]["audit"], "signed_in");
        assert_eq!(lines[0]["count"], 3);
        assert_eq!(lines[0]["message"], "two\nlines");
        assert!(lines[0]["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(lines[0]["trace_id"].is_null());
    }

    #[test]
    fn what_happens_in_a_request_has_its_name_and_its_place_in_the_trace() {
        let lines = written_by(|| {
            let request = tracing::info_span!("request", correlation_id = Empty).entered();
            request.record("correlation_id", "4711");
            tracing::info_span!("within").in_scope(|| tracing::info!("inner"));
            tracing::info!("outer");
            drop(request);
            tracing::info!("after");
        });

        for line in &lines[..2] {
            assert_eq!(line["correlation_id"], "4711");
            assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
            assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
        }
        assert_eq!(lines[0]["trace_id"], lines[1]["trace_id"]);
        assert_ne!(lines[0]["span_id"], lines[1]["span_id"]);
        assert!(lines[2]["correlation_id"].is_null() && lines[2]["trace_id"].is_null());
    }
}

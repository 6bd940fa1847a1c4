//! Joins our spans to the traces of others, by W3C Trace Context.

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::trace_context::TraceParent;

/// Makes `span` a part of the span that the caller named. Only before the span is entered.
pub fn set_parent(span: &Span, parent: &TraceParent) {
    let context = opentelemetry::Context::new().with_remote_span_context(of(parent));
    // Where nobody notes spans, there is no layer to tell.
    let _noted = span.set_parent(context);
}

/// Notes that `span` came about through `other`, though it is a part of another trace.
pub fn link(span: &Span, other: &Span) {
    span.add_link(other.context().span().span_context().clone());
}

/// Tells the receiver of `headers` that what it does is a part of `span`, and nothing of what the
/// caller said before.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    headers.remove("traceparent");
    headers.remove("tracestate");
    let context = span.context();
    let span = context.span();
    let found = span.span_context();
    if !found.is_valid() {
        return;
    }
    let flags = found.trace_flags() & TraceFlags::SAMPLED;
    let parent = format!("00-{}-{}-{:02x}", found.trace_id(), found.span_id(), flags);
    if let Ok(parent) = HeaderValue::try_from(parent) {
        headers.insert("traceparent", parent);
    }
}

fn of(ids: &TraceParent) -> SpanContext {
    let trace_id = TraceId::from_hex(ids.trace_id()).unwrap_or(TraceId::INVALID);
    let span_id = SpanId::from_hex(ids.parent_id()).unwrap_or(SpanId::INVALID);
    let flags = if ids.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE)
}

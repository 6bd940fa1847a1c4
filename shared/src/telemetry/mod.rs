//! The door to telemetry: what is logged, and where spans and metrics go.
//!
//! Code elsewhere uses `tracing`, and [`request`], [`calls`], [`metrics`] and [`spans`]. A span is
//! exported if it has the field `otel.kind`; its attributes are words of ours and figures, never a
//! text from outside. Logs go to standard output, which the Functions host sends on.

pub mod calls;
mod config;
mod export;
mod logs;
pub mod metrics;
pub mod request;
pub mod spans;
mod upload;

use std::error::Error;
use std::fmt;
use std::io::stdout;

use opentelemetry::trace::TracerProvider;
use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt, LevelFilter, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

pub use config::{InvalidSampling, Sampling, TelemetryConfig};
pub use export::{Destinations, end, export};
pub use logs::is_discreet;

use crate::config::Env;
use logs::JsonLines;

/// Begins to write one line of JSON an event to standard output, and to note spans.
///
/// Standard error stays free for panics: the Functions host files every line of it as an error.
pub fn log_json_lines(env: &dyn Env) {
    log_through(JsonLines::to(stdout), env, "info");
}

/// Sends events through `layer`: the `usual` ones, or what `RUST_LOG` says in the same form. Spans
/// are noted whatever it says, and go where [`export`] sends them.
pub fn log_through<L>(layer: L, env: &dyn Env, usual: &str)
where
    L: Layer<Registry> + Send + Sync,
{
    let (wanted, unreadable) = wanted(env.get("RUST_LOG"), usual);
    let discreet = filter_fn(is_discreet).with_max_level_hint(LevelFilter::TRACE);
    let tracer = export::tracer_provider().tracer(env!("CARGO_PKG_NAME"));
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_level(false)
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        // Spans that are not exported lie between those that are: the parent is found by them all.
        .with_context_activation(false)
        .with_filter(filter_fn(is_exported).with_max_level_hint(LevelFilter::INFO));
    tracing_subscriber::registry().with(layer.with_filter(wanted.and(discreet))).with(spans).init();
    if let Some(error) = unreadable {
        tracing::warn!(%error, "RUST_LOG cannot be read: the usual is logged");
    }
}

/// What `setting` wants to be logged, or `usual`; and the audit, unless it speaks of that itself.
fn wanted(setting: Option<String>, usual: &str) -> (EnvFilter, Option<ParseError>) {
    let Some(text) = setting else { return (EnvFilter::new(usual), None) };
    let with_audit =
        if text.contains("audit") || text == "off" { text } else { format!("audit=info,{text}") };
    match EnvFilter::try_new(with_audit) {
        Ok(wanted) => (wanted, None),
        Err(error) => (EnvFilter::new(usual), Some(error)),
    }
}

/// Whether something is a span that we made to be exported. Events are for the log alone: they hold
/// more than an attribute may.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.fields().field("otel.kind").is_some()
}

/// An error together with its sources, for the one line of log that reports it.
#[derive(Debug)]
pub struct ErrorChain<'a>(pub &'a dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(formatter, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StoreError;

    #[test]
    fn the_causes_follow_what_they_caused() {
        let error = StoreError::new(std::io::Error::other("connection refused"));

        assert_eq!(ErrorChain(&error).to_string(), "storage failed: connection refused");
    }
}

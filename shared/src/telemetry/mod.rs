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
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

pub use config::{InvalidSampling, Sampling, TelemetryConfig};
pub use export::{Destinations, end, export};

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
    let wanted = EnvFilter::new(env.get("RUST_LOG").unwrap_or_else(|| usual.to_owned()));
    let discreet = filter_fn(logs::is_discreet);
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
        .with_filter(filter_fn(is_exported));
    tracing_subscriber::registry().with(layer.with_filter(wanted.and(discreet))).with(spans).init();
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

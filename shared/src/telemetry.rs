//! The door to logs: what is logged, and how the deployed apps write it.

use std::error::Error;
use std::fmt;

use tracing::{Level, Metadata};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::Env;

/// Writes one line of JSON an event to standard output.
///
/// Standard error stays free for panics: the Functions host files every line of it as an error.
pub fn log_json_lines(env: &dyn Env) {
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stdout);
    log_through(lines, env, "info");
}

/// Sends events through `layer`: the `usual` ones, or what `RUST_LOG` says in the same form.
///
/// Whatever it says, libraries that handle the texts of users keep to warnings: below, that of MCP
/// logs whole messages, and that of Azure the names of what it keeps.
pub fn log_through<L>(layer: L, env: &dyn Env, usual: &str)
where
    L: Layer<tracing_subscriber::layer::Layered<EnvFilter, tracing_subscriber::Registry>>
        + Send
        + Sync,
{
    let wanted = EnvFilter::new(env.get("RUST_LOG").unwrap_or_else(|| usual.to_owned()));
    let discreet = tracing_subscriber::filter::filter_fn(is_discreet);
    tracing_subscriber::registry().with(wanted).with(layer.with_filter(discreet)).init();
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let talkative = ["azure", "rmcp", "typespec"];
    let library = talkative.iter().any(|name| metadata.target().starts_with(name));
    !library || *metadata.level() <= Level::WARN
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

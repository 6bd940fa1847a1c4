//! The door to logs: what is logged, and how the deployed apps write it.

use tracing::{Level, Metadata};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::Env;

/// Writes one line of JSON an event to standard output.
///
/// Standard error stays free for panics: the Functions host files every line of it as an error.
pub fn log_json_lines(env: &dyn Env) {
    let lines = fmt::layer().json().flatten_event(true).with_writer(std::io::stdout);
    log_through(lines, env, "info");
}

/// Sends events through `layer`: the `usual` ones, or what `RUST_LOG` says in the same form.
///
/// Whatever it says, the MCP library keeps to warnings: below, it logs whole messages, and the
/// texts of users are in them.
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
    !metadata.target().starts_with("rmcp") || *metadata.level() <= Level::WARN
}

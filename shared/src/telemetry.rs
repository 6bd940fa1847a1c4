//! The door to logs: how the deployed apps write them.

use tracing_subscriber::EnvFilter;

use crate::config::Env;

/// Writes one line of JSON an event to standard output, from level `info` or what `RUST_LOG` says.
///
/// Standard error stays free for panics: the Functions host files every line of it as an error.
pub fn log_json_lines(env: &dyn Env) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter(env))
        .with_writer(std::io::stdout)
        .init();
}

/// What is logged: `info` and above, or what `RUST_LOG` says.
pub fn filter(env: &dyn Env) -> EnvFilter {
    EnvFilter::new(env.get("RUST_LOG").unwrap_or_else(|| "info".to_owned()))
}

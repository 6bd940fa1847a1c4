//! What holds for any text at all: every parser that strangers reach, on inputs made up by the
//! machine. `PROPTEST_CASES=10000 cargo test --test properties` tries longer.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../fuzz/apps.rs"]
mod apps;
mod client_id_url;
mod cookies;
mod http;
mod parameters;
mod pkce;
mod prompt;
mod redirect_uri;
mod registration;
mod snippet_name;
mod snippet_uri;
mod storage_key;
mod token;
mod trace_context;

use proptest::prelude::ProptestConfig;

/// 256 cases, or what `PROPTEST_CASES` says. A failure shows its smallest input; make it a test of
/// its own.
fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

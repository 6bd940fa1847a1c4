//! With everything logged that there is, no line holds a secret, and no span or metric (threat 46).
//!
//! What is logged belongs to a process, so this is a process of its own. The client is in it too:
//! it runs on a thread that logs nothing, and the system on others.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod captured;
#[path = "../e2e/client.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod client;
mod flow;
#[path = "../e2e/packages.rs"]
mod packages;
#[path = "../telemetry/receiver.rs"]
#[expect(dead_code, reason = "the tests of telemetry need more of it")]
mod receiver;
#[path = "../e2e/running.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod running;
mod secrets;
#[path = "../e2e/system.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod system;
#[path = "../e2e/traced.rs"]
mod traced;

use std::path::Path;
use std::thread;

use local::Data;
use shared::seal::KeyRing;
use shared::telemetry::{self, Destinations, Sampling, TelemetryConfig};
use tokio::runtime::{Builder, Runtime};
use tracing::subscriber::{NoSubscriber, with_default};

use captured::Captured;
use receiver::Receiver;
use secrets::Secrets;
use system::System;

/// What a signed token of Entra ID begins with, and the part of its refresh tokens that says
/// whose they are: `{"` in base64url.
const JSON_IN_BASE64: &str = "eyJ";

#[test]
fn no_line_of_the_log_holds_a_secret_even_at_the_level_of_trace() {
    let captured = Captured::everything();
    let directory = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let receiver = runtime.block_on(collected());
    let data = Data::Directory(directory.path().to_owned());
    let system = runtime.block_on(System::start_on(data));

    let secrets = unheard(&system, directory.path());
    runtime.block_on(system.stack.stop());
    runtime.block_on(telemetry::end());
    captured.add(&receiver.bytes());

    assert_eq!(captured.leaks(&secrets.0), Vec::<String>::new());
    let text = captured.text();
    assert!(!text.contains(JSON_IN_BASE64), "a token of Entra ID was logged");
    assert!(secrets.0.len() > 100, "only {} secrets were used", secrets.0.len());
    everything_was_heard(&text);
    every_planted_secret_is_found(&captured, &secrets);
}

/// A collector that is sent every span and metric of this process from now on.
async fn collected() -> Receiver {
    let receiver = Receiver::start().await;
    let config = TelemetryConfig {
        sampling: Sampling::ALL,
        otlp: Some(receiver.endpoint.parse().unwrap()),
        application_insights: None,
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    telemetry::export(
        &config,
        &Destinations { service: "redaction", http, azure: None, keys: &KeyRing::generate() },
    );
    receiver
}

/// Runs the client on a thread that logs nothing: what it sends is its own affair.
fn unheard(system: &System, directory: &Path) -> Secrets {
    let run = || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        with_default(NoSubscriber::default(), || runtime.block_on(flow::run(system, directory)))
    };
    thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// Both apps spoke, in both forms, of what was done and of what went wrong.
fn everything_was_heard(text: &str) {
    for line in [
        r#""audit":"client_registered""#,
        r#""audit":"signed_in""#,
        r#""audit":"session_revoked""#,
        r#""audit":"code_refused""#,
        r#""audit":"consent_remembered""#,
        r#""audit":"account_visited""#,
        r#""audit":"all_revoked_by_user""#,
        "tools/call save_snippet",
        r#"audit="signed_in""#,
        r#"gen_ai.tool.name="save_snippet""#,
        "oauth.session.validations",
        r#""audit":"code_replayed""#,
        r#""audit":"refresh_token_reused""#,
        "TRACE hyper_util::client",
        "token refused",
        "a request failed",
    ] {
        assert!(text.contains(line), "nothing was logged of {line}");
    }
}

/// The search finds each secret that is logged, whether a span has a part of it or an event all.
fn every_planted_secret_is_found(captured: &Captured, secrets: &Secrets) {
    let cut = &secrets.0[1].spelling()[2..20];
    tracing::trace_span!("planted", cut).in_scope(|| ());
    assert_eq!(captured.leaks(&secrets.0), [secrets.0[1].name()]);

    for secret in &secrets.0 {
        tracing::trace!(planted = secret.spelling());
    }
    assert_eq!(captured.leaks(&secrets.0).len(), secrets.0.len());
}

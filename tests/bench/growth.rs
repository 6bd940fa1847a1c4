//! How long requests take with few sessions and snippets in Azurite, and with many.
//! `tests/bench/azurite` starts the emulators and runs this.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark stops at the first surprise"
)]

#[path = "../e2e/client.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod client;
mod filling;
#[path = "../e2e/packages.rs"]
mod packages;
#[path = "../e2e/running.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod running;
#[path = "../e2e/system.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod system;
#[path = "../e2e/traced.rs"]
mod traced;

use std::time::{Duration, Instant};

use local::azure::AzureAccount;
use local::{Data, Options, say};
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::config::{Env, ProcessEnv};

use client::{Client, Tokens};
use filling::Filling;
use system::System;

/// How often each operation is timed.
const ROUNDS: usize = 51;

/// More than a page of them.
const SNIPPETS_OF_ALICE: usize = 120;

#[tokio::main]
async fn main() {
    let few = Side::fill("FEW").await;
    let many = Side::fill("MANY").await;
    report(&few, &many, &measure([&few, &many]).await);
}

/// A system on an emulator of its own, with a session of alice's.
struct Side {
    system: System,
    client: Client,
    tokens: Tokens,
    filling: Filling,
}

impl Side {
    /// Fills in as many sessions and snippets as the setting `name` says, into the emulator that
    /// `name_TABLES` and `name_BLOBS` lead to.
    async fn fill(name: &str) -> Self {
        let setting = |name: &str| ProcessEnv.get(name).unwrap();
        let (size, tables, blobs) =
            (setting(name), setting(&format!("{name}_TABLES")), setting(&format!("{name}_BLOBS")));
        let env = [("SESSION_TABLES_ENDPOINT", &*tables), ("BLOBS_ENDPOINT", &*blobs)];
        let account = AzureAccount::read(&env).unwrap();
        let system = start(account.clone()).await;
        let client = system.client("App").await;
        let tokens = system.sign_in(&client).await;
        for number in 0..SNIPPETS_OF_ALICE {
            let snippet = json!({ "snippetname": format!("n{number:03}"), "snippet": "text" });
            call(&system, &tokens, "save_snippet", snippet).await;
        }
        let began = Instant::now();
        let filling = Filling::of(&system, &account, size.parse().unwrap()).await;
        say::line(format_args!("{size} of each after {} s", began.elapsed().as_secs()));
        Self { system, client, tokens, filling }
    }

    async fn call(&self, tool: &str) {
        call(&self.system, &self.tokens, tool, json!({})).await;
    }
}

/// A system that asks storage for the session of every request.
async fn start(account: AzureAccount) -> System {
    System::start_with(Options {
        data: Data::Azure { account: Box::new(account), keys: None },
        session_cache: Duration::ZERO,
        requests_per_minute: None,
        document_policy: DocumentPolicy::Off,
        ..Options::default()
    })
    .await
}

async fn call(system: &System, tokens: &Tokens, tool: &str, arguments: Value) {
    let answer = system.call(&tokens.access_token, tool, arguments).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(answer.json()["result"]["isError"] != true, "{}", answer.body);
}

/// What is timed, and how long the storage of it takes if it is asked alone.
const OPERATIONS: [&str; 6] = [
    "validate (hello_mcp)",
    "  Azurite alone: a read",
    "sign in",
    "  Azurite alone: an insert",
    "list_snippets, first page",
    "  Azurite alone: a page",
];

/// The medians of each operation, on both sides.
async fn measure(sides: [&Side; 2]) -> [[Duration; 2]; 6] {
    [
        medians(sides, async |side| side.call("hello_mcp").await).await,
        medians(sides, async |side| side.filling.read(&side.system).await).await,
        medians(sides, async |side| drop(side.system.sign_in(&side.client).await)).await,
        medians(sides, async |side| side.filling.insert(&side.system).await).await,
        medians(sides, async |side| side.call("list_snippets").await).await,
        medians(sides, async |side| side.filling.page().await).await,
    ]
}

/// The sides take turns, so that whatever else the machine does is shared by both.
async fn medians(sides: [&Side; 2], operation: impl AsyncFn(&Side)) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (side, times) in sides.iter().zip(&mut times) {
            let began = Instant::now();
            operation(side).await;
            times.push(began.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2]
    })
}

fn report(few: &Side, many: &Side, medians: &[[Duration; 2]]) {
    let [few, many] = [few, many].map(|side| side.filling.size());
    say::line(format_args!("\n{:<28}{few:>12}{many:>12}{:>8}", "MEDIAN IN MS", "RATIO"));
    for (operation, sides) in OPERATIONS.iter().zip(medians) {
        let [few, many] = sides.map(|median| median.as_secs_f64() * 1000.0);
        let ratio = many / few;
        say::line(format_args!("{operation:<28}{few:>12.2}{many:>12.2}{ratio:>8.2}"));
    }
}

//! How fast the system is, beside what users would pick instead. `tests/bench/run` builds and
//! installs what this needs, and runs it.
#![expect(
    clippy::cast_precision_loss,
    clippy::future_not_send,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise, rounds, and has one thread"
)]

mod connection;
mod figures;
mod load;
mod plot;
mod process;
mod record;
mod server;
mod sign_in;
mod streams;
mod systems;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use local::say;

use figures::{CONNECTIONS, Figures, Requests, SigningIn, Starts, Streams};
use load::{Span, load};
use process::SERVER_CORE;
use server::{Running, Server};
use systems::{Storage, System};

/// Measures the servers that tests/bench/run has built and installed.
#[derive(Debug, Parser)]
struct CommandLine {
    /// A short run, to see that everything works.
    #[arg(long)]
    quick: bool,
    /// Write the tables and the plot into docs/ as well.
    #[arg(long)]
    record: bool,
    /// Where the tables of Azurite are.
    #[arg(long)]
    tables: String,
    /// Where its blobs are.
    #[arg(long)]
    blobs: String,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Extent {
    rounds: usize,
    span: Span,
    starts: usize,
    streams: &'static [usize],
    events: Duration,
    sign_ins: Duration,
    warm_up: Duration,
}

impl Extent {
    const FULL: Self = Self {
        rounds: 5,
        span: Span { warm_up: Duration::from_millis(300), measured: Duration::from_millis(1500) },
        starts: 10,
        streams: &[1_000, 10_000],
        events: Duration::from_secs(4),
        sign_ins: Duration::from_secs(3),
        warm_up: Duration::from_secs(10),
    };
    const QUICK: Self = Self {
        rounds: 1,
        span: Span { warm_up: Duration::from_millis(500), measured: Duration::from_secs(1) },
        starts: 3,
        streams: &[1_000],
        events: Duration::from_secs(1),
        sign_ins: Duration::from_secs(1),
        warm_up: Duration::from_secs(1),
    };
}

/// Where servers print to.
fn logs() -> PathBuf {
    let logs = Path::new("target/bench/logs").to_owned();
    std::fs::create_dir_all(&logs).unwrap();
    logs
}

/// Tells how far it is, beside the tables.
fn note(text: &str) {
    let _gone = writeln!(std::io::stderr(), "{text}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let flags = CommandLine::parse();
    let extent = if flags.quick { Extent::QUICK } else { Extent::FULL };
    let storage = Storage::at(&flags.tables, &flags.blobs);
    let busy_before = record::load_average();

    let servers = systems::servers(&storage, systems::collector().await, extent.warm_up).await;
    let figures = Figures {
        requests: requests(&servers, extent).await,
        starts: starts(&servers, extent).await,
        streams: streams(&systems::servers_of_streams(extent.warm_up), extent).await,
        sign_ins: sign_ins(&systems::systems(&storage).await, extent).await,
    };

    let (tables, plot) = (table::tables(&figures), plot::plot(&figures));
    let text = format!("{}\n\n{tables}", record::machine(&busy_before, flags.quick));
    record::write(&text, &plot, flags.record);
    say::line(text);
}

/// All servers are up, and loaded in turns, so that whatever else the machine does is shared by all.
async fn requests(servers: &[Server], extent: Extent) -> Vec<Requests> {
    let mut running = Vec::<Running>::new();
    for server in servers {
        note(&format!("{} starts and warms up", server.name));
        running.push(server.start(SERVER_CORE).await);
        let warm_up = Span { warm_up: server.warm_up, ..extent.span };
        load(&running[running.len() - 1], 64, warm_up).await;
    }
    let new = |server: &Server| Requests { server: server.name, rounds: Default::default() };
    let mut requests: Vec<Requests> = servers.iter().map(new).collect();
    for round in 1..=extent.rounds {
        note(&format!("requests, round {round} of {}", extent.rounds));
        for (index, connections) in CONNECTIONS.into_iter().enumerate() {
            for (server, requests) in running.iter().zip(&mut requests) {
                requests.rounds[index].push(load(server, connections, extent.span).await);
            }
        }
    }
    requests
}

async fn starts(servers: &[Server], extent: Extent) -> Vec<Starts> {
    const REST: Duration = Duration::from_secs(2);
    note("cold starts");
    let new =
        |server: &Server| Starts { server: server.name, times: Vec::new(), memory_at_rest: 0 };
    let mut starts: Vec<Starts> = servers.iter().map(new).collect();
    for _ in 0..extent.starts {
        for (server, starts) in servers.iter().zip(&mut starts) {
            starts.times.push(server.start(SERVER_CORE).await.came_up_in);
        }
    }
    for (server, starts) in servers.iter().zip(&mut starts) {
        let running = server.start(SERVER_CORE).await;
        tokio::time::sleep(REST).await;
        starts.memory_at_rest = running.process.memory();
    }
    starts
}

async fn streams(servers: &[Server], extent: Extent) -> Vec<Streams> {
    let mut streams = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        note(&format!("{} holds streams", server.name));
        let held = streams::held(server, extent.streams).await;
        // The bare one never says anything.
        let events = match index {
            0 => None,
            _ => Some(streams::events(server, extent.events).await),
        };
        streams.push(Streams { server: server.name, held, events });
    }
    streams
}

async fn sign_ins(systems: &[System], extent: Extent) -> Vec<SigningIn> {
    let new = |system: &System| {
        let processes = system.processes.iter().map(|(name, _)| *name).collect();
        SigningIn { system: system.name, processes, rounds: Vec::new() }
    };
    let mut measured: Vec<SigningIn> = systems.iter().map(new).collect();
    for round in 1..=extent.rounds {
        note(&format!("sign-ins, round {round} of {}", extent.rounds));
        for (system, measured) in systems.iter().zip(&mut measured) {
            let processes: Vec<_> = system.processes.iter().map(|(_, process)| process).collect();
            let (warm_up, time) = (extent.span.warm_up, extent.sign_ins);
            let round = sign_in::sign_ins(&system.place, &processes, warm_up, time).await;
            measured.rounds.push(round);
        }
    }
    measured
}

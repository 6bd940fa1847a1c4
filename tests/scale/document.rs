//! The tables of docs/scale.md, as the arithmetic has them.

use std::fs;
use std::path::Path;

use crate::sums::{Load, STREAMS_OF_AN_INSTANCE, Settings, an_account_takes};

/// `maximumInstanceCount` and `apimUnits`, as they are deployed.
const MOST_INSTANCES: f64 = 40.0;
const UNITS: f64 = 1.0;

/// Whatever is said of a load in one row.
type Row = (&'static str, fn(Load) -> String);

/// From 10 to 10 million users.
const USERS: [f64; 7] = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];

/// What is asked for at the busiest moment, and what it needs.
const NEEDS: [Row; 15] = [
    ("calls of `/mcp` a second", |load| figure(load.calls())),
    ("users with an agent at work", |load| figure(load.active())),
    ("refreshes a second", |load| figure(load.refreshes())),
    ("sign-ins a second", |load| figure(load.sign_ins())),
    ("rows of sessions", |load| figure(2.0 * load.sessions())),
    ("snippets", |load| figure(20.0 * load.users)),
    ("streams of HTTP+SSE", |load| figure(load.streams())),
    ("instances of mcp-fn", |load| of_instances(load.mcp_instances())),
    ("instances of oauth-fn", |load| of_instances(load.oauth_instances())),
    ("sessions known, %", |load| figure(100.0 * load.known())),
    ("calls a second: sessions", |load| of_an_account(load.session_calls())),
    ("calls a second: snippets and relay", |load| of_an_account(load.mcp_account_calls())),
    ("of these, looks into the relay", |load| of_an_account(load.relay_looks())),
    ("units of API Management", |load| unless(load.units() <= UNITS, load.units())),
    ("telemetry, GB a day, nothing turned", |load| {
        let untouched = Load { settings: UNTOUCHED, ..load }.daily_telemetry();
        unless(untouched <= UNTOUCHED.daily_cap, untouched)
    }),
];

/// What a month costs.
const COSTS: [Row; 11] = [
    ("executions", |load| figure(load.executions())),
    ("instances of mcp-fn", |load| figure(load.mcp_memory())),
    ("instances of oauth-fn", |load| figure(load.oauth_memory())),
    ("Table Storage", |load| figure(load.tables())),
    ("Blob Storage", |load| figure(load.blobs())),
    ("API Management", |load| figure(load.gateway())),
    ("telemetry, as turned", |load| figure(load.telemetry())),
    ("**together**", |load| figure(load.bill())),
    ("together, in cents for a user", |load| figure(100.0 * load.bill() / load.users)),
    ("telemetry, GB a day, as turned", |load| figure(load.daily_telemetry())),
    ("telemetry, nothing turned and no cap", |load| {
        figure(Load { settings: UNTOUCHED, ..load }.telemetry())
    }),
];

/// The settings as they are deployed.
const UNTOUCHED: Settings = Settings { gateway_sample: 1.0, trace_ratio: 0.05, daily_cap: 1.0 };

/// What the document says to turn for so many users.
fn turned(users: f64) -> Settings {
    let turned = |gateway_sample, trace_ratio, daily_cap| Settings {
        gateway_sample,
        trace_ratio,
        daily_cap,
    };
    match users {
        1e7.. => turned(0.01, 0.0005, 150.0),
        1e6.. => turned(0.01, 0.005, 15.0),
        1e5.. => turned(0.1, 0.05, 5.0),
        1e4.. => turned(0.1, 0.05, 1.0),
        _ => UNTOUCHED,
    }
}

/// The lines of both tables.
pub(crate) fn lines() -> Vec<String> {
    let line = |(says, of): &Row| {
        let figures = USERS.map(|users| of(Load { users, settings: turned(users) }));
        format!("| {says} | {} |", figures.join(" | "))
    };
    NEEDS.iter().chain(&COSTS).map(line).collect()
}

/// What `infra/main.bicep` declares, if it deploys what the arithmetic takes for granted.
pub(crate) fn deployed() -> [String; 6] {
    let percent = 100.0 * UNTOUCHED.gateway_sample;
    [
        format!("param apimSamplingPercentage int = {percent}\n"),
        format!("param apimUnits int = {UNITS}\n"),
        format!("param dailyTelemetryGigabytes string = '{}'\n", UNTOUCHED.daily_cap),
        format!("param maximumInstanceCount int = {MOST_INSTANCES}\n"),
        format!("param mcpRequestsPerInstance int = {STREAMS_OF_AN_INSTANCE}\n"),
        format!("param traceRatio string = '{}'\n", UNTOUCHED.trace_ratio),
    ]
}

/// Whether what the document says to turn suffices.
pub(crate) fn cap_is_kept() -> bool {
    USERS.iter().all(|&users| {
        let settings = turned(users);
        Load { users, settings }.daily_telemetry() <= settings.daily_cap
    })
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn of_an_account(calls: f64) -> String {
    unless(an_account_takes(calls), calls)
}

fn of_instances(instances: f64) -> String {
    unless(instances <= MOST_INSTANCES, instances)
}

/// A figure, in bold letters unless it `fits`.
fn unless(fits: bool, value: f64) -> String {
    if fits { figure(value) } else { format!("**{}**", figure(value)) }
}

/// A figure with its first two digits.
fn figure(value: f64) -> String {
    if value < 0.005 {
        return "0".to_owned();
    }
    let digits = 10_f64.powf(value.log10().floor() - 1.0);
    let rounded = (value / digits).round() * digits;
    if rounded < 10.0 {
        let text = format!("{rounded:.2}");
        let text = if rounded < 1.0 { text } else { format!("{rounded:.1}") };
        return text.strip_suffix(".0").map_or(text.clone(), str::to_owned);
    }
    with_commas(&format!("{rounded:.0}"))
}

fn with_commas(digits: &str) -> String {
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

//! Many instances of the real code in a time that is made up: the formulas that docs/scale.md stands
//! on, and its arithmetic.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

mod bill;
mod cache;
mod chance;
mod cluster;
mod distance;
mod document;
mod formulas;
#[path = "../grants/memory.rs"]
mod memory;
mod relay;
mod reopening;
mod sums;
mod users;

use std::time::Duration;

use local::say;

use cache::Case;
use chance::{Chance, seed};
use formulas::{late_delay, looks, mean_delay};

/// How far the part of known sessions may be from the formula.
const OF_ALL: f64 = 0.01;
/// How far the mean of 1,000 delays and their 99th percentile may be.
const OF_A_DELAY: Duration = Duration::from_millis(4);

// The columns of the tables in docs/scale.md.
const CACHE: &str = "calls of a user a second | instances | users | formula, % | simulated, %";
const RELAY: &str = "a call of storage, ms | mean, ms | simulated | 99th percentile, ms | simulated | \
                     looks a second | simulated | calls without streams";
const REOPENING: &str =
    "instances | streams of each | minutes of a stream | looks a second | simulated";

#[tokio::test]
async fn a_session_is_known_as_often_as_the_formula_says() {
    let mut chance = Chance::of_this_run();
    let case = |rate, instances| Case { sessions: 200, rate, instances, requests: 40_000 };
    let cases = [case(1.0, 2), case(0.1, 1), case(0.1, 8), case(0.02, 8), case(0.1, 40)];

    title(CACHE);
    for case in cases {
        let outcome = case.play(&mut chance).await;

        say::line(outcome);
        assert!((outcome.simulated - outcome.formula).abs() < OF_ALL, "{outcome:?}");
    }
}

#[tokio::test]
async fn an_instance_that_sees_more_sessions_than_it_remembers_knows_no_larger_part_of_them() {
    let case = Case { sessions: 20_000, rate: 0.1, instances: 1, requests: 60_000 };

    let outcome = case.play(&mut Chance::of_this_run()).await;

    title(CACHE);
    say::line(outcome);
    assert!(outcome.simulated < outcome.formula + OF_ALL, "{outcome:?}");
    // Even if it kept the same ones for good, and forgot them when they are not believed any more.
    let at_worst = outcome.formula * formulas::cache_hit(case.rate, 1.0, 1.0);
    assert!(outcome.simulated > at_worst, "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_as_long_through_the_relay_as_the_formula_says() {
    let mut chance = Chance::of_this_run();

    title(RELAY);
    for trip in [0, 4, 10].map(Duration::from_millis) {
        let outcome = relay::Outcome::of(trip, &mut chance).await;

        say::line(outcome);
        assert!(outcome.mean.abs_diff(mean_delay(trip)) < OF_A_DELAY, "{outcome:?}");
        assert!(outcome.late.abs_diff(late_delay(trip)) < OF_A_DELAY, "{outcome:?}");
        assert!(is_near(outcome.looks, looks(trip, 1.0), 0.02), "{outcome:?}");
        assert_eq!(outcome.without_streams, 0, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_also_looks_for_what_comes_late_for_streams_that_others_held() {
    let outcome = reopening::Outcome::play(&mut Chance::of_this_run()).await;

    title(REOPENING);
    say::line(outcome);
    assert!(is_near(outcome.simulated, outcome.formula, 0.08), "{outcome:?}");
}

#[test]
fn the_document_has_the_figures_of_the_arithmetic() {
    let document = document::read("docs/scale.md");

    for line in document::lines() {
        assert!(document.contains(&line), "docs/scale.md lacks this line:\n{line}");
    }
    assert!(document::cap_is_kept());
}

#[test]
fn the_arithmetic_is_about_what_is_deployed() {
    let infra = document::read("infra/main.bicep");

    for declared in document::deployed() {
        assert!(infra.contains(&declared), "infra/main.bicep lacks {declared}");
    }
}

fn is_near(found: f64, expected: f64, within: f64) -> bool {
    (found - expected).abs() < within * expected
}

fn title(columns: &str) {
    say::line(format_args!("SCALE_SEED={}\n| {columns} |", seed()));
}

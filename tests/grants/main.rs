//! The whole life of grants, made up by the machine: whatever clients, browsers, users, thieves,
//! faults and races do, the system does what the model promises. docs/testing.md tells more.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

#[macro_use]
#[path = "../storage/contract.rs"]
mod contract;
mod judge;
mod memory;
mod model;
mod store;
mod system;
mod tally;
mod wish;

use std::cell::RefCell;
use std::io::Write;
use std::thread;
use std::time::Instant;

use proptest::arbitrary::any;
use proptest::sample::Index;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestRng, TestRunner};
use shared::config::{Env, ProcessEnv};
use shared::secret::random_bytes;
use tokio::runtime::Runtime;

use crate::model::Answer;
use crate::system::Site;
use crate::tally::Tally;
use crate::wish::{Deed, Mishap, Step, Wish};

/// Cases of a run, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 10_000;
/// So many cases come by everything there is.
const ENOUGH: u64 = 2_000;

#[test]
fn whatever_happens_every_grant_is_as_it_was_promised() {
    let config = config();
    let (seed, began) = (seed(&config), Instant::now());
    let workers = u32::try_from(thread::available_parallelism().unwrap().get()).unwrap();

    let tallies = thread::scope(|scope| {
        let shares = (0..workers).map(|worker| {
            let cases = config.cases / workers + u32::from(worker < config.cases % workers);
            let config = Config { cases, ..config.clone() };
            scope.spawn(move || share(config, seed.wrapping_add(u64::from(worker))))
        });
        let shares: Vec<_> = shares.collect();
        shares.into_iter().map(|share| share.join().unwrap()).collect::<Vec<_>>()
    });

    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for (share, failure) in tallies {
        tally.add(share);
        failures.extend(failure);
    }
    report(&format!("PROPTEST_RNG_SEED={seed}: {tally}\n  in {:.1?}", began.elapsed()));
    assert!(failures.is_empty(), "PROPTEST_RNG_SEED={seed}\n{}", failures.join("\n"));
    let missing = tally.missing();
    assert!(tally.cases < ENOUGH || missing.is_empty(), "never happened: {missing:?}");
}

/// The storage of these tests keeps the contract of the port.
mod storage {
    use std::future::ready;
    use std::sync::Arc;

    use shared::storage::RecordStore;

    use crate::memory::MemoryStore;

    contract_tests!(ready(open()));

    fn open() -> (Arc<dyn RecordStore>, ()) {
        (Arc::new(MemoryStore::default()), ())
    }
}

/// The model found it: one approval was good for a second session after the end of the first.
#[test]
fn a_sign_in_whose_session_has_ended_starts_no_other() {
    let whole_way = Step::Connect { client: 0, browser: 0, user: 0, steps: 3 };
    let any_index = any::<Index>().new_tree(&mut TestRunner::deterministic());
    let first = any_index.unwrap().current();
    let redeem = Deed::Redeem { own_client: true, verifier_is_right: true };
    let redeem = || Step::Alone(Wish::ToGrant { sign_in: first, deed: redeem }, Mishap::None);
    let back = |mishap| Step::Return { sign_in: first, user: 0, mishap };
    let steps = [whole_way, back(Mishap::CookiesKept), redeem(), redeem(), back(Mishap::None)];

    let runtime = runtime();
    let site = runtime.block_on(Site::open());
    let played = runtime.block_on(judge::play(&site, &steps, &mut Tally::default()));

    assert_eq!(played, Ok(()));
}

/// Whatever call of storage fails after Entra ID's code was redeemed, nobody has a code (threat 39).
#[test]
fn a_sign_in_whose_rows_cannot_be_written_gives_no_code_and_may_begin_anew() {
    let whole_way = |steps| Step::Connect { client: 0, browser: 0, user: 0, steps };
    let any_index = any::<Index>().new_tree(&mut TestRunner::deterministic());
    let first = any_index.unwrap().current();
    let runtime = runtime();
    let site = runtime.block_on(Site::open());
    for call in 0..6 {
        for carried_out in [false, true] {
            let mishap = Mishap::StoreFails { call, carried_out };
            let back = Step::Return { sign_in: first, user: 0, mishap };
            let mut tally = Tally::default();

            let steps = [whole_way(2), back, whole_way(5)];
            let played = runtime.block_on(judge::play(&site, &steps, &mut tally));

            assert_eq!(played, Ok(()));
            let failed = tally.answered("Callback", Answer::SentBack("temporarily_unavailable"));
            assert_eq!(failed, 1, "call {call}, carried out: {carried_out}");
            assert_eq!(tally.answered("Redeem", Answer::Tokens), 1, "the second one");
        }
    }
}

/// Plays the cases of one worker, and shows the smallest that fails.
fn share(config: Config, seed: u64) -> (Tally, Option<String>) {
    let runtime = runtime();
    let site = runtime.block_on(Site::open());
    let tally = RefCell::new(Tally::default());
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let played = runner.run(&wish::steps(), |steps| {
        let judged = runtime.block_on(judge::play(&site, &steps, &mut tally.borrow_mut()));
        judged.map_err(TestCaseError::fail)
    });
    (tally.into_inner(), played.err().map(|failure| failure.to_string()))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn config() -> Config {
    let cases = ProcessEnv.get("PROPTEST_CASES").and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..Config::default()
    }
}

fn seed(config: &Config) -> u64 {
    match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => u64::from(u32::from_be_bytes(random_bytes())),
    }
}

/// Says `text` even where the output of tests that pass is kept back.
fn report(text: &str) {
    let mut terminal = std::io::stderr();
    writeln!(terminal, "{text}").unwrap();
}

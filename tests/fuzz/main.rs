//! The fuzz targets on stable Rust: the corpus, changed pieces of it, and bytes at random.
//! `PROPTEST_CASES=10000 cargo test --test fuzz` tries longer; docs/testing.md tells how to fuzz.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

mod apps;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::targets::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// The names of the files in a folder, in order, without what follows the dot.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder("corpus").join(target)).unwrap();
    files.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// A seed in which some pieces are other bytes, or those of another seed.
fn changed(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => vec(any::<u8>(), 0..8),
        2 => "[ -~]{0,8}".prop_map(String::into_bytes),
        1 => select(seeds.clone()),
    ];
    (select(seeds), vec((any::<Index>(), 0..8_usize, piece), 1..4)).prop_map(|(seed, pieces)| {
        pieces.into_iter().fold(seed, |mut bytes, (at, gone, piece)| {
            let at = at.index(bytes.len() + 1);
            let end = bytes.len().min(at + gone);
            bytes.splice(at..end, piece);
            bytes
        })
    })
}

/// Targets that nothing made up gets past.
const CLOSED: [&str; 3] = ["cookie", "form", "token"];

/// Runs the target `name` on its corpus and on 256 inputs, or as many as `PROPTEST_CASES` says.
fn holds(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let seeds = corpus(name);
    let taken = seeds.iter().filter(|seed| target(seed)).count();
    assert!(taken < seeds.len() && (taken > 0 || CLOSED.contains(&name)), "{taken} seeds taken");
    let inputs = prop_oneof![3 => changed(seeds), 1 => vec(any::<u8>(), 0..300)];
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };

    proptest!(config, |(input in inputs)| {
        target(&input);
    });
}

#[test]
fn an_authorization_request_ends_in_a_page_or_where_it_may_and_stores_nothing() {
    holds("authorization_request");
}

#[test]
fn a_cookie_that_is_made_up_opens_nothing() {
    holds("cookie");
}

#[test]
fn a_form_that_is_made_up_grants_and_stores_nothing() {
    holds("form");
}

#[test]
fn an_id_token_names_a_user_only_if_it_keeps_every_rule() {
    holds("id_token");
}

#[test]
fn a_message_of_a_client_is_never_our_fault() {
    holds("json_rpc");
}

#[test]
fn a_redirect_uri_permits_itself_and_its_loopback_ports() {
    holds("redirect_uri");
}

#[test]
fn a_registration_is_read_back_or_refused_and_not_stored() {
    holds("registration");
}

#[test]
fn a_message_to_a_stream_is_never_our_fault_and_taken_for_its_own_stream_alone() {
    holds("sse_message");
}

#[test]
fn a_token_opens_as_what_it_is_and_unchanged() {
    holds("token");
}

#[test]
fn every_target_has_its_fuzzer_and_its_corpus() {
    let targets: Vec<_> = TARGETS.into_iter().map(|(name, _)| name.to_owned()).collect();
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    let binaries: Vec<_> = manifest
        .split("[[bin]]")
        .skip(1)
        .map(|binary| binary.split('"').nth(1).unwrap().to_owned())
        .collect();

    assert_eq!(binaries, targets);
    assert_eq!(names(&folder("fuzz_targets")), targets);
    assert_eq!(names(&folder("corpus")), targets);
    for target in targets {
        let path = folder("fuzz_targets").join(format!("{target}.rs"));
        let source = fs::read_to_string(path).unwrap();
        assert!(source.contains(&format!("fuzz_targets::run(\"{target}\", data)")), "{target}");
        assert!(!corpus(&target).is_empty(), "{target}");
    }
}

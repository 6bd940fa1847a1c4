//! That docs/threats.md is complete and true: each threat has one row, and each test that a row
//! names is there.

use std::collections::BTreeMap;
use std::fs;

use crate::source::{Source, root};

/// A row of one of the tables.
#[derive(Debug)]
struct Row {
    number: String,
    section: Section,
    tests: Vec<String>,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Section {
    /// Something stops the threat, and tests prove it.
    Stopped,
    /// Something is missing.
    Open,
}

#[test]
fn each_threat_and_each_defect_of_the_original_has_one_row() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(&document()) {
        *counts.entry(row.number).or_default() += 1;
    }

    let threats = (1..=60).map(|number| number.to_string());
    let defects = (1..=19).map(|number| format!("S{number}"));
    let expected: BTreeMap<_, _> = threats.chain(defects).map(|number| (number, 1)).collect();
    assert_eq!(counts, expected);
}

#[test]
fn each_test_that_a_row_names_is_there_and_the_rows_are_counted() {
    let (sources, rows) = (Source::all(), rows(&document()));

    let missing: Vec<_> = rows
        .iter()
        .flat_map(|row| row.tests.iter().map(move |test| (&row.number, test)))
        .filter(|(_, test)| !exists(&sources, test))
        .collect();
    let untested: Vec<_> = rows
        .iter()
        .filter(|row| row.section == Section::Stopped && row.tests.is_empty())
        .map(|row| &row.number)
        .collect();

    assert!(missing.is_empty(), "no such tests: {missing:#?}");
    assert!(untested.is_empty(), "rows without a test: {untested:?}");
    let open = rows.iter().filter(|row| row.section == Section::Open).count();
    report(&format!("docs/threats.md: {} rows stopped, {open} open", rows.len() - open));
}

#[test]
fn a_test_that_is_gone_is_noticed() {
    let text =
        "//! A.\n#[test]\nfn stays() {}\n#[tokio::test]\nasync fn waits() {}\nfn helps() {}\n";
    let sources = [Source::new("oauth-fn/src/protocol/pkce.rs", text)];

    for (name, expected) in [
        ("oauth_fn::protocol::pkce::stays", true),
        ("oauth_fn::protocol::pkce::waits", true),
        ("oauth_fn::protocol::pkce::helps", false),
        ("oauth_fn::protocol::pkce::gone", false),
        ("oauth_fn::protocol::stays", false),
        ("e2e::pkce::stays", false),
    ] {
        assert_eq!(exists(&sources, name), expected, "{name}");
    }
}

fn document() -> String {
    fs::read_to_string(root().join("docs/threats.md")).unwrap()
}

/// The rows of all tables: those after the heading `Open` are open.
fn rows(document: &str) -> Vec<Row> {
    let (stopped, open) = document.split_once("\n## Open\n").unwrap();
    let of = |text: &str, section| {
        text.lines().filter_map(|line| row(line, section)).collect::<Vec<_>>()
    };
    of(stopped, Section::Stopped).into_iter().chain(of(open, Section::Open)).collect()
}

/// The row that `line` is: its first cell is a number.
fn row(line: &str, section: Section) -> Option<Row> {
    let number = line.strip_prefix("| ")?.split(" |").next()?.to_owned();
    let counts = number.trim_start_matches('S').bytes().all(|byte| byte.is_ascii_digit());
    let quoted = line.split('`').skip(1).step_by(2);
    let tests = quoted.filter(|text| text.contains("::")).map(str::to_owned).collect();
    counts.then_some(Row { number, section, tests })
}

/// Whether `name` is a test, written `crate::module::test` or `suite::module::test`.
fn exists(sources: &[Source], name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let [house, modules @ .., function] = parts.as_slice() else {
        return false;
    };
    let folder = match *house {
        "oauth_fn" => "oauth-fn/src".to_owned(),
        "mcp_fn" => "mcp-fn/src".to_owned(),
        "shared" => "shared/src".to_owned(),
        "local" => "local".to_owned(),
        suite => format!("tests/{suite}"),
    };
    let path = modules.iter().fold(folder, |path, module| format!("{path}/{module}"));
    let files = ["/mod.rs", "/lib.rs", "/main.rs", "/tests.rs", "/tests/mod.rs", ".rs"];
    let files = files.map(|file| format!("{path}{file}"));
    let of_module = sources.iter().filter(|source| files.contains(&source.path));
    of_module.into_iter().any(|source| has_test(source, function))
}

/// Whether a function with this name follows an attribute that makes it a test.
fn has_test(source: &Source, function: &str) -> bool {
    let head = format!("fn {function}(");
    let lines: Vec<&str> = source.lines.iter().map(|line| line.trim()).collect();
    lines.windows(2).any(|pair| {
        let marked = pair[0].starts_with("#[test]") || pair[0].starts_with("#[tokio::test");
        marked && pair[1].trim_start_matches("async ").starts_with(&head)
    })
}

/// Says `line` even where the output of tests that pass is kept back.
fn report(line: &str) {
    use std::io::Write;
    let mut terminal = std::io::stderr();
    writeln!(terminal, "{line}").unwrap();
}

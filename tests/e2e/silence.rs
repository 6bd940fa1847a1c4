//! The whole suite once more, with everything logged that there is: no line holds a secret that it
//! used, and nothing that a collector is sent (threat 46). `tests/redaction` looks closer, at fewer steps.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::Command;

use crate::traced::{DIRECTORY, LOG, SECRETS, SENT};

/// So many characters of a secret in a row are a leak: 96 bits of base64.
const TELLING: usize = 16;
/// This test, which must not run itself, and those that start a process of their own.
const SKIPPED: [&str; 2] = ["silence::", "administration::"];

#[test]
fn the_whole_suite_at_the_level_of_trace_tells_nobody_a_token_code_verifier_secret_or_cookie() {
    let directory = tempfile::tempdir().unwrap();

    let mut suite = Command::new(std::env::current_exe().unwrap());
    let skips = SKIPPED.iter().flat_map(|name| ["--skip", name]);
    let output = suite.args(skips).env(DIRECTORY, directory.path()).output().unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let secrets = fs::read_to_string(directory.path().join(SECRETS)).unwrap();
    let secrets: HashSet<&str> = secrets.lines().collect();
    assert!(secrets.len() > 1000, "only {} secrets were used", secrets.len());
    let parts: HashSet<&[u8]> =
        secrets.iter().flat_map(|secret| secret.as_bytes().windows(TELLING)).collect();
    // What the suite itself prints may end up in anybody's hands, too.
    for printed in [&output.stdout, &output.stderr] {
        let leak = printed.windows(TELLING).find(|part| parts.contains(part));
        assert_eq!(leak.map(String::from_utf8_lossy), None);
    }
    let sent = fs::read(directory.path().join(SENT)).unwrap();
    let leak = sent.windows(TELLING).find(|part| parts.contains(part));
    assert_eq!(leak.map(String::from_utf8_lossy), None, "in what a collector is sent");
    // What was counted in the last ten seconds of the suite is not among it.
    for told in ["POST /token", "tools/call save_snippet", "oauth.events", "client_registered"] {
        let is_there = sent.windows(told.len()).any(|part| part == told.as_bytes());
        assert!(is_there, "a collector was told nothing of {told}");
    }
    let log = BufReader::new(File::open(directory.path().join(LOG)).unwrap());
    let (mut lines, mut audited) = (0, 0);
    for line in log.lines() {
        let line = line.unwrap();
        let leak = line.as_bytes().windows(TELLING).find(|part| parts.contains(part));
        assert_eq!(leak.map(String::from_utf8_lossy), None, "in {line}");
        lines += 1;
        audited += usize::from(line.contains(r#""target":"audit""#));
    }
    assert!(lines > 10_000 && audited > 500, "only {lines} lines, {audited} of them audited");
}

//! That docs/settings.md and the sources speak of the same settings.

use std::collections::BTreeSet;
use std::fs;

use crate::source::{Source, root};

/// What the deployed apps are made of; the local system reads no setting of its own.
const DEPLOYED: [&str; 3] = ["oauth-fn/src/", "mcp-fn/src/", "shared/src/"];
/// The ways in which a setting is read. Its name is the first text after that.
const READERS: [&str; 4] = [".required(", ".optional(", "StorageEndpoint::read(", "env.get("];

/// Every setting that `text` reads.
fn read_in(text: &str) -> BTreeSet<String> {
    let calls = READERS.iter().flat_map(|reader| text.split(reader).skip(1));
    let names = calls.filter_map(|call| {
        let name = call.split('"').nth(1)?;
        // Nothing but the place of the other settings stands before it.
        let before = call.split('"').next()?;
        (before.len() < 40 && is_setting(name)).then(|| name.to_owned())
    });
    names.collect()
}

fn is_setting(name: &str) -> bool {
    name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

#[test]
fn every_setting_that_is_read_is_documented_and_every_documented_one_is_read() {
    let read: BTreeSet<String> = Source::all()
        .iter()
        .filter(|source| source.is_in(&DEPLOYED) && !source.is_test())
        .flat_map(|source| {
            let lines: Vec<&str> = source.product_code().map(|(_, line)| line).collect();
            read_in(&lines.join("\n"))
        })
        .collect();
    let document = fs::read_to_string(root().join("docs/settings.md")).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<String> =
        rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();

    assert!(read.len() > 15, "only {} settings are read: {read:?}", read.len());
    assert_eq!(documented, read);
}

#[test]
fn a_setting_is_found_however_it_is_read() {
    for line in [
        r#"settings.required("A_SETTING", parse)"#,
        "settings.optional(\n    \"A_SETTING\",\n    default,",
        r#"StorageEndpoint::read(&mut settings, "A_SETTING", service)"#,
        r#"env.get("A_SETTING")"#,
    ] {
        assert_eq!(read_in(line), BTreeSet::from(["A_SETTING".to_owned()]), "{line}");
    }
    assert!(read_in(r#"headers.get("A_SETTING"); form.required("code")"#).is_empty());
}

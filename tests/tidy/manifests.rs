//! Which of our crates may know which: the arrows of ARCHITECTURE.md.

use std::fs;

use crate::source::root;

/// Our crates, by the names that manifests use for them.
const CRATES: [&str; 4] = ["shared", "oauth-fn", "mcp-fn", "remote-mcp-functions-rust"];

#[test]
fn deployed_crates_know_the_shared_one_and_no_other_of_ours() {
    for (crate_name, allowed) in
        [("shared", &[][..]), ("oauth-fn", &["shared"][..]), ("mcp-fn", &["shared"][..])]
    {
        let manifest = fs::read_to_string(root().join(crate_name).join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();

        for other in CRATES.iter().filter(|other| !allowed.contains(other)) {
            let named = dependencies.lines().position(|line| {
                line.strip_prefix(other).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
            });
            assert_eq!(named, None, "{crate_name}/Cargo.toml depends on {other}");
        }
        assert!(!dependencies.contains("path ="), "{crate_name}/Cargo.toml: path dependencies");
    }
}

#[test]
fn deployed_crates_do_not_bring_the_embedded_store() {
    for crate_name in ["shared", "oauth-fn", "mcp-fn"] {
        let manifest = fs::read_to_string(root().join(crate_name).join("Cargo.toml")).unwrap();

        assert!(!manifest.contains("redb"), "{crate_name}/Cargo.toml depends on redb");
    }
}

//! That the hook makes keys once: whole ones, and never where a vault has some.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use shared::seal::KeyRing;
use tempfile::TempDir;

use crate::repository::root;

/// Runs the hook with `variables` of the azd environment, and says what it set there.
fn set_by_hook(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    let folder = TempDir::new().unwrap();
    let (azd, notes) = (folder.path().join("azd"), folder.path().join("notes"));
    fs::write(&azd, "#!/bin/sh\n[ \"$1 $2\" = 'env set' ] && echo \"$3 $4\" >>\"$NOTES\"\n")
        .unwrap();
    fs::set_permissions(&azd, fs::Permissions::from_mode(0o755)).unwrap();
    let hook = root().join("infra/hooks/new-keys.sh");
    let mut command = Command::new("sh");
    command.arg(hook).env_clear().envs(variables.iter().copied()).env("NOTES", &notes);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));

    assert!(command.status().unwrap().success());

    let notes = fs::read_to_string(notes).unwrap_or_default();
    let pair = |line: &str| {
        let (name, value) = line.split_once(' ').unwrap();
        (name.to_owned(), value.to_owned())
    };
    notes.lines().map(pair).collect()
}

#[test]
fn the_first_provisioning_gets_a_ring_of_each_kind_that_share_no_key() {
    let (first, second) = (set_by_hook(&[]), set_by_hook(&[]));

    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["NEW_SESSION_KEYS", "NEW_GRANT_KEYS"]);
    let rings: Vec<KeyRing> = first
        .iter()
        .chain(&second)
        .map(|(_, ring)| KeyRing::try_from(ring.as_str()).unwrap())
        .collect();
    for (index, ring) in rings.iter().enumerate() {
        for other in &rings[index + 1..] {
            assert!(!ring.shares_a_key_with(other));
        }
    }
}

#[test]
fn a_later_provisioning_gets_no_keys() {
    assert_eq!(set_by_hook(&[("AZURE_KEY_VAULT_NAME", "kv-x")]), []);
}

#[test]
fn a_provisioning_that_failed_is_tried_again_with_its_keys() {
    let set = set_by_hook(&[("NEW_SESSION_KEYS", "k1:kept"), ("NEW_GRANT_KEYS", "")]);

    let names: Vec<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["NEW_GRANT_KEYS"]);
}

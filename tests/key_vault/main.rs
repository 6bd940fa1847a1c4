//! `cargo run -- rotate-keys` as a process, against a stand-in for Azure Key Vault and one for the
//! endpoint at which the platform gives tokens.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "these are tests")]

mod vault;

use std::process::{Command, Output};

use shared::seal::KeyRing;

use vault::{CLIENT_ID, HEADER, Vault};

/// What `rotate-keys` says with `arguments`, signed in as somebody who may.
async fn rotate(vault: &Vault, arguments: &[&str]) -> Output {
    let settings = [
        ("AZURE_KEY_VAULT_ENDPOINT", vault.url.clone()),
        ("IDENTITY_ENDPOINT", format!("{}msi/token", vault.url)),
        ("IDENTITY_HEADER", HEADER.to_owned()),
        ("AZURE_CLIENT_ID", CLIENT_ID.to_owned()),
    ];
    run(&settings, arguments).await
}

async fn run(settings: &[(&str, String)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
    command.arg("rotate-keys").args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    let (said, failed) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(said), String::from_utf8_lossy(failed))
}

fn key_ids(ring: &str) -> Vec<String> {
    let ring = KeyRing::try_from(ring).unwrap();
    ring.key_ids().into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_comes_first_the_old_ones_stay_and_the_person_hears_what_to_do() {
    for (ring, order) in [("session-keys", "mcp-fn, and then oauth-fn"), ("grant-keys", "oauth-fn")]
    {
        let vault = Vault::start().await;
        let before = vault.versions(ring);

        let output = rotate(&vault, &[ring]).await;

        assert!(output.status.success(), "{}", said(&output));
        let after = vault.versions(ring);
        assert_eq!(after[..1], before, "the old version is history");
        assert!(after[1].ends_with(&format!(",{}", before[0])), "the old key is as it was");
        assert_eq!(key_ids(&after[1]), ["k2", "k1"]);
        let said = said(&output);
        assert!(said.contains(&format!("{ring} begins with k2; k1 still open.")), "{said}");
        assert!(said.contains(&format!("Now let {order} read it")), "{said}");
        assert!(said.contains(&format!("rotate-keys {ring} --drop-oldest")), "{said}");
        for key in after[1].split(',').filter_map(|named| named.split(':').nth(1)) {
            assert!(!said.contains(key), "a key was shown");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_ring_is_left_alone_and_the_secret_still_says_whose_setting_it_is() {
    let vault = Vault::start().await;

    rotate(&vault, &["grant-keys"]).await;

    assert_eq!(vault.versions("session-keys").len(), 1);
    assert_eq!(vault.content_type("grant-keys"), "GRANT_KEYS");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_key_is_dropped_and_the_only_one_stays() {
    let vault = Vault::start().await;
    rotate(&vault, &["session-keys"]).await;

    let dropped = rotate(&vault, &["session-keys", "--drop-oldest"]).await;
    let refused = rotate(&vault, &["session-keys", "--drop-oldest"]).await;

    assert!(said(&dropped).contains("session-keys has no k1 any more."), "{}", said(&dropped));
    assert!(!refused.status.success());
    assert!(said(&refused).contains("has one key, which stays"), "{}", said(&refused));
    let versions = vault.versions("session-keys");
    assert_eq!(versions.len(), 3);
    assert_eq!(key_ids(&versions[2]), ["k2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_ring_is_not_overwritten() {
    let vault = Vault::start().await;
    vault.put("grant-keys", "hunter2");

    let output = rotate(&vault, &["grant-keys"]).await;

    assert!(!output.status.success());
    assert!(said(&output).contains("the secret grant-keys is no key ring"), "{}", said(&output));
    assert!(!said(&output).contains("hunter2"));
    assert_eq!(vault.versions("grant-keys").last().unwrap(), "hunter2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_refuses_is_told_of_with_its_reason() {
    for (status, code, advice) in [
        (403, "ForbiddenByRbac", "the role Key Vault Secrets Officer"),
        (403, "ForbiddenByFirewall", "it takes no calls from here"),
        (404, "SecretNotFound", "it is made by `azd provision`"),
    ] {
        let vault = Vault::start().await;
        vault.refuse(status, code);

        let output = rotate(&vault, &["session-keys"]).await;

        assert!(!output.status.success());
        let said = said(&output);
        assert!(said.contains(code) && said.contains(advice), "{said}");
        assert_eq!(vault.versions("session-keys").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_must_be_named_and_be_one() {
    let none = run(&[], &["session-keys"]).await;
    let wrong = run(&[], &["session-keys", "--vault", "https://example.com"]).await;

    assert!(said(&none).contains("name the vault with --vault"), "{}", said(&none));
    assert!(said(&wrong).contains("must be the URL of a vault"), "{}", said(&wrong));
}

//! The administrator's command, run as an administrator runs it (threats 31 and 48).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use local::identity_provider::{Person, TENANT};
use local::{Data, Options};
use reqwest::StatusCode;
use shared::clock::SystemClock;

use crate::client::{Browser, Client, Tokens};
use crate::running::not_on_packages;
use crate::system::{System, account_of, http_client, start_stack};

/// `local sessions` with `arguments`.
fn sessions(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.arg("sessions").args(arguments).env_remove("SESSION_TABLES_ENDPOINT");
    command
}

/// What it says about the system on `directory`, which must be stopped unless its data are Azure's.
fn on(directory: &Path, arguments: &[&str]) -> String {
    let data = ["--data", directory.to_str().unwrap()];
    let mut command = sessions(&[arguments, &data].concat());
    if let Some(account) = account_of(directory) {
        command.arg("--azure").envs(account);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = sessions(arguments).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A system on `directory` in the time of the machine, which is the administrator's too.
async fn start(directory: &Path, listen: Option<SocketAddr>) -> System {
    let defaults = Options::default();
    let options = Options {
        listen: listen.unwrap_or(defaults.listen),
        data: Data::Directory(directory.to_owned()),
        clock: Arc::new(SystemClock),
        ..defaults
    };
    let stack = start_stack(options).await.unwrap();
    System { stack, clock: Arc::default(), http: http_client() }
}

async fn sign_in(system: &System, client: &Client, name: &str) -> Tokens {
    let code = Browser::new().code_as(system, client, name).await;
    system.redeem(client, &code).await.tokens()
}

async fn stop(system: System) -> SocketAddr {
    let listen = system.stack.base_url().authority().parse().unwrap();
    system.stack.stop().await;
    listen
}

async fn is_refreshed(system: &System, client: &Client, tokens: &Tokens) -> bool {
    system.refresh(client, &tokens.refresh_token).await.status == StatusCode::OK
}

#[tokio::test]
async fn an_administrator_lists_and_revokes_by_user_and_by_client() {
    let directory = tempfile::tempdir().unwrap();
    let system = start(directory.path(), None).await;
    let (notes, editor) = (system.client("Notes\u{1b}[2J").await, system.client("Editor").await);
    let alices_notes = sign_in(&system, &notes, "alice").await;
    let alices_editor = sign_in(&system, &editor, "alice").await;
    let bobs_notes = sign_in(&system, &notes, "bob").await;
    let bobs_editor = sign_in(&system, &editor, "bob").await;
    let listen = stop(system).await;
    let alice = format!("{TENANT}/{}", Person::Alice.object_id());

    let everybody = on(directory.path(), &["list"]);
    let of_alice = on(directory.path(), &["list", "--user", &alice]);
    let of_notes = on(directory.path(), &["list", "--client", &notes.id]);
    let of_both = on(directory.path(), &["list", "--user", &alice, "--client", &notes.id]);

    for (listed, count) in [(&everybody, 4), (&of_alice, 2), (&of_notes, 2), (&of_both, 1)] {
        assert!(listed.ends_with(&format!("\n{count} connections found.\n")), "{listed}");
        assert_eq!(listed.matches("alive  ").count(), count, "{listed}");
        assert!(!listed.contains('\u{1b}'), "a terminal would act on this");
        for secret in [&alices_notes.access_token, &alices_notes.refresh_token] {
            assert!(!listed.contains(&secret[..20]));
        }
    }
    assert!(of_alice.contains(&alice) && of_alice.contains("Alice Example"), "{of_alice}");
    assert!(!of_alice.contains("Bob"), "{of_alice}");

    let ended = on(directory.path(), &["revoke", "--client", &notes.id, "--user", &alice]);
    assert!(ended.ends_with("1 connections ended.\n"), "{ended}");
    let ended = on(directory.path(), &["revoke", "--client", &editor.id]);
    assert!(ended.ends_with("2 connections ended.\n"), "{ended}");

    let system = start(directory.path(), Some(listen)).await;
    assert!(!is_refreshed(&system, &notes, &alices_notes).await);
    assert!(!is_refreshed(&system, &editor, &alices_editor).await);
    assert!(!is_refreshed(&system, &editor, &bobs_editor).await);
    assert!(is_refreshed(&system, &notes, &bobs_notes).await);
    let answer = system.call(&alices_notes.access_token, "whoami", serde_json::json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_administrator_is_told_what_is_wrong_and_what_to_do() {
    not_on_packages("is about the files of the embedded store");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();

    assert!(refused(&["list", "--data", path]).contains("there is no data of a system in"));
    let system = start(directory.path(), None).await;
    let in_use = refused(&["list", "--data", path]);
    stop(system).await;
    assert!(in_use.contains("in use"), "{in_use}");
    assert!(refused(&["revoke", "--data", path]).contains("name a user or a client"));
    assert!(refused(&["list", "--user", "alice"]).contains("TENANT/OBJECT"));
    let nobody = refused(&["revoke", "--client", "x", "--data", path]);
    assert!(nobody.contains("no connection is of this user and client"), "{nobody}");
    let both = refused(&["revoke", "--all", "--client", "x", "--data", path]);
    assert!(both.contains("cannot be used with"), "{both}");
}

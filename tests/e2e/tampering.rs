//! Somebody who can write to the tables still opens nothing that is not theirs (threat 41).

use std::time::Duration;

use shared::clock::{Clock, UnixTime};
use shared::session::{ExpiryWeek, SessionId};
use shared::storage::{Address, Record, RecordStore};

use crate::client::{Browser, Client, Tokens};
use crate::system::System;

/// A session, and where its row lies: a tester knows the upstream state, a thief does not.
struct Exposed {
    tokens: Tokens,
    address: Address,
}

async fn sign_in(system: &System, client: &Client) -> Exposed {
    let browser = Browser::new();
    let approved_at: UnixTime = system.clock.now();
    let identity_provider = browser.allow(system, &client.authorization(system)).await;
    let state = identity_provider.query_pairs().find(|(name, _)| name == "state").unwrap().1;
    let callback = browser.sign_in(&identity_provider).await;
    let code = browser.open(callback).await.sent("code").unwrap();
    let week = ExpiryWeek::of(approved_at.plus(Duration::from_hours(30 * 24)));
    Exposed {
        tokens: system.redeem(client, &code).await.tokens(),
        address: SessionId::derived_from(state.as_bytes()).address(week),
    }
}

async fn read(system: &System, address: &Address) -> Record {
    system.stack.oauth_records().get(address).await.unwrap().unwrap().record
}

async fn overwrite(system: &System, address: &Address, record: Record) {
    let records = system.stack.oauth_records();
    let version = records.get(address).await.unwrap().unwrap().version;
    records.replace(address, record, &version).await.unwrap();
}

#[tokio::test]
async fn a_row_says_nothing_in_clear_but_its_generation() {
    let system = System::start().await;
    let client = system.client("Telltale").await;
    let session = sign_in(&system, &client).await;

    let record = read(&system, &session.address).await;

    let names: Vec<_> = record.columns().map(|(name, _)| name).collect();
    assert_eq!(names, ["claims", "code", "generation", "upstream"]);
    for (name, bytes) in record.columns() {
        let text = String::from_utf8_lossy(bytes);
        for secret in ["Telltale", "Alice", "snippets", &client.id, "a11ce000"] {
            assert!(!text.contains(secret), "{name} shows {secret}");
        }
    }
}

#[tokio::test]
async fn a_row_that_was_copied_over_another_opens_for_neither() {
    let system = System::start().await;
    let client = system.client("App").await;
    let (one, two) = (sign_in(&system, &client).await, sign_in(&system, &client).await);

    overwrite(&system, &two.address, read(&system, &one.address).await).await;

    assert!(!system.takes(&two.tokens.access_token).await);
    system.refresh(&client, &two.tokens.refresh_token).await.refused(400, "invalid_grant");
    assert!(system.takes(&one.tokens.access_token).await);
}

#[tokio::test]
async fn a_column_that_was_put_in_another_place_does_not_open() {
    let system = System::start().await;
    let client = system.client("App").await;
    let (one, two) = (sign_in(&system, &client).await, sign_in(&system, &client).await);
    let (record, other) = (read(&system, &one.address).await, read(&system, &two.address).await);

    let foreign = other.column("claims").unwrap().to_vec();
    overwrite(&system, &one.address, record.clone().with("claims", foreign)).await;
    assert!(!system.takes(&one.tokens.access_token).await);

    let upstream = record.column("upstream").unwrap().to_vec();
    overwrite(&system, &one.address, record.with("claims", upstream)).await;
    assert!(!system.takes(&one.tokens.access_token).await);
}

#[tokio::test]
async fn changed_claims_do_not_open_and_restored_ones_do() {
    let system = System::start().await;
    let client = system.client("App").await;
    let session = sign_in(&system, &client).await;
    let record = read(&system, &session.address).await;
    let claims = record.column("claims").unwrap().to_vec();
    for index in (0..claims.len()).step_by(31).chain([claims.len() - 1]) {
        let mut changed = claims.clone();
        changed[index] ^= 1;

        overwrite(&system, &session.address, record.clone().with("claims", changed)).await;

        assert!(!system.takes(&session.tokens.access_token).await, "byte {index}");
    }
    overwrite(&system, &session.address, record).await;
    assert!(system.takes(&session.tokens.access_token).await);
}

#[tokio::test]
async fn a_row_that_was_rolled_back_does_not_open_for_newer_tokens() {
    let system = System::start().await;
    let client = system.client("App").await;
    let session = sign_in(&system, &client).await;
    let old = read(&system, &session.address).await;
    let new = system.refresh(&client, &session.tokens.refresh_token).await.tokens();

    overwrite(&system, &session.address, old).await;

    assert!(!system.takes(&new.access_token).await);
    system.refresh(&client, &new.refresh_token).await.refused(400, "invalid_grant");
}

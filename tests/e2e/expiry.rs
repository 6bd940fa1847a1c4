//! Clients with a row: they end when nobody uses them for long, and live on while somebody does.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use shared::clock::UnixTime;
use shared::storage::{Address, RecordStore, StorageCalls, TableName};

use crate::client::{Browser, Client, Tokens};
use crate::clients::{BASIC, Confidential, is_not_believed};
use crate::storage::{exists, is_dropped};
use crate::system::System;

const DAY: Duration = Duration::from_hours(24);
/// 2027-01-01 and 2027-04-01, midnight UTC. The clock of the tests starts in the quarter before.
const SECOND_QUARTER: UnixTime = UnixTime::from_secs(1_798_761_600);
const THIRD_QUARTER: UnixTime = UnixTime::from_secs(1_806_537_600);

/// A public client whose metadata do not fit into its identifier.
async fn long_client(system: &System, name: &str) -> Client {
    let uri = format!("https://app.example/{}", "p".repeat(300));
    let registration = json!({ "client_name": name, "redirect_uris": [uri] });
    let registered = system.register(&registration).await.json();
    Client::new(registered["client_id"].as_str().unwrap(), &uri)
}

/// Whether `client` is known where users come and where it comes by itself.
async fn is_known(system: &System, client: &Client) -> (bool, bool) {
    let page = Browser::new().open(client.authorization(system)).await;
    let answer = system.redeem(client, "mcp_ac_x").await;
    match answer.status {
        StatusCode::UNAUTHORIZED => is_not_believed(&answer),
        _ => answer.refused(400, "invalid_grant"),
    }
    (page.status == StatusCode::FOUND, answer.status == StatusCode::BAD_REQUEST)
}

async fn sign_in(system: &System, confidential: &Confidential) -> Tokens {
    let code = confidential.code(system).await;
    let exchange = confidential.client.exchange(&code);
    confidential.send(system, "/token", &exchange).await.tokens()
}

fn calls_since(system: &System, before: StorageCalls) -> (u64, u64) {
    let after = system.oauth_calls();
    (after.reads - before.reads, after.writes - before.writes)
}

#[tokio::test]
async fn a_client_that_nobody_uses_ends_with_the_quarter_after_its_registration() {
    let system = System::start().await;
    let client = long_client(&system, "Long").await;
    let confidential = Confidential::register(&system, BASIC).await;
    let renewal = confidential.refresh("mcp_rt_x");

    system.clock.set(UnixTime::from_secs(THIRD_QUARTER.as_secs() - 1));
    assert_eq!(is_known(&system, &client).await, (true, true));
    confidential.send(&system, "/token", &renewal).await.refused(400, "invalid_grant");

    system.clock.set(THIRD_QUARTER);
    assert_eq!(is_known(&system, &client).await, (false, false));
    is_not_believed(&confidential.send(&system, "/token", &renewal).await);
    is_not_believed(&confidential.send(&system, "/revoke", &[("token", "mcp_rt_x")]).await);
    Browser::new().open(confidential.client.authorization(&system)).await.is_page(400);
}

#[tokio::test]
async fn a_client_that_ended_may_register_again() {
    let system = System::start().await;
    let client = long_client(&system, "Long").await;
    system.clock.set(THIRD_QUARTER);

    let again = long_client(&system, "Long").await;

    assert_eq!(again.id, client.id);
    assert_eq!(is_known(&system, &client).await, (true, true));
}

#[tokio::test]
async fn a_client_that_is_used_lives_on_over_many_quarters() {
    let system = System::start().await;
    let client = long_client(&system, "Long").await;
    let confidential = Confidential::register(&system, BASIC).await;
    for _ in 0..9 {
        system.clock.advance(DAY * 91);

        system.sign_in(&client).await;
        sign_in(&system, &confidential).await;
    }
}

#[tokio::test]
async fn a_client_whose_metadata_are_in_its_identifier_does_not_end() {
    let system = System::start().await;
    let client = system.client("App").await;

    system.clock.advance(DAY * 5000);

    assert_eq!(is_known(&system, &client).await, (true, true));
    assert_eq!(system.oauth_calls(), StorageCalls::default());
}

#[tokio::test]
async fn a_row_costs_one_read_and_in_a_new_quarter_two_reads_and_one_write_at_first() {
    let system = System::start().await;
    system.clock.set(UnixTime::from_secs(SECOND_QUARTER.as_secs() - 60));
    let confidential = Confidential::register(&system, BASIC).await;
    let client = long_client(&system, "Long").await;
    let mut tokens = [sign_in(&system, &confidential).await, system.sign_in(&client).await];

    system.clock.set(SECOND_QUARTER);
    long_client(&system, "The table of this quarter is there").await;

    // With every refresh come one read and one write for the session.
    for expected in [(3, 2), (2, 1), (2, 1)] {
        let before = system.oauth_calls();
        let renewal = confidential.refresh(&tokens[0].refresh_token);
        tokens[0] = confidential.send(&system, "/token", &renewal).await.tokens();
        assert_eq!(calls_since(&system, before), expected);

        let before = system.oauth_calls();
        tokens[1] = system.refresh(&client, &tokens[1].refresh_token).await.tokens();
        assert_eq!(calls_since(&system, before), expected);
    }
    let before = system.oauth_calls();
    Browser::new().open(client.authorization(&system)).await;
    assert_eq!(calls_since(&system, before), (1, 0));
}

#[tokio::test]
async fn who_has_not_signed_in_renews_nothing() {
    let system = System::start().await;
    let client = long_client(&system, "Long").await;
    let confidential = Confidential::register(&system, BASIC).await;
    system.clock.set(SECOND_QUARTER);
    let before = system.oauth_calls();

    for client in [&client, &confidential.client] {
        let browser = Browser::new();
        let request = browser.consent_page(&client.authorization(&system)).await;
        browser.decide(&system, &request, "deny").await;
        system.redeem(client, "mcp_ac_x").await;
    }
    let renewal = confidential.refresh("mcp_rt_x");
    confidential.send(&system, "/token", &renewal).await.refused(400, "invalid_grant");
    let revoked = confidential.send(&system, "/revoke", &[("token", "mcp_rt_x")]).await;

    assert_eq!(revoked.status, StatusCode::OK);
    assert_eq!(calls_since(&system, before).1, 0);
    assert_eq!(system.oauth_calls().tables, before.tables);
    system.clock.set(THIRD_QUARTER);
    assert_eq!(is_known(&system, &client).await, (false, false));
}

#[tokio::test]
async fn tables_of_quarters_that_are_over_are_dropped_when_a_new_one_is_made() {
    let system = System::start().await;
    let records = system.stack.oauth_records();
    let [first, second] = [(2026, 4), (2027, 1)].map(|(year, q)| TableName::of_quarter(year, q));
    let client = long_client(&system, "Long").await;

    system.clock.set(SECOND_QUARTER);
    system.sign_in(&client).await;
    assert!(exists(records.as_ref(), &first).await, "clients of that quarter still live");

    system.clock.set(THIRD_QUARTER);
    system.sign_in(&client).await;
    assert!(is_dropped(records.as_ref(), &first).await, "its time is over");
    assert!(exists(records.as_ref(), &second).await, "clients of that quarter still live");
}

#[tokio::test]
async fn a_row_that_was_moved_to_another_quarter_does_not_open() {
    let system = System::start().await;
    let confidential = Confidential::register(&system, BASIC).await;
    let records = system.stack.oauth_records();
    let row = records.get(&confidential.address(&system)).await.unwrap().unwrap().record;
    system.clock.set(THIRD_QUARTER);
    let table = TableName::of_quarter(2027, 2);
    records.create_table(&table).await.unwrap();
    let address = Address { table, ..confidential.address(&system) };
    records.insert(&address, row).await.unwrap();

    let renewal = confidential.refresh("mcp_rt_x");
    is_not_believed(&confidential.send(&system, "/token", &renewal).await);
}

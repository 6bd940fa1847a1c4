//! What each operation asks of storage (design: login at most 1 read and 3 writes, MCP request
//! 1 read or none, refresh 1 and 1), and what happens when weeks pass.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use serde_json::json;
use shared::clock::Clock;
use shared::config::{Env, ProcessEnv};
use shared::session::ExpiryWeek;
use shared::storage::{RecordStore, StorageCalls, TableName};

use crate::client::Browser;
use crate::system::System;

const DAY: Duration = Duration::from_hours(24);

/// Asserts what `operation` asked of storage: `reads` and `writes`. Notes it in the file that
/// `E2E_CALLS_INTO` names, if any, for who wants to see it.
#[track_caller]
pub(crate) fn assert_cost(
    operation: &str,
    before: StorageCalls,
    after: StorageCalls,
    (reads, writes): (u64, u64),
) {
    let cost = (after.reads - before.reads, after.writes - before.writes);
    if let Some(path) = ProcessEnv.get("E2E_CALLS_INTO") {
        let mut notes = OpenOptions::new().create(true).append(true).open(path).unwrap();
        let line = format!("{operation}: {} read, {} written\tok\n", cost.0, cost.1);
        notes.write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(cost, (reads, writes), "{operation}");
}

#[tokio::test]
async fn a_sign_in_costs_one_read_and_three_writes() {
    let system = System::start().await;
    let client = system.client("App").await;
    system.sign_in(&client).await;
    let before = system.oauth_calls();

    system.sign_in(&system.client("Another").await).await;

    assert_cost("sign-in", before, system.oauth_calls(), (1, 3));
    assert_eq!(system.mcp_calls(), StorageCalls::default());
}

#[tokio::test]
async fn a_refresh_costs_one_read_and_one_write() {
    let system = System::start().await;
    let client = system.client("App").await;
    let tokens = system.sign_in(&client).await;
    let before = system.oauth_calls();

    system.refresh(&client, &tokens.refresh_token).await.tokens();

    assert_cost("refresh", before, system.oauth_calls(), (1, 1));
}

#[tokio::test]
async fn a_revocation_costs_one_read_and_one_write() {
    let system = System::start().await;
    let client = system.client("App").await;
    let tokens = system.sign_in(&client).await;
    for token in [&tokens.access_token, &tokens.refresh_token] {
        let before = system.oauth_calls();
        system.revoke(&client, token).await;
        assert_cost("revocation", before, system.oauth_calls(), (1, 1));
    }
}

#[tokio::test]
async fn an_mcp_request_costs_one_read_and_none_within_thirty_seconds() {
    let system = System::start().await;
    let token = system.sign_in(&system.client("App").await).await.access_token;
    for (operation, seconds, reads) in [
        ("MCP request", 0, 1),
        ("MCP request soon after", 0, 0),
        ("MCP request soon after", 29, 0),
        ("MCP request", 1, 1),
    ] {
        system.clock.advance(Duration::from_secs(seconds));
        let before = system.mcp_calls();

        system.call(&token, "hello_mcp", json!({})).await;

        assert_cost(operation, before, system.mcp_calls(), (reads, 0));
        assert_eq!(system.mcp_calls().tables, 0);
    }
}

#[tokio::test]
async fn what_nobody_signed_in_for_writes_nothing() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    browser.allow(&system, &client.authorization(&system)).await;
    let request = browser.consent_page(&client.authorization(&system)).await;
    browser.decide(&system, &request, "deny").await;
    browser.open(system.url("/oauth-callback?state=x&code=y")).await;
    system.redeem(&client, "mcp_ac_x").await;
    system.refresh(&client, "mcp_rt_x").await;
    system.revoke(&client, "mcp_rt_x").await;
    system.mcp("mcp_at_x", "tools/list", json!({})).await;

    let none = StorageCalls::default();
    assert_cost("anonymous, at oauth-fn", none, system.oauth_calls(), (0, 0));
    assert_cost("anonymous, at mcp-fn", none, system.mcp_calls(), (0, 0));
    assert_eq!(system.oauth_calls().tables, 0);
}

#[tokio::test]
async fn tables_are_dropped_when_their_week_is_over_and_others_are_made() {
    let system = System::start().await;
    let client = system.client("App").await;
    let records = system.stack.oauth_records();
    let week = ExpiryWeek::of(system.clock.now().plus(DAY * 30));
    let first = [week.table(), week.users_table()];
    system.sign_in(&client).await;
    for table in &first {
        assert!(exists(records.as_ref(), table).await);
    }

    system.clock.advance(DAY * 20);
    system.sign_in(&client).await;
    for table in &first {
        assert!(exists(records.as_ref(), table).await, "grants of that week may still live");
    }

    system.clock.advance(DAY * 21);
    system.sign_in(&client).await;
    for table in &first {
        assert!(is_dropped(records.as_ref(), table).await, "its week is over");
    }
}

/// Whether a table goes soon: it is dropped while nobody waits for it.
pub(crate) async fn is_dropped(records: &dyn RecordStore, table: &TableName) -> bool {
    for _ in 0..100 {
        if !exists(records, table).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Whether a table is there: an insertion tells, and leaves nothing where there is none.
pub(crate) async fn exists(records: &dyn RecordStore, table: &TableName) -> bool {
    use shared::storage::{Address, InsertError, Key, Record};
    let row = Key::word("probe");
    let address = Address { table: table.clone(), partition: row.clone(), row };
    !matches!(records.insert(&address, Record::default()).await, Err(InsertError::NoTable))
}

//! A server with tools of its own, started as Azure Functions would start it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../../../../tests/deployed/process.rs"]
#[expect(dead_code, reason = "the tests of mcp-fn need more of it")]
mod process;
#[path = "../../../../tests/deployed/signed_in.rs"]
mod signed_in;

use process::Account;
use serde_json::json;
use signed_in::SignedIn;

const SERVER: &str = env!("CARGO_BIN_EXE_own-tools");

#[test]
fn the_signed_in_user_calls_the_tool_and_nobody_else_does() {
    let signed_in = SignedIn::new();
    let account = Account::answering(200, "", &signed_in.row);
    let process = signed_in.start(SERVER, account.port, &[]);

    let (called, answer) =
        signed_in.call(&process, "share_bill", &json!({"cents": 1000, "others": 2}));
    let (page, _) = process.ask("GET /", "");
    let (metadata, _) = process.ask("GET /.well-known/oauth-protected-resource/mcp", "");
    let (refused, challenge) = process.ask("POST /mcp", "");

    assert_eq!(called, 200, "{answer}");
    assert!(answer.contains("Alice pays 334 cents."), "{answer}");
    assert_eq!((page, metadata, refused), (200, 200, 401));
    assert_eq!(account.requests(), 1, "a session is read once, and only where there is a token");
    assert!(challenge.contains("www-authenticate: Bearer resource_metadata="), "{challenge}");
}

#[test]
fn a_setting_that_leads_to_no_sessions_is_named_and_the_caller_is_told_to_wait() {
    let signed_in = SignedIn::new();
    let account = Account::answering(403, "AuthorizationPermissionMismatch", "");
    let process = signed_in.start(SERVER, account.port, &[]);

    let (status, answer) =
        signed_in.call(&process, "share_bill", &json!({"cents": 1, "others": 0}));

    assert_eq!(status, 503, "{answer}");
    assert!(process.complaint().contains("SESSION_TABLES_ENDPOINT: cannot read a record"));
}

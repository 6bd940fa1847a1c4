//! The deployed mcp-fn comes up whatever its settings lead to, and tells what is wrong with them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../../tests/deployed/process.rs"]
mod process;
#[path = "../../tests/deployed/signed_in.rs"]
mod signed_in;

use process::{Account, Process, endpoint, free_port};
use serde_json::json;
use signed_in::SignedIn;

fn start(signed_in: &SignedIn, tables: u16, blobs: u16) -> Process {
    let blobs = endpoint(blobs);
    signed_in.start(env!("CARGO_BIN_EXE_mcp-fn"), tables, &[("BLOBS_ENDPOINT", &blobs)])
}

/// The answer to a call that needs the session, and the snippets.
fn list_snippets(signed_in: &SignedIn, process: &Process) -> (u16, String) {
    signed_in.call(process, "list_snippets", &json!({}))
}

#[test]
fn it_answers_before_it_asks_storage_for_anything() {
    let signed_in = SignedIn::new();
    let account = Account::answering(403, "AuthorizationPermissionMismatch", "");
    let process = start(&signed_in, account.port, account.port);

    let (page, _) = process.ask("GET /", "");
    let (metadata, _) = process.ask("GET /.well-known/oauth-protected-resource/mcp", "");
    let (challenge, _) = process.ask("POST /mcp", "");

    assert_eq!((page, metadata, challenge), (200, 200, 401));
    assert_eq!(account.requests(), 0);
    list_snippets(&signed_in, &process);
    assert_eq!(account.requests(), 1);
}

#[test]
fn a_table_endpoint_that_is_wrong_or_lacks_its_role_is_named_and_the_caller_is_told_to_wait() {
    let code = "AuthorizationPermissionMismatch";
    for (port, cause) in [
        (free_port(), "no answer ("),
        (Account::answering(404, "", "<html>").port, "404"),
        (Account::answering(403, code, "").port, code),
    ] {
        let signed_in = SignedIn::new();
        let process = start(&signed_in, port, free_port());

        let (status, answer) = list_snippets(&signed_in, &process);

        assert_eq!(status, 503, "{cause}: {answer}");
        assert!(answer.contains("retry-after: 5\r\n"), "{cause}: {answer}");
        assert!(answer.contains(r#""error":"temporarily_unavailable""#), "{cause}: {answer}");
        let line = process.complaint();
        let setting = "SESSION_TABLES_ENDPOINT: cannot read a record: ";
        for word in [setting, cause, "has the role Storage Table Data Reader"] {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
}

#[test]
fn an_account_that_oauth_fn_does_not_write_to_is_named() {
    let signed_in = SignedIn::new();
    let account = Account::answering(404, "TableNotFound", "");
    let process = start(&signed_in, account.port, free_port());

    let (status, answer) = list_snippets(&signed_in, &process);

    assert_eq!(status, 503, "{answer}");
    let line = process.complaint();
    let advice = "SESSION_TABLES_ENDPOINT must name the account that oauth-fn writes to";
    assert!(line.contains(advice), "{line}");
}

#[test]
fn a_blob_endpoint_that_is_wrong_or_lacks_its_role_is_named_and_the_tool_says_to_wait() {
    let code = "AuthorizationPermissionMismatch";
    for (port, cause) in [
        (free_port(), "no answer ("),
        (Account::answering(404, "ContainerNotFound", "").port, "404 ContainerNotFound"),
        (Account::answering(403, code, "").port, code),
    ] {
        let signed_in = SignedIn::new();
        let tables = Account::answering(200, "", &signed_in.row);
        let process = start(&signed_in, tables.port, port);

        let (status, answer) = list_snippets(&signed_in, &process);

        assert_eq!(status, 200, "{cause}: {answer}");
        assert!(answer.contains("Snippets cannot be reached right now."), "{cause}: {answer}");
        let line = process.complaint();
        let setting = "BLOBS_ENDPOINT: cannot list snippets: ";
        for word in [setting, cause, "has the role Storage Blob Data Contributor"] {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
}

#[test]
fn it_stops_when_it_is_told_to_whatever_streams_are_open() {
    let signed_in = SignedIn::new();
    let tables = Account::answering(200, "", &signed_in.row);
    let mut process = start(&signed_in, tables.port, free_port());
    let head = format!("GET /mcp/sse HTTP/1.1\nauthorization: Bearer {}", signed_in.token);
    let _stream = process.begin(&head);

    let status = process.stop();

    assert!(status.success(), "{status}");
}

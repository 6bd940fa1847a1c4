//! The tools, over the real router.

mod confirmation;
mod promises;
mod trace;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use shared::deadline;
use tokio::time::Instant;

use crate::testing::TestServer;

const BOTH: &str = "snippets:read snippets:write";
const NAME_RULE: &str = "A snippet name is 1 to 128 letters, digits, '.', '_' or '-'.";

async fn save(server: &TestServer, token: &str, name: &str, text: &str) -> Value {
    server.call(token, "save_snippet", json!({"snippetname": name, "snippet": text})).await
}

fn text(result: &Value) -> &str {
    assert_eq!(result["isError"], false, "{result}");
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn hello_greets() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    let result = server.call(&token, "hello_mcp", json!({})).await;

    assert_eq!(text(&result), "Hello I am MCPTool!");
    assert_eq!(result["structuredContent"]["message"], "Hello I am MCPTool!");
}

#[tokio::test]
async fn what_is_saved_is_given_back_exactly() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for snippet in ["", " two\r\nlines\t\0", "\u{feff}\u{1f600} é \u{202e}", "{\"a\": [1]}"] {
        let arguments = json!({"snippetname": "a.b_C-9", "snippet": snippet, "confirm": true});
        let saved = server.call(&token, "save_snippet", arguments).await;
        let got = server.call(&token, "get_snippet", json!({"snippetname": "a.b_C-9"})).await;

        let bytes = snippet.len();
        assert_eq!(text(&saved), format!("Saved snippet 'a.b_C-9' ({bytes} bytes)."));
        assert_eq!(saved["structuredContent"], json!({"snippetname": "a.b_C-9", "bytes": bytes}));
        assert_eq!(text(&got), snippet);
        assert_eq!(got["structuredContent"], json!({"snippetname": "a.b_C-9", "snippet": snippet}));
    }
}

#[tokio::test]
async fn snippets_are_listed_page_by_page() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    for (name, snippet) in [("c", "333"), ("a", "1"), ("b", "é")] {
        save(&server, &token, name, snippet).await;
    }

    let first = server.call(&token, "list_snippets", json!({})).await;
    let cursor = &first["structuredContent"]["next_cursor"];
    let last = server.call(&token, "list_snippets", json!({"cursor": cursor})).await;

    assert_eq!(
        first["structuredContent"]["snippets"],
        json!([{"snippetname": "a", "bytes": 1}, {"snippetname": "b", "bytes": 2}])
    );
    assert_eq!(
        text(&first),
        "a (1 bytes)\nb (2 bytes)\nThere are more: call again with cursor 'c'."
    );
    assert_eq!(last["structuredContent"], json!({"snippets": [{"snippetname": "c", "bytes": 3}]}));
}

#[tokio::test]
async fn an_empty_list_says_so() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    let result = server.call(&token, "list_snippets", json!({})).await;

    assert_eq!(text(&result), "There are no snippets.");
    assert_eq!(result["structuredContent"], json!({"snippets": []}));
}

#[tokio::test]
async fn a_deleted_snippet_is_gone_and_a_missing_one_is_named() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "text").await;
    let named = json!({"snippetname": "x"});

    let confirmed = json!({"snippetname": "x", "confirm": true});
    let deleted = server.call(&token, "delete_snippet", confirmed).await;

    assert_eq!(text(&deleted), "Deleted snippet 'x'.");
    for tool in ["get_snippet", "delete_snippet"] {
        let refusal = server.refusal(&token, tool, named.clone()).await;
        assert_eq!(refusal, "There is no snippet named 'x'.", "{tool}");
    }
}

#[tokio::test]
async fn nobody_reaches_the_snippets_of_another_user() {
    let server = TestServer::new();
    let ann = server.sign_in("ann", BOTH).await;
    let bob = server.sign_in("bob", BOTH).await;
    save(&server, &ann, "secret", "of ann").await;
    let named = json!({"snippetname": "secret"});

    let got = server.refusal(&bob, "get_snippet", named.clone()).await;
    let deleted = server.refusal(&bob, "delete_snippet", named.clone()).await;
    let listed = server.call(&bob, "list_snippets", json!({})).await;
    save(&server, &bob, "secret", "of bob").await;

    assert_eq!(got, "There is no snippet named 'secret'.");
    assert_eq!(deleted, got);
    assert_eq!(listed["structuredContent"]["snippets"], json!([]));
    assert_eq!(text(&server.call(&ann, "get_snippet", named).await), "of ann");
}

#[tokio::test]
async fn another_session_of_the_same_user_sees_the_same_snippets() {
    let server = TestServer::new();
    let (laptop, phone) = (server.sign_in("ann", BOTH).await, server.sign_in("ANN", BOTH).await);
    save(&server, &laptop, "x", "text").await;

    let got = server.call(&phone, "get_snippet", json!({"snippetname": "x"})).await;

    assert_eq!(text(&got), "text");
}

#[tokio::test]
async fn whoami_tells_who_through_what_and_until_when() {
    let server = TestServer::new();
    let token = server.sign_in("ann", "snippets:read").await;
    server.clock.advance(Duration::from_mins(1));

    let result = server.call(&token, "whoami", json!({})).await;

    assert_eq!(
        result["structuredContent"],
        json!({
            "name": "Name of ann",
            "tenant": "tenant-1",
            "client_id": "client-1",
            "client_name": "Test client",
            "scopes": ["snippets:read"],
            "expires_at": "2026-12-14T00:10:00Z",
            "expires_in": 540,
        })
    );
    assert_eq!(
        text(&result),
        "Signed in as Name of ann (tenant tenant-1) through Test client. Scopes: snippets:read. \
         The access token ends at 2026-12-14T00:10:00Z, in 540 seconds."
    );
}

#[tokio::test]
async fn a_name_is_1_to_128_of_its_characters() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for name in ["a", ".", "..", "...", "-", "A.b_c-9", &"x".repeat(128)] {
        assert_eq!(save(&server, &token, name, "").await["isError"], false, "{name}");
    }
    for name in [
        "",
        "a b",
        "a/b",
        "a\\b",
        "../a",
        "a%2Fb",
        "a\0",
        "a\n",
        "é",
        "a?b",
        "a#b",
        &"x".repeat(129),
    ] {
        for tool in ["save_snippet", "get_snippet", "delete_snippet"] {
            let mut arguments = json!({"snippetname": name});
            if tool == "save_snippet" {
                arguments["snippet"] = json!("");
            }
            assert_eq!(server.refusal(&token, tool, arguments).await, NAME_RULE, "{name:?}");
        }
    }
}

#[tokio::test]
async fn arguments_of_another_shape_are_faults_of_the_call_that_a_model_can_read() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for (tool, arguments, hint) in [
        ("get_snippet", json!({}), "missing field `snippetname`"),
        ("get_snippet", json!({"snippetname": 5}), "expected a string"),
        ("get_snippet", json!({"snippetname": null}), "expected a string"),
        ("get_snippet", json!({"snippetname": "a", "x": 1}), "unknown field `x`"),
        ("save_snippet", json!({"snippetname": "a"}), "missing field `snippet`"),
        ("save_snippet", json!({"snippetname": "a", "snippet": ["b"]}), "expected a string"),
        ("list_snippets", json!({"cursor": 1}), "expected a string"),
        ("list_snippets", json!({"cursor": "a/b"}), "The cursor must be the next_cursor of"),
    ] {
        let refusal = server.refusal(&token, tool, arguments.clone()).await;

        assert!(refusal.contains(hint), "{arguments}: {refusal}");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_a_fault_that_says_no_more_than_that() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.snippets.broken.store(true, Ordering::Relaxed);

    for (tool, arguments) in [
        ("save_snippet", json!({"snippetname": "a", "snippet": "b"})),
        ("get_snippet", json!({"snippetname": "a"})),
        ("list_snippets", json!({})),
        ("delete_snippet", json!({"snippetname": "a"})),
    ] {
        let refusal = server.refusal(&token, tool, arguments).await;

        assert_eq!(refusal, "Snippets cannot be reached right now. Try again in a moment.");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_waits_for_storage_no_longer_than_its_request_may_take() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.snippets.silent.store(true, Ordering::Relaxed);
    let began = Instant::now();

    let refused = server.refusal(&token, "get_snippet", json!({"snippetname": "a"})).await;

    assert_eq!(began.elapsed(), deadline::REQUEST);
    assert!(refused.contains("again"), "{refused}");
}

//! Snippets as resources, over the real router and in both eras.

use std::sync::atomic::Ordering;

use http::StatusCode;
use serde_json::{Value, json};

use crate::testing::{Reply, TestServer};

const BOTH: &str = "snippets:read snippets:write";
const TEMPLATE: &str = "snippet://{name}";

async fn save(server: &TestServer, token: &str, name: &str, text: &str) {
    let arguments = json!({"snippetname": name, "snippet": text});
    assert_eq!(server.call(token, "save_snippet", arguments).await["isError"], false);
}

/// The answers of both eras, the earlier first.
async fn both(server: &TestServer, token: &str, method: &str, params: Value) -> [Reply; 2] {
    [
        server.ask(token, method, params.clone()).await,
        server.ask_modern(token, method, params).await,
    ]
}

async fn result(server: &TestServer, token: &str, method: &str, params: Value) -> Value {
    let [legacy, modern] = both(server, token, method, params).await;
    assert_eq!(modern.status, StatusCode::OK, "{modern:?}");
    let (legacy, mut modern) = (legacy.json()["result"].clone(), modern.json()["result"].clone());
    let members = modern.as_object_mut().unwrap();
    for of_its_era in ["resultType", "ttlMs", "cacheScope", "_meta"] {
        members.remove(of_its_era);
    }
    assert_eq!(legacy, modern);
    modern
}

async fn completion(server: &TestServer, token: &str, prefix: &str) -> Value {
    let params = json!({
        "ref": {"type": "ref/resource", "uri": TEMPLATE},
        "argument": {"name": "name", "value": prefix},
    });
    result(server, token, "completion/complete", params).await["completion"].clone()
}

#[tokio::test]
async fn the_capabilities_tell_of_resources_and_completions() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    });

    let initialized = server.ask(&token, "initialize", params).await.json();
    let discovered = server.ask_modern(&token, "server/discover", json!({})).await.json();

    for found in [initialized, discovered] {
        let capabilities = &found["result"]["capabilities"];
        assert_eq!(capabilities["resources"], json!({}));
        assert_eq!(capabilities["completions"], json!({}));
        assert_eq!(capabilities["tools"], json!({}));
    }
}

#[tokio::test]
async fn snippets_are_listed_in_the_pages_of_the_tool() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    for (name, text) in [("c", "333"), ("a", "1"), ("b", "é")] {
        save(&server, &token, name, text).await;
    }

    let first = result(&server, &token, "resources/list", json!({})).await;
    let cursor = json!({"cursor": first["nextCursor"]});
    let last = result(&server, &token, "resources/list", cursor).await;

    let entries = |page: &Value| -> Vec<Value> {
        let entry = |it: &Value| json!([it["uri"], it["name"], it["title"], it["size"]]);
        page["resources"].as_array().unwrap().iter().map(entry).collect()
    };
    assert_eq!(
        entries(&first),
        [json!(["snippet://a", "a", "Snippet a", 1]), json!(["snippet://b", "b", "Snippet b", 2]),]
    );
    assert_eq!(entries(&last), [json!(["snippet://c", "c", "Snippet c", 3])]);
    assert_eq!(first["resources"][0]["mimeType"], "text/plain");
    assert_eq!(last["nextCursor"], Value::Null);
}

#[tokio::test]
async fn a_cursor_that_is_none_of_ours_is_invalid() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for cursor in ["a/b", "", "snippet://a"] {
        for reply in both(&server, &token, "resources/list", json!({"cursor": cursor})).await {
            assert_eq!(reply.json()["error"]["code"], -32602, "{cursor} {reply:?}");
        }
    }
}

#[tokio::test]
async fn a_snippet_is_read_exactly_as_it_was_saved() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let text = " two\r\nlines\t\0 \u{feff}\u{1f600} \u{202e}";
    save(&server, &token, "a.b_C-9", text).await;

    let read = result(&server, &token, "resources/read", json!({"uri": "snippet://a.b_C-9"})).await;

    let contents = json!([{"uri": "snippet://a.b_C-9", "mimeType": "text/plain", "text": text}]);
    assert_eq!(read, json!({"contents": contents}));
}

#[tokio::test]
async fn other_spellings_of_a_uri_lead_to_the_same_snippet() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "Ab.c", "text").await;

    for uri in ["SNIPPET://Ab.c", "snippet://%41b%2Ec", "Snippet://%41%62%2e%63"] {
        let read = result(&server, &token, "resources/read", json!({"uri": uri})).await;

        assert_eq!(read["contents"][0]["uri"], "snippet://Ab.c", "{uri}");
        assert_eq!(read["contents"][0]["text"], "text", "{uri}");
    }
}

#[tokio::test]
async fn what_is_not_there_has_the_error_of_its_era() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "a", "text").await;

    for uri in [
        "snippet://b",
        "snippet://A",
        "snippet://",
        "snippet://a/",
        "snippet://a?b",
        "snippet://a#b",
        "snippet://a@b",
        "snippet://a:1",
        "snippet://a%",
        "snippet://a%4",
        "snippet://a%zz",
        "snippet://%2561",
        "snippet://..%2Fa",
        "snippet://%C3%A9",
        "snippet:a",
        "snippet:///a",
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "a",
        "",
    ] {
        let [legacy, modern] = both(&server, &token, "resources/read", json!({"uri": uri})).await;

        assert_eq!(legacy.json()["error"]["code"], -32002, "{uri} {legacy:?}");
        assert_eq!(modern.json()["error"]["code"], -32602, "{uri} {modern:?}");
        // It is logged as it is, and what was asked for is the client's own affair.
        for reply in [legacy, modern] {
            assert_eq!(reply.json()["error"]["message"], "there is no such resource");
            assert_eq!(reply.json()["error"]["data"], Value::Null);
        }
    }
}

#[tokio::test]
async fn nobody_reads_lists_or_completes_the_snippets_of_another_user() {
    let server = TestServer::new();
    let (ann, bob) = (server.sign_in("ann", BOTH).await, server.sign_in("bob", BOTH).await);
    save(&server, &ann, "secret", "of ann").await;
    let uri = json!({"uri": "snippet://secret"});

    let [read, _] = both(&server, &bob, "resources/read", uri.clone()).await;
    let [absent, _] =
        both(&server, &bob, "resources/read", json!({"uri": "snippet://absent"})).await;
    let listed = result(&server, &bob, "resources/list", json!({})).await;
    let from = json!({"cursor": "secret"});
    let from = result(&server, &bob, "resources/list", from).await;
    let completed = completion(&server, &bob, "se").await;
    save(&server, &bob, "secret", "of bob").await;

    assert_eq!(read.body, absent.body);
    assert_eq!(listed["resources"], json!([]));
    assert_eq!(from["resources"], json!([]));
    assert_eq!(completed["values"], json!([]));
    let read = result(&server, &ann, "resources/read", uri).await;
    assert_eq!(read["contents"][0]["text"], "of ann");
}

#[tokio::test]
async fn one_template_names_them_all() {
    let server = TestServer::new();
    let token = server.sign_in("ann", "").await;

    let listed = result(&server, &token, "resources/templates/list", json!({})).await;

    let templates = listed["resourceTemplates"].as_array().unwrap();
    assert_eq!(templates.len(), 1);
    assert_eq!(templates[0]["uriTemplate"], TEMPLATE);
    assert_eq!(templates[0]["mimeType"], "text/plain");
    for member in ["name", "title", "description"] {
        assert!(templates[0][member].is_string(), "{member}");
    }
}

#[tokio::test]
async fn names_are_completed_from_their_beginning() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    for name in ["b.", "a", "b", "B", "b.c", "bb", "c"] {
        save(&server, &token, name, "text").await;
    }

    for (prefix, values, more) in [
        ("", json!(["B", "a"]), true),
        ("b", json!(["b", "b."]), true),
        ("b.", json!(["b.", "b.c"]), false),
        ("bb", json!(["bb"]), false),
        ("c", json!(["c"]), false),
        ("d", json!([]), false),
        ("A", json!([]), false),
        ("b/", json!([]), false),
        ("snippet://b", json!([]), false),
        ("é", json!([]), false),
        (&"b".repeat(129), json!([]), false),
    ] {
        let found = completion(&server, &token, prefix).await;

        assert_eq!(found["values"], values, "{prefix}");
        assert_eq!(found["hasMore"], more, "{prefix}");
        let total = if more { Value::Null } else { json!(values.as_array().unwrap().len()) };
        assert_eq!(found["total"], total, "{prefix}");
    }
}

#[tokio::test]
async fn nothing_else_is_completed() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let of = |kind: &str, uri: &str, argument: &str| {
        json!({
            "ref": {"type": kind, "uri": uri, "name": uri},
            "argument": {"name": argument, "value": ""},
        })
    };

    for params in [
        of("ref/prompt", TEMPLATE, "name"),
        of("ref/resource", "snippet://a", "name"),
        of("ref/resource", "file:///{name}", "name"),
        of("ref/resource", TEMPLATE, "snippetname"),
        of("ref/tool", TEMPLATE, "name"),
        json!({"ref": {"type": "ref/resource", "uri": TEMPLATE}}),
        json!({}),
    ] {
        for reply in both(&server, &token, "completion/complete", params.clone()).await {
            assert_eq!(reply.json()["error"]["code"], -32602, "{params} {reply:?}");
        }
    }
}

#[tokio::test]
async fn reading_needs_the_scope_for_it_and_no_more() {
    let server = TestServer::new();
    let (reader, writer) = (
        server.sign_in("ann", "snippets:read").await,
        server.sign_in("ann", "snippets:write").await,
    );
    save(&server, &writer, "a", "text").await;
    let complete = json!({
        "ref": {"type": "ref/resource", "uri": TEMPLATE},
        "argument": {"name": "name", "value": ""},
    });

    for (method, params) in [
        ("resources/list", json!({})),
        ("resources/list", json!({"cursor": "a/b"})),
        ("resources/read", json!({"uri": "snippet://a"})),
        ("resources/read", json!({"uri": "snippet://absent"})),
        ("completion/complete", complete),
        (
            "completion/complete",
            json!({
                "ref": {"type": "ref/prompt", "name": "a"}, "argument": {"name": "a", "value": ""},
            }),
        ),
    ] {
        for reply in both(&server, &writer, method, params.clone()).await {
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {params} {reply:?}");
            let challenge = reply.challenge();
            assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
            assert!(challenge.ends_with("scope=\"snippets:read snippets:write\""), "{challenge}");
        }
        for reply in both(&server, &reader, method, params.clone()).await {
            assert_ne!(reply.status, StatusCode::FORBIDDEN, "{method} {params} {reply:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_is_an_error_that_says_no_more_than_that() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    server.snippets.broken.store(true, Ordering::Relaxed);
    let complete = json!({
        "ref": {"type": "ref/resource", "uri": TEMPLATE},
        "argument": {"name": "name", "value": ""},
    });

    for (method, params) in [
        ("resources/list", json!({})),
        ("resources/read", json!({"uri": "snippet://a"})),
        ("completion/complete", complete),
    ] {
        for reply in both(&server, &token, method, params.clone()).await {
            let error = json!({
                "code": -32603,
                "message": "snippets cannot be reached right now; try again in a moment",
            });
            assert_eq!(reply.json()["error"], error, "{method} {reply:?}");
        }
    }
}

#[tokio::test]
async fn what_is_the_same_for_all_may_be_kept_by_all_and_what_is_a_users_own_by_them_alone() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "a", "text").await;

    for (method, params, ttl, scope) in [
        ("server/discover", json!({}), 300_000, "public"),
        ("tools/list", json!({}), 300_000, "public"),
        ("resources/templates/list", json!({}), 300_000, "public"),
        ("resources/list", json!({}), 1_000, "private"),
        ("resources/read", json!({"uri": "snippet://a"}), 1_000, "private"),
    ] {
        let modern = server.ask_modern(&token, method, params.clone()).await.json();
        let legacy = server.ask(&token, method, params).await.json();

        assert_eq!(modern["result"]["ttlMs"], ttl, "{method}");
        assert_eq!(modern["result"]["cacheScope"], scope, "{method}");
        assert_eq!(legacy["result"]["ttlMs"], Value::Null, "{method}");
        assert_eq!(legacy["result"]["cacheScope"], Value::Null, "{method}");
    }
}

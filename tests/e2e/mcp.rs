//! `POST /mcp` behind a session (RFC 6750, RFC 9728): who may call what.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Browser;
use crate::system::{Answer, System};

fn text(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

fn structured(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()["result"]["structuredContent"].clone()
}

#[tokio::test]
async fn without_a_token_every_method_is_challenged_before_anything_else() {
    let system = System::start().await;
    for method in [Method::POST, Method::GET, Method::DELETE, Method::PUT] {
        let answer = system.request(method, "/mcp?access_token=x").await;

        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let challenge = answer.header("www-authenticate").unwrap();
        let metadata = system.url("/.well-known/oauth-protected-resource/mcp");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
        assert!(challenge.contains("scope=\"snippets:read snippets:write\""), "{challenge}");
        assert!(!challenge.contains("error="), "{challenge}");
    }
}

#[tokio::test]
async fn every_bad_token_gets_one_and_the_same_answer() {
    let system = System::start().await;
    let client = system.client("App").await;
    let good = system.sign_in(&client).await.access_token;
    let expired = system.sign_in(&client).await.access_token;
    system.clock.advance(std::time::Duration::from_hours(1));
    let ended = system.sign_in(&client).await;
    system.revoke(&client, &ended.refresh_token).await;
    let before = system.mcp_calls();

    let mut answers = Vec::new();
    for token in ["x", "mcp_at_AAAA", "eyJhbGciOiJSUzI1NiJ9.e30.x", &good[..60], &expired] {
        answers.push(system.mcp(token, "tools/list", json!({})).await);
    }
    assert_eq!(system.mcp_calls(), before, "garbage and expired tokens never reach storage");
    answers.push(system.mcp(&ended.access_token, "tools/list", json!({})).await);

    for answer in &answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.body, answers[0].body);
        assert_eq!(answer.header("www-authenticate"), answers[0].header("www-authenticate"));
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
}

#[tokio::test]
async fn a_session_reaches_every_tool() {
    let system = System::start().await;
    let token = system.sign_in(&system.client("App").await).await.access_token;
    let call = |tool: &'static str, arguments: Value| system.call(&token, tool, arguments);

    let tools = system.mcp(&token, "tools/list", json!({})).await.json();
    let names: Vec<_> =
        tools["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(text(&call("hello_mcp", json!({})).await), "Hello I am MCPTool!");
    call("save_snippet", json!({"snippetname": "a.txt", "snippet": "caf\u{e9} \u{1f980}"})).await;
    call("save_snippet", json!({"snippetname": "a.txt", "snippet": "second", "confirm": true}))
        .await;
    call("save_snippet", json!({"snippetname": "B-2", "snippet": ""})).await;
    assert_eq!(text(&call("get_snippet", json!({"snippetname": "a.txt"})).await), "second");
    let listed = structured(&call("list_snippets", json!({})).await);
    assert_eq!(listed["snippets"].as_array().unwrap().len(), 2, "{listed}");
    call("delete_snippet", json!({"snippetname": "a.txt", "confirm": true})).await;
    let missing = call("get_snippet", json!({"snippetname": "a.txt"})).await;
    assert_eq!(missing.json()["result"]["isError"], true);
    assert!(text(&missing).contains("a.txt"));
    let me = structured(&call("whoami", json!({})).await);
    assert_eq!(me["name"], "Alice Example", "{me}");
}

#[tokio::test]
async fn nobody_reads_or_deletes_the_snippets_of_another_user() {
    let system = System::start().await;
    let client = system.client("App").await;
    let alice = system.sign_in(&client).await.access_token;
    let code = Browser::new().code_as(&system, &client, "bob").await;
    let bob = system.redeem(&client, &code).await.tokens().access_token;
    let name = json!({ "snippetname": "secret" });
    system.call(&alice, "save_snippet", json!({"snippetname": "secret", "snippet": "x"})).await;

    for tool in ["get_snippet", "delete_snippet"] {
        let answer = system.call(&bob, tool, name.clone()).await;
        assert_eq!(answer.json()["result"]["isError"], true, "{tool}");
    }
    assert_eq!(
        structured(&system.call(&bob, "list_snippets", json!({})).await)["snippets"],
        json!([])
    );
    system.call(&bob, "save_snippet", json!({"snippetname": "secret", "snippet": "y"})).await;

    assert_eq!(text(&system.call(&alice, "get_snippet", name).await), "x");
}

#[tokio::test]
async fn snippets_are_resources_of_their_user_alone() {
    let system = System::start().await;
    let client = system.client("App").await;
    let alice = system.sign_in(&client).await.access_token;
    let code = Browser::new().code_as(&system, &client, "bob").await;
    let bob = system.redeem(&client, &code).await.tokens().access_token;
    for number in 0..101 {
        let snippet = json!({ "snippetname": format!("n{number:03}."), "snippet": "of alice" });
        system.call(&alice, "save_snippet", snippet).await;
    }
    let uri = json!({ "uri": "snippet://n100." });
    let complete = json!({
        "ref": { "type": "ref/resource", "uri": "snippet://{name}" },
        "argument": { "name": "name", "value": "n0" },
    });
    let ask = |token: String, method: &'static str, params: Value| {
        let system = &system;
        async move { system.mcp(&token, method, params).await.json()["result"].clone() }
    };

    let first = ask(alice.clone(), "resources/list", json!({})).await;
    let cursor = json!({ "cursor": first["nextCursor"] });
    let last = ask(alice.clone(), "resources/list", cursor).await;
    let read = ask(alice.clone(), "resources/read", uri.clone()).await;
    let completed = ask(alice.clone(), "completion/complete", complete.clone()).await;
    let listed_by_bob = ask(bob.clone(), "resources/list", json!({})).await;
    let completed_for_bob = ask(bob.clone(), "completion/complete", complete).await;
    let read_by_bob = system.mcp(&bob, "resources/read", uri).await.json();

    assert_eq!(first["resources"].as_array().unwrap().len(), 100);
    assert_eq!(last["resources"].as_array().unwrap().len(), 1);
    assert_eq!(last["resources"][0]["uri"], "snippet://n100.");
    assert_eq!(read["contents"][0]["text"], "of alice");
    assert_eq!(completed["completion"]["values"].as_array().unwrap().len(), 100);
    assert_eq!(completed["completion"]["hasMore"], false);
    assert_eq!(listed_by_bob["resources"], json!([]));
    assert_eq!(completed_for_bob["completion"]["values"], json!([]));
    assert_eq!(read_by_bob["error"]["code"], -32002, "{read_by_bob}");
}

#[tokio::test]
async fn two_clients_of_one_user_share_the_users_snippets() {
    let system = System::start().await;
    let one = system.sign_in(&system.client("One").await).await.access_token;
    let two = system.sign_in(&system.client("Two").await).await.access_token;

    system.call(&one, "save_snippet", json!({"snippetname": "n", "snippet": "x"})).await;

    assert_eq!(text(&system.call(&two, "get_snippet", json!({"snippetname": "n"})).await), "x");
}

#[tokio::test]
async fn a_read_only_session_may_not_save_and_learns_which_scopes_it_needs() {
    let system = System::start().await;
    let mut client = system.client("App").await;
    client.scope = Some("snippets:read");
    let token = system.sign_in(&client).await.access_token;
    let save = json!({ "snippetname": "a", "snippet": "b" });

    let answer = system.call(&token, "save_snippet", save).await;

    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"snippets:read snippets:write\""), "{challenge}");
    let listed = structured(&system.call(&token, "list_snippets", json!({})).await);
    assert_eq!(listed["snippets"], json!([]));
}

#[tokio::test]
async fn a_session_of_the_newest_protocol_needs_no_handshake() {
    let system = System::start().await;
    let token = system.sign_in(&system.client("App").await).await.access_token;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    for (method, name, params) in [
        ("server/discover", None, json!({ "_meta": meta })),
        ("tools/list", None, json!({ "_meta": meta })),
        (
            "tools/call",
            Some("hello_mcp"),
            json!({ "_meta": meta, "name": "hello_mcp", "arguments": {} }),
        ),
    ] {
        let mut request = system
            .http
            .post(system.url("/mcp"))
            .bearer_auth(&token)
            .header("Accept", "application/json, text/event-stream")
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", method);
        if let Some(name) = name {
            request = request.header("Mcp-Name", name);
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });

        let answer = Answer::of(request.json(&body)).await;

        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.json()["result"]["resultType"], "complete", "{}", answer.body);
    }
}

#[tokio::test]
async fn with_a_token_other_methods_are_405_and_foreign_origins_403() {
    let system = System::start().await;
    let token = system.sign_in(&system.client("App").await).await.access_token;
    for method in [Method::GET, Method::DELETE] {
        let request = system.http.request(method, system.url("/mcp")).bearer_auth(&token);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.header("allow").unwrap().contains("POST"));
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let request = system.http.post(system.url("/mcp")).bearer_auth(&token).json(&body);
    let request = request
        .header("Accept", "application/json, text/event-stream")
        .header("Origin", "https://evil.example");

    assert_eq!(Answer::of(request).await.status, StatusCode::FORBIDDEN);
}

//! Nothing is lost unasked: how a text is replaced or deleted, in each era.

use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use super::{BOTH, save, text};
use crate::testing::TestServer;

/// Capabilities of a client that shows forms to its user.
fn forms() -> Value {
    json!({"elicitation": {}})
}

fn saving(name: &str, snippet: &str) -> Value {
    json!({"name": "save_snippet", "arguments": {"snippetname": name, "snippet": snippet}})
}

fn deleting(name: &str) -> Value {
    json!({"name": "delete_snippet", "arguments": {"snippetname": name}})
}

/// The result of a call through a client that shows forms.
async fn call(server: &TestServer, token: &str, params: Value) -> Value {
    let reply = server.ask_of(forms(), token, "tools/call", params).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()["result"].clone()
}

/// The state of the question that a call ends in.
async fn question(server: &TestServer, token: &str, params: Value) -> String {
    let result = call(server, token, params).await;
    assert_eq!(result["resultType"], "input_required", "{result}");
    result["requestState"].as_str().unwrap().to_owned()
}

/// `params` once more, with the state of the question and the answer to it.
fn answered(mut params: Value, state: &str, answer: &Value) -> Value {
    params["requestState"] = json!(state);
    params["inputResponses"] = json!({"confirmation": answer});
    params
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"confirm": true}})
}

async fn kept(server: &TestServer, token: &str, name: &str) -> String {
    let got = server.call(token, "get_snippet", json!({"snippetname": name})).await;
    text(&got).to_owned()
}

#[tokio::test]
async fn a_client_that_can_ask_is_given_the_question_and_nothing_is_done() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;

    let replacing = call(&server, &token, saving("x", "after it")).await;
    let deleting = call(&server, &token, deleting("x")).await;

    for (result, message) in [
        (
            replacing,
            "Replace the snippet 'x' (6 bytes) by another text (8 bytes)? The text that it has \
             now is lost.",
        ),
        (deleting, "Delete the snippet 'x' (6 bytes)? There is no way to get it back."),
    ] {
        assert_eq!(result["resultType"], "input_required");
        let question = &result["inputRequests"]["confirmation"];
        assert_eq!(question["method"], "elicitation/create");
        assert_eq!(question["params"]["mode"], "form");
        assert_eq!(question["params"]["message"], message);
        let schema = &question["params"]["requestedSchema"];
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["properties"]["confirm"]["type"], "boolean");
        assert_eq!(schema["required"], json!(["confirm"]));
        assert!(result["requestState"].as_str().unwrap().len() < 400, "{result}");
    }
    assert_eq!(kept(&server, &token, "x").await, "before");
}

#[tokio::test]
async fn what_the_user_accepts_is_done() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;

    let state = question(&server, &token, saving("x", "after")).await;
    let saved = call(&server, &token, answered(saving("x", "after"), &state, &yes())).await;
    let replaced = kept(&server, &token, "x").await;
    let state = question(&server, &token, deleting("x")).await;
    let deleted = call(&server, &token, answered(deleting("x"), &state, &yes())).await;

    assert_eq!(text(&saved), "Saved snippet 'x' (5 bytes).");
    assert_eq!(replaced, "after");
    assert_eq!(text(&deleted), "Deleted snippet 'x'.");
    let gone = server.refusal(&token, "get_snippet", json!({"snippetname": "x"})).await;
    assert_eq!(gone, "There is no snippet named 'x'.");
}

#[tokio::test]
async fn what_the_user_does_not_accept_is_not_done_and_the_answer_says_so() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;

    for params in [saving("x", "after"), deleting("x")] {
        for answer in [
            json!({"action": "decline"}),
            json!({"action": "cancel"}),
            json!({"action": "accept", "content": {"confirm": false}}),
            json!({"action": "accept", "content": {}}),
            json!({"action": "accept"}),
            json!({"action": "decline", "content": {"confirm": true}}),
        ] {
            let state = question(&server, &token, params.clone()).await;
            let result = call(&server, &token, answered(params.clone(), &state, &answer)).await;

            assert_eq!(result["isError"], true, "{result}");
            let says = "The user did not agree, and the snippet named 'x' stays as it is.";
            assert_eq!(result["content"][0]["text"], says);
            assert_eq!(kept(&server, &token, "x").await, "before");
        }
    }
}

#[tokio::test]
async fn neither_a_new_name_nor_the_same_text_again_is_asked_about() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    for era in ["first", "again"] {
        let modern = call(&server, &token, saving("x", "text")).await;
        assert_eq!(text(&modern), "Saved snippet 'x' (4 bytes).", "{era}");
        let legacy = save(&server, &token, "y", "text").await;
        assert_eq!(text(&legacy), "Saved snippet 'y' (4 bytes).", "{era}");
    }
    let missing = call(&server, &token, deleting("z")).await;

    assert_eq!(missing["content"][0]["text"], "There is no snippet named 'z'.");
}

#[tokio::test]
async fn where_the_client_cannot_ask_the_model_is_told_to_and_to_confirm() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;
    let (replace, delete) = (saving("x", "after"), deleting("x"));
    let url_only = json!({"elicitation": {"url": {}}});

    let mut replies = Vec::new();
    for params in [&replace, &delete] {
        replies.push(server.ask(&token, "tools/call", params.clone()).await);
        replies.push(server.ask_modern(&token, "tools/call", params.clone()).await);
        replies.push(server.ask_of(url_only.clone(), &token, "tools/call", params.clone()).await);
    }

    let says = [
        "There is a snippet named 'x' already (6 bytes), and saving replaces its text. Nothing \
         was done. Ask the user, and if they agree call again with confirm set to true.",
        "Deleting the snippet named 'x' (6 bytes) is for good. Nothing was done. Ask the user, \
         and if they agree call again with confirm set to true.",
    ];
    for (reply, says) in replies.iter().zip([says[0]; 3].into_iter().chain([says[1]; 3])) {
        let result = &reply.json()["result"];
        assert_eq!(result["isError"], true, "{result}");
        assert_eq!(result["content"][0]["text"], says);
    }
    assert_eq!(kept(&server, &token, "x").await, "before");
}

#[tokio::test]
async fn a_confirmation_by_argument_is_enough_where_the_client_cannot_ask() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let confirmed = |mut params: Value| {
        params["arguments"]["confirm"] = json!(true);
        params
    };

    for capabilities in [None, Some(json!({}))] {
        save(&server, &token, "x", "before").await;
        let mut replies = Vec::new();
        for params in [saving("x", "after"), deleting("x")].map(confirmed) {
            replies.push(match capabilities.clone() {
                None => server.ask(&token, "tools/call", params).await,
                Some(declared) => server.ask_of(declared, &token, "tools/call", params).await,
            });
        }

        for (reply, says) in
            replies.iter().zip(["Saved snippet 'x' (5 bytes).", "Deleted snippet 'x'."])
        {
            assert_eq!(text(&reply.json()["result"]), says, "{capabilities:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_can_ask_has_to_whatever_a_model_says_of_its_user() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;

    for mut params in [saving("x", "after"), deleting("x")] {
        params["arguments"]["confirm"] = json!(true);
        let reply = server.ask_of(forms(), &token, "tools/call", params).await;

        assert_eq!(reply.json()["result"]["resultType"], "input_required", "{reply:?}");
    }
    let found = server.call(&token, "get_snippet", json!({"snippetname": "x"})).await;
    assert_eq!(found["structuredContent"]["snippet"], "before");
}

#[tokio::test]
async fn the_question_of_another_call_user_or_client_answers_nothing() {
    let server = TestServer::new();
    let ann = server.sign_in("ann", BOTH).await;
    let elsewhere = server.sign_in_through("client-2", "ann").await;
    let bob = server.sign_in("bob", BOTH).await;
    for (token, name) in [(&ann, "x"), (&ann, "y"), (&bob, "x")] {
        save(&server, token, name, "before").await;
    }
    let replace = question(&server, &ann, saving("x", "after")).await;
    let delete = question(&server, &ann, deleting("x")).await;

    for (token, params, state) in [
        (&bob, saving("x", "after"), &replace),
        (&elsewhere, saving("x", "after"), &replace),
        (&ann, saving("y", "after"), &replace),
        (&ann, saving("x", "something else"), &replace),
        (&ann, deleting("x"), &replace),
        (&ann, saving("x", "after"), &delete),
        (&ann, deleting("y"), &delete),
        (&bob, deleting("x"), &delete),
    ] {
        let params = answered(params, state, &yes());
        let reply = server.ask_of(forms(), token, "tools/call", params.clone()).await;

        assert_eq!(reply.json()["error"]["code"], -32602, "{params} {reply:?}");
    }
    for (token, name) in [(&ann, "x"), (&ann, "y"), (&bob, "x")] {
        assert_eq!(kept(&server, token, name).await, "before");
    }
}

#[tokio::test]
async fn a_question_that_was_changed_or_made_up_is_refused() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;
    let state = question(&server, &token, deleting("x")).await;
    let mut changed = Vec::from(["", "x", "AAAA", "e30"].map(str::to_owned));
    changed.push(state.to_uppercase());
    changed.push(format!("{state}A"));
    changed.push(state[..state.len() - 1].to_owned());
    changed.push(server.sign_in("ann", BOTH).await);
    let mut confirmed = deleting("x");
    confirmed["arguments"]["confirm"] = json!(true);

    for state in changed {
        for params in [deleting("x"), confirmed.clone()] {
            let params = answered(params, &state, &yes());
            let reply = server.ask_of(forms(), &token, "tools/call", params).await;

            assert_eq!(reply.json()["error"]["code"], -32602, "{state} {reply:?}");
        }
    }
    assert_eq!(kept(&server, &token, "x").await, "before");
}

#[tokio::test]
async fn a_question_is_open_for_five_minutes() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;
    save(&server, &token, "y", "before").await;
    let (first, second) = (
        question(&server, &token, deleting("x")).await,
        question(&server, &token, deleting("y")).await,
    );

    server.clock.advance(Duration::from_secs(5 * 60 - 1));
    let in_time = call(&server, &token, answered(deleting("x"), &first, &yes())).await;
    server.clock.advance(Duration::from_secs(1));
    let late = answered(deleting("y"), &second, &yes());
    let late = server.ask_of(forms(), &token, "tools/call", late).await;

    assert_eq!(text(&in_time), "Deleted snippet 'x'.");
    assert_eq!(late.json()["error"]["code"], -32602);
    assert_eq!(kept(&server, &token, "y").await, "before");
}

#[tokio::test]
async fn an_answer_is_about_the_text_that_the_question_was_about() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let confirmed =
        |snippet: &str| json!({"snippetname": "x", "snippet": snippet, "confirm": true});
    save(&server, &token, "x", "before").await;
    let replace = question(&server, &token, saving("x", "after")).await;
    let delete = question(&server, &token, deleting("x")).await;
    server.call(&token, "save_snippet", confirmed("from elsewhere")).await;

    let replacing =
        question(&server, &token, answered(saving("x", "after"), &replace, &yes())).await;
    let deleting_it = question(&server, &token, answered(deleting("x"), &delete, &yes())).await;
    let between = kept(&server, &token, "x").await;
    let saved = call(&server, &token, answered(saving("x", "after"), &replacing, &yes())).await;
    let again = question(&server, &token, answered(deleting("x"), &deleting_it, &yes())).await;
    let deleted = call(&server, &token, answered(deleting("x"), &again, &yes())).await;

    assert_eq!(between, "from elsewhere");
    assert_eq!(text(&saved), "Saved snippet 'x' (5 bytes).");
    assert_eq!(text(&deleted), "Deleted snippet 'x'.");
}

#[tokio::test]
async fn an_answer_that_is_given_again_does_nothing_more() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "text").await;
    let state = question(&server, &token, deleting("x")).await;
    let answered = answered(deleting("x"), &state, &yes());
    assert_eq!(text(&call(&server, &token, answered.clone()).await), "Deleted snippet 'x'.");

    let nothing_there = call(&server, &token, answered.clone()).await;
    save(&server, &token, "x", "text").await;
    question(&server, &token, answered).await;

    assert_eq!(nothing_there["content"][0]["text"], "There is no snippet named 'x'.");
    assert_eq!(kept(&server, &token, "x").await, "text");
}

#[tokio::test]
async fn a_text_that_was_deleted_in_the_meantime_is_not_brought_back_unasked() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;
    let state = question(&server, &token, saving("x", "after")).await;
    let confirmed = json!({"snippetname": "x", "confirm": true});
    server.call(&token, "delete_snippet", confirmed).await;

    let result = call(&server, &token, answered(saving("x", "after"), &state, &yes())).await;

    assert_eq!(result["isError"], true, "{result}");
    let says = "The snippet named 'x' was changed in the meantime. Nothing was done. Call again.";
    assert_eq!(result["content"][0]["text"], says);
}

#[tokio::test]
async fn an_answer_without_its_question_and_a_question_without_an_answer_are_asked_again() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;
    let state = question(&server, &token, deleting("x")).await;
    let mut no_state = deleting("x");
    no_state["inputResponses"] = json!({"confirmation": yes()});
    let mut no_answer = deleting("x");
    no_answer["requestState"] = json!(state);
    let mut other_answer = no_answer.clone();
    other_answer["inputResponses"] = json!({"another": yes()});

    for params in [no_state, no_answer, other_answer] {
        question(&server, &token, params).await;
    }

    assert_eq!(kept(&server, &token, "x").await, "before");
}

#[tokio::test]
async fn an_answer_that_is_none_is_invalid() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    save(&server, &token, "x", "before").await;
    let state = question(&server, &token, deleting("x")).await;

    for answer in [json!(true), json!({}), json!({"action": "maybe"}), json!([yes()])] {
        let params = answered(deleting("x"), &state, &answer);
        let reply = server.ask_of(forms(), &token, "tools/call", params).await;

        assert_eq!(reply.json()["error"]["code"], -32602, "{reply:?}");
    }
    assert_eq!(kept(&server, &token, "x").await, "before");
}

#[tokio::test]
async fn of_many_texts_for_a_new_name_one_is_saved_and_none_is_lost_unasked() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    let calls = (0..8).map(|number| {
        let (server, token) = (&server, token.as_str());
        async move { call(server, token, saving("x", &format!("text {number}"))).await }
    });
    let results = join_all(calls).await;

    let saved: Vec<_> = results.iter().filter(|result| result["isError"] == false).collect();
    let asked = results.iter().filter(|result| result["resultType"] == "input_required");
    assert_eq!((saved.len(), asked.count()), (1, 7), "{results:?}");
}

#[tokio::test]
async fn who_may_only_write_learns_no_more_than_that_something_is_there() {
    let server = TestServer::new();
    let ann = server.sign_in("ann", BOTH).await;
    let writer = server.sign_in("ann", "snippets:write").await;
    save(&server, &ann, "x", "CONFIDENTIAL").await;

    let replacing = call(&server, &writer, saving("x", "after")).await;
    let refused = server
        .refusal(&writer, "save_snippet", json!({"snippetname": "x", "snippet": "after"}))
        .await;
    let deleted =
        server.call(&writer, "delete_snippet", json!({"snippetname": "x", "confirm": true})).await;

    assert!(!replacing.to_string().contains("CONFIDENTIAL"), "{replacing}");
    assert!(!refused.contains("CONFIDENTIAL"), "{refused}");
    assert_eq!(text(&deleted), "Deleted snippet 'x'.");
}

#[tokio::test]
async fn the_schemas_tell_of_the_confirmation_and_do_not_ask_for_it() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    let listed = server.ask(&token, "tools/list", json!({})).await.json();

    for tool in listed["result"]["tools"].as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let confirm = &tool["inputSchema"]["properties"]["confirm"];
        if ["save_snippet", "delete_snippet"].contains(&name) {
            assert_eq!(confirm["type"], "boolean", "{tool}");
            assert!(confirm["description"].as_str().unwrap().contains("the user"), "{tool}");
        } else {
            assert!(confirm.is_null(), "{tool}");
        }
    }
}

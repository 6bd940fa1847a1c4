//! What clients and users see of a fault of storage, and that afterwards nothing is lost and
//! nothing was granted twice.

use std::time::Duration;

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;
use shared::azure::Patience;
use tokio::time::Instant;

use crate::account::{Fault, PASSING, PATIENT, Work, patience};
use crate::system::{Answer, System};

/// Where the one write of a request is among its calls: after the one read.
const WRITE: usize = 1;

/// Asserts the one answer of the back channel and of `/mcp` while storage is away.
fn asks_for_patience(answer: &Answer, case: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{case}: {answer:?}");
    assert_eq!(answer.headers["retry-after"], "5", "{case}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{case}");
    assert_eq!(answer.json()["error"], "temporarily_unavailable", "{case}");
}

/// Asserts that a grant is over.
fn is_refused(answer: &Answer, case: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{case}: {answer:?}");
    assert_eq!(answer.json()["error"], "invalid_grant", "{case}");
}

/// Runs `test` on a system of its own under each fault, all at once.
#[expect(clippy::future_not_send, reason = "each test keeps to its thread")]
async fn under_each_fault(test: impl AsyncFn(System, Fault, String)) {
    join_all(PASSING.map(async |fault| {
        let system = System::start(patience(fault)).await;
        test(system, fault, format!("{fault:?}")).await;
    }))
    .await;
}

#[tokio::test]
async fn a_fault_of_one_reading_is_noticed_by_nobody() {
    under_each_fault(async |system, fault, case| {
        let code = system.code().await;

        system.tables.break_once(fault, Work::Undone);
        let tokens = system.redeem(&code).await.tokens();
        system.tables.break_once(fault, Work::Undone);
        let renewed = system.refresh(&tokens.refresh).await.tokens();
        system.tables.break_once(fault, Work::Undone);
        assert!(system.takes(&renewed.access).await, "{case}");
        system.tables.break_once(fault, Work::Undone);
        assert_eq!(system.revoke(&renewed.refresh).await.status, StatusCode::OK, "{case}");
        assert!(!system.takes(&renewed.access).await, "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_was_not_written_ends_at_the_client_and_may_begin_anew() {
    for written in [0, 1] {
        under_each_fault(async |system, fault, case| {
            for work in [Work::Undone, Work::Done] {
                let callback = system.sign_in().await;
                system.tables.break_after(written, fault, work);

                let answer = system.open(&callback).await;

                assert_eq!(answer.status, StatusCode::FOUND, "{case}, {work:?}: {answer:?}");
                let error = answer.parameter("error").unwrap();
                assert_eq!(error, "temporarily_unavailable", "{case}, {work:?}");
                assert_eq!(answer.parameter("state").unwrap(), "client-state");
                assert_eq!(answer.parameter("code"), None, "{case}, {work:?}");
                system.tables.mend();
                // The same sign-in gives no code afterwards; a new one does.
                assert_eq!(system.open(&callback).await.status, StatusCode::FORBIDDEN, "{case}");
                system.tokens().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_code_whose_use_was_not_written_is_still_good_once() {
    under_each_fault(async |system, fault, case| {
        let code = system.code().await;
        system.tables.break_after(WRITE, fault, Work::Undone);

        asks_for_patience(&system.redeem(&code).await, &case);
        let tokens = system.redeem(&code).await.tokens();

        assert!(system.takes(&tokens.access).await, "{case}");
        is_refused(&system.redeem(&code).await, &case);
        assert!(!system.takes(&tokens.access).await, "{case}: a replay ends the session");
    })
    .await;
}

#[tokio::test]
async fn a_code_whose_answer_was_lost_gives_nothing_more_and_the_client_begins_anew() {
    under_each_fault(async |system, fault, case| {
        let code = system.code().await;
        system.tables.break_after(WRITE, fault, Work::Done);

        asks_for_patience(&system.redeem(&code).await, &case);

        is_refused(&system.redeem(&code).await, &case);
        is_refused(&system.redeem(&code).await, &case);
        let tokens = system.tokens().await;
        assert!(system.takes(&tokens.access).await, "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_was_not_written_leaves_the_session_as_it_was() {
    under_each_fault(async |system, fault, case| {
        let tokens = system.tokens().await;
        system.tables.break_after(WRITE, fault, Work::Undone);

        asks_for_patience(&system.refresh(&tokens.refresh).await, &case);

        assert!(system.takes(&tokens.access).await, "{case}");
        let renewed = system.refresh(&tokens.refresh).await.tokens();
        assert!(system.takes(&renewed.access).await, "{case}");
        assert!(!system.takes(&tokens.access).await, "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_gets_that_answer_when_it_comes_again() {
    under_each_fault(async |system, fault, case| {
        let tokens = system.tokens().await;
        system.tables.break_after(WRITE, fault, Work::Done);

        asks_for_patience(&system.refresh(&tokens.refresh).await, &case);
        let written = system.tables.service().snapshot();
        let renewed = system.refresh(&tokens.refresh).await.tokens();

        assert!(system.takes(&renewed.access).await, "{case}");
        assert!(!system.takes(&tokens.access).await, "{case}");
        let rows = system.tables.service().snapshot();
        assert_eq!(rows.len(), written.len(), "{case}: no second session");
        let further = system.refresh(&renewed.refresh).await.tokens();
        assert!(system.takes(&further.access).await, "{case}");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_as_often_as_it_is_asked_for_and_writes_nothing_more() {
    under_each_fault(async |system, fault, case| {
        let tokens = system.tokens().await;
        system.tables.break_after(WRITE, fault, Work::Done);
        asks_for_patience(&system.refresh(&tokens.refresh).await, &case);
        let written = system.tables.service().snapshot();

        let first = system.refresh(&tokens.refresh).await.tokens();
        for _ in 0..3 {
            let again = system.refresh(&tokens.refresh).await.tokens();
            assert_eq!(
                (again.access, again.refresh),
                (first.access.clone(), first.refresh.clone())
            );
        }

        assert_eq!(system.tables.service().snapshot(), written, "{case}");
        assert!(system.takes(&first.access).await, "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_revocation_is_confirmed_when_it_is_written_and_may_be_asked_for_again() {
    under_each_fault(async |system, fault, case| {
        for work in [Work::Undone, Work::Done] {
            let tokens = system.tokens().await;
            system.tables.break_after(WRITE, fault, work);

            asks_for_patience(&system.revoke(&tokens.refresh).await, &case);

            assert_eq!(system.takes(&tokens.access).await, work == Work::Undone, "{case}");
            assert_eq!(system.revoke(&tokens.refresh).await.status, StatusCode::OK, "{case}");
            assert!(!system.takes(&tokens.access).await, "{case}");
            is_refused(&system.refresh(&tokens.refresh).await, &case);
        }
    })
    .await;
}

#[tokio::test]
async fn a_user_who_revokes_everything_may_do_so_until_it_is_done() {
    // Calls of one request: a list for each week, then two for the session and one for its note.
    let calls: Vec<_> =
        (0..9).flat_map(|call| [(call, Work::Done), (call, Work::Undone)]).collect();
    join_all(calls.into_iter().map(async |(call, work)| {
        let system = System::start(PATIENT).await;
        let tokens = system.tokens().await;
        system.visit_account().await;
        system.tables.break_after(call, Fault::Reset, work);
        let revoke_all = [("action", "revoke-all")];

        let first = system.form("/account", &revoke_all).await;
        system.tables.mend();
        let second = system.form("/account", &revoke_all).await;

        let case = format!("call {call}, {work:?}: {first:?}");
        assert!([StatusCode::SEE_OTHER, StatusCode::SERVICE_UNAVAILABLE].contains(&first.status));
        assert_eq!(second.status, StatusCode::SEE_OTHER, "{case}");
        assert!(!system.takes(&tokens.access).await, "{case}");
        is_refused(&system.refresh(&tokens.refresh).await, &case);
        let page = system.open(system.url("/account")).await;
        assert!(!page.body.contains("revoke-all"), "{case}: {page:?}");
    }))
    .await;
}

#[tokio::test]
async fn the_first_sign_in_of_a_week_fails_whole_or_not_at_all() {
    let calls: Vec<_> =
        (0..6).flat_map(|call| [(call, Work::Done), (call, Work::Undone)]).collect();
    join_all(calls.into_iter().map(async |(call, work)| {
        let system = System::start(PATIENT).await;
        system.tables.service().forget_tables();
        let callback = system.sign_in().await;
        system.tables.break_after(call, Fault::Reset, work);

        let answer = system.open(&callback).await;

        let case = format!("call {call}, {work:?}: {answer:?}");
        match answer.parameter("code") {
            Some(code) => {
                system.redeem(&code).await.tokens();
            }
            None => assert_eq!(answer.parameter("error").unwrap(), "temporarily_unavailable"),
        }
        let tokens = system.tokens().await;
        assert!(system.takes(&tokens.access).await, "{case}");
    }))
    .await;
}

#[tokio::test]
async fn a_registration_that_was_not_written_is_not_confirmed_and_gives_one_client_later() {
    let long = format!("https://app.example/{}", "p".repeat(400));
    under_each_fault(async |system, fault, case| {
        for (name, work) in [("One", Work::Undone), ("Two", Work::Done)] {
            let registration = json!({ "client_name": name, "redirect_uris": [long] });
            let before = system.tables.service().snapshot().len();
            system.tables.break_once(fault, work);

            asks_for_patience(&system.register(&registration).await, &case);
            let registered = system.register(&registration).await;
            let again = system.register(&registration).await;

            assert_eq!(registered.status, StatusCode::CREATED, "{case}: {registered:?}");
            assert_eq!(registered.json()["client_id"], again.json()["client_id"], "{case}");
            assert_eq!(system.tables.service().snapshot().len(), before + 1, "{case}");
        }
    })
    .await;
}

#[tokio::test]
async fn while_storage_is_away_everybody_is_told_to_wait_and_nobody_loses_anything() {
    under_each_fault(async |system, fault, case| {
        let (tokens, code) = (system.tokens().await, system.code().await);
        system.visit_account().await;
        let before = system.tables.service().snapshot();
        system.tables.break_down(fault);

        asks_for_patience(&system.redeem(&code).await, &case);
        asks_for_patience(&system.refresh(&tokens.refresh).await, &case);
        asks_for_patience(&system.revoke(&tokens.refresh).await, &case);
        asks_for_patience(&system.call(&tokens.access, "whoami", json!({})).await, &case);
        let page = system.open(system.url("/account")).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{case}");
        assert!(page.body.contains("The server cannot reach its storage."), "{case}");
        assert_eq!(system.open(system.url("/")).await.status, StatusCode::OK, "{case}");

        system.tables.mend();
        assert_eq!(system.tables.service().snapshot(), before, "{case}");
        assert!(system.takes(&tokens.access).await, "{case}");
        system.refresh(&tokens.refresh).await.tokens();
        system.redeem(&code).await.tokens();
    })
    .await;
}

#[tokio::test]
async fn a_request_waits_for_one_deadline_and_not_for_each_of_its_calls() {
    let deadline = Duration::from_millis(700);
    let system = System::start(Patience { deadline, ..PATIENT }).await;
    let (tokens, code) = (system.tokens().await, system.code().await);
    let callback = system.sign_in().await;
    system.tables.break_down(Fault::Silence);

    let began = Instant::now();
    let answers = [
        system.redeem(&code).await,
        system.refresh(&tokens.refresh).await,
        system.revoke(&tokens.refresh).await,
        system.call(&tokens.access, "whoami", json!({})).await,
    ];
    let waited = began.elapsed() / 4;

    for answer in answers {
        asks_for_patience(&answer, "silence");
    }
    assert!(waited >= deadline && waited < deadline * 2, "{waited:?}");
    let began = Instant::now();
    let error = system.open(callback).await.parameter("error");
    assert_eq!(error.unwrap(), "temporarily_unavailable");
    assert!(began.elapsed() < deadline * 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_tool_says_that_snippets_are_away_and_works_afterwards() {
    under_each_fault(async |system, fault, case| {
        let token = system.tokens().await.access;
        let named = json!({ "snippetname": "a" });
        let text = json!({ "snippetname": "a", "snippet": "text" });
        let saved = system.call(&token, "save_snippet", text.clone()).await;
        assert_eq!(saved.json()["result"]["isError"], false, "{case}: {saved:?}");
        system.blobs.break_down(fault);

        for (tool, arguments) in [
            ("save_snippet", &text),
            ("get_snippet", &named),
            ("list_snippets", &json!({})),
            ("delete_snippet", &named),
        ] {
            let answer = system.call(&token, tool, arguments.clone()).await;

            assert_eq!(answer.status, StatusCode::OK, "{case}, {tool}");
            let result = &answer.json()["result"];
            assert_eq!(result["isError"], true, "{case}, {tool}");
            let says = result["content"][0]["text"].as_str().unwrap();
            let expected = "Snippets cannot be reached right now. Try again in a moment.";
            assert_eq!(says, expected, "{case}, {tool}");
        }
        system.blobs.mend();
        let got = system.call(&token, "get_snippet", named).await;
        assert!(got.body.contains("text"), "{case}: {got:?}");
        assert_eq!(got.json()["result"]["isError"], false, "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_snippet_whose_saving_was_not_confirmed_is_saved_once() {
    under_each_fault(async |system, fault, case| {
        let token = system.tokens().await.access;
        system.blobs.break_once(fault, Work::Done);

        let text = json!({ "snippetname": "a", "snippet": "text" });
        let saved = system.call(&token, "save_snippet", text).await;

        assert_eq!(saved.json()["result"]["isError"], false, "{case}: {saved:?}");
        let texts: Vec<_> = system.blobs.service().0.values().cloned().collect();
        assert_eq!(texts, [b"text".to_vec()], "{case}");
    })
    .await;
}

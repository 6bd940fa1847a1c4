//! Renewal and its limits (RFC 6749 section 6, RFC 9700 section 4.14; threats 24 to 26).

use std::time::Duration;

use futures::future::join_all;
use local::identity_provider::{Fault, Person};
use reqwest::StatusCode;
use serde_json::json;

use crate::client::Browser;
use crate::system::System;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_refresh_replaces_both_tokens() {
    let system = System::start().await;
    let client = system.client("App").await;
    let old = system.sign_in(&client).await;

    let new = system.refresh(&client, &old.refresh_token).await.tokens();

    assert_ne!(new.access_token, old.access_token);
    assert_ne!(new.refresh_token, old.refresh_token);
    assert_eq!(new.scope, old.scope);
    assert!(system.takes(&new.access_token).await);
    assert!(!system.takes(&old.access_token).await);
    let newer = system.refresh(&client, &new.refresh_token).await.tokens();
    assert!(system.takes(&newer.access_token).await);
}

#[tokio::test]
async fn a_lost_answer_does_not_sign_the_client_out() {
    let system = System::start().await;
    let client = system.client("App").await;
    let old = system.sign_in(&client).await;
    let lost = system.refresh(&client, &old.refresh_token).await.tokens();

    system.clock.advance(Duration::from_secs(59));
    let new = system.refresh(&client, &old.refresh_token).await.tokens();

    assert_eq!(new.access_token, lost.access_token);
    assert_eq!(new.refresh_token, lost.refresh_token);
    assert_eq!(new.expires_in, lost.expires_in - 59);
    assert!(system.takes(&new.access_token).await);
    assert_eq!(system.refresh(&client, &new.refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_replaced_token_gets_the_same_answer_for_a_minute_and_no_other() {
    let system = System::start().await;
    let client = system.client("App").await;
    let old = system.sign_in(&client).await;
    let first = system.refresh(&client, &old.refresh_token).await.tokens();
    for _ in 0..5 {
        system.clock.advance(Duration::from_secs(10));

        let again = system.refresh(&client, &old.refresh_token).await.tokens();

        assert_eq!(again.access_token, first.access_token);
        assert_eq!(again.refresh_token, first.refresh_token);
    }
    let next = system.refresh(&client, &first.refresh_token).await.tokens();
    assert!(system.takes(&next.access_token).await);
    assert!(!system.takes(&first.access_token).await);
}

#[tokio::test]
async fn a_replaced_token_gets_nothing_but_the_answer_to_the_question_of_then() {
    let system = System::start().await;
    let client = system.client("App").await;
    let old = system.sign_in(&client).await;
    let ask = async |scope: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &client.id),
            ("refresh_token", &old.refresh_token),
            ("scope", scope),
        ];
        system.token(&form).await
    };
    let first = ask("snippets:read").await.tokens();

    ask("snippets:read snippets:write").await.refused(400, "invalid_scope");

    assert_eq!(ask("snippets:read").await.tokens().access_token, first.access_token);
    let next = system.refresh(&client, &first.refresh_token).await.tokens();
    assert!(system.takes(&next.access_token).await);
}

#[tokio::test]
async fn a_replaced_token_that_comes_after_a_minute_ends_the_session() {
    let system = System::start().await;
    let client = system.client("App").await;
    let old = system.sign_in(&client).await;
    let new = system.refresh(&client, &old.refresh_token).await.tokens();

    system.clock.advance(MINUTE);
    system.refresh(&client, &old.refresh_token).await.refused(400, "invalid_grant");

    system.refresh(&client, &new.refresh_token).await.refused(400, "invalid_grant");
    assert!(!system.takes(&new.access_token).await);
}

#[tokio::test]
async fn a_replaced_token_whose_successor_was_used_ends_the_session() {
    let system = System::start().await;
    let client = system.client("App").await;
    let first = system.sign_in(&client).await;
    let second = system.refresh(&client, &first.refresh_token).await.tokens();
    let third = system.refresh(&client, &second.refresh_token).await.tokens();

    system.refresh(&client, &first.refresh_token).await.refused(400, "invalid_grant");

    system.refresh(&client, &third.refresh_token).await.refused(400, "invalid_grant");
    assert!(!system.takes(&third.access_token).await);
}

#[tokio::test]
async fn two_refreshes_at_once_get_the_same_good_answer() {
    let system = System::start().await;
    let client = system.client("App").await;
    let mut tokens = system.sign_in(&client).await;
    for _ in 0..20 {
        let refresh = || system.refresh(&client, &tokens.refresh_token);
        let (one, two) = futures::join!(refresh(), refresh());

        let (one, two) = (one.tokens(), two.tokens());
        assert_eq!(one.access_token, two.access_token);
        assert_eq!(one.refresh_token, two.refresh_token);
        assert!(system.takes(&two.access_token).await);
        tokens = one;
    }
}

#[tokio::test]
async fn of_eight_refreshes_at_once_all_get_the_one_family_that_lives_on() {
    let system = System::start_unlimited().await;
    let client = system.client("App").await;
    for _ in 0..50 {
        let old = system.sign_in(&client).await;

        let answers = join_all((0..8).map(|_| system.refresh(&client, &old.refresh_token))).await;

        let mut families: Vec<_> =
            answers.iter().map(|answer| answer.tokens().refresh_token).collect();
        families.sort();
        families.dedup();
        assert_eq!(families.len(), 1);
        assert!(system.takes(&answers[0].tokens().access_token).await);
        assert_eq!(system.refresh(&client, &families[0]).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_and_never_for_more() {
    let system = System::start().await;
    let mut client = system.client("App").await;
    let full = system.sign_in(&client).await;
    let refresh = |client_id: String, token: String, scope: &'static str| {
        let system = &system;
        async move {
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", client_id.as_str()),
                ("refresh_token", token.as_str()),
                ("scope", scope),
            ];
            system.token(&form).await
        }
    };

    let narrow =
        refresh(client.id.clone(), full.refresh_token.clone(), "snippets:read").await.tokens();
    assert_eq!(narrow.scope, "snippets:read");
    let save = json!({ "snippetname": "a", "snippet": "b" });
    let denied = system.call(&narrow.access_token, "save_snippet", save).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    let wide = system.refresh(&client, &narrow.refresh_token).await.tokens();
    assert_eq!(wide.scope, "snippets:read snippets:write");

    client.scope = Some("snippets:read");
    let little = system.sign_in(&client).await;
    let id = client.id.clone();
    refresh(id.clone(), little.refresh_token.clone(), "snippets:write")
        .await
        .refused(400, "invalid_scope");
    refresh(id, little.refresh_token.clone(), "admin").await.refused(400, "invalid_scope");
    assert_eq!(system.refresh(&client, &little.refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_in_wrong_hands_is_refused_and_stays_good_for_its_owner() {
    let system = System::start().await;
    let client = system.client("App").await;
    let other = system.client("Other").await;
    let old = system.sign_in(&client).await;
    let new = system.refresh(&client, &old.refresh_token).await.tokens();
    system.clock.advance(2 * MINUTE);

    system.refresh(&other, &new.refresh_token).await.refused(400, "invalid_grant");
    system.refresh(&other, &old.refresh_token).await.refused(400, "invalid_grant");

    assert_eq!(system.refresh(&client, &new.refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_kind_of_token_is_good_for_its_own_purpose_only() {
    let system = System::start().await;
    let client = system.client("App").await;
    let code = Browser::new().code(&system, &client).await;
    assert!(!system.takes(&code).await);
    let tokens = system.sign_in(&client).await;

    assert!(!system.takes(&tokens.refresh_token).await);
    system.refresh(&client, &tokens.access_token).await.refused(400, "invalid_grant");
    system.redeem(&client, &tokens.access_token).await.refused(400, "invalid_grant");
    system.redeem(&client, &tokens.refresh_token).await.refused(400, "invalid_grant");
    let renamed = tokens.refresh_token.replace("mcp_rt_", "mcp_at_");
    assert!(!system.takes(&renamed).await);
    assert_eq!(system.refresh(&client, &tokens.refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_user_who_may_no_longer_sign_in_loses_the_session_at_the_next_refresh() {
    let system = System::start().await;
    let client = system.client("App").await;
    let tokens = system.sign_in(&client).await;

    system.stack.identity_provider().disable(Person::Alice);
    system.refresh(&client, &tokens.refresh_token).await.refused(400, "invalid_grant");

    assert!(!system.takes(&tokens.access_token).await);
    system.stack.identity_provider().enable(Person::Alice);
    system.refresh(&client, &tokens.refresh_token).await.refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_passing_fault_of_entra_id_keeps_the_session() {
    let system = System::start().await;
    let client = system.client("App").await;
    let tokens = system.sign_in(&client).await;
    for fault in [Fault::Unavailable, Fault::NotJson] {
        system.stack.identity_provider().fail_next(fault);

        let answer = system.refresh(&client, &tokens.refresh_token).await;

        answer.refused(503, "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    assert!(system.takes(&tokens.access_token).await);
    assert_eq!(system.refresh(&client, &tokens.refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_that_is_not_used_for_two_weeks_is_over() {
    let system = System::start().await;
    let client = system.client("App").await;
    let tokens = system.sign_in(&client).await;

    system.clock.advance(14 * DAY);

    system.refresh(&client, &tokens.refresh_token).await.refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_session_is_over_after_thirty_days_however_often_it_is_renewed() {
    let system = System::start().await;
    let client = system.client("App").await;
    let mut tokens = system.sign_in(&client).await;
    for _ in 0..2 {
        system.clock.advance(10 * DAY);
        tokens = system.refresh(&client, &tokens.refresh_token).await.tokens();
    }
    system.clock.advance(9 * DAY + Duration::from_mins(24 * 60 - 1));
    tokens = system.refresh(&client, &tokens.refresh_token).await.tokens();
    assert!(tokens.expires_in <= 60, "{}", tokens.expires_in);

    system.clock.advance(MINUTE);

    system.refresh(&client, &tokens.refresh_token).await.refused(400, "invalid_grant");
    assert!(!system.takes(&tokens.access_token).await);
}

#[tokio::test]
async fn a_client_that_did_not_ask_for_refresh_tokens_gets_none() {
    let system = System::start().await;
    let registration = json!({
        "redirect_uris": ["http://127.0.0.1:41000/callback"],
        "grant_types": ["authorization_code"],
    });
    let id = system.register(&registration).await.json()["client_id"].as_str().unwrap().to_owned();
    let client = crate::client::Client::new(&id, "http://127.0.0.1:41000/callback");
    let code = Browser::new().code(&system, &client).await;

    let answer = system.redeem(&client, &code).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.json().get("refresh_token").is_none());
}

//! `GET /oauth-callback`: which browser may finish a sign-in, and how often (threats 1, 2, 6 to 9).

use std::time::Duration;

use futures::future::join_all;
use reqwest::StatusCode;
use url::Url;

use crate::client::Browser;
use crate::system::System;

#[tokio::test]
async fn a_sign_in_that_was_allowed_in_one_browser_cannot_be_finished_in_another() {
    let system = System::start().await;
    let client = system.client("App").await;
    let (attacker, victim) = (Browser::new(), Browser::new());
    let identity_provider = attacker.allow(&system, &client.authorization(&system)).await;

    let callback = victim.sign_in(&identity_provider).await;

    victim.open(callback).await.is_page(403);
    assert_eq!(system.oauth_calls().writes, 0);
}

#[tokio::test]
async fn seeing_the_consent_page_permits_nothing() {
    let system = System::start().await;
    let client = system.client("App").await;
    let (attacker, victim) = (Browser::new(), Browser::new());
    victim.consent_page(&client.authorization(&system)).await;
    let identity_provider = attacker.allow(&system, &client.authorization(&system)).await;

    let callback = victim.sign_in(&identity_provider).await;

    victim.open(callback).await.is_page(403);
    assert_eq!(system.oauth_calls().writes, 0);
}

#[tokio::test]
async fn an_attackers_own_sign_in_cannot_be_planted_in_a_victims_browser() {
    let system = System::start().await;
    let client = system.client("App").await;
    let (attacker, victim) = (Browser::new(), Browser::new());
    let identity_provider = attacker.allow(&system, &client.authorization(&system)).await;
    let callback = attacker.sign_in(&identity_provider).await;

    victim.allow(&system, &client.authorization(&system)).await;
    victim.open(&callback).await.is_page(403);

    assert!(attacker.open(callback).await.sent("code").is_some());
}

#[tokio::test]
async fn a_callback_without_state_or_with_another_state_is_refused() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
    let callback = browser.sign_in(&identity_provider).await;

    browser.open(system.url("/oauth-callback")).await.is_page(403);
    browser.open(system.url("/oauth-callback?code=x&state=client-state")).await.is_page(403);
    browser.open(system.url("/oauth-callback?code=%zz")).await.is_page(400);

    assert!(browser.open(callback).await.sent("code").is_some());
}

#[tokio::test]
async fn a_callback_works_once() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
    let callback = browser.sign_in(&identity_provider).await;

    assert!(browser.open(&callback).await.sent("code").is_some());
    browser.open(&callback).await.is_page(403);
}

#[tokio::test]
async fn of_eight_callbacks_at_once_one_gives_a_code() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
    let callback = browser.sign_in(&identity_provider).await;

    let answers = join_all((0..8).map(|_| browser.open(&callback))).await;

    let codes = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::FOUND && answer.sent("code").is_some());
    assert_eq!(codes.count(), 1);
}

#[tokio::test]
async fn a_sign_in_may_take_ten_minutes() {
    let system = System::start().await;
    let client = system.client("App").await;
    for (seconds, good) in [(599, true), (600, false)] {
        let browser = Browser::new();
        let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
        system.clock.advance(Duration::from_secs(seconds));
        let callback = browser.sign_in(&identity_provider).await;

        let answer = browser.open(callback).await;

        assert_eq!(answer.status == StatusCode::FOUND, good, "{}", answer.body);
    }
}

#[tokio::test]
async fn two_tabs_may_sign_in_at_once() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let first = browser.allow(&system, &client.authorization(&system)).await;
    let second = browser.allow(&system, &client.authorization(&system)).await;

    let second = browser.sign_in(&second).await;
    let first = browser.sign_in(&first).await;

    assert!(browser.open(first).await.sent("code").is_some());
    assert!(browser.open(second).await.sent("code").is_some());
}

#[tokio::test]
async fn the_cookie_of_a_finished_sign_in_is_removed() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
    let callback = browser.sign_in(&identity_provider).await;

    let answer = browser.open(callback).await;

    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("mcp-flow-") && cookie.contains("Max-Age=0"), "{cookie}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn a_callback_that_says_something_twice_is_refused() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
    let callback: Url = browser.sign_in(&identity_provider).await;
    for repeated in ["iss=https://a.example&iss=https://b.example", "code=x", "state=x"] {
        browser.open(format!("{callback}&{repeated}")).await.is_page(400);
    }

    assert!(browser.open(callback).await.sent("code").is_some());
}

#[tokio::test]
async fn a_look_at_the_headers_does_not_finish_a_sign_in() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
    let callback = browser.sign_in(&identity_provider).await;

    assert_eq!(browser.head(&callback).await.status, StatusCode::METHOD_NOT_ALLOWED);

    assert!(browser.open(callback).await.sent("code").is_some());
}

#[tokio::test]
async fn a_foreign_issuer_in_the_answer_is_refused() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
    let mut callback: Url = browser.sign_in(&identity_provider).await;
    callback.query_pairs_mut().append_pair("iss", "https://evil.example");

    let answer = browser.open(callback).await;

    assert_eq!(answer.sent("error").as_deref(), Some("server_error"));
    assert_eq!(system.oauth_calls().writes, 0);
}

//! `GET /authorize` (RFC 6749 section 4.1.1), before anyone is asked anything.

use reqwest::StatusCode;
use serde_json::json;

use crate::client::{Browser, Client};
use crate::system::System;

#[tokio::test]
async fn a_good_request_leads_to_the_consent_page_and_stores_nothing() {
    let system = System::start().await;
    let client = system.client("App").await;

    let answer = Browser::new().open(client.authorization(&system)).await;

    assert_eq!(answer.status, StatusCode::FOUND);
    assert!(answer.location().as_str().starts_with(&system.url("/consent?request=")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(system.oauth_calls().writes, 0);
}

#[tokio::test]
async fn a_client_that_cannot_be_believed_is_shown_a_page_and_never_a_redirect() {
    let system = System::start().await;
    let client = system.client("App").await;
    let id = client.id.clone();
    let other = if id.ends_with('A') { 'B' } else { 'A' };
    let changed_id = format!("{}{other}", &id[..id.len() - 1]);
    for changes in [
        vec![("client_id", "")],
        vec![("client_id", "unknown")],
        vec![("client_id", "https://evil.example/client.json")],
        vec![("client_id", changed_id.as_str())],
        vec![("client_id", id.as_str()), ("client_id", id.as_str())],
        vec![("redirect_uri", "")],
        vec![("redirect_uri", "https://evil.example/")],
        vec![("redirect_uri", "http://127.0.0.1:41000/other")],
        vec![("redirect_uri", "http://localhost:41000/callback")],
        vec![("redirect_uri", "http://127.0.0.1:41000/callback/../callback")],
        vec![("redirect_uri", "http://user@127.0.0.1:41000/callback")],
        vec![("redirect_uri", "http://127.0.0.1:41000/callback#x")],
        vec![("redirect_uri", "javascript:alert(1)")],
        vec![("redirect_uri", "http://127.0.0.1:41000/callback\r\nSet-Cookie: a=b")],
    ] {
        let answer = Browser::new().open(client.authorization_with(&system, &changes)).await;

        answer.is_page(400);
        assert!(!answer.body.contains("evil"), "{changes:?}");
    }
    let twice = client.authorization_with(
        &system,
        &[("redirect_uri", &client.redirect_uri), ("redirect_uri", &client.redirect_uri)],
    );
    Browser::new().open(twice).await.is_page(400);
    let long = "s".repeat(1025);
    let long = client.authorization_with(&system, &[("state", &long)]);
    Browser::new().open(long).await.is_page(400);
}

#[tokio::test]
async fn a_loopback_client_may_come_back_on_another_port() {
    let system = System::start().await;
    let mut client = system.client("App").await;
    client.redirect_uri = "http://127.0.0.1:52000/callback".to_owned();

    let tokens = system.sign_in(&client).await;

    assert!(system.takes(&tokens.access_token).await);
}

#[tokio::test]
async fn what_is_wrong_with_the_request_goes_back_to_the_client_with_state_and_issuer() {
    let system = System::start().await;
    let client = system.client("App").await;
    for (changes, error) in [
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "")], "invalid_request"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge", "short")], "invalid_request"),
        (vec![("code_challenge_method", "")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("scope", "admin")], "invalid_scope"),
        (vec![("resource", "https://other.example/mcp")], "invalid_target"),
        (vec![("nonce", "1"), ("nonce", "2")], "invalid_request"),
        (vec![("request", "eyJ")], "request_not_supported"),
    ] {
        let answer = Browser::new().open(client.authorization_with(&system, &changes)).await;

        assert_eq!(answer.status, StatusCode::FOUND);
        assert!(answer.location().as_str().starts_with(&client.redirect_uri));
        assert_eq!(answer.sent("error").as_deref(), Some(error), "{changes:?}");
        assert!(answer.sent("error_description").unwrap().len() > 10);
        assert_eq!(answer.sent("state").as_deref(), Some("client-state"));
        assert_eq!(answer.sent("iss"), Some(system.url("")));
        assert_eq!(answer.sent("code"), None);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_broken_escape_in_the_request_is_a_page() {
    let system = System::start().await;
    for query in ["client_id=%zz", "client_id=%", "state=%ff&client_id=x"] {
        Browser::new().open(system.url(&format!("/authorize?{query}"))).await.is_page(400);
    }
}

#[tokio::test]
async fn the_client_gets_its_state_back_byte_for_byte() {
    let system = System::start().await;
    let client = system.client("App").await;
    let state = "a&b=c#d+e %2B \u{e9}\r\n\u{2028}\"'<script>";
    let browser = Browser::new();

    let authorization = client.authorization_with(&system, &[("state", state)]);
    let identity_provider = browser.allow(&system, &authorization).await;
    let answer = browser.open(browser.sign_in(&identity_provider).await).await;

    assert_eq!(answer.sent("state").as_deref(), Some(state));
    assert!(answer.sent("code").is_some());
    assert_eq!(answer.sent("iss"), Some(system.url("")));
}

#[tokio::test]
async fn a_blank_scope_means_the_same_as_none() {
    let system = System::start().await;
    let mut client = system.client("App").await;
    client.scope = Some(" ");

    let tokens = system.sign_in(&client).await;

    assert_eq!(tokens.scope, "snippets:read snippets:write");
}

#[tokio::test]
async fn a_client_without_state_gets_none() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();

    let authorization = client.authorization_with(&system, &[("state", "")]);
    let identity_provider = browser.allow(&system, &authorization).await;
    let answer = browser.open(browser.sign_in(&identity_provider).await).await;

    assert!(answer.sent("code").is_some());
    assert_eq!(answer.sent("state"), None);
}

#[tokio::test]
async fn the_largest_request_that_is_taken_still_fits_into_a_cookie() {
    let system = System::start().await;
    let uri = format!("https://app.example/{}", "p".repeat(480));
    let name = "\u{1f600}".repeat(60);
    let registration = json!({ "client_name": name, "redirect_uris": [uri] });
    let id = system.register(&registration).await.json()["client_id"].as_str().unwrap().to_owned();
    let client = Client::new(&id, &uri);
    let browser = Browser::new();

    let authorization = client.authorization_with(&system, &[("state", &"s".repeat(1024))]);
    let request = browser.consent_page(&authorization).await;
    let answer = browser.decide(&system, &request, "allow").await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.len() < 4096, "{}", cookie.len());

    let quotes = "\"".repeat(1024);
    let refused = browser.open(client.authorization_with(&system, &[("state", &quotes)])).await;
    assert_eq!(refused.sent("error").as_deref(), Some("invalid_request"));
}

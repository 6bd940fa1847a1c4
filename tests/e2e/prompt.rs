//! `prompt` and `login_hint`: what of a client's request reaches Entra ID, and what does not
//! (OpenID Connect Core sections 3.1.2.1 and 3.1.2.6).

use std::collections::BTreeMap;

use reqwest::StatusCode;
use url::Url;

use crate::client::Browser;
use crate::system::System;

/// What every request to Entra ID has.
const ALWAYS: [&str; 8] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];

/// The parameters that reach Entra ID if the client's request has `changes`.
async fn forwarded(system: &System, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let client = system.client("App").await;
    let url: Url = Browser::new().allow(system, &client.authorization_with(system, changes)).await;
    let parameters: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(parameters.len(), url.query_pairs().count(), "something is there twice: {url}");
    parameters
}

#[tokio::test]
async fn prompt_and_login_hint_reach_entra_id_in_the_form_that_it_takes() {
    let system = System::start().await;
    let hint = "alice+b@example.com & c\u{e9}";
    for (prompt, expected) in [
        ("login", Some("login")),
        ("select_account", Some("select_account")),
        ("select_account login", Some("login")),
        ("consent", None),
        ("consent select_account", Some("select_account")),
    ] {
        let sent = forwarded(&system, &[("prompt", prompt), ("login_hint", hint)]).await;

        assert_eq!(sent.get("prompt").map(String::as_str), expected, "{prompt}");
        assert_eq!(sent["login_hint"], hint);
    }
}

#[tokio::test]
async fn nothing_else_of_the_request_reaches_entra_id() {
    let system = System::start().await;
    let strange = [
        ("scope", "snippets:read"),
        ("domain_hint", "marked.example"),
        ("claims", r#"{"id_token":{"marked":null}}"#),
        ("id_token_hint", "marked"),
        ("max_age", "0"),
        ("acr_values", "marked"),
        ("ui_locales", "marked"),
        ("display", "marked"),
        ("nonce", "marked"),
        ("amr_values", "marked"),
        ("unknown", "marked"),
    ];

    let sent = forwarded(&system, &strange).await;

    assert_eq!(sent.keys().collect::<Vec<_>>(), ALWAYS);
    let resource = system.url("/mcp");
    for (name, value) in &sent {
        let foreign = ["marked", "snippets", "client-state", resource.as_str()];
        assert!(!foreign.iter().any(|text| value.contains(text)), "{name}={value}");
    }
}

#[tokio::test]
async fn a_client_that_asks_for_consent_gets_our_page_and_then_its_code() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();

    let authorization = client.authorization_with(&system, &[("prompt", "consent")]);
    let callback = browser.sign_in(&browser.allow(&system, &authorization).await).await;

    assert!(browser.open(callback).await.sent("code").is_some());
}

#[tokio::test]
async fn a_client_that_forbids_pages_hears_that_consent_is_required() {
    let system = System::start().await;
    let client = system.client("App").await;

    let authorization = client.authorization_with(&system, &[("prompt", "none")]);
    let answer = Browser::new().open(authorization).await;

    assert_eq!(answer.status, StatusCode::FOUND);
    assert!(answer.location().as_str().starts_with(&client.redirect_uri));
    assert_eq!(answer.sent("error").as_deref(), Some("consent_required"));
    assert_eq!(answer.sent("state").as_deref(), Some("client-state"));
    assert_eq!(answer.sent("iss"), Some(system.url("")));
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn a_prompt_or_hint_that_breaks_a_rule_goes_back_to_the_client() {
    let system = System::start().await;
    let client = system.client("App").await;
    let long = "a".repeat(255);
    for change in [
        ("prompt", "create"),
        ("prompt", "login login"),
        ("prompt", "none login"),
        ("login_hint", "a\r\nb"),
        ("login_hint", long.as_str()),
    ] {
        let answer = Browser::new().open(client.authorization_with(&system, &[change])).await;

        assert_eq!(answer.sent("error").as_deref(), Some("invalid_request"), "{change:?}");
        assert_eq!(answer.sent("state").as_deref(), Some("client-state"));
    }
}

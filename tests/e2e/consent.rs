//! The consent page, and who may answer it (threats 1 to 5, 9, 12 and 34).

use std::time::Duration;

use reqwest::StatusCode;

use crate::client::Browser;
use crate::system::System;

#[tokio::test]
async fn the_page_names_the_client_its_host_and_the_scopes() {
    let system = System::start().await;
    let client = system.client("Notes <b>for</b> \"you\"").await;
    let browser = Browser::new();

    let to_page = browser.open(client.authorization(&system)).await.location();
    let page = browser.open(to_page).await;

    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("127.0.0.1:41000"));
    assert!(page.body.contains("List and read your saved snippets"));
    assert!(!page.body.contains("<b>for</b>"));
    assert!(!page.body.contains("<script"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.ends_with("frame-ancestors 'none'; base-uri 'none'"), "{policy}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert_eq!(page.header("set-cookie"), None);
}

#[tokio::test]
async fn consent_is_asked_every_time_and_cannot_be_skipped_by_the_url() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    browser.code(&system, &client).await;
    for extra in ["consent=granted", "consent_action=allow", "decision=allow"] {
        let mut url = client.authorization(&system);
        url.set_query(Some(&format!("{}&{extra}", url.query().unwrap())));

        let mut to_page = browser.open(url).await.location();
        assert!(to_page.path() == "/consent");
        to_page.set_query(Some(&format!("{}&{extra}", to_page.query().unwrap())));

        assert_eq!(browser.open(to_page).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_decision_in_the_query_does_not_count() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;

    let url = system.url("/consent?decision=allow");
    let post =
        system.http.post(url).header("Origin", system.url("")).form(&[("request", &request)]);
    crate::system::Answer::of(post).await.is_page(400);
    let twice = [("request", request.as_str()), ("decision", "allow"), ("x", "1"), ("x", "2")];
    let origin = system.url("");
    browser.decide_from(&system, &[("origin", origin.as_str())], &twice).await.is_page(400);
    browser.decide(&system, &request, "").await.is_page(400);
    browser.decide(&system, &request, "granted").await.is_page(400);
}

#[tokio::test]
async fn only_a_page_of_ours_may_send_the_form() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;
    let own = system.url("");
    let form = [("request", request.as_str()), ("decision", "allow")];
    for origin in [
        vec![],
        vec![("origin", "null")],
        vec![("origin", "https://evil.example")],
        vec![("origin", own.as_str()), ("sec-fetch-site", "cross-site")],
        vec![("origin", own.as_str()), ("sec-fetch-site", "same-site")],
        vec![("origin", own.as_str()), ("origin", "https://evil.example")],
        vec![("sec-fetch-site", "same-origin")],
        vec![
            ("origin", own.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ],
    ] {
        browser.decide_from(&system, &origin, &form).await.is_page(403);
    }

    let good = browser.decide_from(&system, &[("origin", own.as_str())], &form).await;

    assert_eq!(good.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_form_of_one_browser_is_worth_nothing_in_another() {
    let system = System::start().await;
    let client = system.client("App").await;
    let (attacker, victim) = (Browser::new(), Browser::new());
    let request = attacker.consent_page(&client.authorization(&system)).await;

    victim.decide(&system, &request, "allow").await.is_page(403);
    victim.consent_page(&client.authorization(&system)).await;
    victim.decide(&system, &request, "allow").await.is_page(403);
    victim.open(system.url(&format!("/consent?request={request}"))).await.is_page(403);
}

#[tokio::test]
async fn a_changed_or_empty_request_does_not_open() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;
    let other = if request.ends_with('A') { 'B' } else { 'A' };
    let changed = format!("{}{other}", &request[..request.len() - 1]);
    for forged in ["", "AAAA", changed.as_str()] {
        browser.decide(&system, forged, "allow").await.is_page(403);
    }
}

#[tokio::test]
async fn the_page_is_good_for_ten_minutes() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;

    system.clock.advance(Duration::from_secs(599));
    assert_eq!(browser.decide(&system, &request, "allow").await.status, StatusCode::SEE_OTHER);

    system.clock.advance(Duration::from_secs(1));
    browser.decide(&system, &request, "allow").await.is_page(403);
}

#[tokio::test]
async fn a_denial_reaches_the_client_with_state_and_issuer_and_is_not_remembered() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;

    let denied = browser.decide(&system, &request, "deny").await;

    assert_eq!(denied.status, StatusCode::SEE_OTHER);
    assert!(denied.location().as_str().starts_with(&client.redirect_uri));
    assert_eq!(denied.sent("error").as_deref(), Some("access_denied"));
    assert_eq!(denied.sent("state").as_deref(), Some("client-state"));
    assert_eq!(denied.sent("iss"), Some(system.url("")));
    assert_eq!(denied.header("set-cookie"), None);
    assert!(!browser.code(&system, &client).await.is_empty());
    assert_eq!(system.oauth_calls().writes, 4, "two rows, each after its table was made");
}

#[tokio::test]
async fn a_reloaded_page_and_its_first_rendering_can_both_be_sent() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let authorization = client.authorization(&system);
    let first = browser.consent_page(&authorization).await;
    let second = browser.consent_page(&authorization).await;

    for request in [first, second] {
        let answer = browser.decide(&system, &request, "allow").await;
        let callback = browser.sign_in(&answer.location()).await;
        assert!(browser.open(callback).await.sent("code").is_some());
    }
}

#[tokio::test]
async fn a_browser_carries_few_sign_ins_and_the_newest_works() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let mut newest = None;
    let (mut set, mut removed) = (0, 0);
    for _ in 0..50 {
        system.clock.advance(Duration::from_secs(1));
        let request = browser.consent_page(&client.authorization(&system)).await;
        let answer = browser.decide(&system, &request, "allow").await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            if cookie.contains("Max-Age=0") { removed += 1 } else { set += 1 }
        }
        newest = Some(answer.location());
    }

    let callback = browser.sign_in(&newest.unwrap()).await;

    assert_eq!((set, removed), (50, 45));
    assert!(browser.open(callback).await.sent("code").is_some());
}

#[tokio::test]
async fn approval_sends_the_browser_to_sign_in_with_pkce_nonce_and_our_own_state() {
    let system = System::start().await;
    let client = system.client("App").await;

    let url = Browser::new().allow(&system, &client.authorization(&system)).await;

    let sent = |name: &str| {
        let mut found = url.query_pairs().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.into_owned())
    };
    assert_eq!(sent("response_type").as_deref(), Some("code"));
    assert_eq!(sent("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(sent("code_challenge").unwrap().len(), 43);
    assert_eq!(sent("nonce").unwrap().len(), 43);
    assert_eq!(sent("state").unwrap().len(), 43);
    assert_eq!(sent("redirect_uri"), Some(system.url("/oauth-callback")));
    assert_eq!(sent("resource"), None);
    assert!(!sent("scope").unwrap().contains("snippets"));
}

//! `/account`: users see and end what is connected in their name (threats 5, 6, 31 and 48).

use std::time::Duration;

use local::identity_provider::Fault;
use reqwest::StatusCode;
use scraper::{Html, Selector};
use serde_json::json;

use crate::client::{Browser, Client, Tokens};
use crate::system::{Answer, System};

/// The programs that the page lists: each with its name and the key that its button sends.
fn listed(page: &Answer) -> Vec<(String, String)> {
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let selector = |text| Selector::parse(text).unwrap();
    let (entries, names, keys) =
        (selector(".connections > li"), selector(".name"), selector("input[name=client]"));
    let page = Html::parse_document(&page.body);
    let entry = |entry: scraper::ElementRef<'_>| {
        let name = entry.select(&names).next().unwrap().text().collect();
        let key = entry.select(&keys).next().unwrap().attr("value").unwrap().to_owned();
        (name, key)
    };
    page.select(&entries).map(entry).collect()
}

fn names(page: &Answer) -> Vec<String> {
    listed(page).into_iter().map(|(name, _)| name).collect()
}

async fn sign_in_as(system: &System, client: &Client, name: &str) -> Tokens {
    let code = Browser::new().code_as(system, client, name).await;
    system.redeem(client, &code).await.tokens()
}

async fn is_refreshed(system: &System, client: &Client, tokens: &Tokens) -> bool {
    system.refresh(client, &tokens.refresh_token).await.status == StatusCode::OK
}

#[tokio::test]
async fn a_stranger_sees_nothing_and_is_asked_to_sign_in() {
    let system = System::start().await;
    sign_in_as(&system, &system.client("Notes").await, "alice").await;
    let before = system.oauth_calls();

    let page = Browser::new().open(system.url("/account")).await;

    assert!(page.body.contains("value=\"sign-in\""), "{}", page.body);
    assert!(!page.body.contains("Notes"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("set-cookie"), None);
    assert_eq!(system.oauth_calls(), before);
}

#[tokio::test]
async fn a_user_sees_each_of_their_own_programs_once_and_nobody_elses() {
    let system = System::start().await;
    let (notes, editor) = (system.client("Notes <b>!</b>").await, system.client("Editor").await);
    sign_in_as(&system, &notes, "alice").await;
    system.clock.advance(Duration::from_secs(5));
    sign_in_as(&system, &editor, "alice").await;
    sign_in_as(&system, &editor, "alice").await;
    sign_in_as(&system, &system.client("Bob's").await, "bob").await;

    let page = Browser::new().visit(&system, "alice").await;

    assert_eq!(names(&page), ["Editor", "Notes <b>!</b>"]);
    assert!(page.body.contains("Alice Example"));
    assert!(page.body.contains("signed in 2 times"), "{}", page.body);
    assert!(page.body.contains("List and read your saved snippets"));
}

#[tokio::test]
async fn a_revoked_program_loses_every_session_and_others_keep_theirs() {
    let system = System::start().await;
    let (notes, editor) = (system.client("Notes").await, system.client("Editor").await);
    let first = sign_in_as(&system, &notes, "alice").await;
    let second = sign_in_as(&system, &notes, "alice").await;
    let other = sign_in_as(&system, &editor, "alice").await;
    let bobs = sign_in_as(&system, &notes, "bob").await;
    let browser = Browser::new();
    let programs = listed(&browser.visit(&system, "alice").await);
    let key = &programs.iter().find(|(name, _)| name == "Notes").unwrap().1;

    let answer = browser.act(&system, &[("action", "revoke"), ("client", key)]).await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(names(&browser.open(answer.location()).await), ["Editor"]);
    for tokens in [&first, &second] {
        assert!(!system.takes(&tokens.access_token).await);
        assert!(!is_refreshed(&system, &notes, tokens).await);
    }
    assert!(is_refreshed(&system, &editor, &other).await);
    assert!(is_refreshed(&system, &notes, &bobs).await);
}

#[tokio::test]
async fn all_programs_are_revoked_at_once_and_codes_that_wait_too() {
    let system = System::start().await;
    let client = system.client("Notes").await;
    let tokens = sign_in_as(&system, &client, "alice").await;
    let waiting = Browser::new().code(&system, &client).await;
    let browser = Browser::new();
    browser.visit(&system, "alice").await;

    let answer = browser.act(&system, &[("action", "revoke-all")]).await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(listed(&browser.open(answer.location()).await).is_empty());
    assert!(!is_refreshed(&system, &client, &tokens).await);
    system.redeem(&client, &waiting).await.refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_session_that_its_client_ended_or_never_began_is_not_listed() {
    let system = System::start().await;
    let client = system.client("Notes").await;
    let ended = sign_in_as(&system, &client, "alice").await;
    system.revoke(&client, &ended.refresh_token).await;
    Browser::new().code(&system, &client).await;

    let page = Browser::new().visit(&system, "alice").await;

    assert!(listed(&page).is_empty(), "{}", page.body);
}

#[tokio::test]
async fn one_users_visit_ends_nothing_of_another() {
    let system = System::start().await;
    let client = system.client("Notes").await;
    let alices = sign_in_as(&system, &client, "alice").await;
    let alice = Browser::new();
    let key = listed(&alice.visit(&system, "alice").await).remove(0).1;
    let mallory = Browser::new();
    mallory.visit(&system, "bob").await;

    for form in [&[("action", "revoke"), ("client", key.as_str())][..], &[("action", "revoke-all")]]
    {
        assert_eq!(mallory.act(&system, form).await.status, StatusCode::SEE_OTHER);
    }

    assert!(is_refreshed(&system, &client, &alices).await);
}

#[tokio::test]
async fn only_a_page_of_ours_may_send_the_form_and_only_for_who_is_signed_in() {
    let system = System::start().await;
    let client = system.client("Notes").await;
    let tokens = sign_in_as(&system, &client, "alice").await;
    let browser = Browser::new();
    browser.visit(&system, "alice").await;
    for origin in [
        vec![],
        vec![("origin", "null")],
        vec![("origin", "https://evil.example")],
        vec![("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
    ] {
        for action in ["sign-in", "revoke-all", "sign-out"] {
            browser.post_account(&system, &origin, &[("action", action)]).await.is_page(403);
        }
    }
    browser.act(&system, &[("action", "everything")]).await.is_page(400);
    browser.act(&system, &[("action", "revoke-all"), ("action", "revoke-all")]).await.is_page(400);
    for client in ["", "x", "Notes", &client.id, "' or true", &"z".repeat(52)] {
        browser.act(&system, &[("action", "revoke"), ("client", client)]).await.is_page(400);
    }
    Browser::new().act(&system, &[("action", "revoke-all")]).await.is_page(403);

    assert!(is_refreshed(&system, &client, &tokens).await);
}

#[tokio::test]
async fn a_visit_lasts_a_quarter_of_an_hour_and_its_cookie_opens_nothing_else() {
    let system = System::start().await;
    sign_in_as(&system, &system.client("Notes").await, "alice").await;
    let browser = Browser::new();
    browser.visit(&system, "alice").await;

    system.clock.advance(Duration::from_secs(899));
    assert_eq!(names(&browser.open(system.url("/account")).await), ["Notes"]);

    system.clock.advance(Duration::from_secs(1));
    assert!(!browser.open(system.url("/account")).await.body.contains("Notes"));
    browser.act(&system, &[("action", "revoke-all")]).await.is_page(403);
}

#[tokio::test]
async fn a_sign_out_leaves_nothing_in_the_browser_and_goes_through_entra_id() {
    let system = System::start().await;
    let client = system.client("Notes").await;
    let tokens = sign_in_as(&system, &client, "alice").await;
    let browser = Browser::new();
    browser.visit(&system, "alice").await;

    let answer = browser.act(&system, &[("action", "sign-out")]).await;
    let back = browser.open(answer.location()).await;

    assert_eq!(answer.location().path(), "/dev-idp/sign-out");
    assert_eq!(answer.sent("post_logout_redirect_uri"), Some(system.url("/account")));
    for cookie in answer.headers.get_all("set-cookie") {
        assert!(cookie.to_str().unwrap().contains("Max-Age=0"), "{cookie:?}");
    }
    assert_eq!(back.location().as_str(), system.url("/account"));
    assert!(!browser.open(system.url("/account")).await.body.contains("Notes"));
    assert!(is_refreshed(&system, &client, &tokens).await, "programs stay connected");
}

#[tokio::test]
async fn who_is_not_signed_in_can_make_the_browser_forget_all_the_same() {
    let system = System::start().await;
    let client = system.website("Notes").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;
    let allowed = browser.allow_for_good(&system, &request).await;
    let callback = browser.sign_in(&allowed.location()).await;
    let code = browser.open(callback).await.sent("code").unwrap();
    let tokens = system.redeem(&client, &code).await.tokens();
    let page = browser.open(system.url("/account")).await;
    assert!(page.body.contains("value=\"sign-out\""), "{}", page.body);

    let answer = browser.act(&system, &[("action", "sign-out")]).await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let again = browser.navigate(client.authorization(&system), "none").await;
    assert_eq!(again.location().path(), "/consent");
    assert!(is_refreshed(&system, &client, &tokens).await);
}

#[tokio::test]
async fn a_sign_in_for_the_page_gives_no_code_and_cannot_be_finished_elsewhere() {
    let system = System::start().await;
    let (browser, other) = (Browser::new(), Browser::new());
    let to_sign_in = browser.act(&system, &[("action", "sign-in")]).await;
    let callback = browser.sign_in(&to_sign_in.location()).await;

    other.open(&callback).await.is_page(403);
    let answer = browser.open(&callback).await;
    browser.open(&callback).await.is_page(403);

    assert_eq!(answer.location().as_str(), system.url("/account"));
    assert_eq!(system.oauth_calls().writes, 0);
}

#[tokio::test]
async fn whoever_repeats_anothers_callback_gets_no_hold_of_the_session() {
    let system = System::start().await;
    let client = system.client("Notes").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;
    let allowed = browser.decide(&system, &request, "allow").await;
    let flow = allowed.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let callback = browser.sign_in(&allowed.location()).await;
    let code = browser.open(callback).await.sent("code").unwrap();
    let alices = system.redeem(&client, &code).await.tokens();

    // The same approval once more, by somebody who kept its cookie and is another user.
    let callback = Browser::new().press(&allowed.location(), "bob").await;
    let again = system.http.get(callback).header("cookie", flow);
    Answer::of(again).await.is_page(400);
    let bob = Browser::new();
    let page = bob.visit(&system, "bob").await;
    bob.act(&system, &[("action", "revoke-all")]).await;

    assert!(listed(&page).is_empty(), "{}", page.body);
    assert!(is_refreshed(&system, &client, &alices).await);
}

#[tokio::test]
async fn who_is_refused_at_entra_id_is_told_so_and_sees_nothing() {
    let system = System::start().await;
    for (fault, status) in
        [(Fault::WrongNonce, 403), (Fault::WrongTenant, 403), (Fault::Unavailable, 503)]
    {
        let browser = Browser::new();
        let to_sign_in = browser.act(&system, &[("action", "sign-in")]).await;
        let callback = browser.sign_in(&to_sign_in.location()).await;
        system.stack.identity_provider().fail_next(fault);

        let answer = browser.open(&callback).await;

        answer.is_page(status);
        assert_eq!(answer.header("retry-after"), (status == 503).then_some("5"));
        browser.act(&system, &[("action", "revoke-all")]).await.is_page(403);
    }
}

#[tokio::test]
async fn what_a_visit_sends_is_no_access_token() {
    let system = System::start().await;
    let browser = Browser::new();
    let to_sign_in = browser.act(&system, &[("action", "sign-in")]).await;
    let callback = browser.sign_in(&to_sign_in.location()).await;
    let answer = browser.open(&callback).await;
    let cookie = answer.header("set-cookie").unwrap();
    let value = cookie.split(['=', ';']).nth(1).unwrap();

    assert!(cookie.starts_with("mcp-account="), "{cookie}");
    for token in [value.to_owned(), format!("mcp_at_{value}")] {
        let answer = system.call(&token, "hello_mcp", json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

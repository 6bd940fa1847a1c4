//! A consent that is remembered spares its user the page, and nobody else (threats 10 and 11, the
//! defects S2 and S3 of the original).

use std::path::Path;
use std::time::Duration;

use local::identity_provider::Person;
use local::{Data, Options};
use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use crate::client::{Browser, Client, Tokens, hidden_input};
use crate::running::Told;
use crate::storage::assert_cost;
use crate::system::{Answer, System, http_client, start_stack};

/// Allows `client` in this browser, signs in as `name`, and asks not to be asked again.
async fn remember(system: &System, browser: &Browser, client: &Client, name: &str) -> Tokens {
    let request = browser.consent_page(&client.authorization(system)).await;
    let answer = browser.allow_for_good(system, &request).await;
    let callback = browser.press(&answer.location(), name).await;
    let code = browser.open(callback).await.sent("code").unwrap();
    system.redeem(client, &code).await.tokens()
}

/// The cookie of the remembered consents that `answer` sets, without its attributes.
fn consents_cookie(answer: &Answer) -> String {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let mut set = cookies.map(|cookie| cookie.to_str().unwrap());
    let cookie = set.find(|cookie| cookie.starts_with("mcp-consents=")).unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Where a browser is sent that an application opened at `url`.
async fn led_to(browser: &Browser, url: &Url) -> String {
    browser.navigate(url, "none").await.location().path().to_owned()
}

const WEBSITE: &str = "https://app.example/callback";
const ENTRA_ID: &str = "/dev-idp/authorize";
const PAGE: &str = "/consent";

#[tokio::test]
async fn both_cookies_of_a_sign_in_that_is_remembered_come_in_one_answer() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;
    let allowed = browser.allow_for_good(&system, &request).await;
    let callback = browser.sign_in(&allowed.location()).await;

    let answer = browser.open(callback).await;

    let cookies = answer.headers.get_all("set-cookie").iter();
    let mut cookies: Vec<_> = cookies.map(|cookie| &cookie.to_str().unwrap()[..9]).collect();
    cookies.sort_unstable();
    assert_eq!(cookies, ["mcp-conse", "mcp-flow-"]);
}

#[tokio::test]
async fn a_remembered_client_signs_in_again_without_the_page() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;

    for _ in 0..2 {
        let to_entra_id = browser.navigate(client.authorization(&system), "none").await;
        let callback = browser.sign_in(&to_entra_id.location()).await;
        let code = browser.open(callback).await.sent("code").unwrap();

        let tokens = system.redeem(&client, &code).await.tokens();

        assert!(system.takes(&tokens.access_token).await);
    }
}

#[tokio::test]
async fn nothing_is_remembered_unless_the_user_asks_for_it() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();

    browser.code(&system, &client).await;

    assert_eq!(led_to(&browser, &client.authorization(&system)).await, PAGE);
}

#[tokio::test]
async fn a_remembered_consent_covers_what_was_allowed_and_no_more() {
    let system = System::start().await;
    let mut client = system.website("App").await;
    client.scope = Some("snippets:read");
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;
    let with = |changes: &[(&str, &str)]| client.authorization_with(&system, changes);

    assert_eq!(led_to(&browser, &with(&[])).await, ENTRA_ID);
    assert_eq!(led_to(&browser, &with(&[("state", "other")])).await, ENTRA_ID);
    assert_eq!(led_to(&browser, &with(&[("scope", "snippets:read snippets:write")])).await, PAGE);
    assert_eq!(led_to(&browser, &with(&[("scope", "snippets:write")])).await, PAGE);
    assert_eq!(led_to(&browser, &with(&[("scope", "")])).await, PAGE, "all scopes");
    let resource = browser.navigate(with(&[("resource", "https://else.example/mcp")]), "none");
    assert_eq!(resource.await.sent("error").as_deref(), Some("invalid_target"));
}

#[tokio::test]
async fn a_remembered_consent_is_for_one_client_and_one_redirect_uri() {
    let system = System::start().await;
    let uris = [WEBSITE, "https://app.example/other"];
    let register = |name: &'static str| {
        let registration = json!({ "client_name": name, "redirect_uris": uris });
        let system = &system;
        async move { system.register(&registration).await.json()["client_id"].to_string() }
    };
    let id = register("App").await.trim_matches('"').to_owned();
    let other_id = register("Another").await.trim_matches('"').to_owned();
    let browser = Browser::new();
    remember(&system, &browser, &Client::new(&id, uris[0]), "alice").await;
    let led = async |id: &str, uri: &str| {
        led_to(&browser, &Client::new(id, uri).authorization(&system)).await
    };

    assert_eq!(led(&id, uris[0]).await, ENTRA_ID);
    assert_eq!(led(&id, uris[1]).await, PAGE);
    assert_eq!(led(&other_id, uris[0]).await, PAGE);
}

#[tokio::test]
async fn only_a_navigation_of_the_users_own_is_silent() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;
    let url = client.authorization(&system);

    for (site, place) in [
        ("none", ENTRA_ID),
        ("same-origin", PAGE),
        ("same-site", PAGE),
        ("cross-site", PAGE),
        ("unknown", PAGE),
    ] {
        assert_eq!(browser.navigate(&url, site).await.location().path(), place, "{site}");
    }
    assert_eq!(browser.open(&url).await.location().path(), PAGE, "a browser that says nothing");
}

#[tokio::test]
async fn a_client_may_want_the_page_all_the_same_or_no_page_at_all() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;
    let with = |prompt: &'static str| client.authorization_with(&system, &[("prompt", prompt)]);

    assert_eq!(led_to(&browser, &with("consent")).await, PAGE);
    assert_eq!(led_to(&browser, &with("consent login")).await, PAGE);
    assert_eq!(led_to(&browser, &with("login")).await, ENTRA_ID);
    let silent = browser.navigate(with("none"), "none").await;
    assert_eq!(silent.sent("prompt").as_deref(), Some("none"));
    // Nobody is signed in at the identity provider, which may not ask either.
    let callback = browser.open(silent.location()).await.location();
    assert_eq!(browser.open(callback).await.sent("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn a_client_that_forbids_pages_hears_that_another_user_would_have_to_be_asked() {
    let directory = tempfile::tempdir().unwrap();
    let system = System::start_on(Data::Directory(directory.path().to_owned())).await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "bob").await;
    let system = restarted_with(system, directory.path(), Person::Alice).await;

    let url = client.authorization_with(&system, &[("prompt", "none")]);
    let to_entra_id = browser.navigate(url, "none").await;
    let callback = browser.open(to_entra_id.location()).await.location();
    let answer = browser.open(callback).await;

    assert!(answer.location().as_str().starts_with(&client.redirect_uri));
    assert_eq!(answer.sent("error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn another_user_of_the_browser_is_asked_and_gets_no_code_before() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;
    let before = system.oauth_calls();

    let to_entra_id = browser.navigate(client.authorization(&system), "none").await;
    let callback = browser.press(&to_entra_id.location(), "bob").await;
    let answer = browser.open(callback).await;

    assert_eq!(answer.location().path(), PAGE);
    assert_eq!(system.oauth_calls().writes, before.writes);
    let request = hidden_input(&browser.open(answer.location()).await.body, "request");
    let allowed = browser.decide(&system, &request, "allow").await;
    let callback = browser.press(&allowed.location(), "bob").await;
    assert!(browser.open(callback).await.sent("code").is_some());
}

#[tokio::test]
async fn the_last_user_of_a_browser_is_remembered_there_and_nowhere_else() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;
    remember(&system, &browser, &client, "bob").await;

    let to_entra_id = browser.navigate(client.authorization(&system), "none").await;
    let callback = browser.press(&to_entra_id.location(), "bob").await;

    assert!(browser.open(callback).await.sent("code").is_some());
    let to_entra_id = browser.navigate(client.authorization(&system), "none").await;
    let callback = browser.press(&to_entra_id.location(), "alice").await;
    assert_eq!(browser.open(callback).await.location().path(), PAGE);
    assert_eq!(led_to(&Browser::new(), &client.authorization(&system)).await, PAGE);
}

#[tokio::test]
async fn a_revoked_program_is_not_remembered_any_more() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;
    let elsewhere = Browser::new();
    elsewhere.visit(&system, "alice").await;
    elsewhere.act(&system, &[("action", "revoke-all")]).await;

    let to_entra_id = browser.navigate(client.authorization(&system), "none").await;
    let callback = browser.sign_in(&to_entra_id.location()).await;

    assert_eq!(browser.open(callback).await.location().path(), PAGE);
}

#[tokio::test]
async fn a_program_on_the_users_machine_or_an_app_is_asked_about_every_time() {
    let system = System::start().await;
    for redirect_uri in ["http://127.0.0.1:41000/callback", "cursor://app/callback"] {
        let client = system.client_at("App", redirect_uri).await;
        let browser = Browser::new();

        remember(&system, &browser, &client, "alice").await;

        assert_eq!(led_to(&browser, &client.authorization(&system)).await, PAGE, "{redirect_uri}");
    }
}

#[tokio::test]
async fn a_program_that_goes_the_way_of_a_website_is_asked_about_every_time() {
    let system = System::start().await;
    let uris = [WEBSITE, "http://127.0.0.1/callback"];
    let registration = json!({ "client_name": "Editor", "redirect_uris": uris });
    let answer = system.register(&registration).await.json();
    let client = Client::new(answer["client_id"].as_str().unwrap(), WEBSITE);
    let browser = Browser::new();

    remember(&system, &browser, &client, "alice").await;

    assert_eq!(led_to(&browser, &client.authorization(&system)).await, PAGE);
}

#[tokio::test]
async fn a_consent_ends_with_the_session_that_it_was_given_for() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    let tokens = remember(&system, &browser, &client, "alice").await;
    system.revoke(&client, &tokens.refresh_token).await;

    let to_entra_id = browser.navigate(client.authorization(&system), "none").await;
    let callback = browser.sign_in(&to_entra_id.location()).await;

    assert_eq!(browser.open(callback).await.location().path(), PAGE);
}

#[tokio::test]
async fn a_client_without_refresh_tokens_can_be_revoked_long_after_its_last_token() {
    let system = System::start().await;
    let registration = json!({
        "client_name": "App",
        "redirect_uris": [WEBSITE],
        "grant_types": ["authorization_code"],
    });
    let answer = system.register(&registration).await.json();
    let client = Client::new(answer["client_id"].as_str().unwrap(), WEBSITE);
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;
    let allowed = browser.allow_for_good(&system, &request).await;
    let callback = browser.sign_in(&allowed.location()).await;
    let code = browser.open(callback).await.sent("code").unwrap();
    assert_eq!(system.redeem(&client, &code).await.status, StatusCode::OK);
    system.clock.advance(Duration::from_hours(48));
    let visitor = Browser::new();

    let page = visitor.visit(&system, "alice").await;
    visitor.act(&system, &[("action", "revoke-all")]).await;

    assert!(page.body.contains("App"), "{}", page.body);
    let to_entra_id = browser.navigate(client.authorization(&system), "none").await;
    let callback = browser.sign_in(&to_entra_id.location()).await;
    assert_eq!(browser.open(callback).await.location().path(), PAGE);
}

#[tokio::test]
async fn a_later_decision_replaces_the_remembered_one() {
    let system = System::start().await;
    let client = system.website("App").await;
    for decision in ["deny", "allow"] {
        let browser = Browser::new();
        remember(&system, &browser, &client, "alice").await;
        let cross_site = browser.navigate(client.authorization(&system), "cross-site").await;
        let request = hidden_input(&browser.open(cross_site.location()).await.body, "request");

        browser.decide(&system, &request, decision).await;

        assert_eq!(led_to(&browser, &client.authorization(&system)).await, PAGE, "{decision}");
    }
}

#[tokio::test]
async fn a_consent_is_remembered_for_thirty_days() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;

    system.clock.advance(Duration::from_secs(30 * 86_400 - 1));
    assert_eq!(led_to(&browser, &client.authorization(&system)).await, ENTRA_ID);

    system.clock.advance(Duration::from_secs(1));
    assert_eq!(led_to(&browser, &client.authorization(&system)).await, PAGE);
}

#[tokio::test]
async fn a_forged_cookie_or_one_of_a_removed_key_counts_for_nothing() {
    // A client that systems of different keys know by the same name.
    let list = json!([{ "client_id": "app", "client_name": "App", "redirect_uris": [WEBSITE] }]);
    let known = list.to_string();
    let known = Told::by(Options::default(), &[("REGISTERED_CLIENTS", &known)]);
    let with_keys_of_its_own = || System::start_with(known.clone());
    let (system, of_other_keys) = (with_keys_of_its_own().await, with_keys_of_its_own().await);
    let client = Client::new("app", WEBSITE);
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;
    let allowed = browser.allow_for_good(&system, &request).await;
    let callback = browser.sign_in(&allowed.location()).await;
    let good = consents_cookie(&browser.open(callback).await);
    let led = async |system: &System, client: &Client, cookie: &str| {
        let request = system.http.get(client.authorization(system)).header("cookie", cookie);
        let request = request.header("sec-fetch-site", "none").header("sec-fetch-mode", "navigate");
        Answer::of(request.header("sec-fetch-dest", "document")).await.location().path().to_owned()
    };
    assert_eq!(led(&system, &client, &good).await, ENTRA_ID);

    let last = if good.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{last}", &good[..good.len() - 1]);
    for forged in [changed.as_str(), "mcp-consents=", "mcp-consents=W10", "mcp-consents=%5B%5D"] {
        assert_eq!(led(&system, &client, forged).await, PAGE, "{forged}");
    }
    assert_eq!(led(&of_other_keys, &client, &good).await, PAGE);
}

#[tokio::test]
async fn a_browser_remembers_few_consents_and_the_cookie_stays_small() {
    let system = System::start().await;
    let browser = Browser::new();
    let (mut clients, mut largest) = (Vec::new(), 0);
    for number in 0..12 {
        let client = system.website(&format!("App {number}")).await;
        system.clock.advance(Duration::from_secs(1));
        let request = browser.consent_page(&client.authorization(&system)).await;
        let allowed = browser.allow_for_good(&system, &request).await;
        let callback = browser.sign_in(&allowed.location()).await;
        let answer = browser.open(callback).await;
        system.redeem(&client, &answer.sent("code").unwrap()).await.tokens();
        largest = largest.max(consents_cookie(&answer).len());
        clients.push(client);
    }

    assert_eq!(led_to(&browser, &clients[11].authorization(&system)).await, ENTRA_ID);
    assert_eq!(led_to(&browser, &clients[2].authorization(&system)).await, ENTRA_ID);
    assert_eq!(led_to(&browser, &clients[1].authorization(&system)).await, PAGE);
    assert!(largest < 3800, "{largest} bytes");
}

#[tokio::test]
async fn a_silent_sign_in_costs_one_read_more() {
    let system = System::start().await;
    let client = system.website("App").await;
    let browser = Browser::new();
    remember(&system, &browser, &client, "alice").await;
    let before = system.oauth_calls();

    let to_entra_id = browser.navigate(client.authorization(&system), "none").await;
    let callback = browser.sign_in(&to_entra_id.location()).await;
    let code = browser.open(callback).await.sent("code").unwrap();
    system.redeem(&client, &code).await.tokens();

    assert_cost("silent sign-in", before, system.oauth_calls(), (2, 3));
}

#[tokio::test]
async fn a_remembered_consent_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let first = System::start_on(Data::Directory(directory.path().to_owned())).await;
    let client = first.website("App").await;
    let browser = Browser::new();
    remember(&first, &browser, &client, "alice").await;
    let second = restarted_with(first, directory.path(), Person::Alice).await;
    let to_entra_id = browser.navigate(client.authorization(&second), "none").await;
    let callback = browser.open(to_entra_id.location()).await;

    assert!(browser.open(callback.location()).await.sent("code").is_some());
}

/// The same system on the same data; its identity provider signs `person` in without asking.
async fn restarted_with(system: System, directory: &Path, person: Person) -> System {
    let System { stack, clock, .. } = system;
    let listen = stack.base_url().authority().parse().unwrap();
    stack.stop().await;
    let options = Options {
        listen,
        data: Data::Directory(directory.to_owned()),
        sign_in_as: Some(person),
        clock: clock.clone(),
        ..Options::default()
    };
    System { stack: start_stack(options).await.unwrap(), clock, http: http_client() }
}

//! Clients that publish their own metadata (draft-ietf-oauth-client-id-metadata-document), and
//! what a stranger who chooses the URL could do with it (threat 35).

use std::time::Duration;

use futures::future::join_all;
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::storage::StorageCalls;

use crate::client::{Browser, Client};
use crate::clients::is_not_believed;
use crate::document_server::{HERE, Website, document, response};
use crate::system::{Answer, System};

const URL: &str = "https://app.example/client.json";
const PATH: &str = "/client.json";
const REDIRECT_URI: &str = "http://127.0.0.1:41000/callback";
const JSON: &str = "Content-Type: application/json\r\n";
const NOT_REACHED: &str = "cannot be found, or not reached securely";
const HOUR: Duration = Duration::from_hours(1);

fn client(url: &str) -> Client {
    Client::new(url, REDIRECT_URI)
}

/// What a browser is answered that comes from the client at `url`.
async fn authorize(system: &System, url: &str) -> Answer {
    Browser::new().open(client(url).authorization(system)).await
}

async fn is_taken(system: &System, url: &str) -> bool {
    authorize(system, url).await.status == StatusCode::FOUND
}

/// Asserts a page with this status that says `words`, and nothing of the client.
#[track_caller]
fn says(answer: &Answer, status: u16, words: &str) {
    answer.is_page(status);
    assert!(answer.body.contains(words), "{words}: {}", answer.body);
    assert!(!answer.body.contains("app.example"), "{}", answer.body);
}

#[tokio::test]
async fn a_client_that_publishes_its_metadata_signs_in_without_registration() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &[]);
    let system = website.system().await;
    let client = client(URL);

    let tokens = system.sign_in(&client).await;
    let renewed = system.refresh(&client, &tokens.refresh_token).await.tokens();
    assert!(system.takes(&renewed.access_token).await);
    let revoked = system.revoke(&client, &renewed.refresh_token).await;

    assert_eq!(revoked.status, StatusCode::OK);
    assert!(!system.takes(&renewed.access_token).await);
    assert_eq!(website.requests().len(), 1);
}

#[tokio::test]
async fn the_consent_page_names_the_website_that_a_client_is_known_by() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &[]);
    let system = website.system().await;
    let browser = Browser::new();

    let answer = browser.open(client(URL).authorization(&system)).await;
    let page = browser.open(answer.location()).await;

    assert!(page.body.contains("identified by the website <strong>app.example</strong>"));
    assert!(page.body.contains("Every program here can claim to be the one of app.example."));
    assert_eq!(system.oauth_calls(), StorageCalls::default());
}

#[tokio::test]
async fn a_document_is_asked_for_plainly_and_says_nothing_of_us() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &[]);
    let system = website.system().await;

    assert!(is_taken(&system, URL).await);

    let requests = website.requests();
    let lines: Vec<_> = requests[0].lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines[0], "get /client.json http/1.1");
    let mut headers = lines[1..].to_vec();
    headers.sort_unstable();
    assert_eq!(
        headers,
        ["accept-encoding: identity", "accept: application/json", "host: app.example"]
    );
}

#[tokio::test]
async fn tokens_and_revocation_never_fetch_a_document() {
    let website = Website::start().await;
    let system = website.system().await;

    system.redeem(&client(URL), "mcp_ac_x").await.refused(400, "invalid_grant");
    system.refresh(&client(URL), "mcp_rt_x").await.refused(400, "invalid_grant");
    assert_eq!(system.revoke(&client(URL), "mcp_rt_x").await.status, StatusCode::OK);
    let form = [("client_id", URL), ("client_secret", "x"), ("grant_type", "refresh_token")];
    is_not_believed(&system.token(&form).await);

    assert_eq!((website.resolutions(), website.connections()), (0, 0));
}

#[tokio::test]
async fn an_identifier_that_breaks_a_rule_is_looked_up_by_nobody() {
    let website = Website::start().await;
    let system = website.system().await;
    for url in [
        "http://app.example/client.json",
        "HTTPS://app.example/client.json",
        "https://user@app.example/client.json",
        "https://app.example:8443/client.json",
        "https://app.example:443/client.json",
        "https://127.0.0.1/client.json",
        "https://2130706433/client.json",
        "https://[::1]/client.json",
        "https://localhost/client.json",
        "https://app.example/a/../client.json",
        "https://app.example/%2e%2e/client.json",
        "https://app.example/client.json#x",
        "https://app.example/client.json?x",
        "https://app.example/",
        "https://app.example",
        "https://App.example/client.json",
        &format!("https://app.example/{}", "p".repeat(300)),
    ] {
        authorize(&system, url).await.is_page(400);
        is_not_believed(&system.redeem(&client(url), "mcp_ac_x").await);
    }
    assert_eq!((website.resolutions(), website.connections()), (0, 0));
}

#[tokio::test]
async fn no_address_outside_the_public_internet_is_connected_to() {
    let website = Website::start().await;
    let system = website.system().await;
    for (number, address) in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.2",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2606:4700::5efe:127.0.0.1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ]
    .into_iter()
    .enumerate()
    {
        website.resolve_to(&[&[address]]);

        let answer = authorize(&system, &format!("https://app.example/{number}")).await;

        says(&answer, 400, NOT_REACHED);
        assert_eq!(website.resolutions(), number + 1, "{address}");
    }
    assert_eq!(website.connections(), 0);
}

#[tokio::test]
async fn one_private_address_among_good_ones_spoils_the_name() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &[]);
    let system = website.system().await;
    for (number, addresses) in
        [[HERE, "10.0.0.1"], ["10.0.0.1", HERE], [HERE, "::1"]].iter().enumerate()
    {
        website.resolve_to(&[addresses]);

        let answer = authorize(&system, &format!("https://app.example/{number}")).await;

        says(&answer, 400, NOT_REACHED);
    }
    assert_eq!(website.connections(), 0);
}

#[tokio::test]
async fn a_name_is_resolved_once_and_what_was_checked_is_connected_to() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &["Cache-Control: no-store"]);
    website.resolve_to(&[&[HERE], &["169.254.169.254"]]);
    let system = website.system().await;

    assert!(is_taken(&system, URL).await);
    assert_eq!((website.resolutions(), website.connections()), (1, 1));

    system.clock.advance(HOUR);
    says(&authorize(&system, URL).await, 400, NOT_REACHED);
    assert_eq!((website.resolutions(), website.connections()), (2, 1));
}

#[tokio::test]
async fn an_outsider_learns_nothing_of_names_that_resolve_only_inside() {
    let website = Website::start().await;
    let system = website.system().await;

    website.resolve_to(&[]);
    says(&authorize(&system, URL).await, 400, NOT_REACHED);
    website.resolve_to(&[&[HERE]]);
    let other = authorize(&system, "https://impostor.example/client.json").await;
    says(&other, 400, NOT_REACHED);
    assert_eq!(website.requests().len(), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let website = Website::start().await;
    website.publish("/good.json", &document(URL, REDIRECT_URI), &[]);
    let system = website.system().await;
    for (number, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        let path = format!("/{number}");
        let location = "Location: https://app.example/good.json\r\nContent-Length: 0";
        website.answer(&path, format!("HTTP/1.1 {status} Moved\r\n{location}\r\n\r\n"));

        let answer = authorize(&system, &format!("https://app.example{path}")).await;

        says(&answer, 400, "does not have its description");
        assert_eq!(website.requests().len(), number + 1);
    }
}

#[tokio::test]
async fn what_is_too_long_compressed_of_another_type_or_status_is_refused() {
    let website = Website::start().await;
    let system = website.system().await;
    let good = document(URL, REDIRECT_URI).to_string();
    let long = format!("{good}{}", " ".repeat(5 * 1024 + 1 - good.len()));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    let with = |headers: &str| response(headers, &good);
    for (number, (bytes, words)) in [
        (response(JSON, &long), "too long"),
        (chunked, "too long"),
        (with(&format!("{JSON}Content-Encoding: gzip\r\n")), "compressed"),
        (with(&format!("{JSON}Content-Encoding: br\r\n")), "compressed"),
        (
            with(&format!("{JSON}Content-Encoding: identity\r\nContent-Encoding: gzip\r\n")),
            "compressed",
        ),
        (with(""), "not JSON"),
        (with("Content-Type: text/html\r\n"), "not JSON"),
        (with(&format!("{JSON}{JSON}")), "not JSON"),
        (with(JSON).replace("200 OK", "201 Created"), "does not have its description"),
        (with(JSON).replace("200 OK", "404 Not Found"), "does not have its description"),
        (with(JSON).replace("200 OK", "500 Oops"), "does not have its description"),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), NOT_REACHED),
    ]
    .into_iter()
    .enumerate()
    {
        website.answer(&format!("/{number}"), bytes);

        let answer = authorize(&system, &format!("https://app.example/{number}")).await;

        says(&answer, 400, words);
    }
    website.answer(PATH, response(JSON, &long[..5 * 1024]));
    assert!(is_taken(&system, URL).await);
}

#[tokio::test]
async fn a_document_that_does_not_end_is_given_up() {
    let website = Website::start().await;
    let patience = Duration::from_millis(500);
    let system = website.system_with(DocumentPolicy::default(), patience).await;
    let good = document(URL, REDIRECT_URI).to_string();
    let slow = response(JSON, &format!("{good} ")).trim_end().to_owned();
    for (path, bytes) in
        [("/body", slow.as_str()), ("/head", "HTTP/1.1 200 OK\r\nX: "), ("/none", "")]
    {
        website.answer(path, bytes);

        let answer = authorize(&system, &format!("https://app.example{path}")).await;

        says(&answer, 503, "did not answer in time");
        assert_eq!(answer.header("retry-after"), Some("60"));
    }
}

#[tokio::test]
async fn a_document_that_breaks_a_rule_is_refused() {
    let website = Website::start().await;
    let system = website.system().await;
    let url = |number: usize| format!("https://app.example/{number}");
    let changes: [(&str, Value, &str); 9] = [
        ("client_id", json!(URL), "another program"),
        ("client_id", json!(null), "another program"),
        ("client_name", json!(null), "breaks a rule"),
        ("redirect_uris", json!([]), "breaks a rule"),
        ("redirect_uris", json!(["http://app.example/cb"]), "breaks a rule"),
        ("redirect_uris", json!(["myapp://cb"]), "breaks a rule"),
        ("client_secret", json!("x"), "breaks a rule"),
        ("token_endpoint_auth_method", json!("client_secret_basic"), "breaks a rule"),
        ("token_endpoint_auth_method", json!("private_key_jwt"), "breaks a rule"),
    ];
    for (number, (name, value, words)) in changes.into_iter().enumerate() {
        let mut document = document(&url(number), REDIRECT_URI);
        document[name] = value;
        website.publish(&format!("/{number}"), &document, &[]);

        says(&authorize(&system, &url(number)).await, 400, words);
    }
    website.answer(PATH, response(JSON, "{"));
    says(&authorize(&system, URL).await, 400, "breaks a rule");
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_in_the_document_is_refused() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, "https://app.example/cb"), &[]);
    let system = website.system().await;

    let answer = authorize(&system, URL).await;

    says(&answer, 400, "did not register");
}

#[tokio::test]
async fn a_document_is_fetched_again_when_its_time_is_over() {
    let website = Website::start().await;
    let system = website.system().await;
    for (number, (headers, seconds)) in [
        (&[][..], 3600),
        (&["Cache-Control: max-age=600"], 600),
        (&["Cache-Control: max-age=600", "Age: 200"], 400),
        (&["Cache-Control: no-store"], 60),
        (&["Cache-Control: max-age=600, no-cache"], 60),
        (&["Cache-Control: max-age=31536000"], 86_400),
    ]
    .into_iter()
    .enumerate()
    {
        let url = format!("https://app.example/{number}");
        website.publish(&format!("/{number}"), &document(&url, REDIRECT_URI), headers);
        let before = website.requests().len();
        for (wait, fetches) in [(0, 1), (0, 1), (seconds - 1, 1), (1, 2)] {
            system.clock.advance(Duration::from_secs(wait));

            assert!(is_taken(&system, &url).await);

            assert_eq!(website.requests().len() - before, fetches, "{headers:?} {wait}");
        }
    }
}

#[tokio::test]
async fn a_failure_is_remembered_for_a_minute() {
    let website = Website::start().await;
    let system = website.system().await;
    for (wait, fetches) in [(0, 1), (0, 1), (59, 1), (1, 2)] {
        system.clock.advance(Duration::from_secs(wait));

        assert!(!is_taken(&system, URL).await);

        assert_eq!(website.requests().len(), fetches, "{wait}");
    }
    website.publish(PATH, &document(URL, REDIRECT_URI), &[]);
    system.clock.advance(Duration::from_mins(1));
    assert!(is_taken(&system, URL).await);
}

#[tokio::test]
async fn all_who_ask_at_the_same_time_cause_one_fetch() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &[]);
    let system = website.system().await;

    let taken = join_all((0..8).map(|_| is_taken(&system, URL))).await;

    assert_eq!(taken, [true; 8]);
    assert_eq!(website.requests().len(), 1);
}

#[tokio::test]
async fn an_address_may_cause_sixty_fetches_an_hour_and_what_is_known_costs_none() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &["Cache-Control: max-age=86400"]);
    let system = website.system().await;
    assert!(is_taken(&system, URL).await);
    for number in 1..60 {
        authorize(&system, &format!("https://app.example/{number}")).await.is_page(400);
    }

    let refused = authorize(&system, "https://app.example/60").await;

    says(&refused, 429, "from your address");
    assert_eq!(website.requests().len(), 60);
    assert!(is_taken(&system, URL).await);
    system.clock.advance(Duration::from_mins(1));
    authorize(&system, "https://app.example/60").await.is_page(400);
}

#[tokio::test]
async fn sixteen_documents_are_fetched_at_the_same_time_and_who_goes_away_makes_room() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &[]);
    let system = website.system_with(DocumentPolicy::default(), HOUR).await;
    let urls: Vec<_> = (0..16).map(|number| format!("https://app.example/{number}")).collect();
    for number in 0..16 {
        website.answer(&format!("/{number}"), "");
    }
    let one_too_many = async {
        while website.requests().len() < 16 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        says(&authorize(&system, URL).await, 503, "too many programs at once");
    };

    tokio::select! {
        answers = join_all(urls.iter().map(|url| authorize(&system, url))) => panic!("{answers:?}"),
        () = one_too_many => {}
    }
    while !is_taken(&system, URL).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn documents_can_be_switched_off() {
    let website = Website::start().await;
    website.publish(PATH, &document(URL, REDIRECT_URI), &[]);
    let metadata = "/.well-known/oauth-authorization-server";
    let supported = "client_id_metadata_document_supported";
    let system = website.system().await;
    assert_eq!(system.get(metadata).await.json()[supported], true);

    let system = website.system_with(DocumentPolicy::Off, HOUR).await;

    assert_eq!(system.get(metadata).await.json()[supported], false);
    says(&authorize(&system, URL).await, 400, "not registered here");
    is_not_believed(&system.redeem(&client(URL), "mcp_ac_x").await);
    assert_eq!((website.resolutions(), website.connections()), (0, 0));
}

#[tokio::test]
async fn only_the_documents_of_listed_hosts_are_read() {
    let website = Website::start().await;
    let [other, below] =
        ["https://other.example/client.json", "https://a.good.example/client.json"];
    let policy = DocumentPolicy::try_from("app.example,*.good.example").unwrap();
    let system = website.system_with(policy, HOUR).await;
    for url in [URL, below] {
        website.publish(PATH, &document(url, REDIRECT_URI), &[]);
        assert!(is_taken(&system, url).await, "{url}");
    }
    let before = website.resolutions();

    says(&authorize(&system, other).await, 400, "does not take programs of this website");
    is_not_believed(&system.redeem(&client(other), "mcp_ac_x").await);

    assert_eq!(website.resolutions(), before);
}

#[tokio::test]
async fn a_request_of_a_client_with_a_long_url_still_fits_into_a_cookie_or_is_refused() {
    let website = Website::start().await;
    let system = website.system().await;
    let path = format!("/{}", "p".repeat(235));
    let url = format!("https://app.example{path}");
    let mut large = document(&url, REDIRECT_URI);
    large["client_name"] = json!("n".repeat(200));
    website.publish(&path, &large, &[]);
    let (browser, client) = (Browser::new(), client(&url));

    let long = "s".repeat(1024);
    let authorization = client.authorization_with(&system, &[("state", &long)]);
    let request = browser.consent_page(&authorization).await;
    let answer = browser.decide(&system, &request, "allow").await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert!(answer.header("set-cookie").unwrap().len() < 4096);
    let quotes = "\"".repeat(1024);
    let refused = browser.open(client.authorization_with(&system, &[("state", &quotes)])).await;
    assert_eq!(refused.sent("error").as_deref(), Some("invalid_request"));
}

//! Dynamic client registration (RFC 7591).

use local::Options;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{Answer, System};

fn registration(redirect_uri: &str) -> Value {
    json!({ "client_name": "App", "redirect_uris": [redirect_uri] })
}

fn long_registration() -> Value {
    let uri = |index| format!("https://app.example/{}/{index}", "callback".repeat(10));
    json!({ "client_name": "App", "redirect_uris": [uri(1), uri(2), uri(3)] })
}

#[tokio::test]
async fn a_registration_is_answered_with_201_and_what_is_in_force() {
    let system = System::start().await;

    let answer = system.register(&registration("http://localhost:1234/cb")).await;

    assert_eq!(answer.status, StatusCode::CREATED);
    let client = answer.json();
    assert_eq!(client["redirect_uris"], json!(["http://localhost:1234/cb"]));
    assert_eq!(client["token_endpoint_auth_method"], "none");
    assert!(client.get("client_secret").is_none());
    assert!(client.get("client_secret_expires_at").is_none());
    assert!(client["client_id"].as_str().unwrap().len() <= 255);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
}

#[tokio::test]
async fn the_same_metadata_gives_the_same_client_whatever_its_loopback_port() {
    let system = System::start().await;

    let one = system.register(&registration("http://127.0.0.1:1000/cb")).await.json();
    let two = system.register(&registration("http://127.0.0.1:2000/cb")).await.json();
    let other = system.register(&registration("http://127.0.0.1:1000/other")).await.json();

    assert_eq!(one["client_id"], two["client_id"]);
    assert_ne!(one["client_id"], other["client_id"]);
}

#[tokio::test]
async fn a_flood_of_registrations_stores_nothing() {
    let unlimited = Options { requests_per_minute: None, ..Options::default() };
    let system = System::start_with(unlimited).await;
    for index in 0..500 {
        let answer = system.register(&registration(&format!("https://app{index}.example/"))).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }

    assert_eq!(system.oauth_calls().writes, 0);
}

#[tokio::test]
async fn a_long_registration_gets_one_row_however_often_it_comes() {
    let system = System::start().await;

    let one = system.register(&long_registration()).await.json();
    let two = system.register(&long_registration()).await.json();

    assert_eq!(one["client_id"], two["client_id"]);
    assert!(one["client_id"].as_str().unwrap().len() <= 255);
    let mut client = crate::client::Client::new(one["client_id"].as_str().unwrap(), "");
    client.redirect_uri = one["redirect_uris"][2].as_str().unwrap().to_owned();
    let tokens = system.sign_in(&client).await;
    assert!(system.takes(&tokens.access_token).await);
}

#[tokio::test]
async fn an_address_may_cause_a_hundred_rows_an_hour_and_short_registrations_without_end() {
    let system = System::start().await;
    let long = |index: u32| {
        let uri = format!("https://app{index}.example/{}", "p".repeat(300));
        json!({ "client_name": "App", "redirect_uris": [uri] })
    };
    for index in 0..100 {
        assert_eq!(system.register(&long(index)).await.status, StatusCode::CREATED);
    }
    let written = system.oauth_calls().writes;

    let refused = system.register(&long(100)).await;
    refused.refused(429, "temporarily_unavailable");
    let confidential = json!({
        "redirect_uris": ["https://app.example/"],
        "token_endpoint_auth_method": "client_secret_post",
    });
    system.register(&confidential).await.refused(429, "temporarily_unavailable");
    assert_eq!(system.register(&registration("https://a.example/")).await.status, 201);
    assert_eq!(system.oauth_calls().writes, written);

    let wait = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=36).contains(&wait), "{wait}");
    system.clock.advance(std::time::Duration::from_secs(wait));
    assert_eq!(system.register(&long(100)).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_bad_registration_is_refused_with_its_error_code() {
    let system = System::start().await;
    for (document, error) in [
        (json!({}), "invalid_redirect_uri"),
        (registration("javascript:alert(1)"), "invalid_redirect_uri"),
        (registration("http://app.example/"), "invalid_redirect_uri"),
        (json!([]), "invalid_client_metadata"),
        (
            json!({"redirect_uris": ["https://a.example/"], "grant_types": ["password"]}),
            "invalid_client_metadata",
        ),
    ] {
        system.register(&document).await.refused(400, error);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_and_one_that_is_no_json_is_400() {
    let system = System::start().await;
    let post = |body: String| Answer::of(system.http.post(system.url("/register")).body(body));

    post("x".repeat(1024 * 1024)).await.refused(413, "invalid_request");
    post("not json".to_owned()).await.refused(400, "invalid_client_metadata");
}

#[tokio::test]
async fn registration_is_for_post_alone() {
    let system = System::start().await;

    let refused = system.get("/register").await;

    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.header("allow"), Some("POST"));
    assert_eq!(refused.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn registration_is_for_scripts_of_any_origin() {
    let system = System::start().await;

    let preflight = system
        .http
        .request(Method::OPTIONS, system.url("/register"))
        .header("Origin", "https://client.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type,mcp-protocol-version");
    let preflight = Answer::of(preflight).await;

    assert_eq!(preflight.status, StatusCode::OK);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("POST"));
}

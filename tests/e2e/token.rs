//! `POST /token` with a code (RFC 6749 section 4.1.3; threats 20 to 23 and 27 to 30).

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Method, StatusCode};

use crate::client::Browser;
use crate::system::{Answer, System};

#[tokio::test]
async fn a_code_opens_one_session() {
    let system = System::start().await;
    let client = system.client("App").await;
    let code = Browser::new().code(&system, &client).await;

    let answer = system.redeem(&client, &code).await;

    let tokens = answer.tokens();
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert!(tokens.access_token.starts_with("mcp_at_"));
    assert!(tokens.refresh_token.starts_with("mcp_rt_"));
    assert!(code.starts_with("mcp_ac_"));
    assert_eq!(tokens.scope, "snippets:read snippets:write");
    assert!((1..=3600).contains(&tokens.expires_in));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(system.takes(&tokens.access_token).await);
}

#[tokio::test]
async fn a_code_in_wrong_hands_is_refused_and_stays_good_for_its_owner() {
    let system = System::start().await;
    let client = system.client("App").await;
    let other = system.client("Other").await;
    let code = Browser::new().code(&system, &client).await;
    let elsewhere = system.url("/other");
    let wrong_verifier = "v".repeat(43);
    for (change, error) in [
        (("client_id", other.id.as_str()), "invalid_grant"),
        (("redirect_uri", "http://127.0.0.1:41000/other"), "invalid_grant"),
        (("redirect_uri", "http://127.0.0.1:41001/callback"), "invalid_grant"),
        (("code_verifier", wrong_verifier.as_str()), "invalid_grant"),
        (("code_verifier", "short"), "invalid_grant"),
        (("resource", elsewhere.as_str()), "invalid_target"),
        (("resource", "https://x.example/mcp#f"), "invalid_target"),
    ] {
        let mut form = client.exchange(&code);
        form.retain(|(name, _)| *name != change.0);
        form.push(change);

        system.token(&form).await.refused(400, error);
    }

    let tokens = system.redeem(&client, &code).await.tokens();

    assert!(system.takes(&tokens.access_token).await);
}

#[tokio::test]
async fn a_code_lives_for_sixty_seconds() {
    let system = System::start().await;
    let client = system.client("App").await;
    let (early, late) =
        (Browser::new().code(&system, &client).await, Browser::new().code(&system, &client).await);

    system.clock.advance(Duration::from_secs(59));
    assert_eq!(system.redeem(&client, &early).await.status, StatusCode::OK);

    system.clock.advance(Duration::from_secs(1));
    system.redeem(&client, &late).await.refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_replayed_code_ends_the_session() {
    let system = System::start().await;
    let client = system.client("App").await;
    let code = Browser::new().code(&system, &client).await;
    let tokens = system.redeem(&client, &code).await.tokens();

    system.redeem(&client, &code).await.refused(400, "invalid_grant");

    assert!(!system.takes(&tokens.access_token).await);
    system.refresh(&client, &tokens.refresh_token).await.refused(400, "invalid_grant");
    system.redeem(&client, &code).await.refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_replay_by_somebody_else_does_not_end_the_session() {
    let system = System::start().await;
    let client = system.client("App").await;
    let other = system.client("Other").await;
    let code = Browser::new().code(&system, &client).await;
    let tokens = system.redeem(&client, &code).await.tokens();

    system.redeem(&other, &code).await.refused(400, "invalid_grant");
    let mut form = client.exchange(&code);
    let wrong_verifier = "v".repeat(43);
    form.retain(|(name, _)| *name != "code_verifier");
    form.push(("code_verifier", &wrong_verifier));
    system.token(&form).await.refused(400, "invalid_grant");

    assert!(system.takes(&tokens.access_token).await);
}

#[tokio::test]
async fn of_eight_redemptions_at_once_one_succeeds() {
    let system = System::start_unlimited().await;
    let client = system.client("App").await;
    for _ in 0..50 {
        let code = Browser::new().code(&system, &client).await;

        let answers = join_all((0..8).map(|_| system.redeem(&client, &code))).await;

        let (good, bad): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == StatusCode::OK);
        assert_eq!(good.len(), 1);
        for answer in bad {
            answer.refused(400, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn a_client_that_is_not_registered_is_told_to_register_again() {
    let system = System::start().await;
    let client = system.client("App").await;
    let code = Browser::new().code(&system, &client).await;
    for id in ["", "unknown", "mcp_client_AAAA", &client.id[..client.id.len() - 1]] {
        let mut form = client.exchange(&code);
        form.retain(|(name, _)| *name != "client_id");
        form.push(("client_id", id));

        let answer = system.token(&form).await;

        answer.refused(401, "invalid_client");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    }
}

#[tokio::test]
async fn a_public_client_that_brings_a_secret_is_not_the_one_that_registered() {
    let system = System::start().await;
    let client = system.client("App").await;
    let code = Browser::new().code(&system, &client).await;
    let mut form = client.exchange(&code);
    form.push(("client_secret", "secret"));

    system.token(&form).await.refused(401, "invalid_client");
    for header in ["Basic YTpi", "Basic %%%", "Bearer x"] {
        let request = system.http.post(system.url("/token")).header("Authorization", header);
        Answer::of(request.form(&client.exchange(&code))).await.refused(401, "invalid_client");
    }
    assert_eq!(system.redeem(&client, &code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_that_is_not_a_plain_form_is_invalid() {
    let system = System::start().await;
    let client = system.client("App").await;
    let code = Browser::new().code(&system, &client).await;
    let body = serde_urlencoded(&client.exchange(&code));
    let form = "application/x-www-form-urlencoded";
    let post = |path: &str, content_type: &str, body: String| {
        let request = system.http.post(system.url(path)).header("Content-Type", content_type);
        Answer::of(request.body(body))
    };
    for (path, content_type, body) in [
        ("/token", "application/json", "{}".to_owned()),
        ("/token", "text/plain", body.clone()),
        ("/token", "", body.clone()),
        ("/token?client_id=x", form, body.clone()),
        ("/token", form, format!("{body}&code=x")),
        ("/token", form, format!("{body}&client_id=x")),
        ("/token", form, format!("{body}&x=%zz")),
        ("/token", form, format!("{body}&x=%ff")),
        ("/token", form, body.replace("grant_type=authorization_code", "x=y")),
        ("/token", form, body.replace("code_verifier", "x")),
        ("/token", form, body.replace("redirect_uri", "x")),
    ] {
        post(path, content_type, body).await.refused(400, "invalid_request");
    }
    let unknown = body.replace("grant_type=authorization_code", "grant_type=password");
    post("/token", form, unknown).await.refused(400, "unsupported_grant_type");
    let large = format!("{body}&x={}", "y".repeat(20_000));
    post("/token", form, large).await.refused(413, "invalid_request");

    let charset = format!("{form}; charset=UTF-8");
    assert_eq!(post("/token", &charset, body).await.status, StatusCode::OK);
}

fn serde_urlencoded(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

#[tokio::test]
async fn the_token_endpoint_is_for_post_alone() {
    let system = System::start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = system.request(method, "/token").await;

        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), Some("POST"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn garbage_never_reaches_storage() {
    let system = System::start().await;
    let client = system.client("App").await;
    let code = Browser::new().code(&system, &client).await;
    let before = system.oauth_calls();
    for garbage in ["x", "mcp_ac_", "mcp_ac_AAAA", &code[..code.len() - 1], &format!("{code}A")] {
        system.redeem(&client, garbage).await.refused(400, "invalid_grant");
        system.refresh(&client, garbage).await.refused(400, "invalid_grant");
    }

    assert_eq!(system.oauth_calls(), before);
}

//! `POST /revoke` (RFC 7009; threat 31).

use reqwest::StatusCode;
use serde_json::json;

use crate::system::{Answer, System};

#[tokio::test]
async fn a_revoked_refresh_token_ends_the_session() {
    let system = System::start().await;
    let client = system.client("App").await;
    let tokens = system.sign_in(&client).await;

    let answer = system.revoke(&client, &tokens.refresh_token).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    system.refresh(&client, &tokens.refresh_token).await.refused(400, "invalid_grant");
    assert!(!system.takes(&tokens.access_token).await);
}

#[tokio::test]
async fn a_revoked_access_token_is_dead_and_its_session_lives_on() {
    let system = System::start().await;
    let client = system.client("App").await;
    let tokens = system.sign_in(&client).await;

    assert_eq!(system.revoke(&client, &tokens.access_token).await.status, StatusCode::OK);

    assert!(!system.takes(&tokens.access_token).await);
    let new = system.refresh(&client, &tokens.refresh_token).await.tokens();
    assert!(system.takes(&new.access_token).await);
}

#[tokio::test]
async fn a_revoked_session_is_refused_within_thirty_seconds() {
    let system = System::start().await;
    let client = system.client("App").await;
    let tokens = system.sign_in(&client).await;
    let hello = || system.call(&tokens.access_token, "hello_mcp", json!({}));
    assert_eq!(hello().await.status, StatusCode::OK);
    system.revoke(&client, &tokens.refresh_token).await;

    system.clock.advance(std::time::Duration::from_secs(30));

    assert_eq!(hello().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_client_cannot_revoke_what_is_another_clients() {
    let system = System::start().await;
    let client = system.client("App").await;
    let other = system.client("Other").await;
    let tokens = system.sign_in(&client).await;

    for token in [&tokens.access_token, &tokens.refresh_token] {
        assert_eq!(system.revoke(&other, token).await.status, StatusCode::OK);
    }

    assert!(system.takes(&tokens.access_token).await);
    assert_eq!(system.refresh(&client, &tokens.refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_token_is_answered_like_a_revoked_one() {
    let system = System::start().await;
    let client = system.client("App").await;
    for token in ["x", "mcp_at_AAAA", "mcp_rt_AAAA", "mcp_ac_AAAA"] {
        assert_eq!(system.revoke(&client, token).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_request_without_token_or_client_is_refused() {
    let system = System::start().await;
    let client = system.client("App").await;
    let post = |form: Vec<(&'static str, String)>| {
        Answer::of(system.http.post(system.url("/revoke")).form(&form))
    };

    post(vec![("client_id", client.id.clone())]).await.refused(400, "invalid_request");
    post(vec![("token", "x".to_owned())]).await.refused(401, "invalid_client");
    post(vec![("token", "x".to_owned()), ("client_id", "x".to_owned())])
        .await
        .refused(401, "invalid_client");
    assert_eq!(system.get("/revoke").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

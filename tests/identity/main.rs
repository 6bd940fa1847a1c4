//! oauth-fn as it is deployed, as its managed identity: no secret proves it to Entra ID or storage.
//!
//! The process is the one that Azure Functions would start. Around it stand the identity endpoint of
//! the platform, an account of Table Storage behind TLS, and the development identity provider,
//! which trusts the identity as Entra ID does.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod client;
mod cloud;
mod function_app;
mod identity_endpoint;
mod table_storage;

use std::time::Duration;

use futures::future::join_all;
use local::identity_provider::FederatedCredential;

use client::Client;
use cloud::Cloud;
use identity_endpoint::{EXCHANGE, HEADER, STORAGE};

/// Less than the five minutes before its end in which a token is replaced.
const NEARLY_OVER: Duration = Duration::from_mins(4);
/// Less than the last minute of a token, which is too late for an assertion.
const OVER: Duration = Duration::from_secs(50);

#[tokio::test]
async fn one_identity_proves_the_app_to_entra_id_and_to_storage() {
    let cloud = Cloud::start().await;
    let client = Client::register(&cloud).await;

    let callback = client.allow().await;
    assert!(cloud.identity.given().is_empty(), "nothing is asked for before it is needed");
    client.come_back(callback).await;
    let refresh_token = client.sign_in().await;
    client.refresh(&refresh_token).await.refresh_token();

    let [storage] = cloud.identity.given_for(STORAGE).try_into().unwrap();
    assert_eq!(cloud.identity.given_for(EXCHANGE).len(), 1);
    assert_eq!(cloud.identity.given().len(), 2);
    assert_eq!(cloud.entra.token_calls(), 3);
    let authorizations = cloud.storage.authorizations();
    assert!(authorizations.len() > 5, "{}", authorizations.len());
    assert!(authorizations.iter().all(|value| *value == format!("Bearer {storage}")));
}

#[tokio::test]
async fn a_token_is_kept_and_replaced_before_it_ends() {
    let cloud = Cloud::start().await;
    let client = Client::register(&cloud).await;
    let given = || [EXCHANGE, STORAGE].map(|resource| cloud.identity.given_for(resource).len());

    cloud.identity.give_for(NEARLY_OVER);
    let first = client.sign_in().await;
    let [assertions, _] = given();
    let second = client.refresh(&first).await.refresh_token();
    let [renewed_assertions, renewed] = given();
    cloud.identity.give_for(Duration::from_mins(6));
    let third = client.refresh(&second).await.refresh_token();
    let long = given();
    client.refresh(&third).await.refresh_token();

    assert_eq!((assertions, renewed_assertions), (1, 2));
    assert_eq!(long, [3, renewed + 1]);
    assert_eq!(given(), long);
    let used = cloud.storage.authorizations();
    let newest = cloud.identity.given_for(STORAGE).pop().unwrap();
    assert_eq!(*used.last().unwrap(), format!("Bearer {newest}"));
    assert!(used.iter().any(|value| *value != used[0]));
}

#[tokio::test]
async fn while_the_identity_endpoint_is_away_clients_are_told_to_wait_and_nothing_is_lost() {
    let cloud = Cloud::start().await;
    let client = Client::register(&cloud).await;
    cloud.identity.give_for(OVER);
    let refresh_token = client.sign_in().await;
    let callback = client.allow().await;

    cloud.identity.go_away();
    client.refresh(&refresh_token).await.told_to_wait();
    let answer = client.come_back(callback).await;
    cloud.identity.come_back();

    let error = ("error".to_owned(), "temporarily_unavailable".to_owned());
    assert!(answer.contains(&error), "{answer:?}");
    let line = error_line(&cloud, "no token for api://AzureADTokenExchange of the identity AZURE");
    assert!(line.contains("(the identity endpoint answers 503)"), "{line}");
    client.refresh(&refresh_token).await.refresh_token();
    client.sign_in().await;
}

#[tokio::test]
async fn a_token_that_still_holds_serves_while_the_identity_endpoint_is_away() {
    let cloud = Cloud::start().await;
    let client = Client::register(&cloud).await;
    cloud.identity.give_for(NEARLY_OVER);
    let refresh_token = client.sign_in().await;
    let given = cloud.identity.given().len();

    cloud.identity.go_away();
    client.refresh(&refresh_token).await.refresh_token();

    assert_eq!(cloud.identity.given().len(), given);
}

#[tokio::test]
async fn a_token_that_still_holds_serves_everybody_while_the_identity_endpoint_hangs() {
    let cloud = Cloud::start().await;
    let client = Client::register(&cloud).await;
    cloud.identity.give_for(NEARLY_OVER);
    let mut refresh_tokens = Vec::new();
    for _ in 0..4 {
        refresh_tokens.push(client.sign_in().await);
    }
    let given = cloud.identity.given().len();

    cloud.identity.hang();
    let first = join_all(refresh_tokens.iter().map(|token| client.refresh(token))).await;
    for tokens in first {
        client.refresh(&tokens.refresh_token()).await.refresh_token();
    }

    assert_eq!(cloud.identity.given().len(), given);
}

#[tokio::test]
async fn where_entra_id_does_not_trust_the_identity_the_log_says_what_to_check_and_nothing_is_lost()
{
    let cloud = Cloud::start().await;
    let client = Client::register(&cloud).await;
    let mut refresh_token = client.sign_in().await;
    let trusted = || cloud.identity.federated_credential();
    let other = || "another".to_owned();

    for (number, credential) in [
        ("AADSTS700211", FederatedCredential { issuer: other(), ..trusted() }),
        ("AADSTS700212", FederatedCredential { audience: other(), ..trusted() }),
        ("AADSTS700213", FederatedCredential { subject: other(), ..trusted() }),
    ] {
        cloud.entra.trust(credential);
        client.refresh(&refresh_token).await.told_to_wait();
        cloud.entra.trust(trusted());
        refresh_token = client.refresh(&refresh_token).await.refresh_token();

        let told = error_line(&cloud, number);
        for word in ["UPSTREAM_CREDENTIAL", "AZURE_CLIENT_ID", "UPSTREAM_ASSERTION_AUDIENCE"] {
            assert!(told.contains(word), "{told}");
        }
    }
}

#[tokio::test]
async fn another_cloud_has_another_audience() {
    const AUDIENCE: &str = "api://AzureADTokenExchangeUSGov";
    let cloud = Cloud::start_with(&[("UPSTREAM_ASSERTION_AUDIENCE", AUDIENCE)]).await;
    let credential = cloud.identity.federated_credential();
    cloud.entra.trust(FederatedCredential { audience: AUDIENCE.to_owned(), ..credential });

    Client::register(&cloud).await.sign_in().await;

    assert_eq!(cloud.identity.given_for(AUDIENCE).len(), 1);
    assert!(cloud.identity.given_for(EXCHANGE).is_empty());
}

#[tokio::test]
async fn no_line_of_the_log_holds_a_token_of_the_identity_even_at_the_level_of_trace() {
    let cloud = Cloud::start().await;
    let client = Client::register(&cloud).await;
    cloud.identity.give_for(OVER);
    let refresh_token = client.sign_in().await;

    let refresh_token = client.refresh(&refresh_token).await.refresh_token();
    cloud.identity.go_away();
    client.refresh(&refresh_token).await.told_to_wait();

    let log = cloud.app.log_up_to("there is no client assertion").join("\n");
    let given = cloud.identity.given();
    assert!(given.len() > 3, "only {} tokens were given", given.len());
    for part in given.iter().flat_map(|token| token.split('.')).chain([HEADER]) {
        let part = &part[..part.len().min(24)];
        assert!(!log.contains(part), "{part} is in the log");
    }
    assert!(!log.contains("the body of the endpoint"));
    assert!(log.contains(r#""level":"TRACE""#));
}

/// The first line with `text`, which is an error.
fn error_line(cloud: &Cloud, text: &str) -> String {
    let mut lines = cloud.app.log_up_to(text).into_iter();
    let line = lines.find(|line| line.contains(text)).unwrap();
    assert!(line.contains(r#""level":"ERROR""#), "{line}");
    line
}

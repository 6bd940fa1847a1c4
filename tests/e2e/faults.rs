//! Entra ID says no, lies or is away: the client hears of it, and nothing is written (threat 38).

use local::identity_provider::Fault;
use std::time::Duration;

use crate::client::Browser;
use crate::system::{Answer, System};

async fn callback_with(system: &System, fault: Fault) -> Answer {
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(system, &client.authorization(system)).await;
    let callback = browser.sign_in(&identity_provider).await;
    system.stack.identity_provider().fail_next(fault);
    browser.open(callback).await
}

#[tokio::test]
async fn an_id_token_that_breaks_a_rule_fails_the_sign_in_and_writes_nothing() {
    let system = System::start().await;
    for fault in [
        Fault::BadSignature,
        Fault::IdTokenExpired,
        Fault::IdTokenHs256,
        Fault::IdTokenMissing,
        Fault::IdTokenNotYetValid,
        Fault::IdTokenUnsigned,
        Fault::UnknownKey,
        Fault::WrongAudience,
        Fault::WrongIssuer,
        Fault::WrongNonce,
        Fault::InvalidGrant,
        Fault::NotJson,
    ] {
        let answer = callback_with(&system, fault).await;

        assert_eq!(answer.sent("error").as_deref(), Some("server_error"), "{fault:?}");
        assert_eq!(answer.sent("state").as_deref(), Some("client-state"));
        assert_eq!(answer.sent("iss"), Some(system.url("")));
        assert_eq!(answer.sent("code"), None);
        let description = answer.sent("error_description").unwrap();
        assert!(description.contains("Correlation id: "), "{description}");
        assert!(!description.contains("AADSTS"), "{description}");
    }
    assert_eq!(system.oauth_calls().writes, 0);
}

#[tokio::test]
async fn an_identity_provider_that_is_away_is_temporarily_unavailable() {
    let system = System::start().await;

    let answer = callback_with(&system, Fault::Unavailable).await;

    assert_eq!(answer.sent("error").as_deref(), Some("temporarily_unavailable"));
    assert_eq!(system.oauth_calls().writes, 0);
}

#[tokio::test]
async fn an_answer_that_takes_its_time_is_waited_for() {
    let system = System::start().await;

    let answer = callback_with(&system, Fault::Slow(Duration::from_millis(300))).await;

    assert!(answer.sent("code").is_some());
}

#[tokio::test]
async fn a_user_of_a_tenant_that_is_not_allowed_is_denied() {
    let system = System::start().await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
    let callback = browser.press(&identity_provider, "mallory").await;

    let answer = browser.open(callback).await;

    assert_eq!(answer.sent("error").as_deref(), Some("access_denied"));
    let answer = callback_with(&system, Fault::WrongTenant).await;
    assert_eq!(answer.sent("error").as_deref(), Some("access_denied"));
    assert_eq!(system.oauth_calls().writes, 0);
}

#[tokio::test]
async fn an_error_of_the_sign_in_page_reaches_the_client_in_our_words() {
    let system = System::start().await;
    let client = system.client("App").await;
    for (button, error) in [
        ("cancel", "access_denied"),
        ("server error", "server_error"),
        ("unavailable", "temporarily_unavailable"),
        ("expired", "server_error"),
    ] {
        let browser = Browser::new();
        let identity_provider = browser.allow(&system, &client.authorization(&system)).await;
        let callback = browser.press(&identity_provider, button).await;

        let answer = browser.open(callback).await;

        assert_eq!(answer.sent("error").as_deref(), Some(error), "{button}");
        assert!(!answer.sent("error_description").unwrap().contains("AADSTS"));
    }
    assert_eq!(system.oauth_calls().writes, 0);
}

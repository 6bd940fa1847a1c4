//! Who of a tenant's users may use this server: app roles and guests, at sign-in and at each
//! refresh.

use std::sync::Arc;

use local::identity_provider::Fault;
use local::{NoAssertions, Options};
use oauth_fn::config::{UpstreamConfig, UpstreamCredential};
use oauth_fn::grant::EntraRefreshToken;
use oauth_fn::upstream::{Gate, Upstream, UpstreamError};
use reqwest::StatusCode;
use shared::base_url::PublicBaseUrl;
use shared::clock::SystemClock;
use shared::session::{DirectoryId, Identity};

use crate::client::{Browser, Client, Tokens};
use crate::running::{Told, not_on_packages};
use crate::system::{Answer, System};

const NO_GUESTS: (&str, &str) = ("GUESTS", "refused");

fn roles(text: &str) -> (&'static str, &str) {
    ("REQUIRED_ROLES", text)
}

async fn system(gate: &[(&'static str, &str)]) -> (System, Client) {
    let system = System::start_with(Told::by(Options::default(), gate)).await;
    let client = system.client("App").await;
    (system, client)
}

/// How the sign-in of `name` ends, of whom Entra ID says what `fault` makes of it.
async fn sign_in(system: &System, client: &Client, name: &str, fault: Option<Fault>) -> Answer {
    let browser = Browser::new();
    let identity_provider = browser.allow(system, &client.authorization(system)).await;
    let callback = browser.press(&identity_provider, name).await;
    if let Some(fault) = fault {
        system.stack.identity_provider().fail_next(fault);
    }
    browser.open(callback).await
}

async fn refresh(system: &System, client: &Client, tokens: &Tokens, fault: Fault) -> Answer {
    system.stack.identity_provider().fail_next(fault);
    system.refresh(client, &tokens.refresh_token).await
}

#[track_caller]
fn kept_out(answer: &Answer) {
    assert_eq!(answer.sent("error").as_deref(), Some("access_denied"));
    let description = answer.sent("error_description").unwrap();
    assert!(description.starts_with("The user may not use this server. Correlation id: "));
    assert_eq!(answer.sent("state").as_deref(), Some("client-state"));
    assert_eq!(answer.sent("code"), None);
}

#[tokio::test]
async fn a_user_signs_in_with_one_of_the_required_roles_and_not_without() {
    let (system, client) = system(&[roles("mcp.admin, mcp.operator")]).await;

    let (alice, bob) = ("alice", "bob");
    kept_out(&sign_in(&system, &client, bob, None).await);
    kept_out(&sign_in(&system, &client, alice, Some(Fault::NoRoles)).await);
    assert_eq!(system.oauth_calls().writes, 0);

    assert!(sign_in(&system, &client, alice, None).await.sent("code").is_some());
}

#[tokio::test]
async fn where_guests_are_refused_a_user_of_whom_nothing_is_known_is_refused_too() {
    let (system, client) = system(&[NO_GUESTS]).await;
    for fault in [Fault::Guest, Fault::NoAcct] {
        kept_out(&sign_in(&system, &client, "alice", Some(fault)).await);
    }
    assert_eq!(system.oauth_calls().writes, 0);

    assert!(sign_in(&system, &client, "alice", Some(Fault::NoRoles)).await.sent("code").is_some());
}

#[tokio::test]
async fn without_a_gate_guests_and_users_without_roles_are_let_in() {
    let (system, client) = system(&[]).await;
    for fault in [Fault::Guest, Fault::NoAcct, Fault::NoRoles] {
        let answer = sign_in(&system, &client, "bob", Some(fault)).await;

        assert!(answer.sent("code").is_some(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_user_who_loses_the_role_or_becomes_a_guest_loses_the_session_at_the_next_refresh() {
    for (gate, fault) in
        [(roles("mcp.user"), Fault::NoRoles), (NO_GUESTS, Fault::Guest), (NO_GUESTS, Fault::NoAcct)]
    {
        let (system, client) = system(&[gate]).await;
        let first = system.sign_in(&client).await;
        let tokens = system.refresh(&client, &first.refresh_token).await.tokens();
        assert!(system.takes(&tokens.access_token).await);

        refresh(&system, &client, &tokens, fault).await.refused(400, "invalid_grant");

        assert!(!system.takes(&tokens.access_token).await, "{fault:?}");
        system.refresh(&client, &tokens.refresh_token).await.refused(400, "invalid_grant");
    }
}

#[tokio::test]
async fn an_id_token_that_does_not_hold_at_a_refresh_grants_nothing_and_keeps_the_session() {
    let (system, client) = system(&[roles("mcp.user")]).await;
    let tokens = system.sign_in(&client).await;
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
        Fault::WrongTenant,
        Fault::WrongUser,
    ] {
        let answer = refresh(&system, &client, &tokens, fault).await;

        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?}");
        answer.refused(503, "temporarily_unavailable");
    }
    assert!(system.takes(&tokens.access_token).await);
    // A nonce of the first sign-in may be repeated or not (OpenID Connect Core section 12.2).
    let answer = refresh(&system, &client, &tokens, Fault::WrongNonce).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

#[tokio::test]
async fn without_a_gate_a_refresh_needs_no_id_token_and_takes_none_of_another_user() {
    let (system, client) = system(&[]).await;
    let tokens = system.sign_in(&client).await;

    let other = refresh(&system, &client, &tokens, Fault::WrongUser).await;
    let missing = refresh(&system, &client, &tokens, Fault::IdTokenMissing).await;

    other.refused(503, "temporarily_unavailable");
    assert_eq!(missing.status, StatusCode::OK, "{}", missing.body);
}

#[tokio::test]
async fn the_users_of_a_tenant_that_was_taken_from_the_list_are_refused_without_a_question() {
    not_on_packages("asks a part of oauth-fn in its process");
    let id = |text: &str| DirectoryId::try_from(text.to_owned()).unwrap();
    let user = |tenant: &str| Identity {
        tenant_id: id(tenant),
        object_id: id("alice"),
        name: "Alice".to_owned(),
    };
    let config = UpstreamConfig {
        issuer: "http://127.0.0.1:9/".parse().unwrap(),
        client_id: "app".to_owned(),
        credential: UpstreamCredential::Secret("secret".into()),
        scopes: Vec::new(),
        allowed_tenants: vec![id("ours")],
        gate: Gate::default(),
    };
    let base_url = PublicBaseUrl::try_from("http://127.0.0.1:8787").unwrap();
    let (http, clock) = (reqwest::Client::new(), Arc::new(SystemClock));
    let upstream = Upstream::new(config, &base_url, http, clock, Arc::new(NoAssertions));
    let token = EntraRefreshToken("whatever".into());

    let theirs = upstream.renew(&token, &user("theirs")).await.unwrap_err();
    let ours = upstream.renew(&token, &user("ours")).await.unwrap_err();

    assert!(matches!(theirs, UpstreamError::ForeignTenant), "{theirs}");
    assert!(theirs.ends_sessions());
    assert!(matches!(ours, UpstreamError::Unavailable(_)), "{ours}");
}

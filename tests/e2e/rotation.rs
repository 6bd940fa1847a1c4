//! Keys are rotated while clients hold what the old ones sealed (issue 3, threat 43): a new key
//! seals, the old one still opens, and what a removed one sealed is refused.

use std::fs;
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use local::{Data, Options};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::seal::KeyRing;

use crate::client::{Browser, Client, Tokens};
use crate::running::Told;
use crate::system::{System, http_client, start_stack};

/// The setting of both rings: the new key first, beside the old one or alone.
#[derive(Clone, Copy, Debug)]
enum Rotation {
    Begun,
    Finished,
}

/// The same system on the same data, after its operator changed the settings.
async fn restarted(system: System, directory: &Path, rotation: Rotation) -> System {
    let System { stack, clock, .. } = system;
    let listen = stack.base_url().authority().parse().unwrap();
    stack.stop().await;
    rotate(&directory.join("keys.json"), rotation);
    let data = Data::Directory(directory.to_owned());
    let options = Options { listen, data, clock: clock.clone(), ..Options::default() };
    System { stack: start_stack(known(options)).await.unwrap(), clock, http: http_client() }
}

/// A client that the operator registered outlives all keys.
fn known(options: Options) -> Told {
    let list = json!([{ "client_id": "known", "client_name": "Known", "redirect_uris": [KNOWN] }]);
    Told::by(options, &[("REGISTERED_CLIENTS", &list.to_string())])
}

const KNOWN: &str = "http://127.0.0.1:41000/callback";

/// The file holds each ring as its setting: `kid:base64key`, separated by commas.
fn rotate(path: &Path, rotation: Rotation) {
    let mut file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for name in ["session_keys", "grant_keys"] {
        let ring = file[name].as_str().unwrap();
        let changed = match rotation {
            Rotation::Begun => {
                let fresh = KeyRing::generate().to_setting();
                let key = fresh.expose_secret().strip_prefix("k1:").unwrap();
                format!("k2:{key},{ring}")
            }
            Rotation::Finished => ring.split_once(',').unwrap().0.to_owned(),
        };
        file[name] = changed.into();
    }
    fs::write(path, file.to_string()).unwrap();
}

/// The id of the key that sealed `token`: it stands in clear, after its length.
fn key_of(token: &str) -> String {
    // Every prefix has the length of this one; its letters may occur again in what follows.
    let sealed = BASE64URL_NOPAD.decode(&token.as_bytes()["mcp_at_".len()..]).unwrap();
    let length = usize::from(sealed[0]);
    String::from_utf8(sealed[1..=length].to_vec()).unwrap()
}

fn keys_of(tokens: &Tokens) -> [String; 2] {
    [key_of(&tokens.access_token), key_of(&tokens.refresh_token)]
}

#[tokio::test]
async fn a_new_key_seals_an_old_one_still_opens_and_a_removed_one_signs_everybody_out() {
    let directory = tempfile::tempdir().unwrap();
    let system = System::start_on(Data::Directory(directory.path().to_owned())).await;
    let old_client = system.client("Before").await;
    let old = system.sign_in(&old_client).await;
    let renewed_later = system.sign_in(&old_client).await;
    let redeemed_later = Browser::new().code(&system, &old_client).await;
    assert_eq!(keys_of(&old), ["k1", "k1"]);
    assert_eq!(key_of(&redeemed_later), "k1");

    // Both keys: nobody notices, and whatever is made is made with the new one.
    let system = restarted(system, directory.path(), Rotation::Begun).await;
    let redeemed = system.redeem(&old_client, &redeemed_later).await.tokens();
    let renewed = system.refresh(&old_client, &renewed_later.refresh_token).await.tokens();
    let new_client = system.client("After").await;
    let new = system.sign_in(&new_client).await;
    for tokens in [&redeemed, &renewed, &new] {
        assert_eq!(keys_of(tokens), ["k2", "k2"]);
        assert!(system.takes(&tokens.access_token).await);
    }
    assert!(system.takes(&old.access_token).await);
    assert!(!system.takes(&renewed_later.access_token).await);

    // The new key alone: what it sealed lives on, and what the old one sealed is refused.
    let system = restarted(system, directory.path(), Rotation::Finished).await;
    for tokens in [&redeemed, &renewed, &new] {
        assert!(system.takes(&tokens.access_token).await);
    }
    let answer = system.call(&old.access_token, "hello_mcp", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    system.refresh(&new_client, &old.refresh_token).await.refused(400, "invalid_grant");
    // The identifier of the client was signed with the old key too: it has to register anew.
    system.refresh(&old_client, &old.refresh_token).await.refused(401, "invalid_client");
    system.refresh(&old_client, &renewed.refresh_token).await.refused(401, "invalid_client");
    Browser::new().open(old_client.authorization(&system)).await.is_page(400);
    let again = system.client("Before").await;
    assert_ne!(again.id, old_client.id);
    assert!(system.takes(&system.sign_in(&again).await.access_token).await);
    let next = system.refresh(&new_client, &new.refresh_token).await.tokens();
    assert!(system.takes(&next.access_token).await);
}

#[tokio::test]
async fn a_connection_is_listed_and_revoked_after_its_keys_are_gone_if_its_client_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let data = Data::Directory(directory.path().to_owned());
    let system = System::start_with(known(Options { data, ..Options::default() })).await;
    let client = Client::new("known", KNOWN);
    let tokens = system.sign_in(&client).await;
    let listed = async |system: &System| {
        let page = Browser::new().visit(system, "alice").await;
        page.body.matches("class=\"name\"").count()
    };

    // Both keys: the page finds it under the old one, and the refresh notes it under the new one.
    let system = restarted(system, directory.path(), Rotation::Begun).await;
    assert_eq!(listed(&system).await, 1);
    let renewed = system.refresh(&client, &tokens.refresh_token).await.tokens();
    assert_eq!(listed(&system).await, 1);

    let system = restarted(system, directory.path(), Rotation::Finished).await;
    assert_eq!(listed(&system).await, 1);
    let browser = Browser::new();
    browser.visit(&system, "alice").await;
    browser.act(&system, &[("action", "revoke-all")]).await;

    assert_eq!(listed(&system).await, 0);
    system.refresh(&client, &renewed.refresh_token).await.refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_consent_page_that_was_open_while_a_key_was_added_can_still_be_sent() {
    let directory = tempfile::tempdir().unwrap();
    let system = System::start_on(Data::Directory(directory.path().to_owned())).await;
    let client = system.client("App").await;
    let browser = Browser::new();
    let request = browser.consent_page(&client.authorization(&system)).await;

    let system = restarted(system, directory.path(), Rotation::Begun).await;

    let answer = browser.decide(&system, &request, "allow").await;
    let callback = browser.sign_in(&answer.location()).await;
    let code = browser.open(callback).await.sent("code").unwrap();
    assert!(system.takes(&system.redeem(&client, &code).await.tokens().access_token).await);
}

//! Clients that the operator registered beforehand, in a setting: known without storage.

use data_encoding::HEXLOWER;
use local::Options;
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::storage::StorageCalls;

use crate::client::{Browser, Client};
use crate::clients::{basic, is_not_believed, send};
use crate::running::Told;
use crate::system::System;

const REDIRECT_URI: &str = "http://127.0.0.1:41000/callback";
const SECRET: &str = "correct horse battery staple";

/// A system that knows the clients `public`, `basic` and `post`.
async fn system() -> System {
    let digest = HEXLOWER.encode(&Sha256::digest(SECRET));
    let confidential = |id: &str| {
        json!({
            "client_id": id, "client_name": "Confidant", "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": format!("client_secret_{id}"),
            "client_secret_sha256": digest,
        })
    };
    let list = json!([
        { "client_id": "public", "client_name": "Known", "redirect_uris": [REDIRECT_URI] },
        confidential("basic"),
        confidential("post"),
    ]);
    let clients = list.to_string();
    System::start_with(Told::by(Options::default(), &[("REGISTERED_CLIENTS", &clients)])).await
}

#[tokio::test]
async fn a_preregistered_public_client_signs_in_and_is_found_without_storage() {
    let system = system().await;
    let client = Client::new("public", REDIRECT_URI);
    let browser = Browser::new();

    let authorization = browser.open(client.authorization(&system)).await;
    let page = browser.open(authorization.location()).await;

    assert!(page.body.contains("Known"), "{}", page.body);
    assert_eq!(system.oauth_calls(), StorageCalls::default());
    let tokens = system.sign_in(&client).await;
    assert!(system.takes(&tokens.access_token).await);
}

#[tokio::test]
async fn a_preregistered_confidential_client_signs_in_with_its_secret_in_its_own_way() {
    let system = system().await;
    for id in ["basic", "post"] {
        let client = Client::new(id, REDIRECT_URI);
        let code = Browser::new().code(&system, &client).await;
        let before = system.oauth_calls();
        let (good, wrong) = (basic(id, SECRET), basic(id, "wrong"));
        let exchange = client.exchange(&code);
        let with = |secret| [&exchange[..], &[("client_secret", secret)]].concat();
        let ways = [(Some(good.as_str()), exchange.clone()), (None, with(SECRET))];
        let [good, other] = if id == "basic" { ways } else { [ways[1].clone(), ways[0].clone()] };

        for (header, form) in [
            other,
            (Some(wrong.as_str()), exchange.clone()),
            (None, with("wrong")),
            (None, exchange),
        ] {
            is_not_believed(&send(&system, "/token", header, &form).await);
        }
        assert_eq!(system.oauth_calls(), before);
        let tokens = send(&system, "/token", good.0, &good.1).await.tokens();

        let calls = system.oauth_calls();
        assert_eq!((calls.reads - before.reads, calls.writes - before.writes), (1, 1));
        assert!(system.takes(&tokens.access_token).await);
    }
}

#[tokio::test]
async fn an_id_that_is_not_preregistered_is_401_for_clients_and_a_page_for_people() {
    let system = system().await;
    for id in ["Public", "public ", "publi", "unknown"] {
        let client = Client::new(id, REDIRECT_URI);

        is_not_believed(&system.redeem(&client, "mcp_ac_x").await);
        is_not_believed(&system.revoke(&client, "mcp_rt_x").await);
        Browser::new().open(client.authorization(&system)).await.is_page(400);
    }
}

#[tokio::test]
async fn a_preregistered_client_cannot_be_sent_elsewhere_than_its_entry_says() {
    let system = system().await;
    let client = Client::new("public", "https://evil.example/cb");

    Browser::new().open(client.authorization(&system)).await.is_page(400);
}

//! What survives a restart: clients, sessions and snippets.

use local::{Data, Options};
use reqwest::StatusCode;
use serde_json::json;

use crate::client::Client;
use crate::running::not_on_packages;
use crate::system::{System, http_client, start_stack};

#[tokio::test]
async fn clients_sessions_and_snippets_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let data = Data::Directory(directory.path().join("data"));
    let first = System::start_on(data.clone()).await;
    let client = first.client("App").await;
    let tokens = first.sign_in(&client).await;
    let save = json!({ "snippetname": "kept", "snippet": "text" });
    assert_eq!(first.call(&tokens.access_token, "save_snippet", save).await.status, StatusCode::OK);
    let System { stack, clock, .. } = first;
    let listen = stack.base_url().authority().parse().unwrap();
    stack.stop().await;

    let options = Options { listen, data, clock: clock.clone(), ..Options::default() };
    let stack = start_stack(options).await.unwrap();
    let second = System { stack, clock, http: http_client() };

    let get = json!({ "snippetname": "kept" });
    let answer = second.call(&tokens.access_token, "get_snippet", get).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "text");
    let new = second.refresh(&client, &tokens.refresh_token).await.tokens();
    assert!(second.takes(&new.access_token).await);
    let again = Client::new(&client.id, &client.redirect_uri);
    assert!(!second.sign_in(&again).await.access_token.is_empty());
}

#[tokio::test]
async fn two_systems_cannot_share_one_directory() {
    not_on_packages("is about the files of the embedded store");
    let directory = tempfile::tempdir().unwrap();
    let data = Data::Directory(directory.path().to_owned());
    let first = System::start_on(data.clone()).await;

    let second = start_stack(Options { data, ..Options::default() }).await;

    let error = second.unwrap_err().to_string();
    assert!(error.contains(&directory.path().display().to_string()), "{error}");
    drop(first);
}

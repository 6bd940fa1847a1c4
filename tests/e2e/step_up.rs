//! Step-up: a client that needs more asks its user again (RFC 6750 section 3.1; threats 10 and 26).

use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use crate::client::Browser;
use crate::system::System;

const READ: &str = "snippets:read";
const BOTH: &str = "snippets:read snippets:write";

/// The scopes that the challenge of `header` names.
fn needed(header: &str) -> String {
    let (_, rest) = header.split_once(" scope=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_with_too_little_is_told_all_that_is_needed_and_a_new_consent_gives_it() {
    let system = System::start().await;
    let mut client = system.client("App").await;
    client.scope = Some(READ);
    let browser = Browser::new();
    let code = browser.code(&system, &client).await;
    let first = system.redeem(&client, &code).await.tokens();
    let save = json!({ "snippetname": "a", "snippet": "b" });

    let refused = system.call(&first.access_token, "save_snippet", save.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let scope = needed(refused.header("www-authenticate").unwrap());
    assert_eq!(scope, BOTH);
    let delete = json!({ "snippetname": "a", "confirm": true });
    let refused = system.call(&first.access_token, "delete_snippet", delete).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(needed(refused.header("www-authenticate").unwrap()), BOTH);
    let authorization: Url = client.authorization_with(&system, &[("scope", &scope)]);
    let page = browser.open(browser.open(&authorization).await.location()).await;
    let callback = browser.sign_in(&browser.allow(&system, &authorization).await).await;
    let code = browser.open(callback).await.sent("code").unwrap();
    let second = system.redeem(&client, &code).await.tokens();

    assert!(page.body.contains("Save, change and delete your snippets"), "{}", page.body);
    assert_eq!((first.scope.as_str(), second.scope.as_str()), (READ, BOTH));
    let saved = system.call(&second.access_token, "save_snippet", save).await;
    assert_eq!(saved.status, StatusCode::OK);
    let uri = json!({ "uri": "snippet://a" });
    let read = system.mcp(&first.access_token, "resources/read", uri).await;
    assert_eq!(read.json()["result"]["contents"][0]["text"], "b");
    // The user allowed the first one too, and it goes on with what it has.
    system.refresh(&client, &first.refresh_token).await.tokens();
    let narrower = [
        ("grant_type", "refresh_token"),
        ("client_id", client.id.as_str()),
        ("refresh_token", second.refresh_token.as_str()),
        ("scope", READ),
    ];
    assert_eq!(system.token(&narrower).await.tokens().scope, READ);
}

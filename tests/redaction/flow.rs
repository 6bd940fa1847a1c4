//! Everything that a client can do, and what goes wrong with it, with each secret noted.

use std::path::Path;

use data_encoding::BASE64;
use local::identity_provider::Fault;
use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use crate::client::{Browser, Client, Tokens, hidden_input};
use crate::secrets::Secrets;
use crate::system::{Answer, System};

/// A line of a snippet that nobody but its owner may read.
const SNIPPET: &str = "my diary, 14 March: the gold lies under the third oak";
/// The state of the client, which is its own to make up.
const CLIENT_STATE: &str = "Zm9yIHRoZSBjbGllbnQgYWxvbmU";
/// Whom the client expects to sign in, which is the name of a person.
const LOGIN_HINT: &str = "somebody.in.particular@example.com";

/// A run of the whole system whose keys are in `directory`, and the secrets that it used.
pub(crate) async fn run(system: &System, directory: &Path) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add_keys(directory);
    secrets.add("the client's state", CLIENT_STATE);
    secrets.add("the login hint", LOGIN_HINT);
    let client = system.client("Discreet").await;
    let code = sign_in(system, &client, &mut secrets).await;
    let form = client.exchange(&code);
    let verifier = form.iter().find(|(name, _)| *name == "code_verifier").unwrap().1;
    secrets.add("the client's verifier", verifier);
    let tokens = system.redeem(&client, &code).await.tokens();
    secrets.add_tokens(&tokens);
    secrets.add_entra_access_token(system, directory, &tokens).await;
    use_tools(system, &tokens, &mut secrets).await;
    renew(system, &client, &tokens, &mut secrets).await;
    replay_a_code(system, &client, &mut secrets).await;
    let revoked = sign_in_at_once(system, &client, &mut secrets).await;
    for token in [&revoked.access_token, &revoked.refresh_token] {
        assert_eq!(system.revoke(&client, token).await.status, StatusCode::OK);
    }
    let website = system.website("Discreet website").await;
    remember_and_look_around(system, &website, &mut secrets).await;
    let confidential = register_with_a_secret(system, &mut secrets).await;
    sign_in(system, &confidential, &mut secrets).await;
    present_bad_credentials(system, &client, &revoked, &mut secrets).await;
    meet_faults(system, &client, &mut secrets).await;
    secrets
}

/// The whole way to a code, step by step.
async fn sign_in(system: &System, client: &Client, secrets: &mut Secrets) -> String {
    let callback = up_to_callback(system, client, secrets).await;
    let answer = callback.open().await;
    let location = secrets.follow("our answer", &answer);
    assert!(location.as_str().starts_with(&client.redirect_uri));
    answer.sent("code").unwrap()
}

/// A browser that is about to open the callback.
struct Callback(Browser, Url);

impl Callback {
    async fn open(&self) -> Answer {
        self.0.open(&self.1).await
    }
}

async fn up_to_callback(system: &System, client: &Client, secrets: &mut Secrets) -> Callback {
    let browser = Browser::new();
    let asked = [("state", CLIENT_STATE), ("login_hint", LOGIN_HINT)];
    let authorization = client.authorization_with(system, &asked);
    let consent = secrets.follow("the consent page", &browser.open(authorization).await);
    let page = browser.open(consent).await;
    secrets.add_cookies(&page);
    let request = hidden_input(&page.body, "request");
    secrets.add("the sealed request", &request);
    let answer = browser.decide(system, &request, "allow").await;
    let identity_provider = secrets.follow("Entra ID", &answer);
    let callback = browser.sign_in(&identity_provider).await;
    secrets.add_parameters("the callback", &callback);
    Callback(browser, callback)
}

async fn sign_in_at_once(system: &System, client: &Client, secrets: &mut Secrets) -> Tokens {
    let code = sign_in(system, client, secrets).await;
    let tokens = system.redeem(client, &code).await.tokens();
    secrets.add_tokens(&tokens);
    tokens
}

async fn use_tools(system: &System, tokens: &Tokens, secrets: &mut Secrets) {
    secrets.add("the text of a snippet", SNIPPET);
    let name = json!({ "snippetname": "diary" });
    let save = json!({ "snippetname": "diary", "snippet": SNIPPET });
    let unconfirmed = json!({ "snippetname": "diary", "snippet": format!("{SNIPPET} and more") });
    let no_name = json!({ "snippetname": SNIPPET, "snippet": SNIPPET });
    for (tool, arguments) in [
        ("hello_mcp", json!({})),
        ("save_snippet", save),
        ("save_snippet", unconfirmed),
        ("get_snippet", name.clone()),
        ("list_snippets", json!({})),
        ("whoami", json!({})),
        ("delete_snippet", name.clone()),
        ("get_snippet", name),
        ("save_snippet", no_name),
        ("save_snippet", json!({ "snippet": [SNIPPET] })),
    ] {
        let answer = system.call(&tokens.access_token, tool, arguments).await;
        assert!(!answer.status.is_server_error(), "{tool}: {answer:?}");
    }
    let uri = json!({ "uri": "snippet://diary", "_meta": { "tracestate": SNIPPET } });
    let complete = json!({
        "ref": { "type": "ref/resource", "uri": "snippet://{name}" },
        "argument": { "name": "name", "value": SNIPPET },
    });
    for (method, params) in [
        ("resources/list", json!({})),
        ("resources/read", uri),
        ("resources/read", json!({ "uri": SNIPPET })),
        ("completion/complete", complete),
        ("no/such/method", json!({ "snippet": SNIPPET })),
    ] {
        let answer = system.mcp(&tokens.access_token, method, params).await;
        assert!(!answer.status.is_server_error(), "{method}: {answer:?}");
    }
    let delete = json!({ "snippetname": "diary", "confirm": true });
    system.call(&tokens.access_token, "delete_snippet", delete).await;
}

/// A refresh, its answer once more, and the end of a session whose old token was used again.
async fn renew(system: &System, client: &Client, tokens: &Tokens, secrets: &mut Secrets) {
    let renewed = system.refresh(client, &tokens.refresh_token).await.tokens();
    let once_more = system.refresh(client, &tokens.refresh_token).await.tokens();
    secrets.add_tokens(&renewed);
    secrets.add_tokens(&once_more);
    system.clock.advance(std::time::Duration::from_mins(1));
    system.refresh(client, &tokens.refresh_token).await.refused(400, "invalid_grant");
    assert!(!system.takes(&renewed.access_token).await);
}

async fn replay_a_code(system: &System, client: &Client, secrets: &mut Secrets) {
    let code = sign_in(system, client, secrets).await;
    let wrong_verifier = "V2hhdCBhIHRoaWVmIG1heSBndWVzcywgYXQgdGhlIG1vc3Q";
    secrets.add("a wrong verifier", wrong_verifier);
    let mut form = client.exchange(&code);
    form.retain(|(name, _)| *name != "code_verifier");
    form.push(("code_verifier", wrong_verifier));
    system.token(&form).await.refused(400, "invalid_grant");
    secrets.add_tokens(&system.redeem(client, &code).await.tokens());
    system.redeem(client, &code).await.refused(400, "invalid_grant");
}

/// A consent that is remembered and used, and the page on which its user revokes it.
async fn remember_and_look_around(system: &System, client: &Client, secrets: &mut Secrets) {
    let browser = Browser::new();
    let authorization = client.authorization_with(system, &[("state", CLIENT_STATE)]);
    let request = browser.consent_page(&authorization).await;
    let allowed = browser.allow_for_good(system, &request).await;
    let callback = browser.sign_in(&secrets.follow("Entra ID", &allowed)).await;
    let answer = browser.open(callback).await;
    secrets.follow("our answer", &answer);
    let tokens = system.redeem(client, &answer.sent("code").unwrap()).await.tokens();
    secrets.add_tokens(&tokens);
    let silent = browser.navigate(authorization, "none").await;
    let callback = browser.sign_in(&secrets.follow("Entra ID, silently", &silent)).await;
    secrets.follow("our silent answer", &browser.open(callback).await);
    let to_sign_in = browser.act(system, &[("action", "sign-in")]).await;
    let callback = browser.sign_in(&secrets.follow("Entra ID, for the page", &to_sign_in)).await;
    secrets.add_parameters("the callback for the page", &callback);
    secrets.follow("the page", &browser.open(callback).await);
    assert_eq!(browser.open(system.url("/account")).await.status, StatusCode::OK);
    for action in ["revoke-all", "sign-out"] {
        let answer = browser.act(system, &[("action", action)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    }
}

async fn register_with_a_secret(system: &System, secrets: &mut Secrets) -> Client {
    let redirect_uri = "http://127.0.0.1:41000/callback";
    let method = "client_secret_post";
    let registration =
        json!({ "redirect_uris": [redirect_uri], "token_endpoint_auth_method": method });
    let answer = system.register(&registration).await.json();
    let (id, secret) = (answer["client_id"].as_str(), answer["client_secret"].as_str().unwrap());
    secrets.add("a client's secret", secret);
    let form = [("client_id", id.unwrap()), ("client_secret", secret), ("token", "mcp_rt_x")];
    let request = system.http.post(system.url("/revoke")).form(&form);
    assert_eq!(Answer::of(request).await.status, StatusCode::OK);
    Client::new(id.unwrap(), redirect_uri)
}

async fn present_bad_credentials(
    system: &System,
    client: &Client,
    revoked: &Tokens,
    secrets: &mut Secrets,
) {
    let cut = &revoked.access_token[..revoked.access_token.len() - 3];
    for token in [&revoked.access_token, &revoked.refresh_token, cut] {
        let answer = system.call(token, "hello_mcp", json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        system.refresh(client, token).await.refused(400, "invalid_grant");
        system.redeem(client, token).await.refused(400, "invalid_grant");
        system.revoke(client, token).await;
        system.get(&format!("/mcp?access_token={token}")).await;
        system.get(&format!("/oauth-callback?state={token}&code={token}")).await.is_page(403);
        system.get(&format!("/consent?request={token}")).await;
    }
    let password = "correct horse battery staple";
    let basic = BASE64.encode(format!("{}:{password}", client.id).as_bytes());
    secrets.add("a client secret", password);
    // The identifier of a client comes first, and is none.
    secrets.add("a Basic credential", &basic[basic.len() - 24..]);
    let request = system.http.post(system.url("/token"));
    let request = request.header("Authorization", format!("Basic {basic}"));
    let form = [("grant_type", "refresh_token"), ("refresh_token", &revoked.refresh_token)];
    let answer = Answer::of(request.form(&form)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

/// Entra ID lies or is away, at the callback and at a refresh, and a second callback comes.
async fn meet_faults(system: &System, client: &Client, secrets: &mut Secrets) {
    for fault in [
        Fault::BadSignature,
        Fault::IdTokenUnsigned,
        Fault::InvalidGrant,
        Fault::NotJson,
        Fault::Unavailable,
        Fault::UnknownKey,
        Fault::WrongNonce,
        Fault::WrongTenant,
    ] {
        let callback = up_to_callback(system, client, secrets).await;
        system.stack.identity_provider().fail_next(fault);
        let answer = callback.open().await;
        assert!(answer.sent("error").is_some());
        assert!(!callback.open().await.status.is_success());
    }
    let tokens = sign_in_at_once(system, client, secrets).await;
    for fault in [Fault::Unavailable, Fault::NotJson, Fault::InvalidGrant] {
        system.stack.identity_provider().fail_next(fault);
        let answer = system.refresh(client, &tokens.refresh_token).await;
        assert_ne!(answer.status, StatusCode::OK);
    }
}

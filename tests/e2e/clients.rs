//! Confidential clients beside public ones (RFC 6749 section 2.3; threat 29), and the registration
//! policy (threat 14).

use std::path::Path;

use data_encoding::BASE64;
use local::{Data, Options};
use reqwest::StatusCode;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::storage::{Address, Key, RecordStore, TableName};
use time::OffsetDateTime;

use crate::client::{Browser, Client};
use crate::running::{Told, not_on_packages};
use crate::system::{Answer, System, http_client, start_stack};

const REDIRECT_URI: &str = "http://127.0.0.1:41000/callback";
pub(crate) const BASIC: &str = "client_secret_basic";
const POST: &str = "client_secret_post";

/// A client that was given a secret.
pub(crate) struct Confidential {
    pub(crate) client: Client,
    pub(crate) secret: String,
    method: &'static str,
}

impl Confidential {
    pub(crate) async fn register(system: &System, method: &'static str) -> Self {
        let answer = system.register(&registration(method)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let registered = answer.json();
        let client = Client::new(registered["client_id"].as_str().unwrap(), REDIRECT_URI);
        Self { client, secret: registered["client_secret"].as_str().unwrap().to_owned(), method }
    }

    /// Sends `form` as this client registered to.
    pub(crate) async fn send(&self, system: &System, path: &str, form: &[(&str, &str)]) -> Answer {
        if self.method == BASIC {
            let form = form.iter().filter(|(name, _)| *name != "client_id");
            let form: Vec<_> = form.copied().collect();
            let header = basic(&self.client.id, &self.secret);
            send(system, path, Some(&header), &form).await
        } else {
            let secret = ("client_secret", self.secret.as_str());
            send(system, path, None, &[form, &[secret]].concat()).await
        }
    }

    pub(crate) async fn code(&self, system: &System) -> String {
        Browser::new().code(system, &self.client).await
    }

    pub(crate) fn refresh<'a>(&'a self, token: &'a str) -> [(&'a str, &'a str); 3] {
        let client_id = self.client.id.as_str();
        [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)]
    }

    /// Where its row is in `system`, if it was written in this quarter.
    pub(crate) fn address(&self, system: &System) -> Address {
        let now = i64::try_from(system.clock.now().as_secs()).unwrap();
        let today = OffsetDateTime::from_unix_timestamp(now).unwrap();
        let quarter = TableName::of_quarter(today.year(), u8::from(today.month()).div_ceil(3));
        Address::alone(quarter, Key::digest("client-id", &[self.client.id.as_bytes()]))
    }
}

fn registration(method: &str) -> Value {
    json!({
        "client_name": "Confidant",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": method,
    })
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()))
}

pub(crate) async fn send(
    system: &System,
    path: &str,
    authorization: Option<&str>,
    form: &[(&str, &str)],
) -> Answer {
    let request = system.http.post(system.url(path)).form(form);
    Answer::of(match authorization {
        Some(header) => request.header(AUTHORIZATION, header),
        None => request,
    })
    .await
}

/// Asserts that the client was not believed (RFC 6749 section 5.2).
#[track_caller]
pub(crate) fn is_not_believed(answer: &Answer) {
    answer.refused(401, "invalid_client");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn a_confidential_registration_is_answered_with_a_secret_of_its_own() {
    let system = System::start().await;
    for method in [BASIC, POST] {
        let answer = system.register(&registration(method)).await;
        let another = system.register(&registration(method)).await.json();

        let client = answer.json();
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(client["token_endpoint_auth_method"], method);
        assert_eq!(client["client_secret_expires_at"], 0);
        let secret = client["client_secret"].as_str().unwrap();
        assert_eq!(secret.strip_prefix("mcp_cs_").unwrap().len(), 43);
        assert!(client["client_id"].as_str().unwrap().len() <= 255);
        assert_ne!(client["client_id"], another["client_id"]);
        assert_ne!(client["client_secret"], another["client_secret"]);
    }
}

#[tokio::test]
async fn a_client_that_registers_as_public_gets_no_secret_and_other_methods_are_refused() {
    let system = System::start().await;

    let public = system.register(&registration("none")).await.json();

    assert_eq!(public["token_endpoint_auth_method"], "none");
    assert!(public.get("client_secret").is_none());
    assert!(public.get("client_secret_expires_at").is_none());
    for method in ["private_key_jwt", "client_secret_jwt", "tls_client_auth", "Client_Secret_Post"]
    {
        let refused = system.register(&registration(method)).await;
        refused.refused(400, "invalid_client_metadata");
    }
}

#[tokio::test]
async fn the_metadata_names_every_method_for_tokens_and_for_revocation() {
    let system = System::start().await;

    let metadata = system.get("/.well-known/oauth-authorization-server").await.json();

    for endpoint in ["token", "revocation"] {
        let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert_eq!(methods, &json!(["none", BASIC, POST]));
    }
}

#[tokio::test]
async fn a_confidential_client_signs_in_renews_and_revokes_as_it_registered_to() {
    let system = System::start().await;
    for method in [BASIC, POST] {
        let confidential = Confidential::register(&system, method).await;
        let code = confidential.code(&system).await;

        let exchange = confidential.client.exchange(&code);
        let first = confidential.send(&system, "/token", &exchange).await.tokens();
        let renewal = confidential.refresh(&first.refresh_token);
        let second = confidential.send(&system, "/token", &renewal).await.tokens();
        assert!(system.takes(&second.access_token).await);
        let revocation = [("client_id", confidential.client.id.as_str())];
        let revocation = [&revocation[..], &[("token", &second.refresh_token)]].concat();
        let revoked = confidential.send(&system, "/revoke", &revocation).await;

        assert_eq!(revoked.status, StatusCode::OK);
        assert!(!system.takes(&second.access_token).await);
    }
}

/// Every way to present a client with its secret, but the one that it registered.
fn wrong_presentations(of: &Confidential, other_secret: &str) -> Vec<(Option<String>, String)> {
    let Confidential { client, secret, method } = of;
    let right = basic(&client.id, secret);
    let form = |secret: &str| format!("client_id={}&client_secret={secret}", client.id);
    let (cut, id) = (&secret[..secret.len() - 1], format!("client_id={}", client.id));
    let mut wrong = vec![
        (None, id.clone()),
        (None, form("wrong")),
        (None, form(other_secret)),
        (Some(right.clone()), form(secret)),
        (Some(right.clone()), "client_id=another".to_owned()),
        (Some(basic(&client.id, "wrong")), String::new()),
        (Some(basic(&client.id, other_secret)), String::new()),
        (Some(basic(&client.id, cut)), String::new()),
        (Some(basic(&client.id, "")), id.clone()),
        (Some(basic("", secret)), String::new()),
        (Some(right.replace("Basic", "Bearer")), id.clone()),
        (Some(format!("{right}!")), id.clone()),
        (Some("Basic".to_owned()), id.clone()),
        (Some(format!("Basic {}", BASE64.encode(client.id.as_bytes()))), id),
        (Some(basic(&client.id, "%zz")), String::new()),
    ];
    wrong.push(if *method == BASIC { (None, form(secret)) } else { (Some(right), String::new()) });
    wrong
}

#[tokio::test]
async fn who_does_not_prove_to_be_the_client_changes_nothing() {
    let system = System::start().await;
    for method in [BASIC, POST] {
        let confidential = Confidential::register(&system, method).await;
        let other = Confidential::register(&system, method).await;
        let first = confidential.code(&system).await;
        let exchange = confidential.client.exchange(&first);
        let tokens = confidential.send(&system, "/token", &exchange).await.tokens();
        let code = confidential.code(&system).await;
        let writes = system.oauth_calls().writes;

        for (header, client) in wrong_presentations(&confidential, &other.secret) {
            let exchange = confidential.client.exchange(&code);
            let renewal = confidential.refresh(&tokens.refresh_token);
            let revocation = [("token", tokens.refresh_token.as_str())];
            for (path, form) in
                [("/token", &exchange[..]), ("/token", &renewal), ("/revoke", &revocation)]
            {
                let client = url::form_urlencoded::parse(client.as_bytes()).into_owned();
                let mut all: Vec<(String, String)> = client.collect();
                let rest = form.iter().filter(|(name, _)| *name != "client_id");
                all.extend(rest.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
                let all: Vec<_> =
                    all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();

                is_not_believed(&send(&system, path, header.as_deref(), &all).await);
            }
        }

        assert_eq!(system.oauth_calls().writes, writes);
        assert!(system.takes(&tokens.access_token).await);
        let renewal = confidential.refresh(&tokens.refresh_token);
        assert_eq!(confidential.send(&system, "/token", &renewal).await.status, StatusCode::OK);
        let exchange = confidential.client.exchange(&code);
        assert_eq!(confidential.send(&system, "/token", &exchange).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_public_client_that_authenticates_is_told_that_it_is_public() {
    let system = System::start().await;
    let client = system.client("App").await;
    let code = Browser::new().code(&system, &client).await;
    let mut in_form = client.exchange(&code);
    in_form.push(("client_secret", "mcp_cs_x"));

    let post = send(&system, "/token", None, &in_form).await;
    let header = basic(&client.id, "");
    let header = send(&system, "/token", Some(&header), &client.exchange(&code)).await;

    for answer in [post, header] {
        is_not_believed(&answer);
        assert!(answer.json()["error_description"].as_str().unwrap().contains("public"));
    }
    assert_eq!(system.redeem(&client, &code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn ids_and_secrets_in_a_basic_header_may_be_percent_encoded() {
    let system = System::start().await;
    let Confidential { client, secret, .. } = Confidential::register(&system, BASIC).await;
    let encoded = |text: &str| text.replace('_', "%5f").replace('c', "%63").replace('-', "%2D");
    let code = Browser::new().code(&system, &client).await;

    let header = basic(&encoded(&client.id), &encoded(&secret)).replace("Basic", "basic");
    let answer = send(&system, "/token", Some(&header), &client.exchange(&code)).await;

    assert!(system.takes(&answer.tokens().access_token).await);
}

#[tokio::test]
async fn a_secret_does_not_stand_in_for_the_verifier() {
    let system = System::start().await;
    let confidential = Confidential::register(&system, BASIC).await;
    let code = confidential.code(&system).await;
    let mut form = confidential.client.exchange(&code);
    form.retain(|(name, _)| *name != "code_verifier");

    confidential.send(&system, "/token", &form).await.refused(400, "invalid_request");
    let other = "v".repeat(43);
    form.push(("code_verifier", &other));
    confidential.send(&system, "/token", &form).await.refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_code_of_one_confidential_client_is_nothing_to_another() {
    let system = System::start().await;
    let confidential = Confidential::register(&system, POST).await;
    let other = Confidential::register(&system, POST).await;
    let code = confidential.code(&system).await;

    let stolen = other.send(&system, "/token", &other.client.exchange(&code)).await;

    stolen.refused(400, "invalid_grant");
    let exchange = confidential.client.exchange(&code);
    assert_eq!(confidential.send(&system, "/token", &exchange).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_confidential_client_costs_one_more_read_and_garbage_costs_none() {
    let system = System::start().await;
    let confidential = Confidential::register(&system, BASIC).await;
    let code = confidential.code(&system).await;
    let exchange = confidential.client.exchange(&code);
    let tokens = confidential.send(&system, "/token", &exchange).await.tokens();
    let before = system.oauth_calls();

    let renewal = confidential.refresh(&tokens.refresh_token);
    confidential.send(&system, "/token", &renewal).await.tokens();
    let renewed = system.oauth_calls();
    for id in ["mcp_client_AAAA", &confidential.client.id[1..], "../clients"] {
        is_not_believed(&send(&system, "/token", Some(&basic(id, "mcp_cs_x")), &[]).await);
    }

    assert_eq!((renewed.reads - before.reads, renewed.writes - before.writes), (2, 1));
    assert_eq!(system.oauth_calls(), renewed);
}

#[tokio::test]
async fn the_row_of_a_client_says_nothing_in_clear_and_opens_for_no_other_client() {
    let system = System::start().await;
    let confidential = Confidential::register(&system, POST).await;
    let other = Confidential::register(&system, POST).await;
    let records = system.stack.oauth_records();
    let row = records.get(&confidential.address(&system)).await.unwrap().unwrap().record;

    for (name, bytes) in row.columns() {
        let text = String::from_utf8_lossy(bytes);
        for told in [&confidential.secret, "mcp_cs_", "Confidant", "127.0.0.1", POST] {
            assert!(!text.contains(told), "{name} shows {told}");
        }
    }
    let version = records.get(&other.address(&system)).await.unwrap().unwrap().version;
    records.replace(&other.address(&system), row, &version).await.unwrap();
    let form = [("client_id", other.client.id.as_str()), ("client_secret", &confidential.secret)];
    is_not_believed(&send(&system, "/token", None, &form).await);
}

#[tokio::test]
async fn a_client_whose_row_was_changed_is_not_believed() {
    let system = System::start().await;
    let confidential = Confidential::register(&system, POST).await;
    let records = system.stack.oauth_records();
    let address = confidential.address(&system);
    let row = records.get(&address).await.unwrap().unwrap().record;
    let sealed = row.column("metadata").unwrap().to_vec();
    let form = [
        ("client_id", confidential.client.id.as_str()),
        ("client_secret", confidential.secret.as_str()),
        ("token", "mcp_rt_x"),
    ];
    for index in [0, sealed.len() / 2, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        let version = records.get(&address).await.unwrap().unwrap().version;
        let forged = row.clone().with("metadata", changed);
        records.replace(&address, forged, &version).await.unwrap();

        is_not_believed(&send(&system, "/revoke", None, &form).await);
        let authorization = confidential.client.authorization(&system);
        crate::client::Browser::new().open(authorization).await.is_page(400);
    }
    let version = records.get(&address).await.unwrap().unwrap().version;
    records.replace(&address, row, &version).await.unwrap();
    assert_eq!(send(&system, "/revoke", None, &form).await.status, StatusCode::OK);
}

/// The same system on the same data, under the registration policy of `settings` from now on.
async fn restarted(system: System, directory: &Path, settings: &[(&'static str, &str)]) -> System {
    let System { stack, clock, .. } = system;
    let listen = stack.base_url().authority().parse().unwrap();
    stack.stop().await;
    let data = Data::Directory(directory.to_owned());
    let options = Options { listen, data, clock: clock.clone(), ..Options::default() };
    let stack = start_stack(Told::by(options, settings)).await.unwrap();
    System { stack, clock, http: http_client() }
}

#[tokio::test]
async fn a_confidential_client_survives_a_restart_and_its_secret_is_in_no_file() {
    not_on_packages("is about the files of the embedded store");
    let directory = tempfile::tempdir().unwrap();
    let system = System::start_on(Data::Directory(directory.path().to_owned())).await;
    let confidential = Confidential::register(&system, BASIC).await;

    let system = restarted(system, directory.path(), &[]).await;

    let code = confidential.code(&system).await;
    let exchange = confidential.client.exchange(&code);
    let tokens = confidential.send(&system, "/token", &exchange).await.tokens();
    assert!(system.takes(&tokens.access_token).await);
    system.stack.stop().await;
    let secret = confidential.secret.as_bytes();
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(files.len() >= 2);
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

fn policy<'a>(hosts: &'a str, schemes: &'a str) -> [(&'static str, &'a str); 2] {
    [("REGISTRATION_REDIRECT_HOSTS", hosts), ("REGISTRATION_SCHEMES", schemes)]
}

#[tokio::test]
async fn a_registration_outside_the_policy_is_refused_and_told_which_rule() {
    let directory = tempfile::tempdir().unwrap();
    let system = System::start_on(Data::Directory(directory.path().to_owned())).await;
    let system =
        restarted(system, directory.path(), &policy("app.example,*.good.example", "myapp")).await;
    let register = async |uri: &str| system.register(&json!({ "redirect_uris": [uri] })).await;

    for uri in
        ["https://app.example/cb", "https://a.good.example/cb", REDIRECT_URI, "myapp://callback"]
    {
        assert_eq!(register(uri).await.status, StatusCode::CREATED, "{uri}");
    }
    for (uri, rule) in [
        ("https://good.example/cb", "REGISTRATION_REDIRECT_HOSTS"),
        ("https://evil.example/cb", "REGISTRATION_REDIRECT_HOSTS"),
        ("https://app.example.evil.example/cb", "REGISTRATION_REDIRECT_HOSTS"),
        ("cursor://anysphere.cursor-retrieval/cb", "REGISTRATION_SCHEMES"),
    ] {
        let answer = register(uri).await;

        answer.refused(400, "invalid_redirect_uri");
        assert!(answer.json()["error_description"].as_str().unwrap().contains(rule), "{uri}");
    }
}

#[tokio::test]
async fn a_client_from_before_the_policy_is_refused_with_a_page() {
    let directory = tempfile::tempdir().unwrap();
    let system = System::start_on(Data::Directory(directory.path().to_owned())).await;
    let mut clients = Vec::new();
    for uri in ["https://old.example/cb", "cursor://old/cb", REDIRECT_URI, "https://app.example/cb"]
    {
        let registered = system.register(&json!({ "redirect_uris": [uri] })).await.json();
        clients.push(Client::new(registered["client_id"].as_str().unwrap(), uri));
    }
    let browser = Browser::new();
    for client in &clients {
        let answer = browser.open(client.authorization(&system)).await;
        assert_eq!(answer.status, StatusCode::FOUND);
    }

    let policy = policy("app.example,!loopback", "vscode");
    let system = restarted(system, directory.path(), &policy).await;

    let (allowed, refused) = clients.split_last().unwrap();
    for client in refused {
        browser.open(client.authorization(&system)).await.is_page(400);
    }
    let answer = browser.open(allowed.authorization(&system)).await;
    assert_eq!(answer.status, StatusCode::FOUND);
    assert_eq!(answer.location().path(), "/consent");
}

//! The system under test, and what is asked of it without a browser.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use local::azure::AzureAccount;
use local::{Data, Options, Stack, StartError};
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::config::{Env, ProcessEnv};
use shared::storage::StorageCalls;
use url::Url;

use crate::client::{Client, Tokens};
use crate::packages::{self, Packages};
use crate::running::{Running, TestClock, Told};
use crate::traced;

/// A running system whose clock stands still until it is moved.
pub(crate) struct System {
    pub(crate) stack: Running,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) http: reqwest::Client,
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::start_on(Data::Memory).await
    }

    /// A system that takes any number of requests from one address.
    pub(crate) async fn start_unlimited() -> Self {
        let document_policy = DocumentPolicy::Off;
        let requests_per_minute = None;
        Self::start_with(Options { requests_per_minute, document_policy, ..Options::default() })
            .await
    }

    /// A system on `data` that reads no documents of clients: no test asks the internet.
    pub(crate) async fn start_on(data: Data) -> Self {
        let document_policy = DocumentPolicy::Off;
        Self::start_with(Options { data, document_policy, ..Options::default() }).await
    }

    /// A system as `options` say, but with a clock of its own.
    pub(crate) async fn start_with(told: impl Into<Told>) -> Self {
        traced::begin();
        let clock = Arc::new(TestClock::default());
        let told = told.into();
        let options = Options { clock: Arc::clone(&clock) as _, ..told.options };
        let stack = start_stack(Told { options, ..told }).await.unwrap();
        Self { stack, clock, http: http_client() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.stack.base_url().at(path)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(self.url(path))).await
    }

    pub(crate) async fn request(&self, method: Method, path: &str) -> Answer {
        Answer::of(self.http.request(method, self.url(path))).await
    }

    pub(crate) async fn register(&self, registration: &Value) -> Answer {
        Answer::of(self.http.post(self.url("/register")).json(registration)).await
    }

    /// A registered client with the name `name`, a program on the user's computer.
    pub(crate) async fn client(&self, name: &str) -> Client {
        self.client_at(name, "http://127.0.0.1:41000/callback").await
    }

    /// A registered client that has its users sent back to a website, where no other program can
    /// be: consent to it may be remembered.
    pub(crate) async fn website(&self, name: &str) -> Client {
        self.client_at(name, "https://app.example/callback").await
    }

    pub(crate) async fn client_at(&self, name: &str, redirect_uri: &str) -> Client {
        let registration = json!({ "client_name": name, "redirect_uris": [redirect_uri] });
        let answer = self.register(&registration).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        Client::new(answer.json()["client_id"].as_str().unwrap(), redirect_uri)
    }

    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> Answer {
        Answer::of(self.http.post(self.url("/token")).form(form)).await
    }

    pub(crate) async fn redeem(&self, client: &Client, code: &str) -> Answer {
        self.token(&client.exchange(code)).await
    }

    pub(crate) async fn refresh(&self, client: &Client, refresh_token: &str) -> Answer {
        self.token(&[
            ("grant_type", "refresh_token"),
            ("client_id", &client.id),
            ("refresh_token", refresh_token),
        ])
        .await
    }

    pub(crate) async fn revoke(&self, client: &Client, token: &str) -> Answer {
        let form = [("client_id", client.id.as_str()), ("token", token)];
        Answer::of(self.http.post(self.url("/revoke")).form(&form)).await
    }

    /// A whole sign-in of alice in a new browser.
    pub(crate) async fn sign_in(&self, client: &Client) -> Tokens {
        let code = crate::client::Browser::new().code(self, client).await;
        self.redeem(client, &code).await.tokens()
    }

    /// One MCP request of the `initialize` era.
    pub(crate) async fn mcp(&self, access_token: &str, method: &str, params: Value) -> Answer {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = self
            .http
            .post(self.url("/mcp"))
            .header(AUTHORIZATION, format!("Bearer {access_token}"))
            .header("Accept", "application/json, text/event-stream")
            .header("MCP-Protocol-Version", "2025-11-25")
            .json(&message);
        Answer::of(request).await
    }

    pub(crate) async fn call(&self, access_token: &str, tool: &str, arguments: Value) -> Answer {
        self.mcp(access_token, "tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Whether mcp-fn takes the token, once nothing is remembered any more.
    pub(crate) async fn takes(&self, access_token: &str) -> bool {
        if !packages::wanted() {
            self.clock.advance(Duration::from_secs(31));
        }
        self.call(access_token, "hello_mcp", json!({})).await.status == StatusCode::OK
    }

    pub(crate) fn oauth_calls(&self) -> StorageCalls {
        let calls = self.stack.oauth_calls();
        // Over a network, old tables are still being dropped while a test goes on.
        let tables = if azurite().is_some() { 0 } else { calls.tables };
        StorageCalls { tables, ..calls }
    }

    pub(crate) fn mcp_calls(&self) -> StorageCalls {
        self.stack.mcp_calls()
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        traced::sent(&request);
        let response = client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await.unwrap();
        traced::received(&headers, &body);
        Self { status, headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn location(&self) -> Url {
        let location = self.header("location").unwrap_or_else(|| panic!("no Location: {self:?}"));
        Url::parse(location).unwrap()
    }

    /// The parameter `name` of the URL that the browser is sent to.
    pub(crate) fn sent(&self, name: &str) -> Option<String> {
        let location = self.location();
        let mut found = location.query_pairs().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.into_owned());
        assert_eq!(found.next(), None, "{name} is there twice");
        value
    }

    pub(crate) fn tokens(&self) -> Tokens {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// Asserts an error of the back channel (RFC 6749 section 5.2).
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, error: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.json()["error"], error, "{}", self.body);
        assert!(self.json()["error_description"].as_str().unwrap().len() > 10);
        assert_eq!(self.header("cache-control"), Some("no-store"));
    }

    /// Asserts a page for a person instead of a redirect.
    #[track_caller]
    pub(crate) fn is_page(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert!(self.header("content-type").unwrap().starts_with("text/html"));
        assert_eq!(self.header("location"), None);
        assert_eq!(self.header("cache-control"), Some("no-store"));
    }
}

pub(crate) fn http_client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// A stack as `options` say; where the suite runs on Azurite, its data lie there.
pub(crate) async fn start_stack(told: impl Into<Told>) -> Result<Running, StartError> {
    let Told { options, settings: changes, of_both } = told.into();
    let (account, keys) = match &options.data {
        Data::Memory => (new_account(), None),
        Data::Directory(path) => (account_of(path), Some(path.clone())),
        Data::Azure { .. } => (None, None),
    };
    let Some(settings) = account else {
        return Ok(Running::Local(Box::new(Stack::start(options).await?)));
    };
    if packages::wanted() {
        let told = Told { options, settings: changes, of_both };
        return Ok(Running::Packages(Box::new(Packages::start(told, &settings).await)));
    }
    let env = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let data = Data::Azure { account: Box::new(AzureAccount::read(&env)?), keys };
    Ok(Running::Local(Box::new(Stack::start(Options { data, ..options }).await?)))
}

/// The settings that name an account.
pub(crate) type AccountSettings = [(&'static str, String); 2];

/// The account that stands for `directory`, where the suite runs on Azurite: always the same one.
pub(crate) fn account_of(directory: &Path) -> Option<AccountSettings> {
    static KNOWN: LazyLock<Mutex<HashMap<PathBuf, AccountSettings>>> =
        LazyLock::new(Mutex::default);
    if let Some(known) = KNOWN.lock().unwrap().get(directory) {
        return Some(known.clone());
    }
    let account = new_account()?;
    KNOWN.lock().unwrap().insert(directory.to_owned(), account.clone());
    Some(account)
}

/// The origins of the tables and blobs of Azurite, where the suite runs on it.
fn azurite() -> Option<(String, String)> {
    ProcessEnv.get("E2E_AZURITE_TABLES").zip(ProcessEnv.get("E2E_AZURITE_BLOBS"))
}

/// An account that nobody has used, where the suite runs on Azurite. Tables have the names of
/// weeks, and each system has a time of its own.
fn new_account() -> Option<AccountSettings> {
    static USED: AtomicUsize = AtomicUsize::new(1);
    let (tables, blobs) = azurite()?;
    let number = USED.fetch_add(1, Ordering::Relaxed) + 1;
    let endpoint = |origin: &str| format!("{origin}/devstoreaccount{number}");
    Some([("SESSION_TABLES_ENDPOINT", endpoint(&tables)), ("BLOBS_ENDPOINT", endpoint(&blobs))])
}

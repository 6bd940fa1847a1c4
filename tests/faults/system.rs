//! Both apps, served from one origin with an identity provider, above accounts that can break; and
//! a client with its browser, each as far as these tests need it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use local::ManualClock;
use local::gateway::{self, Backends, FunctionKey};
use local::identity_provider::{self, CLIENT_ID, IdentityProvider, TENANT};
use local::keys::Keys;
use mcp_fn::snippets::azure::AzureBlobs;
use oauth_fn::documents::DocumentFetcher;
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use oauth_fn::protocol::preregistration::PreregisteredClients;
use oauth_fn::protocol::registration_policy::RegistrationPolicy;
use oauth_fn::upstream::Gate;
use oauth_fn::{UpstreamConfig, UpstreamCredential};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use shared::azure::Patience;
use shared::base_url::PublicBaseUrl;
use shared::session::ExpiryWeek;
use shared::storage::{AzureTables, RecordStore, TableName};
use tokio::net::TcpListener;
use url::Url;

use crate::account::{Account, azure};
use crate::blobs::Blobs;
use crate::records::Records;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT_URI: &str = "http://127.0.0.1:41000/callback";

/// How long a session lives.
const LIFETIME: Duration = Duration::from_hours(24 * 30);

/// A system with a client, and with the tables of the time: nothing is made or dropped on the way.
pub(crate) struct System {
    pub(crate) tables: Account<Records>,
    pub(crate) blobs: Account<Blobs>,
    origin: String,
    /// A browser that goes where it is told and no further, and a client in one.
    http: reqwest::Client,
    client_id: String,
}

impl System {
    pub(crate) async fn start(patience: Patience) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (tables, blobs) = (Account::<Records>::open().await, Account::open().await);
        let week = ExpiryWeek::of(ManualClock::START.plus(LIFETIME));
        // The clock stands still in December 2026.
        let quarter = TableName::of_quarter(2026, 4);
        tables.service().add_tables(&[week.table(), week.users_table(), quarter]);
        let apps = apps(&origin, patience, &tables, &blobs);
        let service = apps.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(axum::serve(listener, service).into_future());
        let none = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().cookie_store(true).redirect(none).no_proxy();
        let http = http.build().unwrap();
        let mut system = Self { tables, blobs, origin, http, client_id: String::new() };
        let registration = json!({ "client_name": "App", "redirect_uris": [REDIRECT_URI] });
        let registered = system.register(&registration).await.json();
        registered["client_id"].as_str().unwrap().clone_into(&mut system.client_id);
        system
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) async fn open(&self, url: impl AsRef<str>) -> Answer {
        Answer::of(self.http.get(url.as_ref())).await
    }

    pub(crate) async fn register(&self, registration: &Value) -> Answer {
        Answer::of(self.http.post(self.url("/register")).json(registration)).await
    }

    /// Allows the client what it asks and signs in as alice; gives the address to come back to.
    pub(crate) async fn sign_in(&self) -> Url {
        let parameters = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", REDIRECT_URI),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "client-state"),
        ];
        let url = Url::parse_with_params(&self.url("/authorize"), parameters).unwrap();
        let request = self.open(url).await.parameter("request").unwrap();
        let form = [("request", request.as_str()), ("decision", "allow")];
        let allowed = self.form("/consent", &form).await;
        self.choose_alice(&allowed.location()).await
    }

    /// Signs in at the account page.
    pub(crate) async fn visit_account(&self) {
        let begun = self.form("/account", &[("action", "sign-in")]).await;
        let callback = self.choose_alice(&begun.location()).await;
        assert_eq!(self.open(callback).await.location().path(), "/account");
    }

    async fn choose_alice(&self, identity_provider: &Url) -> Url {
        let form = format!("{}&choice=alice", identity_provider.query().unwrap());
        let request = self.http.post(self.url(identity_provider.path())).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request).await.location()
    }

    /// The whole way to a code.
    pub(crate) async fn code(&self) -> String {
        let callback = self.sign_in().await;
        let answer = self.open(callback).await;
        answer.parameter("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    /// The whole way to tokens.
    pub(crate) async fn tokens(&self) -> Tokens {
        let code = self.code().await;
        self.redeem(&code).await.tokens()
    }

    pub(crate) async fn redeem(&self, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.form("/token", &form).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("refresh_token", token),
        ];
        self.form("/token", &form).await
    }

    pub(crate) async fn revoke(&self, token: &str) -> Answer {
        let form = [("client_id", self.client_id.as_str()), ("token", token)];
        self.form("/revoke", &form).await
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, token: &str, tool: &str, arguments: Value) -> Answer {
        let params = json!({ "name": tool, "arguments": arguments });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let request = self.http.post(self.url("/mcp")).bearer_auth(token).json(&message);
        let request = request.header("accept", "application/json, text/event-stream");
        Answer::of(request.header("mcp-protocol-version", "2025-11-25")).await
    }

    /// Whether an access token is good.
    pub(crate) async fn takes(&self, token: &str) -> bool {
        let answer = self.call(token, "whoami", json!({})).await;
        match answer.status {
            StatusCode::OK => true,
            StatusCode::UNAUTHORIZED => false,
            status => panic!("{status}"),
        }
    }

    /// Sends a form as a page of ours would.
    pub(crate) async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.http.post(self.url(path)).form(form).header("origin", &self.origin);
        Answer::of(request.header("sec-fetch-site", "same-origin")).await
    }
}

fn apps(
    origin: &str,
    patience: Patience,
    tables: &Account<Records>,
    blobs: &Account<Blobs>,
) -> Router {
    let base_url = PublicBaseUrl::try_from(origin).unwrap();
    let (keys, signing) = (Keys::in_memory().unwrap(), Keys::in_memory().unwrap());
    let clock = Arc::new(ManualClock::default());
    let azure = azure(patience);
    let records =
        || -> Arc<dyn RecordStore> { Arc::new(AzureTables::new(&azure, tables.endpoint())) };
    let identity_provider = IdentityProvider::new(identity_provider::Parts {
        base_url: base_url.clone(),
        client_secret: keys.client_secret.clone(),
        signing_key: signing.signing_key,
        refresh_key: signing.refresh_key,
        sign_in_as: None,
        clock: Arc::clone(&clock) as _,
    });
    let mcp_config = mcp_fn::config::Config {
        session_cache: Duration::ZERO,
        ..mcp_fn::config::Config::new(base_url.clone(), keys.session_keys.clone())
    };
    let snippets = Arc::new(AzureBlobs::new(&azure, blobs.endpoint()).unwrap());
    let mcp_doors =
        mcp_fn::Doors { records: records(), relay: records(), clock: Arc::clone(&clock) as _ };
    let oauth_doors = oauth_fn::Doors {
        assertions: Arc::new(local::NoAssertions),
        records: records(),
        clock,
        http: shared::azure::http_client().unwrap(),
        documents: DocumentFetcher::public(),
    };
    let oauth_fn = oauth_fn::router(oauth_config(base_url, &keys), oauth_doors);
    let mcp_fn = mcp_fn::router(&mcp_config, mcp_doors, snippets);
    let identity_provider = identity_provider.router();
    let function_key = FunctionKey::generate();
    gateway::router(Backends { oauth_fn, mcp_fn, identity_provider, function_key }).unwrap()
}

fn oauth_config(base_url: PublicBaseUrl, keys: &Keys) -> oauth_fn::Config {
    oauth_fn::Config {
        session_keys: keys.session_keys.clone(),
        grant_keys: keys.grant_keys.clone(),
        upstream: UpstreamConfig {
            issuer: IdentityProvider::issuer_at(&base_url, TENANT).parse().unwrap(),
            client_id: CLIENT_ID.to_owned(),
            credential: UpstreamCredential::Secret(keys.client_secret.clone()),
            scopes: ["openid", "profile", "offline_access"].map(str::to_owned).to_vec(),
            allowed_tenants: vec![TENANT.to_owned().try_into().unwrap()],
            gate: Gate::default(),
        },
        base_url,
        registration: RegistrationPolicy::default(),
        preregistered: PreregisteredClients::default(),
        documents: DocumentPolicy::Off,
        requests_per_minute: None,
    }
}

/// What a client gets.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn location(&self) -> Url {
        let location = self.headers.get("location").unwrap_or_else(|| panic!("{self:?}"));
        let base = Url::parse("http://127.0.0.1").unwrap();
        base.join(location.to_str().unwrap()).unwrap()
    }

    /// The parameter `name` of where it leads.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let location = self.location();
        let parameters: BTreeMap<_, _> = location.query_pairs().into_owned().collect();
        parameters.get(name).cloned()
    }

    pub(crate) fn tokens(&self) -> Tokens {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let json = self.json();
        let token = |name: &str| json[name].as_str().unwrap().to_owned();
        Tokens { access: token("access_token"), refresh: token("refresh_token") }
    }
}

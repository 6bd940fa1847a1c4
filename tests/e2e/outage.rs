//! Storage is away: nothing is granted, nothing is lost, and everyone is told to try again
//! (threat 47).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures::stream;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use local::embedded::EmbeddedStore;
use local::{ManualClock, NoAssertions};
use oauth_fn::browser::{Browsers, Visit};
use oauth_fn::connections::Connections;
use oauth_fn::cookies::CookieJar;
use oauth_fn::documents::DocumentFetcher;
use oauth_fn::grant::{Connection, SESSION_LIFETIME};
use oauth_fn::grants::{Code, Refresh};
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use oauth_fn::protocol::preregistration::PreregisteredClients;
use oauth_fn::protocol::registration_policy::RegistrationPolicy;
use oauth_fn::upstream::Gate;
use oauth_fn::{Config, Doors, UpstreamConfig, UpstreamCredential};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, UnixTime};
use shared::deadline;
use shared::scope::Scopes;
use shared::seal::KeyRing;
use shared::session::{Access, ExpiryWeek, Identity, SessionId, Token, TokenKind, TokenSealer};
use shared::storage::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::running::not_on_packages;

const ORIGIN: &str = "https://gw.example.com";

/// A store that cannot be reached.
#[derive(Debug)]
struct Away;

/// A store whose every call takes so long.
#[derive(Debug)]
struct Slow {
    takes: Duration,
    store: Arc<dyn RecordStore>,
}

fn away() -> StoreError {
    StoreError::new(std::io::Error::other("connection refused by secret-account-name"))
}

#[async_trait]
impl RecordStore for Away {
    async fn create_table(&self, _: &TableName) -> Result<TableCreation, StoreError> {
        Err(away())
    }

    async fn drop_table(&self, _: &TableName) -> Result<(), StoreError> {
        Err(away())
    }

    async fn insert(&self, _: &Address, _: Record) -> Result<(), InsertError> {
        Err(away().into())
    }

    async fn get(&self, _: &Address) -> Result<Option<Versioned>, StoreError> {
        Err(away())
    }

    async fn replace(&self, _: &Address, _: Record, _: &Version) -> Result<(), ReplaceError> {
        Err(away().into())
    }

    async fn remove(&self, _: &Address) -> Result<(), StoreError> {
        Err(away())
    }

    async fn list(&self, _: &TableName, _: &Key) -> Result<Vec<(Key, Versioned)>, StoreError> {
        Err(away())
    }

    async fn page(&self, _: &TableName, _: Option<&Place>) -> Result<Page, StoreError> {
        Err(away())
    }
}

impl Slow {
    /// The store that answers: none if the time of the request is over before.
    async fn answering(&self) -> Arc<dyn RecordStore> {
        let time = deadline::at_most(self.takes);
        tokio::time::sleep(time).await;
        if time < self.takes { Arc::new(Away) } else { Arc::clone(&self.store) }
    }
}

/// A store that does not answer for as long as it is waited for, at most a minute.
fn silent() -> Arc<dyn RecordStore> {
    Arc::new(Slow { takes: Duration::from_mins(1), store: Arc::new(Away) })
}

/// A store without a row: that of another account, or one whose tables were lost.
fn empty() -> Arc<dyn RecordStore> {
    Arc::new(EmbeddedStore::in_memory().unwrap())
}

#[async_trait]
impl RecordStore for Slow {
    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        self.answering().await.create_table(table).await
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        self.answering().await.drop_table(table).await
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        self.answering().await.insert(address, record).await
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        self.answering().await.get(address).await
    }

    async fn replace(&self, at: &Address, with: Record, was: &Version) -> Result<(), ReplaceError> {
        self.answering().await.replace(at, with, was).await
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        self.answering().await.remove(address).await
    }

    async fn list(&self, table: &TableName, of: &Key) -> Result<Vec<(Key, Versioned)>, StoreError> {
        self.answering().await.list(table, of).await
    }

    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError> {
        self.answering().await.page(table, place).await
    }
}

struct Server {
    router: Router,
    session_keys: KeyRing,
    grant_keys: KeyRing,
    clock: Arc<ManualClock>,
}

impl Server {
    fn new() -> Self {
        Self::on(Arc::new(Away))
    }

    fn on(records: Arc<dyn RecordStore>) -> Self {
        not_on_packages("breaks the storage of a router in its process");
        let (session_keys, grant_keys) = (KeyRing::generate(), KeyRing::generate());
        let clock = Arc::new(ManualClock::default());
        let config = Config {
            base_url: PublicBaseUrl::try_from(ORIGIN).unwrap(),
            session_keys: session_keys.clone(),
            grant_keys: grant_keys.clone(),
            upstream: UpstreamConfig {
                issuer: "https://login.example/t/v2.0".parse().unwrap(),
                client_id: "app".to_owned(),
                credential: UpstreamCredential::Secret("secret".into()),
                scopes: Vec::new(),
                allowed_tenants: Vec::new(),
                gate: Gate::default(),
            },
            registration: RegistrationPolicy::default(),
            requests_per_minute: None,
            preregistered: PreregisteredClients::default(),
            documents: DocumentPolicy::default(),
        };
        let doors = Doors {
            records,
            clock: Arc::clone(&clock) as _,
            http: reqwest::Client::new(),
            documents: DocumentFetcher::public(),
            assertions: Arc::new(NoAssertions),
        };
        Self { router: oauth_fn::router(config, doors), session_keys, grant_keys, clock }
    }

    /// A token that could be genuine: only its row would tell.
    fn token<K: TokenKind>(&self, ring: &KeyRing) -> String {
        let end = self.clock.now().plus(Duration::from_mins(1));
        let token = Token::<K>::new(SessionId::derived_from(b"x"), ExpiryWeek::of(end), 0, end);
        TokenSealer::new(ring, ORIGIN).mint(&token).expose_secret().to_owned()
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn register(&self, registration: &Value) -> Response {
        let request = Request::post("/register").body(registration.to_string().into());
        self.send(request.unwrap()).await
    }

    async fn form(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The answer to a form of our own pages that takes so long to come.
    async fn slow_form(&self, path: &str, form: String, upload: Duration) -> Response {
        let body = Body::from_stream(stream::once(async move {
            tokio::time::sleep(upload).await;
            Ok::<_, Infallible>(form)
        }));
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", ORIGIN)
            .header("sec-fetch-site", "same-origin");
        self.send(request.body(body).unwrap()).await
    }

    /// The answer to a button of the account page.
    async fn press(&self, visit: Visit, form: &'static str) -> Response {
        let jar = CookieJar::new(&PublicBaseUrl::try_from(ORIGIN).unwrap());
        let browsers = Browsers::new(&self.grant_keys, jar);
        let request = Request::post("/account")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", browsers.seal_visit(&visit, self.clock.now()).unwrap())
            .header("origin", ORIGIN)
            .header("sec-fetch-site", "same-origin");
        self.send(request.body(form.into()).unwrap()).await
    }

    async fn client_id(&self) -> String {
        let registration = json!({ "redirect_uris": ["https://app.example/cb"] });
        let body = json_of(self.register(&registration).await).await;
        body["client_id"].as_str().unwrap().to_owned()
    }
}

async fn json_of(response: Response) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// Asserts the one answer to clients while storage is away.
async fn asks_for_patience(response: Response) {
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = json_of(response).await;
    assert_eq!(body["error"], "temporarily_unavailable");
    assert!(!body.to_string().contains("secret-account-name"), "{body}");
}

#[tokio::test]
async fn a_short_registration_needs_no_storage_and_a_long_one_is_told_to_wait() {
    let server = Server::new();
    let long = json!({ "redirect_uris": [format!("https://app.example/{}", "p".repeat(400))] });

    assert!(server.client_id().await.starts_with("mcp_client_"));
    asks_for_patience(server.register(&long).await).await;
}

#[tokio::test]
async fn a_code_is_neither_granted_nor_refused() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let code = server.token::<Code>(&server.grant_keys);
    let verifier = "v".repeat(43);

    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", "https://app.example/cb"),
        ("code_verifier", verifier.as_str()),
    ];

    asks_for_patience(server.form("/token", &form).await).await;
}

#[tokio::test]
async fn a_refresh_token_is_neither_renewed_nor_refused() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let token = server.token::<Refresh>(&server.grant_keys);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client_id.as_str()),
        ("refresh_token", token.as_str()),
    ];

    asks_for_patience(server.form("/token", &form).await).await;
}

#[tokio::test]
async fn a_revocation_that_was_not_written_is_not_confirmed() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let access = server.token::<Access>(&server.session_keys);
    let refresh = server.token::<Refresh>(&server.grant_keys);
    for token in [access, refresh] {
        let form = [("client_id", client_id.as_str()), ("token", token.as_str())];

        asks_for_patience(server.form("/revoke", &form).await).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_for_storage_no_longer_than_its_request_may_take() {
    let server = Server::on(silent());
    let client_id = server.client_id().await;
    let token = server.token::<Refresh>(&server.grant_keys);
    let began = Instant::now();

    let form = [("client_id", client_id.as_str()), ("token", token.as_str())];
    let response = server.form("/revoke", &form).await;

    assert_eq!(began.elapsed(), deadline::REQUEST);
    asks_for_patience(response).await;
}

#[tokio::test(start_paused = true)]
async fn a_form_that_comes_slowly_takes_nothing_of_the_time_for_storage() {
    let server = Server::on(silent());
    let client_id = server.client_id().await;
    let token = server.token::<Refresh>(&server.grant_keys);
    let (form, upload) =
        (format!("client_id={client_id}&token={token}"), deadline::REQUEST * 4 / 3);
    let began = Instant::now();

    let response = server.slow_form("/revoke", form, upload).await;

    assert_eq!(began.elapsed(), upload + deadline::REQUEST);
    asks_for_patience(response).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_in_time_is_given_up_with_a_sentence() {
    let server = Server::on(silent());
    for path in ["/register", "/token", "/revoke", "/consent", "/account"] {
        let began = Instant::now();

        let response = server.slow_form(path, String::new(), deadline::BODY * 2).await;

        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT, "{path}");
        assert_eq!(began.elapsed(), deadline::BODY, "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let told = match serde_json::from_slice::<Value>(&body) {
            Ok(json) => {
                assert_eq!(json["error"], "invalid_request", "{path}");
                json["error_description"]
                    == "the body took longer than 30 seconds to come: send it again"
            }
            Err(_) => {
                String::from_utf8(body.to_vec()).unwrap().contains("The form did not come in time.")
            }
        };
        assert!(told, "{path}");
    }
}

#[tokio::test]
async fn a_token_whose_row_is_nowhere_is_a_fault_of_ours_and_not_of_its_client() {
    let server = Server::on(empty());
    let client_id = server.client_id().await;
    let code = server.token::<Code>(&server.grant_keys);
    let refresh = server.token::<Refresh>(&server.grant_keys);
    let access = server.token::<Access>(&server.session_keys);
    let verifier = "v".repeat(43);

    for (path, form) in [
        (
            "/token",
            vec![
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", "https://app.example/cb"),
                ("code_verifier", verifier.as_str()),
            ],
        ),
        ("/token", vec![("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())]),
        ("/revoke", vec![("token", refresh.as_str())]),
        ("/revoke", vec![("token", access.as_str())]),
    ] {
        let client = [("client_id", client_id.as_str())];
        asks_for_patience(server.form(path, &[&client, &form[..]].concat()).await).await;
    }
}

/// A user with so many connections.
async fn connected(connections: &Connections, now: UnixTime, how_many: u32) -> Identity {
    let id = |text: &str| text.to_owned().try_into().unwrap();
    let user = Identity { tenant_id: id("t"), object_id: id("o"), name: "Alice".to_owned() };
    for number in 0..how_many {
        let connection = Connection {
            session: SessionId::derived_from(&number.to_be_bytes()),
            ends_at: now.plus(SESSION_LIFETIME),
            user: user.clone(),
            client_id: "app".to_owned(),
            client_name: "App".to_owned(),
            scopes: Scopes::all(),
            since: now,
        };
        connections.note(&connection).await.unwrap();
    }
    user
}

#[tokio::test(start_paused = true)]
async fn a_user_with_many_connections_ends_them_all_with_one_request() {
    let records = empty();
    let takes = Duration::from_millis(500);
    let server = Server::on(Arc::new(Slow { takes, store: Arc::clone(&records) }));
    let now = server.clock.now();
    let connections = Connections::new(&server.grant_keys, records, Arc::clone(&server.clock) as _);
    let user = connected(&connections, now, 64).await;
    let visit = Visit::new(user.clone(), now);

    let response = server.press(visit, "action=revoke-all").await;

    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert!(connections.of_user(&user.user_key()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_needs_no_storage_goes_on() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let query = format!(
        "response_type=code&client_id={client_id}&redirect_uri=https://app.example/cb\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    for (path, status) in [
        ("/".to_owned(), StatusCode::OK),
        ("/.well-known/oauth-authorization-server".to_owned(), StatusCode::OK),
        (format!("/authorize?{query}"), StatusCode::FOUND),
    ] {
        let response = server.send(Request::get(&path).body(Body::empty()).unwrap()).await;

        assert_eq!(response.status(), status, "{path}");
    }
}

#[tokio::test]
async fn over_https_every_cookie_has_the_host_prefix() {
    let server = Server::new();
    let client_id = server.client_id().await;
    let path = format!(
        "/authorize?response_type=code&client_id={client_id}&redirect_uri=https://app.example/cb\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );

    let response = server.send(Request::get(&path).body(Body::empty()).unwrap()).await;

    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-mcp-browser="), "{cookie}");
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    assert!(!cookie.contains("Domain"), "{cookie}");
}

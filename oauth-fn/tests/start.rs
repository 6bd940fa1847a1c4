//! The deployed oauth-fn comes up whatever its settings lead to, and tells what is wrong with them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../../tests/deployed/process.rs"]
#[expect(dead_code, reason = "the tests of mcp-fn need more of it")]
mod process;

use std::time::Duration;

use oauth_fn::browser::{Browsers, Visit};
use oauth_fn::cookies::CookieJar;
use oauth_fn::grants::Code;
use process::{Account, Process, endpoint, free_port};
use secrecy::ExposeSecret;
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, SystemClock};
use shared::seal::KeyRing;
use shared::session::{ExpiryWeek, Identity, SessionId, Token, TokenSealer};

const ORIGIN: &str = "https://gw.example.com";
const TENANT: &str = "6f2b7a1c-3d53-4d5c-9a57-0b1f6f3e7a10";

/// oauth-fn, and the keys that it was given.
struct OauthFn {
    process: Process,
    grant_keys: KeyRing,
}

impl OauthFn {
    fn start(settings: &[(&str, &str)]) -> Self {
        let (session_keys, grant_keys) = (KeyRing::generate(), KeyRing::generate());
        let rings = [session_keys.to_setting(), grant_keys.to_setting()];
        let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        let usual = [
            ("PUBLIC_BASE_URL", ORIGIN),
            ("SESSION_KEYS", rings[0].expose_secret()),
            ("GRANT_KEYS", rings[1].expose_secret()),
            ("UPSTREAM_ISSUER", &issuer),
            ("UPSTREAM_CLIENT_ID", "oauth-fn"),
            ("UPSTREAM_CREDENTIAL", "a-secret-of-the-application"),
            ("ALLOWED_TENANTS", TENANT),
        ];
        let settings = [&usual[..], settings].concat();
        Self { process: Process::start(env!("CARGO_BIN_EXE_oauth-fn"), &settings), grant_keys }
    }

    /// The answer to a code that could be genuine: only its row would tell.
    fn redeem(&self) -> (u16, String) {
        let registration = r#"{ "redirect_uris": ["https://app.example/cb"] }"#;
        let (_, registered) = self.process.ask("POST /register", registration);
        let (_, client) = registered.split_once("\"client_id\":\"").unwrap();
        let client_id = client.split('"').next().unwrap();
        let end = SystemClock.now().plus(Duration::from_mins(1));
        let token = Token::<Code>::new(SessionId::derived_from(b"x"), ExpiryWeek::of(end), 0, end);
        let code = TokenSealer::new(&self.grant_keys, ORIGIN).mint(&token);
        let form = format!(
            "grant_type=authorization_code&client_id={client_id}&code={}\
             &redirect_uri=https%3A%2F%2Fapp.example%2Fcb&code_verifier={}",
            code.expose_secret(),
            "v".repeat(43)
        );
        let head = "POST /token\ncontent-type: application/x-www-form-urlencoded\n";
        self.process.ask(head, &form)
    }

    /// The answer to a user who is signed in at the account page.
    fn look_at_account(&self) -> (u16, String) {
        let id = |text: &str| text.to_owned().try_into().unwrap();
        let (tenant_id, object_id) = (id(TENANT), id("a11ce000-0000-4000-8000-000000000001"));
        let user = Identity { tenant_id, object_id, name: "Alice".to_owned() };
        let jar = CookieJar::new(&PublicBaseUrl::try_from(ORIGIN).unwrap());
        let now = SystemClock.now();
        let browsers = Browsers::new(&self.grant_keys, jar);
        let cookie = browsers.seal_visit(&Visit::new(user, now), now).unwrap();
        let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        self.process.ask(&format!("GET /account\ncookie: {cookie}\n"), "")
    }
}

/// Asserts what every caller is told, and that one line of the log says what to mend.
fn is_told(settings: &[(&str, &str)], cause: &str, role: &str) {
    let server = OauthFn::start(settings);
    let (status, answer) = server.redeem();
    assert_eq!(status, 503, "{cause}: {answer}");
    assert!(answer.contains("retry-after: 5\r\n"), "{cause}: {answer}");
    assert!(answer.contains(r#""error":"temporarily_unavailable""#), "{cause}: {answer}");
    let line = server.process.complaint();
    for word in ["SESSION_TABLES_ENDPOINT: cannot read a record: ", cause, role] {
        assert!(line.contains(word), "{word}: {line}");
    }

    let server = OauthFn::start(settings);
    let (status, answer) = server.look_at_account();
    assert_eq!(status, 503, "{cause}: {answer}");
    assert!(answer.contains("The server cannot reach its storage."), "{cause}: {answer}");
    let line = server.process.complaint();
    for word in ["SESSION_TABLES_ENDPOINT: cannot list a partition: ", cause, role] {
        assert!(line.contains(word), "{word}: {line}");
    }
}

const READER: &str = "has the role Storage Table Data Reader";

#[test]
fn it_answers_before_it_asks_storage_for_anything() {
    let account = Account::answering(403, "AuthorizationPermissionMismatch", "");
    let endpoint = endpoint(account.port);
    let server = OauthFn::start(&[("SESSION_TABLES_ENDPOINT", &endpoint)]);

    let (page, _) = server.process.ask("GET /", "");
    let (metadata, _) = server.process.ask("GET /.well-known/oauth-authorization-server", "");

    assert_eq!((page, metadata), (200, 200));
    assert_eq!(account.requests(), 0);
    server.redeem();
    assert_eq!(account.requests(), 1);
}

#[test]
fn an_endpoint_at_which_nothing_listens_is_named() {
    let endpoint = endpoint(free_port());

    is_told(&[("SESSION_TABLES_ENDPOINT", &endpoint)], "no answer (", READER);
}

#[test]
fn an_endpoint_that_is_no_account_is_named() {
    let endpoint = endpoint(Account::answering(404, "", "<html>").port);

    is_told(&[("SESSION_TABLES_ENDPOINT", &endpoint)], "404", READER);
}

#[test]
fn an_account_without_the_row_of_a_good_code_is_named() {
    let account = endpoint(Account::answering(404, "TableNotFound", "").port);
    let server = OauthFn::start(&[("SESSION_TABLES_ENDPOINT", &account)]);

    let (status, answer) = server.redeem();

    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains(r#""error":"temporarily_unavailable""#), "{answer}");
    let line = server.process.complaint();
    let expected = "SESSION_TABLES_ENDPOINT must name the account that it was written to";
    assert!(line.contains(expected), "{line}");
}

#[test]
fn a_role_that_is_missing_is_named() {
    let code = "AuthorizationPermissionMismatch";
    let endpoint = endpoint(Account::answering(403, code, "").port);

    is_told(&[("SESSION_TABLES_ENDPOINT", &endpoint)], code, READER);
}

#[test]
fn an_identity_that_gets_no_token_is_named() {
    let nowhere = format!("http://127.0.0.1:{}/msi/token", free_port());
    let settings = [
        ("SESSION_TABLES_ENDPOINT", "https://nobody.table.core.windows.net"),
        ("AZURE_CLIENT_ID", "7d1ea1e6-3b34-4cd7-a53d-a2a9a4ed0e6a"),
        ("IDENTITY_ENDPOINT", &nowhere),
        ("IDENTITY_HEADER", "header"),
    ];

    is_told(&settings, "no token for the identity AZURE_CLIENT_ID", READER);
}

//! The deployed mcp-fn comes up whatever its settings lead to, and tells what is wrong with them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../../tests/deployed/process.rs"]
mod process;

use std::time::Duration;

use process::{Account, Process, endpoint, free_port};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, SystemClock};
use shared::scope::Scopes;
use shared::seal::KeyRing;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    TokenSealer,
};
use shared::storage::Record;

const ORIGIN: &str = "https://gw.example.com";

/// A session: its keys, its token, and its row as Table Storage answers it.
struct SignedIn {
    keys: KeyRing,
    token: String,
    row: String,
}

impl SignedIn {
    fn new() -> Self {
        let keys = KeyRing::generate();
        let base_url = PublicBaseUrl::try_from(ORIGIN).unwrap();
        let expires_at = SystemClock.now().plus(Duration::from_mins(10));
        let week = ExpiryWeek::of(expires_at);
        let token = SessionToken::new(SessionId::derived_from(b"x"), week, 0, expires_at);
        let session = Session {
            identity: Identity {
                tenant_id: "tenant-1".to_owned().try_into().unwrap(),
                object_id: "user-1".to_owned().try_into().unwrap(),
                name: "Alice".to_owned(),
            },
            client_id: "client-1".to_owned(),
            client_name: "App".to_owned(),
            resource: base_url.resource(),
            scopes: Scopes::all(),
            expires_at,
        };
        let entra_access_token = EntraAccessToken::new("entra".to_owned().into());
        let claims = Claims { session, entra_access_token };
        let record = ClaimsSealer::new(&keys).write(Record::default(), &token, &claims);
        let token = TokenSealer::new(&keys, ORIGIN).mint(&token).expose_secret().to_owned();
        Self { keys, token, row: entity(&record) }
    }

    fn start(&self, tables: u16, blobs: u16) -> Process {
        let (keys, tables, blobs) = (self.keys.to_setting(), endpoint(tables), endpoint(blobs));
        let settings = [
            ("PUBLIC_BASE_URL", ORIGIN),
            ("SESSION_KEYS", keys.expose_secret()),
            ("SESSION_TABLES_ENDPOINT", &tables),
            ("BLOBS_ENDPOINT", &blobs),
        ];
        Process::start(env!("CARGO_BIN_EXE_mcp-fn"), &settings)
    }

    /// The answer to a call that needs the session, and the snippets.
    fn call(&self, process: &Process) -> (u16, String) {
        let head = format!(
            "POST /mcp\nauthorization: Bearer {}\naccept: application/json, text/event-stream\n\
             content-type: application/json\nmcp-protocol-version: 2025-11-25\n",
            self.token
        );
        let message = r#"{ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "list_snippets", "arguments": {} } }"#;
        process.ask(&head, message)
    }
}

fn entity(record: &Record) -> String {
    let mut entity = Map::<String, Value>::new();
    for name in ["PartitionKey", "RowKey", "odata.etag"] {
        entity.insert(name.to_owned(), "x".into());
    }
    for (name, bytes) in record.columns() {
        entity.insert(format!("{name}@odata.type"), "Edm.Binary".into());
        entity.insert(name.to_owned(), azure_core::base64::encode(bytes).into());
    }
    Value::Object(entity).to_string()
}

#[test]
fn it_answers_before_it_asks_storage_for_anything() {
    let signed_in = SignedIn::new();
    let account = Account::answering(403, "AuthorizationPermissionMismatch", "");
    let process = signed_in.start(account.port, account.port);

    let (page, _) = process.ask("GET /", "");
    let (metadata, _) = process.ask("GET /.well-known/oauth-protected-resource/mcp", "");
    let (challenge, _) = process.ask("POST /mcp", "");

    assert_eq!((page, metadata, challenge), (200, 200, 401));
    assert_eq!(account.requests(), 0);
    signed_in.call(&process);
    assert_eq!(account.requests(), 1);
}

#[test]
fn a_table_endpoint_that_is_wrong_or_lacks_its_role_is_named_and_the_caller_is_told_to_wait() {
    let code = "AuthorizationPermissionMismatch";
    for (port, cause) in [
        (free_port(), "no answer ("),
        (Account::answering(404, "", "<html>").port, "404"),
        (Account::answering(403, code, "").port, code),
    ] {
        let signed_in = SignedIn::new();
        let process = signed_in.start(port, free_port());

        let (status, answer) = signed_in.call(&process);

        assert_eq!(status, 503, "{cause}: {answer}");
        assert!(answer.contains("retry-after: 5\r\n"), "{cause}: {answer}");
        assert!(answer.contains(r#""error":"temporarily_unavailable""#), "{cause}: {answer}");
        let line = process.complaint();
        let setting = "SESSION_TABLES_ENDPOINT: cannot read a record: ";
        for word in [setting, cause, "has the role Storage Table Data Reader"] {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
}

#[test]
fn an_account_that_oauth_fn_does_not_write_to_is_named() {
    let signed_in = SignedIn::new();
    let account = Account::answering(404, "TableNotFound", "");
    let process = signed_in.start(account.port, free_port());

    let (status, answer) = signed_in.call(&process);

    assert_eq!(status, 503, "{answer}");
    let line = process.complaint();
    let advice = "SESSION_TABLES_ENDPOINT must name the account that oauth-fn writes to";
    assert!(line.contains(advice), "{line}");
}

#[test]
fn a_blob_endpoint_that_is_wrong_or_lacks_its_role_is_named_and_the_tool_says_to_wait() {
    let code = "AuthorizationPermissionMismatch";
    for (port, cause) in [
        (free_port(), "no answer ("),
        (Account::answering(404, "ContainerNotFound", "").port, "404 ContainerNotFound"),
        (Account::answering(403, code, "").port, code),
    ] {
        let signed_in = SignedIn::new();
        let tables = Account::answering(200, "", &signed_in.row);
        let process = signed_in.start(tables.port, port);

        let (status, answer) = signed_in.call(&process);

        assert_eq!(status, 200, "{cause}: {answer}");
        assert!(answer.contains("Snippets cannot be reached right now."), "{cause}: {answer}");
        let line = process.complaint();
        let setting = "BLOBS_ENDPOINT: cannot list snippets: ";
        for word in [setting, cause, "has the role Storage Blob Data Contributor"] {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
}

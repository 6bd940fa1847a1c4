//! A user who is signed in, for the deployed mcp-fn and for servers in its place.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, SystemClock};
use shared::scope::Scopes;
use shared::seal::KeyRing;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    TokenSealer,
};
use shared::storage::Record;

use crate::process::{Process, endpoint};

const ORIGIN: &str = "https://gw.example.com";

/// A session: its keys, its token, and its row as Table Storage answers it.
pub(crate) struct SignedIn {
    keys: KeyRing,
    pub(crate) token: String,
    pub(crate) row: String,
}

impl SignedIn {
    /// Alice, through some client.
    pub(crate) fn new() -> Self {
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

    /// Starts `binary` with the settings that every server has, and its own. The account of the
    /// sessions is at the port `tables`.
    pub(crate) fn start(&self, binary: &str, tables: u16, own: &[(&str, &str)]) -> Process {
        let (keys, tables) = (self.keys.to_setting(), endpoint(tables));
        let all = [
            ("PUBLIC_BASE_URL", ORIGIN),
            ("SESSION_KEYS", keys.expose_secret()),
            ("SESSION_TABLES_ENDPOINT", &tables),
            ("RELAY_TABLES_ENDPOINT", &tables),
        ];
        Process::start(binary, &[&all, own].concat())
    }

    /// The answer to a call of `tool`.
    pub(crate) fn call(&self, process: &Process, tool: &str, arguments: &Value) -> (u16, String) {
        let head = format!(
            "POST /mcp\nauthorization: Bearer {}\naccept: application/json, text/event-stream\n\
             content-type: application/json\nmcp-protocol-version: 2025-11-25\n",
            self.token
        );
        let params = json!({ "name": tool, "arguments": arguments });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        process.ask(&head, &message.to_string())
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

//! A user who is signed in: a session in memory, and its access token.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use local::embedded::EmbeddedStore;
use mcp_fn::Doors;
use mcp_fn::config::Config;
use secrecy::ExposeSecret;
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, SystemClock};
use shared::scope::Scopes;
use shared::seal::KeyRing;
use shared::secret::random_bytes;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    TokenSealer,
};
use shared::storage::{Record, RecordStore};

/// Longer than the suite takes.
const TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// A server's configuration, its doors, and the token of its only session.
pub(crate) struct SignedIn {
    pub(crate) config: Config,
    pub(crate) doors: Doors,
    pub(crate) token: String,
}

impl SignedIn {
    /// Signs somebody in at `base_url`.
    pub(crate) async fn new(base_url: PublicBaseUrl) -> Result<Self, Box<dyn Error>> {
        let keys = KeyRing::generate();
        let expires_at = SystemClock.now().plus(TOKEN_LIFETIME);
        let week = ExpiryWeek::of(expires_at);
        let id = SessionId::derived_from(&random_bytes::<32>());
        let token = SessionToken::new(id, week, 0, expires_at);
        let session = Session {
            identity: Identity {
                tenant_id: "tenant-1".to_owned().try_into()?,
                object_id: "user-1".to_owned().try_into()?,
                name: "The user of the suite".to_owned(),
            },
            client_id: "conformance".to_owned(),
            client_name: "MCP conformance suite".to_owned(),
            resource: base_url.resource(),
            scopes: Scopes::all(),
            expires_at,
        };
        let entra_access_token = EntraAccessToken::new("none".to_owned().into());
        let claims = Claims { session, entra_access_token };
        let row = ClaimsSealer::new(&keys).write(Record::default(), &token, &claims);
        let store = EmbeddedStore::in_memory()?;
        store.create_table(&week.table()).await?;
        store.insert(&token.session.address(week), row).await?;
        let minted = TokenSealer::new(&keys, base_url.as_str()).mint(&token);
        let records: Arc<dyn RecordStore> = Arc::new(store);
        let doors = Doors { relay: Arc::clone(&records), records, clock: Arc::new(SystemClock) };
        let token = minted.expose_secret().to_owned();
        Ok(Self { config: Config::new(base_url, keys), doors, token })
    }
}

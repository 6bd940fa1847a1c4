//! Users who are signed in: their sessions, written as oauth-fn does.

use std::sync::Arc;
use std::time::Duration;

use local::ManualClock;
use secrecy::ExposeSecret;
use shared::base_url::PublicBaseUrl;
use shared::clock::UnixTime;
use shared::scope::Scopes;
use shared::seal::KeyRing;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    TokenSealer,
};
use shared::storage::{Record, RecordStore};

use crate::memory::MemoryStore;

/// When every simulation begins.
pub(crate) const START: UnixTime = ManualClock::START;

/// Longer than any simulation.
const SESSION: Duration = Duration::from_hours(24);

/// Users, and where their sessions lie.
#[derive(Debug)]
pub(crate) struct Users {
    pub(crate) keys: KeyRing,
    pub(crate) records: Arc<dyn RecordStore>,
    /// An access token of each user.
    pub(crate) tokens: Vec<String>,
}

impl Users {
    /// So many users.
    pub(crate) async fn sign_in(many: usize) -> Self {
        let keys = KeyRing::generate();
        let records = Arc::new(MemoryStore::default());
        let week = ExpiryWeek::of(START.plus(SESSION));
        records.create_table(&week.table()).await.unwrap();
        let claims = ClaimsSealer::new(&keys);
        let minter = TokenSealer::new(&keys, base_url().as_str());
        let mut tokens = Vec::with_capacity(many);
        for number in 0..many {
            let id = SessionId::derived_from(&number.to_be_bytes());
            let token = SessionToken::new(id, week, 0, START.plus(SESSION));
            let entra_access_token = EntraAccessToken::new("entra".into());
            let held = Claims { session: session(number), entra_access_token };
            let record = claims.write(Record::default(), &token, &held);
            records.insert(&token.session.address(week), record).await.unwrap();
            tokens.push(minter.mint(&token).expose_secret().to_owned());
        }
        Self { keys, records, tokens }
    }
}

/// Where clients believe the server to be.
pub(crate) fn base_url() -> PublicBaseUrl {
    PublicBaseUrl::try_from("https://gw.example.com").unwrap()
}

fn session(number: usize) -> Session {
    let id = |text: String| text.try_into().unwrap();
    Session {
        identity: Identity {
            tenant_id: id("tenant".to_owned()),
            object_id: id(number.to_string()),
            name: format!("User {number}"),
        },
        client_id: "client".to_owned(),
        client_name: "Test".to_owned(),
        resource: base_url().resource(),
        scopes: Scopes::all(),
        expires_at: START.plus(SESSION),
    }
}

//! Three instances, a gateway before them, and the sessions of their users.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret;
use shared::azure::{Azure, AzureIdentity, StorageEndpoint, StorageService, http_client};
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, SystemClock};
use shared::config::{Env, ProcessEnv, Settings};
use shared::scope::Scopes;
use shared::seal::KeyRing;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    TokenSealer,
};
use shared::storage::{AzureTables, Record, RecordStore};

use crate::gateway::{Backends, Gateway};
use crate::instance::Instance;

const INSTANCES: usize = 3;
const USERS: usize = 10;
const ORIGIN: &str = "https://gw.example.com";

/// What the tests talk to.
#[derive(Debug)]
pub(crate) struct Cluster {
    instances: Vec<Instance>,
    gateway: Gateway,
    /// An access token of each user.
    tokens: Vec<String>,
    here: AtomicUsize,
    elsewhere: AtomicUsize,
}

impl Cluster {
    /// Starts it all. The users of one `name` have no sessions of another.
    pub(crate) async fn start(name: &str) -> Arc<Self> {
        let keys = KeyRing::generate();
        let tokens = sessions(name, &keys).await;
        let tables = setting("AZURITE_TABLES");
        let settings = [
            ("PUBLIC_BASE_URL", ORIGIN.to_owned()),
            ("SESSION_KEYS", keys.to_setting().expose_secret().to_owned()),
            ("SESSION_TABLES_ENDPOINT", tables.clone()),
            ("RELAY_TABLES_ENDPOINT", tables),
            ("BLOBS_ENDPOINT", setting("AZURITE_BLOBS")),
        ];
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            instances.push(Instance::start(&settings).await);
        }
        let ports = instances.iter().map(|instance| instance.port).collect();
        let gateway = Gateway::open(Backends::new(ports)).await;
        let (here, elsewhere) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { instances, gateway, tokens, here, elsewhere })
    }

    /// Kills the instance `number` without a word.
    pub(crate) async fn kill(&self, number: usize) {
        // In the midst of the messages, and not before the first of them.
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.instances[number].kill();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.gateway.port)
    }

    /// The access token of a stream's user.
    pub(crate) fn token(&self, stream: usize) -> &str {
        &self.tokens[stream % USERS]
    }

    /// Counts a message that landed on `landed`, while its stream is held on `held`.
    pub(crate) fn count(&self, landed: usize, held: usize) {
        let counter = if landed == held { &self.here } else { &self.elsewhere };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages that landed on the instance that holds their stream.
    pub(crate) fn messages_here(&self) -> usize {
        self.here.load(Ordering::Relaxed)
    }

    /// Messages that landed on another one.
    pub(crate) fn messages_elsewhere(&self) -> usize {
        self.elsewhere.load(Ordering::Relaxed)
    }
}

fn setting(name: &str) -> String {
    ProcessEnv.get(name).unwrap_or_else(|| panic!("{name} is not set: is Azurite there?"))
}

fn tables() -> AzureTables {
    let mut settings = Settings::new(&ProcessEnv);
    let endpoint = StorageEndpoint::read(&mut settings, "AZURITE_TABLES", StorageService::Table);
    let azure = Azure::new(&AzureIdentity::Developer, http_client().unwrap()).unwrap();
    AzureTables::new(&azure, endpoint.unwrap())
}

/// Writes a session for each user, as oauth-fn does.
async fn sessions(name: &str, keys: &KeyRing) -> Vec<String> {
    let records = tables();
    let expires_at = SystemClock.now().plus(Duration::from_hours(1));
    let week = ExpiryWeek::of(expires_at);
    records.create_table(&week.table()).await.unwrap();
    let (claims, tokens) = (ClaimsSealer::new(keys), TokenSealer::new(keys, ORIGIN));
    let mut minted = Vec::new();
    for user in 0..USERS {
        let id = SessionId::derived_from(&shared::secret::random_bytes::<32>());
        let token = SessionToken::new(id, week, 1, expires_at);
        let text = |text: String| text.try_into().unwrap();
        let identity = Identity {
            tenant_id: text("tenant".to_owned()),
            object_id: text(format!("{name}{user}")),
            name: format!("User {user}"),
        };
        let session = Session {
            identity,
            client_id: "client".to_owned(),
            client_name: "Test".to_owned(),
            resource: PublicBaseUrl::try_from(ORIGIN).unwrap().resource(),
            scopes: Scopes::all(),
            expires_at,
        };
        let entra_access_token = EntraAccessToken::new("x".into());
        let held = Claims { session, entra_access_token };
        let record = claims.write(Record::default(), &token, &held);
        records.insert(&token.session.address(week), record).await.unwrap();
        minted.push(tokens.mint(&token).expose_secret().to_owned());
    }
    minted
}

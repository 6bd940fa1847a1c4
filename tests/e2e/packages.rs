//! The packages as they are deployed, on Azurite, with a way of a test to their data; what they ask of
//! it is counted.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use functions_host::relay;
use local::Data;
use local::azure::AzureAccount;
use local::keys::Keys;
use reqwest::Method;
use shared::config::{Env, ProcessEnv};
use shared::storage::{CountedStore, StorageCalls};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::running::Told;
use crate::system::AccountSettings;
use packaged::{OwnSettings, PackagedSystem, Unpacked};

#[path = "../packages/system/mod.rs"]
mod packaged;

/// Whether the suite runs on packages: `E2E_PACKAGES` names the directory that they are in.
pub(crate) fn wanted() -> bool {
    DIRECTORY.is_some()
}

static DIRECTORY: LazyLock<Option<String>> = LazyLock::new(|| ProcessEnv.get("E2E_PACKAGES"));

/// oauth-fn and mcp-fn, unpacked once for all tests.
static UNPACKED: LazyLock<Unpacked> =
    LazyLock::new(|| Unpacked::from(Path::new(DIRECTORY.as_ref().unwrap())).unwrap());

/// A system of packages. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Packages {
    pub(crate) system: PackagedSystem,
    pub(crate) records: Arc<CountedStore>,
    pub(crate) oauth_calls: Arc<Calls>,
    pub(crate) mcp_calls: Arc<Calls>,
    counters: [JoinHandle<()>; 2],
}

impl Packages {
    /// What `told` says, with its data in `account`.
    pub(crate) async fn start(told: Told, account: &AccountSettings) -> Self {
        let Told { options, settings: changes, of_both } = told;
        let [tables, blobs] = account.clone();
        let (oauth_calls, mcp_calls) = (Arc::<Calls>::default(), Arc::<Calls>::default());
        let (of_oauth, oauth_counter) = counted(&tables.1, &oauth_calls).await;
        let (of_mcp, mcp_counter) = counted(&tables.1, &mcp_calls).await;
        let mut oauth_fn = changes;
        oauth_fn.push((tables.0, of_oauth));
        oauth_fn.extend(of_both.clone());
        let mut mcp_fn = vec![
            (tables.0, of_mcp),
            // What goes from instance to instance is no call of an operation.
            ("RELAY_TABLES_ENDPOINT", tables.1),
            blobs,
            // Revoked at once: nobody can wait half a minute for each test.
            ("SESSION_CACHE_SECONDS", "0".to_owned()),
        ];
        mcp_fn.extend(of_both);
        let records = open(account).await;
        let own = OwnSettings { oauth_fn, mcp_fn };
        let system = PackagedSystem::start(&UNPACKED, keys(&options.data), &options, own).await;
        let (system, counters) = (system.unwrap(), [oauth_counter, mcp_counter]);
        Self { system, records, oauth_calls, mcp_calls, counters }
    }

    /// Ends the system, and frees its address.
    pub(crate) async fn stop(mut self) {
        self.system.stop().await;
    }
}

impl Drop for Packages {
    #[expect(clippy::print_stdout, reason = "it is shown with the test that failed")]
    fn drop(&mut self) {
        self.counters.iter().for_each(JoinHandle::abort);
        if std::thread::panicking() {
            self.system.log().for_each(|line| println!("{:?}: {}", line.level, line.text));
        }
    }
}

/// The keys that a system on `data` has, or is to have.
fn keys(data: &Data) -> Keys {
    match data {
        Data::Directory(path) => {
            std::fs::create_dir_all(path).unwrap();
            Keys::in_file(&path.join("keys.json")).unwrap()
        }
        Data::Memory | Data::Azure { .. } => Keys::in_memory().unwrap(),
    }
}

/// The account as a deployment leaves it, and the way of a test to its rows.
async fn open(account: &AccountSettings) -> Arc<CountedStore> {
    let env = account.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (tables, _) = AzureAccount::read(&env).unwrap().open().await.unwrap();
    Arc::new(CountedStore::new(Arc::new(tables)))
}

/// What an app asked of Table Storage, seen on the way.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    reads: AtomicU64,
    writes: AtomicU64,
    tables: AtomicU64,
}

impl Calls {
    pub(crate) fn so_far(&self) -> StorageCalls {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StorageCalls { reads: of(&self.reads), writes: of(&self.writes), tables: of(&self.tables) }
    }

    fn count(&self, request: &Request) {
        let of_tables = request.uri().path().contains("/Tables");
        let count = match *request.method() {
            _ if of_tables => &self.tables,
            Method::GET => &self.reads,
            _ => &self.writes,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// An endpoint that leads to `endpoint` and counts what passes, and who serves it.
async fn counted(endpoint: &str, calls: &Arc<Calls>) -> (String, JoinHandle<()>) {
    let url = Url::parse(endpoint).unwrap();
    let azurite = url.socket_addrs(|| None).unwrap()[0];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let counting = relay(azurite).layer(from_fn_with_state(Arc::clone(calls), count));
    let counter = tokio::spawn(async { axum::serve(listener, counting).await.unwrap() });
    (format!("http://{here}{}", url.path()), counter)
}

async fn count(State(calls): State<Arc<Calls>>, request: Request, next: Next) -> Response {
    calls.count(&request);
    next.run(request).await
}

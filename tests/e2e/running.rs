//! What a test runs on: the local system in this process, or the packages that are deployed.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use local::identity_provider::IdentityProvider;
use local::{ManualClock, Options, Stack};
use oauth_fn::Config;
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, SystemClock, UnixTime};
use shared::config::{Env, ProcessEnv, Settings};
use shared::storage::{CountedStore, StorageCalls};

use crate::packages::{self, Packages};

/// A running system.
#[derive(Debug)]
pub(crate) enum Running {
    Local(Box<Stack>),
    Packages(Box<Packages>),
}

impl Running {
    pub(crate) fn base_url(&self) -> &PublicBaseUrl {
        match self {
            Self::Local(stack) => stack.base_url(),
            Self::Packages(packages) => &packages.system.base_url,
        }
    }

    pub(crate) fn identity_provider(&self) -> &IdentityProvider {
        match self {
            Self::Local(stack) => stack.identity_provider(),
            Self::Packages(packages) => &packages.system.identity_provider,
        }
    }

    /// The way of a test to the rows of oauth-fn.
    pub(crate) fn oauth_records(&self) -> &Arc<CountedStore> {
        match self {
            Self::Local(stack) => stack.oauth_records(),
            Self::Packages(packages) => &packages.records,
        }
    }

    pub(crate) fn oauth_calls(&self) -> StorageCalls {
        match self {
            Self::Local(stack) => stack.oauth_records().calls(),
            Self::Packages(packages) => packages.oauth_calls.so_far(),
        }
    }

    pub(crate) fn mcp_calls(&self) -> StorageCalls {
        match self {
            Self::Local(stack) => stack.mcp_records().calls(),
            Self::Packages(packages) => packages.mcp_calls.so_far(),
        }
    }

    pub(crate) async fn stop(self) {
        match self {
            Self::Local(stack) => stack.stop().await,
            Self::Packages(packages) => packages.stop().await,
        }
    }
}

/// The clock of a system. It stands still until it is moved; that of packages is the machine's, and
/// nobody moves it.
#[derive(Debug, Default)]
pub(crate) struct TestClock(ManualClock);

impl TestClock {
    pub(crate) fn advance(&self, duration: Duration) {
        not_on_packages("moves the clock");
        self.0.advance(duration);
    }

    pub(crate) fn set(&self, now: UnixTime) {
        not_on_packages("moves the clock");
        self.0.set(now);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        if packages::wanted() { SystemClock.now() } else { self.0.now() }
    }
}

/// How a system is started: in its own words, and in those of the settings that say the same.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) options: Options,
    /// Settings of oauth-fn.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// Settings of both apps.
    pub(crate) of_both: Vec<(&'static str, String)>,
}

impl From<Options> for Told {
    fn from(options: Options) -> Self {
        Self { options, settings: Vec::new(), of_both: Vec::new() }
    }
}

impl Told {
    /// What `options` say, changed by settings of oauth-fn about clients and users.
    pub(crate) fn by(options: Options, changes: &[(&'static str, &str)]) -> Self {
        let changes = changes.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let told = Changed(changes);
        let mut settings = Settings::new(&told);
        let config = Config::read(&mut settings);
        let config = settings.finish(config).unwrap();
        let options = Options {
            gate: config.upstream.gate,
            preregistered: config.preregistered,
            registration: config.registration,
            ..options
        };
        Self { options, settings: told.0, of_both: Vec::new() }
    }
}

/// Settings with which oauth-fn starts, but for some.
struct Changed(Vec<(&'static str, String)>);

impl Env for Changed {
    fn get(&self, name: &str) -> Option<String> {
        let changed = self.0.iter().find(|(changed, _)| *changed == name);
        changed.map(|(_, value)| value.clone()).or_else(|| {
            [
                ("PUBLIC_BASE_URL", "https://gw.example.com"),
                ("SESSION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                ("GRANT_KEYS", "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="),
                ("UPSTREAM_ISSUER", "https://login.microsoftonline.com/t/v2.0"),
                ("UPSTREAM_CLIENT_ID", "oauth-fn"),
                ("UPSTREAM_CREDENTIAL", "federated"),
                ("ALLOWED_TENANTS", "6f2b7a1c-3d53-4d5c-9a57-0b1f6f3e7a10"),
            ]
            .get(name)
        })
    }
}

/// Ends the test if it runs on packages, where it cannot do what it `does`. The file that
/// `E2E_NOT_ON_PACKAGES` names tells those tests from the ones that failed.
pub(crate) fn not_on_packages(does: &str) {
    if !packages::wanted() {
        return;
    }
    let thread = std::thread::current();
    let test = thread.name().unwrap();
    let path = ProcessEnv.get("E2E_NOT_ON_PACKAGES").unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{test}\t{does}\n").as_bytes()).unwrap();
    panic!("not on packages: it {does}");
}

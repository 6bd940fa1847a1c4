//! What a system is started with.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mcp_fn::config::LegacySse;
use oauth_fn::documents::DocumentFetcher;
use oauth_fn::limits::REQUESTS_PER_MINUTE;
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use oauth_fn::protocol::preregistration::PreregisteredClients;
use oauth_fn::protocol::registration_policy::RegistrationPolicy;
use oauth_fn::upstream::Gate;
use shared::clock::{Clock, SystemClock};

use crate::azure::AzureAccount;
use crate::identity_provider::Person;

/// What a system is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen, on this machine; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data: Data,
    /// Whom the identity provider signs in without asking.
    pub sign_in_as: Option<Person>,
    /// How long mcp-fn believes a session that it has read.
    pub session_cache: Duration,
    /// Whether mcp-fn serves HTTP+SSE, and how long its streams live.
    pub legacy_sse: LegacySse,
    /// Where the clients that register may have users sent back to.
    pub registration: RegistrationPolicy,
    /// Requests of one kind that one address may make in a minute; any number if there is none.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Which users of the tenant may sign in.
    pub gate: Gate,
    /// The clients that need not register.
    pub preregistered: PreregisteredClients,
    /// Whose metadata documents are read.
    pub document_policy: DocumentPolicy,
    /// The way to them.
    pub documents: DocumentFetcher,
    /// Tells the time to everything in the system.
    pub clock: Arc<dyn Clock>,
}

/// Where a system keeps its data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Data {
    /// In an account of Azure Storage, which keeps it for as long as it likes.
    Azure {
        /// The account.
        account: Box<AzureAccount>,
        /// The directory of the keys, which Azure would keep in Key Vault; without one, they end
        /// with the process.
        keys: Option<PathBuf>,
    },
    /// In a directory, which is made if it is not there. It survives restarts.
    Directory(PathBuf),
    /// Nowhere: it ends with the process.
    Memory,
}

impl Default for Options {
    /// On any free port, in memory, and as deployed otherwise.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: Data::Memory,
            sign_in_as: None,
            session_cache: Duration::from_secs(30),
            legacy_sse: LegacySse::default(),
            registration: RegistrationPolicy::default(),
            requests_per_minute: Some(REQUESTS_PER_MINUTE),
            gate: Gate::default(),
            preregistered: PreregisteredClients::default(),
            document_policy: DocumentPolicy::default(),
            documents: DocumentFetcher::public(),
            clock: Arc::new(SystemClock),
        }
    }
}

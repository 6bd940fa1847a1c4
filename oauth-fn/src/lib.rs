//! The OAuth 2.1 authorization server for MCP clients: registers them, asks the user, signs the
//! user in at Entra ID, and issues opaque tokens of its own.
//!
//! Endpoints take requests apart, [`protocol`] and [`grant`] decide, the stores seal and write.

pub mod administration;
pub mod audit;
pub mod browser;
pub mod clients;
pub mod config;
pub mod connections;
pub mod cookies;
mod correlation;
pub mod documents;
mod endpoints;
pub mod grant;
pub mod grants;
pub mod limits;
pub mod pages;
pub mod protocol;
pub mod upstream;
mod weekly;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use shared::base_url::PublicBaseUrl;
use shared::client_assertion::ClientAssertions;
use shared::clock::Clock;
use shared::storage::{ObservedStore, RecordStore};

pub use config::{Config, UpstreamConfig, UpstreamCredential};

use browser::Browsers;
use clients::Clients;
use connections::Connections;
use cookies::CookieJar;
use documents::{ClientDocuments, DocumentFetcher};
use grants::Grants;
use limits::Limits;
use protocol::registration_policy::RegistrationPolicy;
use upstream::Upstream;

/// What this app reaches the outside through. Each `main` chooses.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Where clients and grants are kept.
    pub records: Arc<dyn RecordStore>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The way to Entra ID; it must not follow redirects.
    pub http: reqwest::Client,
    /// The way to the metadata documents of clients.
    pub documents: DocumentFetcher,
    /// Who states to Entra ID who we are, where no secret proves it.
    pub assertions: Arc<dyn ClientAssertions>,
}

/// The whole app as a router.
pub fn router(config: Config, doors: Doors) -> Router {
    endpoints::router(App::new(config, doors))
}

/// What every endpoint shares.
#[derive(Clone, Debug)]
struct App(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    base_url: PublicBaseUrl,
    clock: Arc<dyn Clock>,
    clients: Clients,
    limits: Limits,
    registration: RegistrationPolicy,
    browsers: Browsers,
    connections: Connections,
    grants: Grants,
    upstream: Upstream,
}

impl App {
    fn new(config: Config, doors: Doors) -> Self {
        let Config {
            base_url,
            session_keys,
            grant_keys,
            upstream,
            registration,
            requests_per_minute,
            preregistered,
            documents: policy,
        } = config;
        let Doors { records, clock, http, documents: fetcher, assertions } = doors;
        let records = Arc::new(ObservedStore::new(records, "sessions")) as Arc<dyn RecordStore>;
        let registration = registration.at(&base_url);
        let documents =
            ClientDocuments::new(policy, registration.clone(), fetcher, Arc::clone(&clock));
        let clients = Clients::new(
            &grant_keys,
            preregistered,
            documents,
            Arc::clone(&records),
            Arc::clone(&clock),
        );
        Self(Arc::new(Parts {
            limits: Limits::new(&clock, requests_per_minute),
            clients,
            registration,
            browsers: Browsers::new(&grant_keys, CookieJar::new(&base_url)),
            connections: Connections::new(&grant_keys, Arc::clone(&records), Arc::clone(&clock)),
            grants: Grants::new(&session_keys, &grant_keys, &base_url, records, Arc::clone(&clock)),
            upstream: Upstream::new(upstream, &base_url, http, Arc::clone(&clock), assertions),
            clock,
            base_url,
        }))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

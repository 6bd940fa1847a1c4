//! The parts of a system, connected.

use std::sync::Arc;

use axum::Router;
use oauth_fn::{UpstreamConfig, UpstreamCredential};
use shared::base_url::PublicBaseUrl;
use shared::storage::CountedStore;
use url::Url;

use super::stores::Stores;
use super::{Options, StartError};
use crate::embedded::EmbeddedStore;
use crate::gateway::{self, Backends, FunctionKey};
use crate::identity_provider::{CLIENT_ID, IdentityProvider, Parts, TENANT};
use crate::keys::Keys;
use crate::no_assertions::NoAssertions;

/// Everything but the listener.
pub(super) struct System {
    pub(super) base_url: PublicBaseUrl,
    pub(super) embedded: Option<Arc<EmbeddedStore>>,
    pub(super) oauth_records: Arc<CountedStore>,
    pub(super) mcp_records: Arc<CountedStore>,
    pub(super) identity_provider: IdentityProvider,
    pub(super) router: Router,
}

impl System {
    /// Connects the parts: whatever each app reaches the outside through is chosen here.
    pub(super) fn new(
        base_url: PublicBaseUrl,
        stores: Stores,
        keys: Keys,
        options: &Options,
    ) -> Result<Self, StartError> {
        let Stores { records, snippets, embedded } = stores;
        let oauth_records = Arc::new(CountedStore::new(Arc::clone(&records)));
        let mcp_records = Arc::new(CountedStore::new(Arc::clone(&records)));
        let upstream = upstream(&base_url, &keys, options)?;
        let mcp_fn = mcp_fn::router(
            &mcp_fn::config::Config {
                session_cache: options.session_cache,
                legacy_sse: options.legacy_sse,
                ..mcp_fn::config::Config::new(base_url.clone(), keys.session_keys.clone())
            },
            mcp_fn::Doors {
                records: Arc::clone(&mcp_records) as _,
                relay: records,
                clock: Arc::clone(&options.clock),
            },
            snippets,
        );
        let oauth_fn = oauth_fn::router(
            oauth_fn::Config {
                base_url: base_url.clone(),
                session_keys: keys.session_keys,
                grant_keys: keys.grant_keys,
                upstream,
                registration: options.registration.clone(),
                requests_per_minute: options.requests_per_minute,
                preregistered: options.preregistered.clone(),
                documents: options.document_policy.clone(),
            },
            oauth_fn::Doors {
                records: Arc::clone(&oauth_records) as _,
                clock: Arc::clone(&options.clock),
                http: http_client()?,
                documents: options.documents.clone(),
                assertions: Arc::new(NoAssertions),
            },
        );
        let identity_provider = IdentityProvider::new(Parts {
            base_url: base_url.clone(),
            client_secret: keys.client_secret,
            signing_key: keys.signing_key,
            refresh_key: keys.refresh_key,
            sign_in_as: options.sign_in_as,
            clock: Arc::clone(&options.clock),
        });
        let backends = Backends {
            oauth_fn,
            mcp_fn,
            identity_provider: identity_provider.router(),
            function_key: FunctionKey::generate(),
        };
        let router = gateway::router(backends)?;
        Ok(Self { base_url, embedded, oauth_records, mcp_records, identity_provider, router })
    }
}

fn upstream(
    base_url: &PublicBaseUrl,
    keys: &Keys,
    options: &Options,
) -> Result<UpstreamConfig, StartError> {
    Ok(UpstreamConfig {
        issuer: Url::parse(&IdentityProvider::issuer_at(base_url, TENANT))?,
        client_id: CLIENT_ID.to_owned(),
        credential: UpstreamCredential::Secret(keys.client_secret.clone()),
        scopes: ["openid", "profile", "offline_access", "User.Read"].map(str::to_owned).to_vec(),
        allowed_tenants: vec![TENANT.to_owned().try_into()?],
        gate: options.gate.clone(),
    })
}

/// The way from oauth-fn to the identity provider: never through a proxy, as both are here.
fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}

//! Entra ID's signing keys, remembered; fetched anew when a token names an unknown one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet, PublicKeyUse};
use shared::clock::{Clock, UnixTime};
use url::Url;

use super::http_client::{HttpClient, HttpFailure};

/// How soon unknown key ids may cause another fetch: anyone can name one.
const SHORTEST_INTERVAL: Duration = Duration::from_mins(1);
/// How long keys are believed without asking again, so that withdrawn ones go.
const LONGEST_INTERVAL: Duration = Duration::from_hours(24);

#[derive(Debug)]
pub(super) struct SigningKeys {
    http: HttpClient,
    clock: Arc<dyn Clock>,
    fetched: Mutex<Fetched>,
}

#[derive(Debug)]
struct Fetched {
    keys: JwkSet,
    /// When that was; never, at first.
    at: Option<UnixTime>,
}

impl SigningKeys {
    pub(super) fn new(http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        let none = Fetched { keys: JwkSet { keys: Vec::new() }, at: None };
        Self { http, clock, fetched: Mutex::new(none) }
    }

    /// The RSA key with this id, if Entra ID has it.
    pub(super) async fn find(
        &self,
        key_id: &str,
        jwks_uri: &Url,
    ) -> Result<Option<DecodingKey>, HttpFailure> {
        if let Memory::Fresh(known) = self.recall(key_id) {
            return Ok(known);
        }
        // Nobody waits for somebody else's attempt: while Entra ID hangs, they would queue up.
        let keys: JwkSet = self.http.fetch(jwks_uri).await?;
        let found = key(&keys, key_id);
        *self.lock() = Fetched { keys, at: Some(self.clock.now()) };
        Ok(found)
    }

    fn recall(&self, key_id: &str) -> Memory {
        let now = self.clock.now();
        let fetched = self.lock();
        let known = key(&fetched.keys, key_id);
        let interval = if known.is_some() { LONGEST_INTERVAL } else { SHORTEST_INTERVAL };
        let fresh = fetched.at.is_some_and(|at| now.since(at) < interval);
        if fresh { Memory::Fresh(known) } else { Memory::Stale }
    }

    fn lock(&self) -> MutexGuard<'_, Fetched> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Memory {
    /// Recent enough to be believed, in what it has and in what it lacks.
    Fresh(Option<DecodingKey>),
    /// Ask Entra ID.
    Stale,
}

fn key(keys: &JwkSet, key_id: &str) -> Option<DecodingKey> {
    let jwk = keys.find(key_id)?;
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let rsa = matches!(jwk.algorithm, AlgorithmParameters::RSA(_));
    if signs && rsa { DecodingKey::from_jwk(jwk).ok() } else { None }
}

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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    #[derive(Debug, Default)]
    struct Hand(AtomicU64);

    impl Hand {
        fn advance(&self, time: Duration) {
            self.0.fetch_add(time.as_secs(), Ordering::Relaxed);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> UnixTime {
            UnixTime::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    /// Where keys `k1` (RSA) and `ec` (no RSA) are published, and how often they were fetched.
    async fn published() -> (Url, Arc<AtomicU64>) {
        let fetches = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&fetches);
        let document = json!({ "keys": [
            { "kty": "RSA", "use": "sig", "kid": "k1", "n": "AQAB", "e": "AQAB" },
            { "kty": "RSA", "use": "enc", "kid": "enc", "n": "AQAB", "e": "AQAB" },
            { "kty": "EC", "use": "sig", "kid": "ec", "crv": "P-256", "x": "AA", "y": "AA" },
        ] });
        let answer = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            async move { Json(document) }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let server = axum::serve(listener, Router::new().route("/keys", get(answer)));
        tokio::spawn(server.into_future());
        (Url::parse(&url).unwrap(), fetches)
    }

    #[tokio::test]
    async fn unknown_key_ids_cause_at_most_one_fetch_a_minute() {
        let clock = Arc::new(Hand::default());
        let keys = SigningKeys::new(HttpClient::new(reqwest::Client::new()), clock.clone());
        let (url, fetches) = published().await;
        for (wait, key_id, found, so_far) in [
            (0, "k1", true, 1),
            (0, "unknown", false, 1),
            (59, "../../etc/passwd", false, 1),
            (1, "' or 1=1", false, 2),
            (0, "ec", false, 2),
            (0, "enc", false, 2),
            (0, "k1", true, 2),
            (86_399, "k1", true, 2),
            (1, "k1", true, 3),
        ] {
            clock.advance(Duration::from_secs(wait));

            let key = keys.find(key_id, &url).await.unwrap();

            assert_eq!(key.is_some(), found, "{key_id}");
            assert_eq!(fetches.load(Ordering::Relaxed), so_far, "{key_id}");
        }
    }
}

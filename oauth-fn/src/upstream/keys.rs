//! Entra ID's signing keys, remembered; fetched anew when a token names an unknown one.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet, PublicKeyUse};
use shared::clock::{Clock, UnixTime};
use tokio::sync::Mutex;
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
    fetched: Mutex<Option<Fetched>>,
}

#[derive(Debug)]
struct Fetched {
    keys: JwkSet,
    at: UnixTime,
}

impl SigningKeys {
    pub(super) fn new(http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock, fetched: Mutex::new(None) }
    }

    /// The RSA key with this id, if Entra ID has it.
    pub(super) async fn find(
        &self,
        key_id: &str,
        jwks_uri: &Url,
    ) -> Result<Option<DecodingKey>, HttpFailure> {
        let now = self.clock.now();
        let mut fetched = self.fetched.lock().await;
        let wait = match &*fetched {
            None => Duration::ZERO,
            Some(known) if key(&known.keys, key_id).is_some() => LONGEST_INTERVAL,
            Some(_) => SHORTEST_INTERVAL,
        };
        if fetched.as_ref().is_none_or(|known| now.since(known.at) >= wait) {
            let keys = self.http.fetch(jwks_uri).await?;
            *fetched = Some(Fetched { keys, at: now });
        }
        Ok(fetched.as_ref().and_then(|known| key(&known.keys, key_id)))
    }
}

fn key(keys: &JwkSet, key_id: &str) -> Option<DecodingKey> {
    let jwk = keys.find(key_id)?;
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let rsa = matches!(jwk.algorithm, AlgorithmParameters::RSA(_));
    if signs && rsa { DecodingKey::from_jwk(jwk).ok() } else { None }
}

//! The secrets that a run of the whole system used, as its client, its users and its operator know
//! them.

use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use serde_json::Value;
use shared::clock::Clock;
use shared::seal::KeyRing;
use shared::session::{Access, ClaimsSealer, TokenSealer};
use shared::storage::RecordStore;
use url::Url;

use crate::captured::Secret;
use crate::client::Tokens;
use crate::system::{Answer, System};

/// The secrets that were seen so far.
#[derive(Debug, Default)]
pub(crate) struct Secrets(pub(crate) Vec<Secret>);

impl Secrets {
    pub(crate) fn add(&mut self, name: &str, text: &str) {
        self.0.push(Secret::new(name, text));
    }

    pub(crate) fn add_tokens(&mut self, tokens: &Tokens) {
        self.add("an access token", &tokens.access_token);
        self.add("a refresh token", &tokens.refresh_token);
    }

    /// The values of the cookies that `answer` sets.
    pub(crate) fn add_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            // An empty value removes the cookie.
            if !value.is_empty() {
                self.add(&format!("the cookie {name}"), value);
            }
        }
    }

    /// Those parameters of `url` that are nobody else's business.
    pub(crate) fn add_parameters(&mut self, whose: &str, url: &Url) {
        for (name, value) in url.query_pairs() {
            if ["code", "state", "request", "nonce"].contains(&name.as_ref()) {
                self.add(&format!("{name} of {whose}"), &value);
            }
        }
    }

    /// What `answer` sets and where it leads, which it gives back.
    pub(crate) fn follow(&mut self, whose: &str, answer: &Answer) -> Url {
        self.add_cookies(answer);
        let location = answer.location();
        self.add_parameters(whose, &location);
        location
    }

    /// The keys of the system whose data are in `directory`.
    pub(crate) fn add_keys(&mut self, directory: &Path) {
        let keys = keys(directory);
        for ring in ["session_keys", "grant_keys"] {
            let (_, key) = keys[ring].as_str().unwrap().split_once(':').unwrap();
            self.0.push(Secret::of_bytes(ring, &BASE64.decode(key.as_bytes()).unwrap()));
        }
        for name in ["client_secret", "refresh_key", "signing_key"] {
            self.add(name, keys[name].as_str().unwrap());
        }
    }

    /// The access token of Entra ID that lies in the row of a session, as mcp-fn opens it.
    pub(crate) async fn add_entra_access_token(
        &mut self,
        system: &System,
        directory: &Path,
        tokens: &Tokens,
    ) {
        let ring = KeyRing::try_from(keys(directory)["session_keys"].as_str().unwrap()).unwrap();
        let sealer = TokenSealer::<Access>::new(&ring, &system.url(""));
        let token = sealer.open(&tokens.access_token, system.clock.now()).unwrap();
        let address = token.session.address(token.week);
        let row = system.stack.oauth_records().get(&address).await.unwrap().unwrap();
        let claims = ClaimsSealer::new(&ring).read(&row.record, &token).unwrap().unwrap();
        let entra = serde_json::to_value(&claims.entra_access_token).unwrap();
        self.add("the access token of Entra ID", entra.as_str().unwrap());
    }
}

fn keys(directory: &Path) -> Value {
    serde_json::from_slice(&fs::read(directory.join("keys.json")).unwrap()).unwrap()
}

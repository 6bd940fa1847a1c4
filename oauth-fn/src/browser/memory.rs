//! The consents that a browser remembers, in one cookie.

use http::{HeaderMap, HeaderValue};
use shared::clock::UnixTime;

use super::{Browsers, opened, sealed};
use crate::grant::{REMEMBERED_FOR, RememberedConsents};

const CONSENTS_COOKIE: &str = "mcp-consents";
const PLACE: &[u8] = CONSENTS_COOKIE.as_bytes();

impl Browsers {
    /// What this browser remembers; nothing, if it says something that is not ours.
    pub fn open_consents(&self, headers: &HeaderMap) -> RememberedConsents {
        let value = self.jar.get(headers, CONSENTS_COOKIE);
        let consents = value.and_then(|value| opened(&self.consents, PLACE, value));
        consents.unwrap_or_default()
    }

    /// The cookie that makes this browser remember `consents` and nothing else.
    pub fn seal_consents(
        &self,
        consents: &RememberedConsents,
        now: UnixTime,
    ) -> Option<HeaderValue> {
        if consents.is_empty() {
            return self.jar.clear(CONSENTS_COOKIE);
        }
        let value = sealed(&self.consents, PLACE, consents, now);
        self.jar.set(CONSENTS_COOKIE, &value, Some(REMEMBERED_FOR))
    }
}

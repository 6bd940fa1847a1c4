//! What a browser carries for us, sealed: the request on its way through the consent page, the
//! sign-in on its way to Entra ID and back, the visit of a user who looks after their own
//! connections, and the consents that need not be asked again. Nothing of it is stored.

mod flows;
mod memory;
mod visits;

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::clock::UnixTime;
use shared::seal::{KeyRing, Purpose, Sealer};
use shared::secret::{Fingerprint, Secret};
use zeroize::Zeroizing;

use crate::cookies::CookieJar;
use crate::grant::Requested;

pub use visits::Visit;

const BROWSER_COOKIE: &str = "mcp-browser";

/// Seals and opens what browsers carry.
#[derive(Debug)]
pub struct Browsers {
    jar: CookieJar,
    requests: Sealer,
    flows: Sealer,
    visits: Sealer,
    consents: Sealer,
}

impl Browsers {
    /// Under the keys of `ring`, which mcp-fn does not have.
    pub fn new(ring: &KeyRing, jar: CookieJar) -> Self {
        Self {
            jar,
            requests: ring.sealer(Purpose::ConsentRequest),
            flows: ring.sealer(Purpose::BrowserFlow),
            visits: ring.sealer(Purpose::AccountVisit),
            consents: ring.sealer(Purpose::RememberedConsents),
        }
    }

    /// The browser that sent `headers`, if we have met it.
    pub fn recognise(&self, headers: &HeaderMap) -> Option<Browser> {
        let value = self.jar.get(headers, BROWSER_COOKIE).filter(|value| value.len() == 43)?;
        Some(Browser(Fingerprint::of("browser", &[value.as_bytes()])))
    }

    /// A browser that we meet for the first time, and the cookie that lets us know it again.
    pub fn welcome(&self) -> (Browser, Option<HeaderValue>) {
        let secret = Secret::generate().to_base64url();
        let value = secret.expose_secret();
        let browser = Browser(Fingerprint::of("browser", &[value.as_bytes()]));
        (browser, self.jar.set(BROWSER_COOKIE, value, None))
    }

    /// A request as the consent page carries it. It opens for the same browser only.
    pub fn seal_request(&self, requested: &Requested, browser: &Browser, now: UnixTime) -> String {
        sealed(&self.requests, browser.0.as_bytes(), requested, now)
    }

    /// The request that the consent page carried, if this browser may open it and it is in time.
    pub fn open_request(
        &self,
        carried: &str,
        browser: &Browser,
        now: UnixTime,
    ) -> Option<Requested> {
        let requested: Requested = opened(&self.requests, browser.0.as_bytes(), carried)?;
        (!requested.is_over(now)).then_some(requested)
    }

    /// The headers that leave nothing of ours in the browser that sent `headers`.
    pub fn forget_everything(&self, headers: &HeaderMap) -> Vec<HeaderValue> {
        let ours = self.jar.all(headers).filter(|(name, _)| name.starts_with("mcp-"));
        ours.filter_map(|(name, _)| self.jar.clear(name)).collect()
    }
}

/// One browser, known by its cookie.
#[derive(Clone, Copy, Debug)]
pub struct Browser(Fingerprint);

/// `value` as a text that opens for the same purpose and `place` only.
fn sealed(sealer: &Sealer, place: &[u8], value: &impl Serialize, now: UnixTime) -> String {
    let text = Zeroizing::new(serde_json::to_vec(value).unwrap_or_default());
    BASE64URL_NOPAD.encode(&sealer.seal(now.day(), &[place], &text))
}

/// What [`sealed`] made of a value, if it was made here.
fn opened<T: DeserializeOwned>(sealer: &Sealer, place: &[u8], carried: &str) -> Option<T> {
    let sealed = BASE64URL_NOPAD.decode(carried.as_bytes()).ok()?;
    let opened = sealer.open(&[place], &sealed).ok()?;
    serde_json::from_slice(&opened.plaintext).ok()
}

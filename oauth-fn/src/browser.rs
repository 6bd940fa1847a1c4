//! What a browser carries for us, sealed: the request on its way through the consent page, and
//! the consented authorization on its way to Entra ID and back. Nothing of it is stored.

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use shared::clock::UnixTime;
use shared::seal::{KeyRing, Purpose, Sealer};
use shared::secret::{Fingerprint, Secret};
use zeroize::Zeroizing;

use crate::cookies::CookieJar;
use crate::grant::{Consented, FLOW_LIFETIME, Requested};

const BROWSER_COOKIE: &str = "mcp-browser";
const FLOW_COOKIE: &str = "mcp-flow-";
/// How many sign-ins one browser may have under way; of more, the oldest are forgotten.
const MOST_FLOWS: usize = 5;

/// Seals and opens what browsers carry.
#[derive(Debug)]
pub struct Browsers {
    jar: CookieJar,
    requests: Sealer,
    flows: Sealer,
}

impl Browsers {
    /// Under the keys of `ring`, which mcp-fn does not have.
    pub fn new(ring: &KeyRing, jar: CookieJar) -> Self {
        let requests = ring.sealer(Purpose::ConsentRequest);
        Self { jar, requests, flows: ring.sealer(Purpose::BrowserFlow) }
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
        let text = serde_json::to_vec(requested).unwrap_or_default();
        BASE64URL_NOPAD.encode(&self.requests.seal(now.day(), &[browser.0.as_bytes()], &text))
    }

    /// The request that the consent page carried, if this browser may open it and it is in time.
    pub fn open_request(
        &self,
        carried: &str,
        browser: &Browser,
        now: UnixTime,
    ) -> Option<Requested> {
        let sealed = BASE64URL_NOPAD.decode(carried.as_bytes()).ok()?;
        let opened = self.requests.open(&[browser.0.as_bytes()], &sealed).ok()?;
        let requested: Requested = serde_json::from_slice(&opened.plaintext).ok()?;
        (!requested.is_over(now)).then_some(requested)
    }

    /// The cookies that take a consented authorization along to Entra ID: one for this sign-in,
    /// bound to its state, and the removal of the oldest if the browser has too many.
    pub fn seal_flow(
        &self,
        consented: &Consented,
        upstream_state: &SecretString,
        headers: &HeaderMap,
        now: UnixTime,
    ) -> Vec<HeaderValue> {
        let name = flow_name(upstream_state.expose_secret());
        let text = Zeroizing::new(serde_json::to_vec(consented).unwrap_or_default());
        let sealed = self.flows.seal(now.day(), &[name.as_bytes()], &text);
        let value = BASE64URL_NOPAD.encode(&sealed);
        let set = self.jar.set(&name, &value, Some(FLOW_LIFETIME));
        set.into_iter().chain(self.forget_oldest(headers, now)).collect()
    }

    /// The authorization that this browser took along under `upstream_state`, if it is in time.
    pub fn open_flow(
        &self,
        upstream_state: &str,
        headers: &HeaderMap,
        now: UnixTime,
    ) -> Option<Consented> {
        let name = flow_name(upstream_state);
        let consented = self.open(&name, self.jar.get(headers, &name)?)?;
        (!consented.sign_in().is_over(now)).then_some(consented)
    }

    /// The header that ends the sign-in under `upstream_state` in this browser.
    pub fn clear_flow(&self, upstream_state: &str) -> Option<HeaderValue> {
        self.jar.clear(&flow_name(upstream_state))
    }

    fn open(&self, name: &str, value: &str) -> Option<Consented> {
        let sealed = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
        let opened = self.flows.open(&[name.as_bytes()], &sealed).ok()?;
        serde_json::from_slice(&opened.plaintext).ok()
    }

    fn forget_oldest(&self, headers: &HeaderMap, now: UnixTime) -> Vec<HeaderValue> {
        let carried = self.jar.all(headers).filter(|(name, _)| name.starts_with(FLOW_COOKIE));
        let mut flows: Vec<_> = carried
            .map(|(name, value)| {
                let approved_at = self.open(name, value).map(|flow| flow.sign_in().began_at());
                (approved_at.unwrap_or(UnixTime::from_secs(0)).min(now), name)
            })
            .collect();
        flows.sort_unstable();
        let too_many = (flows.len() + 1).saturating_sub(MOST_FLOWS);
        let oldest = flows.into_iter().take(too_many);
        oldest.filter_map(|(_, name)| self.jar.clear(name)).collect()
    }
}

/// One browser, known by its cookie.
#[derive(Clone, Copy, Debug)]
pub struct Browser(Fingerprint);

/// The name carries the whole digest of the state, so the cookie that is found is the one that
/// belongs to it.
fn flow_name(upstream_state: &str) -> String {
    let key = Fingerprint::of("upstream-state", &[upstream_state.as_bytes()]).to_key();
    format!("{FLOW_COOKIE}{key}")
}

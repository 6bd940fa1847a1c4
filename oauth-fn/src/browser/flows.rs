//! The sign-ins that a browser has under way: one cookie each, named by our state.

use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use shared::clock::UnixTime;
use shared::secret::Fingerprint;

use super::{Browsers, opened, sealed};
use crate::grant::{FLOW_LIFETIME, Flow};

const FLOW_COOKIE: &str = "mcp-flow-";
/// How many sign-ins one browser may have under way; of more, the oldest are forgotten.
const MOST_FLOWS: usize = 5;

impl Browsers {
    /// The cookies that take a sign-in along to Entra ID: one for this sign-in, bound to its
    /// state, and the removal of the oldest if the browser has too many.
    pub fn seal_flow(
        &self,
        flow: &Flow,
        upstream_state: &SecretString,
        headers: &HeaderMap,
        now: UnixTime,
    ) -> Vec<HeaderValue> {
        let name = flow_name(upstream_state.expose_secret());
        let value = sealed(&self.flows, name.as_bytes(), flow, now);
        let set = self.jar.set(&name, &value, Some(FLOW_LIFETIME));
        set.into_iter().chain(self.forget_oldest(headers, now)).collect()
    }

    /// The sign-in that this browser took along under `upstream_state`, if it is in time.
    pub fn open_flow(
        &self,
        upstream_state: &str,
        headers: &HeaderMap,
        now: UnixTime,
    ) -> Option<Flow> {
        let name = flow_name(upstream_state);
        let flow = self.flow(&name, self.jar.get(headers, &name)?)?;
        (!flow.sign_in().is_over(now)).then_some(flow)
    }

    /// The header that ends the sign-in under `upstream_state` in this browser.
    pub fn clear_flow(&self, upstream_state: &str) -> Option<HeaderValue> {
        self.jar.clear(&flow_name(upstream_state))
    }

    fn flow(&self, name: &str, value: &str) -> Option<Flow> {
        opened(&self.flows, name.as_bytes(), value)
    }

    fn forget_oldest(&self, headers: &HeaderMap, now: UnixTime) -> Vec<HeaderValue> {
        let carried = self.jar.all(headers).filter(|(name, _)| name.starts_with(FLOW_COOKIE));
        let mut flows: Vec<_> = carried
            .map(|(name, value)| {
                let began_at = self.flow(name, value).map(|flow| flow.sign_in().began_at());
                (began_at.unwrap_or(UnixTime::from_secs(0)).min(now), name)
            })
            .collect();
        flows.sort_unstable();
        let too_many = (flows.len() + 1).saturating_sub(MOST_FLOWS);
        let oldest = flows.into_iter().take(too_many);
        oldest.filter_map(|(_, name)| self.jar.clear(name)).collect()
    }
}

/// The name carries the whole digest of the state, so the cookie that is found is the one that
/// belongs to it.
fn flow_name(upstream_state: &str) -> String {
    let key = Fingerprint::of("upstream-state", &[upstream_state.as_bytes()]).to_key();
    format!("{FLOW_COOKIE}{key}")
}

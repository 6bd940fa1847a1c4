//! Limits in process, the second line behind those of the gateway: they hold where somebody gets
//! past it, on each instance for itself.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as Ticking;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::HeaderMap;
use shared::clock::Clock;

/// Rows of clients that one address may cause in an hour. A whole office may share an address.
const ROWS_AN_HOUR: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// How many addresses are remembered before those that have been quiet are forgotten.
const ADDRESSES: usize = 10_000;
/// The header in which the gateway names the client's address; a client's own never gets through.
const CLIENT_ADDRESS: &str = "x-client-address";

/// Where a request comes from, as far as limits care: an IPv4 address, or an IPv6 network of one
/// customer (/64). Requests without an address share one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Neighbourhood(Option<u64>);

impl Neighbourhood {
    /// Where a request with `headers` comes from.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = headers.get(CLIENT_ADDRESS).and_then(|value| value.to_str().ok());
        let address = text.and_then(|text| text.parse::<IpAddr>().ok());
        Self(address.map(|address| match address.to_canonical() {
            // IPv4 takes a range that no IPv6 network has.
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or_default(),
        }))
    }
}

/// What each neighbourhood has used up.
pub struct Limits {
    rows: RateLimiter<
        Neighbourhood,
        HashMapStateStore<Neighbourhood>,
        Ticks,
        NoOpMiddleware<Duration>,
    >,
}

impl Limits {
    /// Limits in the time of `clock`, nothing used up.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let rows = RateLimiter::hashmap_with_clock(Quota::per_hour(ROWS_AN_HOUR), Ticks(clock));
        Self { rows }
    }

    /// Leave to write one row for somebody who has not signed in.
    ///
    /// # Errors
    /// The neighbourhood has had its share.
    pub fn permit_row(&self, from: Neighbourhood) -> Result<RowPermit, TooMany> {
        if self.rows.len() > ADDRESSES {
            self.rows.retain_recent();
        }
        self.rows.check_key(&from).map(|()| RowPermit(())).map_err(|wait| TooMany {
            retry_after: wait.wait_time_from(self.rows.clock().now()).as_secs().max(1),
        })
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Limits").finish_non_exhaustive()
    }
}

/// Leave to write one row. Only [`Limits::permit_row`] gives it.
#[derive(Debug)]
#[must_use]
pub struct RowPermit(());

/// The neighbourhood has had its share (RFC 6585 section 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many clients were registered from this address")]
pub struct TooMany {
    /// Seconds until there is room for one more.
    pub retry_after: u64,
}

/// Our clock, as the library asks for it.
#[derive(Clone, Debug)]
struct Ticks(Arc<dyn Clock>);

impl Ticking for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_secs(self.0.now().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn from(address: &str) -> Neighbourhood {
        let mut headers = HeaderMap::new();
        headers.insert(CLIENT_ADDRESS, HeaderValue::from_str(address).unwrap());
        Neighbourhood::of(&headers)
    }

    #[test]
    fn an_ipv6_network_is_one_neighbourhood_and_an_ipv4_address_is_one() {
        assert_eq!(from("2001:db8:1:2:3::4"), from("2001:db8:1:2::1"));
        assert_ne!(from("2001:db8:1:2::1"), from("2001:db8:1:3::1"));
        assert_ne!(from("192.0.2.1"), from("192.0.2.2"));
        assert_eq!(from("::ffff:192.0.2.1"), from("192.0.2.1"));
    }

    #[test]
    fn requests_without_a_readable_address_share_one() {
        assert_eq!(from("unknown"), Neighbourhood::of(&HeaderMap::new()));
    }
}

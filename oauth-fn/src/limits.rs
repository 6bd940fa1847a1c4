//! Limits in process, the second line behind those of the gateway, on each instance for itself. They
//! know an address by the header that the gateway sets; whoever gets past the gateway could write
//! it, but needs the function key for that.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock as Ticking;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::HeaderMap;
use shared::clock::Clock;

use crate::audit::Event;

/// Rows of clients that one address may cause in an hour. A whole office may share an address.
const ROWS_AN_HOUR: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Requests of one kind that one address may make in a minute, unless a setting says otherwise.
pub const REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();
/// Metadata documents of clients that one address may cause to be fetched in an hour.
const FETCHES_AN_HOUR: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// How many addresses are remembered before those that have been quiet are forgotten.
const ADDRESSES: usize = 10_000;
/// The header in which the gateway names the client's address; a client's own never gets through.
const CLIENT_ADDRESS: &str = "x-client-address";

/// Where a request comes from, as far as limits care: an IPv4 address, or an IPv6 network of one
/// customer (/56). Requests without an address share one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Neighbourhood(Option<u64>);

impl Neighbourhood {
    /// Where a request with `headers` comes from.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = headers.get(CLIENT_ADDRESS).and_then(|value| value.to_str().ok());
        let address = text.and_then(|text| text.parse::<IpAddr>().ok());
        Self(address.map(|address| match address.to_canonical() {
            // IPv4 takes a range that no IPv6 network in use has.
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => u64::try_from(address.to_bits() >> 72).unwrap_or_default(),
        }))
    }
}

/// What is limited, each for itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Limit {
    /// Requests to `/token` and `/revoke`.
    BackChannel,
    /// Metadata documents of clients that have to be fetched.
    Documents,
    /// Requests of browsers.
    FrontChannel,
    /// Requests to `/register`.
    Registration,
    /// Rows of those who have not signed in.
    Rows,
}

impl Limit {
    /// Its name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BackChannel => "back_channel",
            Self::Documents => "documents",
            Self::FrontChannel => "front_channel",
            Self::Registration => "registration",
            Self::Rows => "rows",
        }
    }
}

/// What each neighbourhood has used up.
#[derive(Debug)]
pub struct Limits {
    rows: Shares,
    fetches: Shares,
    requests: Option<Shares>,
    warnings: Shares,
}

impl Limits {
    /// Limits in the time of `clock`, nothing used up. Each neighbourhood may make so many requests
    /// a minute of each kind; any number if none is given.
    pub fn new(clock: &Arc<dyn Clock>, requests_per_minute: Option<NonZeroU32>) -> Self {
        let shares = |quota| Shares::new(quota, clock);
        Self {
            rows: shares(Quota::per_hour(ROWS_AN_HOUR)),
            fetches: shares(Quota::per_hour(FETCHES_AN_HOUR)),
            requests: requests_per_minute.map(|requests| shares(Quota::per_minute(requests))),
            warnings: shares(Quota::per_minute(NonZeroU32::MIN)),
        }
    }

    /// Leave to write one row for somebody who has not signed in.
    ///
    /// # Errors
    /// The neighbourhood has had its share.
    pub fn permit_row(&self, from: Neighbourhood) -> Result<RowPermit, TooMany> {
        self.permit(Some(&self.rows), Limit::Rows, from).map(RowPermit)
    }

    /// Leave to fetch one document that a stranger names.
    ///
    /// # Errors
    /// The neighbourhood has had its share.
    pub fn permit_fetch(&self, from: Neighbourhood) -> Result<FetchPermit, TooMany> {
        self.permit(Some(&self.fetches), Limit::Documents, from).map(FetchPermit)
    }

    /// Leave to make one request.
    ///
    /// # Errors
    /// The neighbourhood has had its share.
    pub fn permit_request(&self, limit: Limit, from: Neighbourhood) -> Result<(), TooMany> {
        self.permit(self.requests.as_ref(), limit, from)
    }

    /// A flood must not flood the log too: each neighbourhood is told of once a minute.
    fn permit(
        &self,
        shares: Option<&Shares>,
        limit: Limit,
        from: Neighbourhood,
    ) -> Result<(), TooMany> {
        let taken = shares.map_or(Ok(()), |shares| shares.take((limit, from)));
        taken.map_err(|retry_after| {
            if self.warnings.take((limit, from)).is_ok() {
                Event::Limited { limit: limit.as_str() }.record();
            }
            TooMany { limit, retry_after }
        })
    }
}

/// Leave to write one row. Only [`Limits::permit_row`] gives it.
#[derive(Debug)]
#[must_use]
pub struct RowPermit(());

/// Leave to fetch one document. Only [`Limits::permit_fetch`] gives it.
#[derive(Debug)]
#[must_use]
pub struct FetchPermit(());

/// The neighbourhood has had its share (RFC 6585 section 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many {} from this address", match limit {
    Limit::Rows => "clients were registered",
    Limit::Documents => "programs were looked up",
    Limit::BackChannel | Limit::FrontChannel | Limit::Registration => "requests came",
})]
pub struct TooMany {
    /// Of what.
    pub limit: Limit,
    /// Seconds until there is room for one more.
    pub retry_after: u64,
}

/// One share for each neighbourhood, which fills again with the time.
struct Shares {
    limiter: RateLimiter<Key, HashMapStateStore<Key>, Ticks, NoOpMiddleware<Duration>>,
    /// The second in which quiet addresses were forgotten for the last time.
    pruned_at: AtomicU64,
}

type Key = (Limit, Neighbourhood);

impl Shares {
    fn new(quota: Quota, clock: &Arc<dyn Clock>) -> Self {
        let limiter = RateLimiter::hashmap_with_clock(quota, Ticks(Arc::clone(clock)));
        Self { limiter, pruned_at: AtomicU64::new(0) }
    }

    /// Takes one from the share of `key`; or tells in how many seconds there is one again.
    fn take(&self, key: Key) -> Result<(), u64> {
        let now = self.limiter.clock().now();
        // All of them are walked for it, so a flood of addresses must not make each request do so.
        if self.limiter.len() > ADDRESSES
            && self.pruned_at.swap(now.as_secs(), Ordering::Relaxed) != now.as_secs()
        {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&key).map_err(|wait| {
            let wait = wait.wait_time_from(now);
            // A fraction of a second is one to somebody who counts whole ones.
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
        })
    }
}

impl std::fmt::Debug for Shares {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shares").finish_non_exhaustive()
    }
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
    use shared::clock::UnixTime;

    use super::*;

    fn from(address: &str) -> Neighbourhood {
        let mut headers = HeaderMap::new();
        headers.insert(CLIENT_ADDRESS, HeaderValue::from_str(address).unwrap());
        Neighbourhood::of(&headers)
    }

    #[test]
    fn an_ipv6_network_is_one_neighbourhood_and_an_ipv4_address_is_one() {
        assert_eq!(from("2001:db8:1:2:3::4"), from("2001:db8:1:ff::1"));
        assert_ne!(from("2001:db8:1:2::1"), from("2001:db8:1:102::1"));
        assert_ne!(from("192.0.2.1"), from("192.0.2.2"));
        assert_eq!(from("::ffff:192.0.2.1"), from("192.0.2.1"));
    }

    /// A clock that is moved by hand.
    #[derive(Debug, Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> UnixTime {
            UnixTime::from_secs(1_797_336_000 + self.0.load(Ordering::Relaxed))
        }
    }

    /// Limits of so many requests a minute, and their clock.
    fn limits(requests_per_minute: u32) -> (Limits, Arc<Hand>) {
        let hand = Arc::new(Hand::default());
        let clock: Arc<dyn Clock> = Arc::clone(&hand) as _;
        (Limits::new(&clock, NonZeroU32::new(requests_per_minute)), hand)
    }

    /// How many of 100 requests are permitted.
    fn permitted(limits: &Limits, limit: Limit, from: Neighbourhood) -> usize {
        (0..100).filter(|_| limits.permit_request(limit, from).is_ok()).count()
    }

    #[test]
    fn each_address_has_a_share_of_each_kind_which_fills_again_with_the_time() {
        let (limits, hand) = limits(20);
        let (one, other) = (from("192.0.2.1"), from("192.0.2.2"));

        for limit in [Limit::BackChannel, Limit::FrontChannel, Limit::Registration] {
            assert_eq!(permitted(&limits, limit, one), 20);
            assert_eq!(permitted(&limits, limit, one), 0);
        }
        assert_eq!(permitted(&limits, Limit::BackChannel, other), 20);

        hand.0.fetch_add(30, Ordering::Relaxed);
        assert_eq!(permitted(&limits, Limit::BackChannel, one), 10);
        hand.0.fetch_add(3600, Ordering::Relaxed);
        assert_eq!(permitted(&limits, Limit::BackChannel, one), 20);
    }

    #[test]
    fn whoever_waits_as_long_as_told_is_served() {
        for requests in [1, 7, 59, 60, 61, 95] {
            let (limits, hand) = limits(requests);
            permitted(&limits, Limit::BackChannel, from("192.0.2.1"));

            let request = || limits.permit_request(Limit::BackChannel, from("192.0.2.1"));
            let refused = request().unwrap_err();
            hand.0.fetch_add(refused.retry_after, Ordering::Relaxed);

            assert!((1..=60).contains(&refused.retry_after), "{refused:?}");
            assert!(request().is_ok(), "{requests} a minute");
        }
    }

    #[test]
    fn a_limit_that_is_switched_off_permits_everything_but_rows_without_end() {
        let (limits, _) = limits(0);
        let address = from("192.0.2.1");

        assert_eq!(permitted(&limits, Limit::Registration, address), 100);
        assert_eq!(permitted(&limits, Limit::Registration, address), 100);
        assert_eq!((0..200).filter(|_| limits.permit_row(address).is_ok()).count(), 100);
    }

    #[test]
    fn addresses_that_were_quiet_for_a_while_are_forgotten() {
        let (limits, hand) = limits(600);
        for index in 0..=ADDRESSES {
            let address = Neighbourhood(Some(index as u64));
            limits.permit_request(Limit::FrontChannel, address).unwrap();
        }
        let remembered = || limits.requests.as_ref().unwrap().limiter.len();
        assert_eq!(remembered(), ADDRESSES + 1);

        hand.0.fetch_add(1, Ordering::Relaxed);
        limits.permit_request(Limit::FrontChannel, from("192.0.2.1")).unwrap();

        assert_eq!(remembered(), 1);
    }

    #[test]
    fn a_refusal_says_of_what_there_were_too_many() {
        let text = |limit| TooMany { limit, retry_after: 1 }.to_string();

        assert_eq!(text(Limit::Rows), "too many clients were registered from this address");
        assert_eq!(text(Limit::FrontChannel), "too many requests came from this address");
    }

    #[test]
    fn requests_without_a_readable_address_share_one() {
        assert_eq!(from("unknown"), Neighbourhood::of(&HeaderMap::new()));
    }
}

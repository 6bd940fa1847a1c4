//! Fetches the documents of strangers: over https from public addresses, small, soon, and as they
//! are. No redirect, proxy, cookie or referrer, and nothing is unpacked.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use shared::deadline;
use shared::telemetry::calls::HttpCall;
use tokio::time::timeout;

use super::fetch_error::FetchError;
use super::freshness;
use super::guard::Guard;
use super::resolver::{Resolver, SystemResolver};
use crate::limits::FetchPermit;
use crate::protocol::client_id_url::ClientIdUrl;

/// Largest document, in bytes.
const LARGEST: usize = 5 * 1024;
/// How long name, connection and document may take together.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the metadata documents of clients. Nothing is set up before it is used.
#[derive(Clone)]
pub struct DocumentFetcher(Arc<Parts>);

struct Parts {
    guard: Guard,
    root: Option<Certificate>,
    patience: Duration,
    client: OnceLock<Client>,
}

/// A network that stands in for the internet where a test has its own server.
#[derive(Debug)]
pub struct StandInNetwork {
    /// Knows the names of that network.
    pub resolver: Arc<dyn Resolver>,
    /// The one authority whose certificates are good there.
    pub root: Certificate,
    /// Where its server listens: the only address beside the public ones.
    pub server: SocketAddr,
    /// How long name, connection and document may take together.
    pub patience: Duration,
}

/// A document as it came.
pub(super) struct Fetched {
    pub(super) body: Vec<u8>,
    /// How long it may be used.
    pub(super) lifetime: Duration,
}

impl DocumentFetcher {
    /// The public internet.
    pub fn public() -> Self {
        let guard = Guard { resolver: Arc::new(SystemResolver), permitted: None };
        Self::new(guard, None, PATIENCE)
    }

    /// A network that stands in for it.
    pub fn standing_in(network: StandInNetwork) -> Self {
        let StandInNetwork { resolver, root, server, patience } = network;
        Self::new(Guard { resolver, permitted: Some(server) }, Some(root), patience)
    }

    fn new(guard: Guard, root: Option<Certificate>, patience: Duration) -> Self {
        Self(Arc::new(Parts { guard, root, patience, client: OnceLock::new() }))
    }

    /// The document at `url`.
    ///
    /// # Errors
    /// It cannot be had; or the time of the request is over, of which the website can do nothing.
    pub(super) async fn fetch(
        &self,
        url: &ClientIdUrl,
        _: FetchPermit,
    ) -> Result<Fetched, FetchError> {
        let (document, time) = (get(self.client()?, url), deadline::at_most(self.0.patience));
        let late = if time < self.0.patience { FetchError::TooLate } else { FetchError::TimedOut };
        let document = async { timeout(time, document).await.unwrap_or(Err(late)) };
        // The host is the client's choice.
        HttpCall { method: "GET", server: None }.observe(document, status_of).await
    }

    fn client(&self) -> Result<&Client, FetchError> {
        if let Some(client) = self.0.client.get() {
            return Ok(client);
        }
        let client = self.0.build().map_err(|error| FetchError::Client(Arc::new(error)))?;
        Ok(self.0.client.get_or_init(|| client))
    }
}

impl Parts {
    fn build(&self) -> reqwest::Result<Client> {
        let builder = Client::builder()
            .dns_resolver(self.guard.clone())
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            // A document is fetched seldom, and each time from an address that was just checked.
            .pool_max_idle_per_host(0);
        match &self.root {
            None => builder.build(),
            Some(root) => builder.tls_certs_only([root.clone()]).build(),
        }
    }
}

impl fmt::Debug for DocumentFetcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DocumentFetcher").field("guard", &self.0.guard).finish()
    }
}

fn status_of(fetched: &Result<Fetched, FetchError>) -> Result<u16, &'static str> {
    match fetched {
        Ok(_) => Ok(StatusCode::OK.as_u16()),
        Err(FetchError::Status(status)) => Ok(status.as_u16()),
        Err(FetchError::TimedOut) => Err("timed_out"),
        Err(FetchError::TooLate) => Err("too_late"),
        Err(_) => Err("not_taken"),
    }
}

async fn get(client: &Client, url: &ClientIdUrl) -> Result<Fetched, FetchError> {
    let request = client
        .get(url.as_url().clone())
        .header(ACCEPT, "application/json")
        .header(ACCEPT_ENCODING, "identity");
    let mut answer = request.send().await?;
    check_head(answer.status(), answer.headers())?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > LARGEST {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { body, lifetime: freshness::lifetime(answer.headers()) })
}

fn check_head(status: StatusCode, headers: &HeaderMap) -> Result<(), FetchError> {
    if status != StatusCode::OK {
        return Err(FetchError::Status(status));
    }
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.any(|encoding| encoding != "identity") {
        return Err(FetchError::Encoded);
    }
    if is_json(headers) { Ok(()) } else { Err(FetchError::OtherType) }
}

/// Whether there is one content type, and it is JSON (RFC 6839 section 3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io;
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use http::HeaderValue;
    use shared::clock::{Clock, SystemClock};
    use shared::deadline::Deadline;

    use super::super::{ClientDocuments, DocumentError};
    use super::*;
    use crate::limits::{Limits, Neighbourhood};
    use crate::protocol::client_id_url::DocumentPolicy;
    use crate::protocol::registration_policy::RegistrationPolicy;

    /// A resolver that never answers, and how often it was asked.
    #[derive(Debug, Default)]
    struct Silent(AtomicUsize);

    #[async_trait]
    impl Resolver for Silent {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            pending().await
        }
    }

    /// The documents of an internet without names, for which one waits so long.
    struct Nowhere {
        resolver: Arc<Silent>,
        documents: ClientDocuments,
        limits: Limits,
    }

    impl Nowhere {
        fn new(patience: Duration) -> Self {
            let (resolver, clock) = (Arc::<Silent>::default(), Arc::new(SystemClock));
            let clock: Arc<dyn Clock> = clock;
            let limits = Limits::new(&clock, None);
            let guard = Guard { resolver: Arc::clone(&resolver) as _, permitted: None };
            let fetcher = DocumentFetcher::new(guard, None, patience);
            let (any, rules) = (DocumentPolicy::default(), RegistrationPolicy::default());
            let documents = ClientDocuments::new(any, rules, fetcher, clock);
            Self { resolver, documents, limits }
        }

        async fn find(&self) -> DocumentError {
            let url = ClientIdUrl::try_from("https://app.example/client.json").unwrap();
            let permit = || self.limits.permit_fetch(Neighbourhood::of(&HeaderMap::new()));
            self.documents.find(&url, permit).await.unwrap_err()
        }

        fn lookups(&self) -> usize {
            self.resolver.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn the_time_that_a_name_takes_counts_and_what_failed_so_is_remembered() {
        let nowhere = Nowhere::new(Duration::from_millis(20));

        let failures = [nowhere.find().await, nowhere.find().await];

        let timed_out = |error: &_| matches!(error, DocumentError::Fetch(FetchError::TimedOut));
        assert!(failures.iter().all(timed_out), "{failures:?}");
        assert_eq!(nowhere.lookups(), 1);
    }

    #[tokio::test]
    async fn a_website_is_not_blamed_where_the_time_of_the_request_was_over() {
        let nowhere = Nowhere::new(Duration::from_mins(1));
        let short = || Deadline::after(Duration::from_millis(20));

        let two =
            async { [short().hold(nowhere.find()).await, short().hold(nowhere.find()).await] };
        let failures = timeout(PATIENCE, two).await.unwrap();

        let too_late = |error: &_| matches!(error, DocumentError::Fetch(FetchError::TooLate));
        assert!(failures.iter().all(too_late), "{failures:?}");
        assert_eq!(nowhere.lookups(), 2);
    }

    #[test]
    fn a_document_is_json_by_one_content_type() {
        for (types, json) in [
            (&["application/json"][..], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["application/oauth-client+json"], true),
            (&[], false),
            (&[""], false),
            (&["text/html"], false),
            (&["text/json"], false),
            (&["application/jsonp"], false),
            (&["application/x-ndjson"], false),
            (&["text/html; application/json"], false),
            (&["application/json", "application/json"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in types {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            assert_eq!(is_json(&headers), json, "{types:?}");
        }
    }
}

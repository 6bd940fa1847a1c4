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
    pub(super) async fn fetch(
        &self,
        url: &ClientIdUrl,
        _: FetchPermit,
    ) -> Result<Fetched, FetchError> {
        let document = get(self.client()?, url);
        timeout(deadline::at_most(self.0.patience), document)
            .await
            .unwrap_or(Err(FetchError::TimedOut))
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

    use async_trait::async_trait;
    use http::HeaderValue;
    use shared::clock::{Clock, SystemClock};

    use super::*;
    use crate::limits::{Limits, Neighbourhood};

    /// A resolver that never answers.
    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl Resolver for Silent {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            pending().await
        }
    }

    #[tokio::test]
    async fn the_time_that_a_name_takes_counts() {
        let guard = Guard { resolver: Arc::new(Silent), permitted: None };
        let fetcher = DocumentFetcher::new(guard, None, Duration::from_millis(20));
        let url = ClientIdUrl::try_from("https://app.example/client.json").unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let limits = Limits::new(&clock, None);
        let permit = limits.permit_fetch(Neighbourhood::of(&HeaderMap::new())).unwrap();

        let fetched = fetcher.fetch(&url, permit).await;

        assert!(matches!(fetched, Err(FetchError::TimedOut)));
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

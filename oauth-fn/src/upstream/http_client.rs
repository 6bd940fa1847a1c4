//! HTTP towards Entra ID: no redirects, bounded answers, bounded time.

use std::pin::Pin;
use std::time::Duration;

use http::StatusCode;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use shared::deadline;
use shared::telemetry::calls::HttpCall;
use url::Url;

/// Largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 256 * 1024;
/// How long one call may take, if its request has so much left beside the time for storage.
const PATIENCE: Duration = Duration::from_secs(10);

/// The client that all calls share.
#[derive(Clone, Debug)]
pub(super) struct HttpClient(reqwest::Client);

impl HttpClient {
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self(client)
    }

    /// The JSON document at `url`.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, url: &Url) -> Result<T, HttpFailure> {
        let answer = observed("GET", url, async {
            bounded(self.0.get(url.clone()).timeout(time_left()?).send().await?).await
        });
        let answer = answer.await?;
        if answer.status() != StatusCode::OK {
            return Err(HttpFailure::Status(answer.status()));
        }
        serde_json::from_slice(answer.body())
            .map_err(|error| HttpFailure::Unusable(Box::new(error)))
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let request = reqwest::Request::try_from(request)?;
        let url = request.url().clone();
        let answer = observed("POST", &url, async {
            let request = reqwest::RequestBuilder::from_parts(self.0, request);
            bounded(request.timeout(time_left()?).send().await?).await
        });
        let answer = answer.await?;
        let status = answer.status();
        let busy = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        if busy { Err(HttpFailure::Status(status)) } else { Ok(answer) }
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = HttpFailure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFailure>> + Send>>;

    /// Sends a request of the OAuth library. Answers that ask for patience are failures here, so
    /// that what remains is an answer to the request itself.
    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

/// Observes a call, of whose URL nothing is told but the host.
async fn observed(
    method: &'static str,
    url: &Url,
    call: impl Future<Output = Result<HttpResponse, HttpFailure>>,
) -> Result<HttpResponse, HttpFailure> {
    let observed = HttpCall { method, server: url.host_str() };
    let status_of = |answer: &Result<HttpResponse, HttpFailure>| match answer {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(failure) => Err(failure.kind()),
    };
    observed.observe(call, status_of).await
}

/// How long a call that begins now may take. What Entra ID answers has to be written: a call that
/// leaves no time for it would use up a code or a token for nothing.
fn time_left() -> Result<Duration, HttpFailure> {
    let time = deadline::at_most_keeping(PATIENCE, deadline::FOR_STORAGE);
    if time.is_zero() { Err(HttpFailure::TooLate) } else { Ok(time) }
}

async fn bounded(mut answer: reqwest::Response) -> Result<HttpResponse, HttpFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(HttpFailure::Unusable("the answer is too large".into()));
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = HttpResponse::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpFailure {
    /// The connection failed or took too long.
    #[error("the connection failed")]
    Network(#[source] reqwest::Error),
    /// It answered, but not with what was asked for.
    #[error("the answer has status {0}")]
    Status(StatusCode),
    /// It was not asked: the time of the request is over, but for what storage needs.
    #[error("the time of the request was over before")]
    TooLate,
    /// The answer is not what it should be.
    #[error("the answer cannot be read")]
    Unusable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl HttpFailure {
    /// What went wrong, in one word.
    fn kind(&self) -> &'static str {
        match self {
            Self::Network(error) if error.is_timeout() => "timed_out",
            Self::Network(_) => "no_answer",
            Self::Status(_) => "refused",
            Self::TooLate => "too_late",
            Self::Unusable(_) => "unreadable",
        }
    }
}

impl From<reqwest::Error> for HttpFailure {
    fn from(error: reqwest::Error) -> Self {
        // The URL may carry what belongs in no log.
        Self::Network(error.without_url())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::Value;
    use shared::deadline::{Deadline, FOR_STORAGE};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    /// A server that hangs, and how many connections came.
    async fn hanging() -> (Url, Arc<AtomicUsize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                open.push(stream);
            }
        });
        (Url::parse(&url).unwrap(), connections)
    }

    /// What the two ways to ask `url` come to, if `time` is left of the request.
    async fn asked(url: &Url, time: Duration) -> [HttpFailure; 2] {
        let client = HttpClient::new(reqwest::Client::builder().no_proxy().build().unwrap());
        let request = http::Request::post(url.as_str()).body(Vec::new()).unwrap();
        let fetched = Deadline::after(time).hold(client.fetch::<Value>(url)).await;
        let sent = Deadline::after(time).hold(client.call(request)).await;
        [fetched.unwrap_err(), sent.unwrap_err()]
    }

    #[tokio::test]
    async fn entra_id_is_waited_for_as_long_as_time_for_storage_is_left() {
        let (url, connections) = hanging().await;
        let time = FOR_STORAGE + Duration::from_millis(300);

        let failures = timeout(PATIENCE / 2, asked(&url, time)).await.unwrap();

        assert!(failures.iter().all(|failure| matches!(failure, HttpFailure::Network(_))));
        assert_eq!(connections.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn entra_id_is_not_asked_where_no_time_is_left_to_write_what_it_answers() {
        let (url, connections) = hanging().await;

        let failures = asked(&url, FOR_STORAGE).await;

        assert!(failures.iter().all(|failure| matches!(failure, HttpFailure::TooLate)));
        assert_eq!(connections.load(Ordering::Relaxed), 0);
    }
}

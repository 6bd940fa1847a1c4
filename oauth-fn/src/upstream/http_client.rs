//! HTTP towards Entra ID: no redirects, bounded answers, bounded time.

use std::pin::Pin;
use std::time::Duration;

use http::StatusCode;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use shared::deadline;
use url::Url;

/// Largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 256 * 1024;
/// How long one call may take, if its request has so much left.
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
        let answer = self.0.get(url.clone()).timeout(deadline::at_most(PATIENCE)).send().await?;
        let answer = bounded(answer).await?;
        if answer.status() != StatusCode::OK {
            return Err(HttpFailure::Status(answer.status()));
        }
        serde_json::from_slice(answer.body())
            .map_err(|error| HttpFailure::Unusable(Box::new(error)))
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let request = reqwest::Request::try_from(request)?;
        let request = reqwest::RequestBuilder::from_parts(self.0, request)
            .timeout(deadline::at_most(PATIENCE));
        let answer = bounded(request.send().await?).await?;
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
    /// The answer is not what it should be.
    #[error("the answer cannot be read")]
    Unusable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<reqwest::Error> for HttpFailure {
    fn from(error: reqwest::Error) -> Self {
        // The URL may carry what belongs in no log.
        Self::Network(error.without_url())
    }
}

//! The HTTP client of exporters: one pool with everything else, and a token of the managed identity
//! where Azure wants one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;

use crate::azure::Azure;

/// Whom tokens for Application Insights are for.
const AZURE_MONITOR: &str = "https://monitor.azure.com";

/// Sends the batches of exporters, which live on threads of their own, from the runtime of the
/// process.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    what: &'static str,
    http: reqwest::Client,
    azure: Option<Azure>,
    runtime: Handle,
    failing: Arc<AtomicBool>,
}

impl Upload {
    /// To whom nobody has to prove anything.
    pub(super) fn to_anybody(what: &'static str, http: reqwest::Client) -> Self {
        let (runtime, failing) = (Handle::current(), Arc::default());
        Self { what, http, azure: None, runtime, failing }
    }

    /// To Application Insights, as the identity of `azure`.
    pub(super) fn to_azure_monitor(azure: Azure, http: reqwest::Client) -> Self {
        Self { azure: Some(azure), ..Self::to_anybody("Application Insights", http) }
    }

    async fn send(self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        if let Some(azure) = &self.azure {
            let token = azure.token_for(AZURE_MONITOR).await?;
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))?;
            bearer.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        let answer = self.http.execute(request.try_into()?).await;
        let mut answer = answer.map_err(reqwest::Error::without_url)?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = std::mem::take(answer.headers_mut());
        }
        Ok(response.body(answer.bytes().await?)?)
    }

    /// Tells when telemetry is no longer taken, and when it is again: once each.
    fn note(&self, outcome: &Result<Response<Bytes>, HttpError>) {
        let problem = match outcome {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status())),
            Err(error) => Some(super::ErrorChain(&**error).to_string()),
        };
        let was_failing = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(problem) if !was_failing => {
                tracing::warn!(destination = self.what, problem, "telemetry is not taken");
            }
            None if was_failing => {
                tracing::info!(destination = self.what, "telemetry is taken again");
            }
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Upload {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.runtime.spawn(self.clone().send(request)).await?;
        self.note(&sent);
        sent
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::routing::post;
    use http::HeaderMap;
    use tokio::net::TcpListener;

    use super::*;

    /// An endpoint, and what each request to it said of who sends it.
    async fn endpoint() -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let written = Arc::clone(&seen);
        let take = move |headers: HeaderMap| async move {
            let authorization = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap());
            written.lock().unwrap().push(authorization.unwrap_or("nobody").to_owned());
        };
        let router = Router::new().route("/v2/track", post(take));
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        (address, seen)
    }

    fn batch(address: &str) -> Request<Bytes> {
        Request::post(format!("{address}/v2/track")).body(Bytes::from_static(b"{}")).unwrap()
    }

    #[tokio::test]
    async fn application_insights_gets_a_token_of_the_identity_and_others_get_none() {
        let (address, seen) = endpoint().await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let azure = Azure::known_by(|scope| format!("token-for {scope}"), http.clone());

        let to_azure = Upload::to_azure_monitor(azure, http.clone());
        to_azure.send_bytes(batch(&address)).await.unwrap();
        Upload::to_anybody("OTLP", http).send_bytes(batch(&address)).await.unwrap();

        let bearer = "Bearer token-for https://monitor.azure.com/.default";
        assert_eq!(*seen.lock().unwrap(), [bearer, "nobody"]);
    }

    #[tokio::test]
    async fn a_collector_that_is_away_is_an_error_without_its_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let upload = Upload::to_anybody("OTLP", http);

        let error = upload.send_bytes(batch(&address)).await.unwrap_err();

        assert!(upload.failing.load(Ordering::Relaxed));
        assert!(!error.to_string().contains(&address), "{error}");
    }
}

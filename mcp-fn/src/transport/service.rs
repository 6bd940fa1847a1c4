//! The stateless MCP service that every transport hands its messages to: the revision 2026-07-28
//! and, just as statelessly, the earlier ones that begin with `initialize`.

use std::fmt;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use rmcp::ServerHandler;
use rmcp::model::ErrorData;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use shared::base_url::PublicBaseUrl;
use shared::deadline::{self, SlowBody};

use super::fault::{Fault, json_rpc};
use super::observed::Observed;
use crate::config::Config;

/// The largest message, in bytes. A text of 1 MiB fits however its characters are escaped, since
/// JSON makes at most six bytes of one (`\u0000`); 64 KiB remain for what surrounds it.
pub const LARGEST_MESSAGE: usize = 6 * 1024 * 1024 + 64 * 1024;

/// A handler as transports reach it: one message in, one answer out, nothing remembered.
pub struct Service<H>(StreamableHttpService<Observed<H>, NeverSessionManager>);

impl<H: ServerHandler> Service<H> {
    /// `handler`, for clients of the hosts and origins that `config` allows.
    pub fn new(config: &Config, handler: H) -> Self {
        let handler = Arc::new(handler);
        Self(StreamableHttpService::new(
            move || Ok(Observed::new(&handler)),
            Arc::new(NeverSessionManager::default()),
            options(config),
        ))
    }

    /// The answer to `message`, which came with the head `parts`. It is a stream of events where
    /// the handler sends notifications before its answer, and otherwise JSON. Dropped before that,
    /// it cancels the handler.
    pub(super) async fn answer(&self, parts: Parts, message: Bytes) -> Response {
        let says_json = is_json(&parts.headers);
        let request = Request::from_parts(parts, Full::new(message.clone()));
        // What rmcp makes of a request is large, and would be copied each time that a future around it
        // is moved.
        let response = Box::pin(self.0.handle(request)).await.map(Body::new);
        if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && says_json {
            return Fault::of(&message).into_response();
        }
        explained(response).await
    }

    /// The refusal of a request whose `Host` or `Origin` is not allowed. rmcp looks at both before
    /// anything else; what it says of our method then is of no interest.
    pub(super) async fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.method_mut() = Method::GET;
        *request.headers_mut() = headers.clone();
        let response = self.0.handle(request).await.map(Body::new);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return None;
        }
        Some(explained(response).await)
    }
}

impl<H> fmt::Debug for Service<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Service").finish_non_exhaustive()
    }
}

/// The whole of a message.
pub(super) async fn read(body: Body) -> Result<Bytes, Fault> {
    let collected = deadline::body(Limited::new(body, LARGEST_MESSAGE).collect()).await;
    collected.map_err(|SlowBody| Fault::TooSlow)?.map(http_body_util::Collected::to_bytes).map_err(
        |error| {
            if error.is::<LengthLimitError>() { Fault::TooLarge } else { Fault::Interrupted }
        },
    )
}

fn options(config: &Config) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(LARGEST_MESSAGE)
        .with_allowed_hosts(allowed_hosts(&config.base_url))
        .with_allowed_origins(allowed_origins(config))
        .enforce_origin_validation()
}

/// The Functions host forwards with a loopback `Host`, whatever the client sent.
fn allowed_hosts(base_url: &PublicBaseUrl) -> [&str; 4] {
    ["localhost", "127.0.0.1", "::1", base_url.authority()]
}

/// Our own origin and those of the settings; and every page of this machine if we are served on
/// this machine only.
fn allowed_origins(config: &Config) -> Vec<String> {
    let base_url = &config.base_url;
    let mut origins = vec![with_port(base_url.as_str(), base_url.authority())];
    origins.extend(
        config.allowed_origins.iter().map(|origin| with_port(origin.as_str(), origin.authority())),
    );
    if !base_url.is_https() {
        let this_machine = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
        origins.extend(this_machine.map(str::to_owned));
    }
    origins
}

/// An entry without a port would match them all.
fn with_port(origin: &str, authority: &str) -> String {
    let port = Authority::try_from(authority).ok().and_then(|found| found.port_u16());
    let default_port = if origin.starts_with("https:") { 443 } else { 80 };
    match port {
        Some(_) => origin.to_owned(),
        None => format!("{origin}:{default_port}"),
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, "application/json")
}

/// Whether the content is of the media type `essence`, with or without parameters.
pub(super) fn has_type(headers: &HeaderMap, essence: &str) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let found = content_type.and_then(|text| text.split(';').next());
    found.is_some_and(|found| found.trim().eq_ignore_ascii_case(essence))
}

/// The answer as it is, or a refusal in plain text as a JSON-RPC error of the same status.
async fn explained(response: Response) -> Response {
    let status = response.status();
    if status.is_success() || is_json(response.headers()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let error = if status.is_server_error() {
        ErrorData::internal_error("internal error", None)
    } else {
        let text = body.collect().await.map(http_body_util::Collected::to_bytes);
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        ErrorData::invalid_request(text, None)
    };
    let mut explained = json_rpc(status, error);
    for (name, value) in &parts.headers {
        explained.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    explained
}

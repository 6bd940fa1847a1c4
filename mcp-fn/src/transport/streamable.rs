//! Streamable HTTP without sessions, so that any instance can answer any request: the revision
//! 2026-07-28 and, just as statelessly, the earlier ones that begin with `initialize`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use rmcp::ServerHandler;
use rmcp::model::{ErrorData, JsonRpcError};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use shared::base_url::PublicBaseUrl;

/// The largest message, in bytes. A text of 1 MiB fits however its characters are escaped, since
/// JSON makes at most six bytes of one (`\u0000`); 64 KiB remain for what surrounds it.
pub const LARGEST_MESSAGE: usize = 6 * 1024 * 1024 + 64 * 1024;

type Service<H> = StreamableHttpService<Arc<H>, NeverSessionManager>;

/// The endpoint that serves `handler` at the resource of `base_url`.
pub fn endpoint<H: ServerHandler>(base_url: &PublicBaseUrl, handler: H) -> MethodRouter {
    let handler = Arc::new(handler);
    let service: Service<H> = StreamableHttpService::new(
        move || Ok(Arc::clone(&handler)),
        Arc::new(NeverSessionManager::default()),
        config(base_url),
    );
    any(serve::<H>).with_state(Arc::new(service))
}

fn config(base_url: &PublicBaseUrl) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(LARGEST_MESSAGE)
        .with_allowed_hosts(allowed_hosts(base_url))
        .with_allowed_origins(allowed_origins(base_url))
        .enforce_origin_validation()
}

/// The Functions host forwards with a loopback `Host`, whatever the client sent.
fn allowed_hosts(base_url: &PublicBaseUrl) -> [&str; 4] {
    ["localhost", "127.0.0.1", "::1", base_url.authority()]
}

/// Our own origin; and every page of this machine if we are served on this machine only.
fn allowed_origins(base_url: &PublicBaseUrl) -> Vec<String> {
    // An entry without a port would match them all.
    let port = Authority::try_from(base_url.authority()).ok().and_then(|found| found.port_u16());
    let default_port = if base_url.is_https() { 443 } else { 80 };
    let own = match port {
        Some(_) => base_url.to_string(),
        None => format!("{base_url}:{default_port}"),
    };
    let mut origins = vec![own];
    if !base_url.is_https() {
        let this_machine = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
        origins.extend(this_machine.map(str::to_owned));
    }
    origins
}

async fn serve<H: ServerHandler>(
    State(service): State<Arc<Service<H>>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let message = match parts.method {
        Method::POST => match read(body).await {
            Ok(message) => message,
            Err(fault) => return fault.into_response(),
        },
        _ => Bytes::new(),
    };
    let says_json = is_json(&parts.headers);
    let body = Full::new(message.clone());
    let response = service.handle(Request::from_parts(parts, body)).await.map(Body::new);
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && says_json {
        return Fault::of(&message).into_response();
    }
    explained(response).await
}

async fn read(body: Body) -> Result<Bytes, Fault> {
    let collected = Limited::new(body, LARGEST_MESSAGE).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() { Fault::TooLarge } else { Fault::Interrupted }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// The answer as it is, or a refusal in plain text as a JSON-RPC error of the same status.
async fn explained(response: Response) -> Response {
    let status = response.status();
    if status.is_success() || is_json(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let error = if status.is_server_error() {
        ErrorData::internal_error("internal error", None)
    } else {
        let text = body.collect().await.map(http_body_util::Collected::to_bytes);
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        ErrorData::invalid_request(text, None)
    };
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(json_rpc(error)))
}

/// A JSON-RPC error that answers no request in particular.
fn json_rpc(error: ErrorData) -> Vec<u8> {
    serde_json::to_vec(&JsonRpcError::new(None, error)).unwrap_or_default()
}

/// Why a message was not handed on.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// The client stopped sending.
    #[error("the request body ended too early")]
    Interrupted,
    /// It is JSON, but no JSON-RPC message of MCP.
    #[error("the request body must be one JSON-RPC 2.0 message (batches are not supported)")]
    NotAMessage,
    /// It is no JSON at all.
    #[error("the request body is not valid JSON")]
    NotJson,
    /// It is longer than [`LARGEST_MESSAGE`].
    #[error("the request body is larger than {LARGEST_MESSAGE} bytes")]
    TooLarge,
}

impl Fault {
    /// What is wrong with a message that could not be read.
    fn of(message: &[u8]) -> Self {
        match serde_json::from_slice::<serde_json::Value>(message) {
            Ok(_) => Self::NotAMessage,
            Err(_) => Self::NotJson,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let text = self.to_string();
        let (status, error) = match self {
            Self::Interrupted | Self::NotAMessage => {
                (StatusCode::BAD_REQUEST, ErrorData::invalid_request(text, None))
            }
            Self::NotJson => (StatusCode::BAD_REQUEST, ErrorData::parse_error(text, None)),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, ErrorData::invalid_request(text, None))
            }
        };
        (status, [(CONTENT_TYPE, "application/json")], json_rpc(error)).into_response()
    }
}

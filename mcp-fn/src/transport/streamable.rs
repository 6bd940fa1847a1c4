//! Streamable HTTP without sessions, so that any instance can answer any request.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use futures::StreamExt;
use http::Method;
use http::header::HeaderMap;
use http::request::Parts;
use rmcp::ServerHandler;
use shared::serve::to_completion;
use tokio::sync::mpsc;
use tracing::Instrument;

use super::Service;
use super::fault::Fault;
use super::service::{has_type, read};

/// The first revision in which a client that goes away cancels its request.
const DISCONNECT_CANCELS_SINCE: &str = "2026-07-28";

/// How many pieces of an answer wait for their client.
const PIECES: usize = 16;

/// The endpoint that serves `service`.
pub fn endpoint<H: ServerHandler>(service: Arc<Service<H>>) -> MethodRouter {
    any(serve::<H>).with_state(service)
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
    if disconnect_cancels(&parts.headers) {
        return service.answer(parts, message).await;
    }
    let answer = to_completion(answer_to_the_end(service, parts, message)).await;
    answer.unwrap_or_else(|_| Fault::Internal.into_response())
}

/// Revisions are dates, so their order is that of their letters.
fn disconnect_cancels(headers: &HeaderMap) -> bool {
    let version = headers.get("mcp-protocol-version").and_then(|value| value.to_str().ok());
    version.is_some_and(|version| version >= DISCONNECT_CANCELS_SINCE)
}

/// The answer of a request that goes on without its client: a disconnection is no cancellation
/// (MCP 2025-11-25, transports, "Sending messages to the server").
async fn answer_to_the_end<H: ServerHandler>(
    service: Arc<Service<H>>,
    parts: Parts,
    message: Bytes,
) -> Response {
    let response = service.answer(parts, message).await;
    if !has_type(response.headers(), "text/event-stream") {
        return response;
    }
    response.map(|body| {
        let (pieces, mut read) = mpsc::channel(PIECES);
        let work = async move {
            let mut body = body.into_data_stream();
            while let Some(piece) = body.next().await {
                // Who has gone away gets nothing, but the work goes on.
                let _gone = pieces.send(piece).await;
            }
        };
        tokio::spawn(work.in_current_span());
        Body::from_stream(futures::stream::poll_fn(move |context| read.poll_recv(context)))
    })
}

//! HTTP+SSE, the transport of MCP 2024-11-05, over the same stateless service as Streamable HTTP.
//!
//! A client holds a stream open on one instance and posts its messages to any. Each message is
//! answered where it lands; the answer goes to the stream, through memory if it is held there too,
//! and otherwise through a table.

mod answer;
mod ended;
mod event;
mod message;
mod queue;
mod relay;
mod room;
mod session_id;
mod shares;
mod stream;
mod streams;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use http::StatusCode;
use rmcp::ServerHandler;
use rmcp::model::ErrorData;
use shared::clock::Clock;
use shared::storage::RecordStore;

use super::Service;
use super::fault::json_rpc;
use crate::config::Config;
use relay::Relay;
use session_id::McpSessionIds;
use streams::Streams;

/// Where clients open their stream.
pub const STREAM_PATH: &str = "/mcp/sse";

/// Where they post their messages: `message` beside the stream.
pub const MESSAGE_PATH: &str = "/mcp/message";

/// The endpoints that serve `service` to streams which live for `lifetime`; answers go from one
/// instance to another through `relay`.
pub fn endpoints<H: ServerHandler>(
    config: &Config,
    lifetime: Duration,
    service: Arc<Service<H>>,
    relay: Arc<dyn RecordStore>,
    clock: Arc<dyn Clock>,
) -> Router {
    let relay = Relay::new(&config.session_keys, relay, Arc::clone(&clock));
    let ids = McpSessionIds::new(&config.session_keys, &config.base_url);
    let streams = Arc::new(Streams::new(relay, lifetime, clock));
    let transport = Arc::new(Transport { service, ids, streams });
    Router::new()
        // A stream without its body is nothing.
        .route(STREAM_PATH, get(stream::open::<H>).head(stream::refuse))
        .route(MESSAGE_PATH, post(message::take::<H>))
        .with_state(transport)
}

/// The same paths where HTTP+SSE is switched off.
pub fn switched_off() -> Router {
    let answer = || async {
        let text = "HTTP+SSE is switched off on this server: use Streamable HTTP at /mcp";
        json_rpc(StatusCode::NOT_FOUND, ErrorData::invalid_request(text, None))
    };
    Router::new()
        .route(STREAM_PATH, get(answer).head(stream::refuse))
        .route(MESSAGE_PATH, post(answer))
}

/// What both endpoints share.
#[derive(Debug)]
struct Transport<H> {
    service: Arc<Service<H>>,
    ids: McpSessionIds,
    streams: Arc<Streams>,
}

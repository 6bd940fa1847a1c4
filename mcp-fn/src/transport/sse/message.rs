//! `POST /mcp/message`: takes a message, and sends the answer to the stream that it names.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::header::{ACCEPT, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, StatusCode, Uri};
use http_body_util::BodyExt;
use rmcp::ServerHandler;
use rmcp::model::ErrorData;
use shared::deadline::COME_AGAIN;
use shared::serve::to_completion;
use shared::storage::{Key, StoreError};
use shared::telemetry::ErrorChain;

use super::Transport;
use super::answer::PostId;
use super::event::EventReader;
use super::session_id::McpSessionId;
use crate::caller::Caller;
use crate::transport::fault::{Fault, json_rpc};
use crate::transport::service::{has_type, read};

/// What Streamable HTTP wants to hear, which clients of this transport do not say.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// `POST /mcp/message?sessionId=…`. It is answered 202 when the answer is on its way, so that a
/// client which hears otherwise knows that none will come.
pub(super) async fn take<H: ServerHandler>(
    State(transport): State<Arc<Transport<H>>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let owner = caller.session().identity.user_key();
    let named = session_id(&parts.uri).and_then(|text| transport.ids.open(text, &owner));
    let Some(id) = named.filter(|id| transport.streams.takes(id)) else { return no_stream() };
    let message = match read(body).await {
        Ok(message) => message,
        Err(fault) => return fault.into_response(),
    };
    parts.headers.insert(ACCEPT, ACCEPTED);
    parts.headers.remove("mcp-session-id");
    // Who stops waiting for the 202 has not cancelled anything.
    let taken = to_completion(answer(transport, (id, owner), caller, parts, message)).await;
    taken.unwrap_or_else(|_| Fault::Internal.into_response())
}

async fn answer<H: ServerHandler>(
    transport: Arc<Transport<H>>,
    (id, owner): (McpSessionId, Key),
    caller: Caller,
    parts: Parts,
    message: Bytes,
) -> Response {
    let response = transport.service.answer(parts, message).await;
    if response.status() != StatusCode::OK || caller.scopes_to_ask_for().is_some() {
        return response;
    }
    let post = PostId::generate();
    let delivery = Delivery { transport: &transport, id, owner, caller, post };
    match delivery.deliver(response).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => {
            tracing::error!(error = %ErrorChain(&error), "an answer cannot be relayed");
            undelivered()
        }
    }
}

struct Delivery<'a, H> {
    transport: &'a Transport<H>,
    id: McpSessionId,
    owner: Key,
    caller: Caller,
    post: PostId,
}

impl<H: ServerHandler> Delivery<'_, H> {
    /// Sends each message of a response: the answer alone, or notifications before it.
    async fn deliver(&self, response: Response) -> Result<(), StoreError> {
        let is_stream = has_type(response.headers(), "text/event-stream");
        let body = response.into_body();
        if is_stream {
            return self.deliver_events(body).await;
        }
        let answer = body.collect().await.map_err(StoreError::new)?.to_bytes();
        self.send(0, &answer).await
    }

    async fn deliver_events(&self, body: Body) -> Result<(), StoreError> {
        let mut pieces = body.into_data_stream();
        let mut events = EventReader::default();
        let mut sequence = 0;
        let mut last = Ok(());
        while let Some(piece) = pieces.next().await {
            for message in events.read(&piece.map_err(StoreError::new)?) {
                // Then the whole request ends in 403, and its answer says nothing else.
                if self.caller.scopes_to_ask_for().is_some() {
                    return Ok(());
                }
                // A notification that is lost does not end the work; what counts is the answer.
                last = self.send(sequence, &message).await;
                sequence += 1;
            }
        }
        last
    }

    async fn send(&self, sequence: u32, answer: &Bytes) -> Result<(), StoreError> {
        let place = (self.post, sequence);
        self.transport.streams.deliver(&self.id, &self.owner, place, answer).await
    }
}

/// The one parameter of the query that counts.
fn session_id(uri: &Uri) -> Option<&str> {
    let mut found = uri.query()?.split('&').filter_map(|pair| pair.strip_prefix("sessionId="));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// One answer for all: whether there is such a stream is nobody's business but its owner's.
fn no_stream() -> Response {
    let text = "sessionId names no stream of yours: open one with GET /mcp/sse, and post to the \
                address in its first event";
    json_rpc(StatusCode::NOT_FOUND, ErrorData::invalid_request(text, None))
}

fn undelivered() -> Response {
    let text = "the answer cannot be delivered right now: try again in a moment";
    let mut response =
        json_rpc(StatusCode::SERVICE_UNAVAILABLE, ErrorData::internal_error(text, None));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(COME_AGAIN));
    response
}

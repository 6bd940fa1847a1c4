//! `GET /mcp/sse`: opens a stream.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use rmcp::ServerHandler;
use rmcp::model::ErrorData;
use shared::storage::Key;
use shared::telemetry::metrics;
use tokio::time::{Duration, Instant, sleep_until, timeout};

use super::Transport;
use super::event;
use super::queue::{Ending, Next, Queue};
use super::session_id::McpSessionId;
use super::streams::{Opened, Streams};
use super::watch::watch;
use crate::caller::Caller;
use crate::transport::fault::json_rpc;

/// How long a stream is silent before a comment keeps it alive: proxies on the way give up on one
/// that is silent for minutes.
const SILENCE: Duration = Duration::from_secs(15);

/// How long the end of a stream waits for its being noted.
const NOTED_WITHIN: Duration = Duration::from_secs(2);

/// Tells proxies to pass each event on as it comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET /mcp/sse`.
pub(super) async fn open<H: ServerHandler>(
    State(transport): State<Arc<Transport<H>>>,
    caller: axum::Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = transport.service.refusal(&headers).await {
        return refusal;
    }
    let owner = caller.session().identity.user_key();
    let before = last_event_id(&headers).and_then(|text| transport.ids.open(text, &owner));
    let client = caller.session().client_id.as_bytes();
    let whose = Key::digest("streams-of", &[owner.as_str().as_bytes(), client]);
    let Some(opened) = transport.streams.open(&owner, &whose, before) else { return too_many() };
    if opened.is_first {
        tokio::spawn(watch(Arc::clone(&transport.streams)));
    }
    // Not before the first bytes go out.
    tokio::spawn(look_back(Arc::clone(&transport.streams), whose.clone(), before, opened.id));
    answer(&transport, opened, &owner, whose)
}

/// Finds the stream that the new one follows, or forgets the one that its client has named.
async fn look_back(
    streams: Arc<Streams>,
    whose: Key,
    before: Option<McpSessionId>,
    new: McpSessionId,
) {
    match before {
        Some(before) => streams.forget_ended(&whose, &before).await,
        None => streams.follow_ended(&whose, new.stream).await,
    }
}

/// `HEAD /mcp/sse`, which would otherwise open a stream and throw it away.
pub(super) async fn refuse() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")]).into_response()
}

fn answer<H>(transport: &Transport<H>, opened: Opened, owner: &Key, whose: Key) -> Response {
    let first = event::endpoint(&transport.ids.mint(opened.id, owner));
    let open = OpenStream {
        first: Some(first),
        queue: opened.queue,
        ends_at: Instant::now() + transport.streams.lifetime(),
        place: Place {
            streams: Arc::clone(&transport.streams),
            id: opened.id,
            _counted: metrics::OpenStream::new(),
        },
        whose,
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(open.into_bytes())).into_response()
}

/// Every event that we send has the name of its stream as id, so that is what comes back.
fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id")?.to_str().ok()
}

fn too_many() -> Response {
    let text =
        "this server holds as many streams as it can: use Streamable HTTP at /mcp, or try later";
    let error = ErrorData::internal_error(text, None);
    let mut response = json_rpc(StatusCode::SERVICE_UNAVAILABLE, error);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
    response
}

/// A stream on its way to a client.
struct OpenStream {
    first: Option<Bytes>,
    queue: Arc<Queue>,
    ends_at: Instant,
    place: Place,
    /// The user and the client.
    whose: Key,
}

impl OpenStream {
    fn into_bytes(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        stream::unfold(Some(self), |open| async {
            let mut open = open?;
            match open.next().await {
                Next::Event(bytes) => Some((Ok(bytes), Some(open))),
                Next::Cut(ending) => {
                    tracing::debug!(reason = ending.as_str(), "a stream has ended within an event");
                    None
                }
                Next::End(ending) => {
                    tracing::debug!(reason = ending.as_str(), "a stream has ended");
                    Some((Ok(event::farewell(ending.as_str())), None))
                }
            }
        })
    }

    async fn next(&mut self) -> Next {
        if let Some(first) = self.first.take() {
            return Next::Event(first);
        }
        tokio::select! {
            biased;
            next = self.queue.next() => next,
            () = sleep_until(self.ends_at) => {
                let Place { streams, id, .. } = &self.place;
                // First, so that the next stream finds it.
                let note = streams.note_ended(&self.whose, id);
                let _in_time = timeout(NOTED_WITHIN, note).await;
                self.place.leave(Ending::Age);
                self.queue.end(Ending::Age);
                self.queue.next().await
            }
            () = tokio::time::sleep(SILENCE) => Next::Event(event::KEEP_ALIVE),
        }
    }
}

/// The place of a stream among those of this instance. It is given up however the stream ends.
struct Place {
    streams: Arc<Streams>,
    id: McpSessionId,
    _counted: metrics::OpenStream,
}

impl Place {
    fn leave(&self, ending: Ending) {
        self.streams.close(self.id.stream, ending);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave(Ending::Gone);
    }
}

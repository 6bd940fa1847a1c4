//! Passes a request on to the handler, and its answer back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use http::header::CONTENT_LENGTH;
use http::{StatusCode, response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::front::empty_500;
use crate::headers;
use crate::process::Handler;

/// Largest body of a request, in bytes.
const LARGEST_BODY: usize = 100 * 1024 * 1024;

/// How often a request is sent again after one that failed.
const MOST_RETRIES: u32 = 10;

/// The pause before the first retry; each later one is longer by as much, up to five times.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Forwarder {
    handler: Arc<Handler>,
    activity: Duration,
    function_timeout: Option<Duration>,
}

impl Forwarder {
    pub(crate) fn new(
        handler: Handler,
        activity: Duration,
        function_timeout: Option<Duration>,
    ) -> Self {
        Self { handler: Arc::new(handler), activity, function_timeout }
    }

    /// The handler's answer, whose head is held back until its body begins.
    pub(crate) async fn forward(&self, request: Request, peer: SocketAddr) -> Response {
        let watch = self.watch();
        let request = match read_whole(request).await {
            Ok(request) => request,
            Err(status) => return status.into_response(),
        };
        let Some((head, mut body)) = self.answer(request, peer).await else {
            return empty_500();
        };
        let first = match timeout(self.activity, next_bytes(&mut body)).await {
            Ok(Some(Ok(first))) => Some(first),
            Ok(None) => None,
            Ok(Some(Err(_))) | Err(_) => return empty_500(),
        };
        let rest = rest_of(body, self.activity, watch);
        let body = match first {
            Some(first) => Body::from_stream(stream::iter([Ok(first)]).chain(rest)),
            None => Body::empty(),
        };
        let mut head = head;
        headers::strip(&mut head.headers);
        Response::from_parts(head, body)
    }

    /// Sends the request as often as the host would. One whose body was begun is sent once.
    async fn answer(
        &self,
        request: Request,
        peer: SocketAddr,
    ) -> Option<(response::Parts, Incoming)> {
        let (mut head, body) = request.into_parts();
        let is_empty = body.is_end_stream();
        let mut body = Some(body);
        for retry in 1..=MOST_RETRIES + 1 {
            let address = self.handler.address().await?;
            if let Ok(stream) = TcpStream::connect(address).await {
                headers::to_handler(&mut head.headers, peer, &address.to_string());
                let body = if is_empty { Body::empty() } else { body.take()? };
                let request = Request::from_parts(head.clone(), body);
                match timeout(self.activity, send(stream, request)).await {
                    Ok(Ok(answer)) => return Some(answer.into_parts()),
                    Err(_) => return None,
                    Ok(Err(_)) if !is_empty => return None,
                    Ok(Err(_)) => {}
                }
            }
            tokio::time::sleep(PAUSE * retry.min(5)).await;
        }
        None
    }

    /// Starts the handler anew, with all requests in it, if this one takes too long.
    fn watch(&self) -> Watch {
        let (handler, after) = (Arc::clone(&self.handler), self.function_timeout);
        Watch(tokio::spawn(async move {
            match after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
            handler.restart();
        }))
    }
}

/// Ends with the request that it watches.
struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A body of a known length is read before the handler hears of the request, others are not.
async fn read_whole(request: Request) -> Result<Request, StatusCode> {
    if !request.headers().contains_key(CONTENT_LENGTH) {
        return Ok(request.map(|body| Body::new(Limited::new(body, LARGEST_BODY))));
    }
    let (head, body) = request.into_parts();
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => Ok(Request::from_parts(head, Body::from(body.to_bytes()))),
        Err(error) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

/// The answer on a connection of its own, which ends when nobody waits for the answer any more.
pub(crate) async fn send(stream: TcpStream, request: Request) -> hyper::Result<Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

/// What is left of a body. If nothing comes for too long, or the handler dies, the client's
/// connection ends in the middle of it.
fn rest_of(
    body: Incoming,
    activity: Duration,
    watch: Watch,
) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some((body, watch)), move |state| async move {
        let (mut body, watch) = state?;
        match timeout(activity, next_bytes(&mut body)).await {
            Ok(None) => None,
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some((body, watch)))),
            Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    })
}

async fn next_bytes(body: &mut Incoming) -> Option<hyper::Result<Bytes>> {
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(bytes)) if !bytes.is_empty() => return Some(Ok(bytes)),
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
    }
    None
}

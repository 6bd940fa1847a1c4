//! Passes requests on as they are, for what stands before a host and behind a handler.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::{HeaderValue, StatusCode, Uri};
use tokio::net::TcpStream;

use crate::forward::send;
use crate::headers;

/// Passes every request on to `address`, which it becomes the host of.
pub fn relay(address: SocketAddr) -> Router {
    Router::new().fallback(pass_on).with_state(address)
}

async fn pass_on(State(address): State<SocketAddr>, mut request: Request) -> Response {
    headers::strip(request.headers_mut());
    if let Ok(host) = HeaderValue::try_from(address.to_string()) {
        request.headers_mut().insert(HOST, host);
    }
    let target = request.uri().path_and_query().cloned();
    *request.uri_mut() = target.map_or_else(Uri::default, Uri::from);
    let Ok(stream) = TcpStream::connect(address).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    match send(stream, request).await {
        Ok(answer) => {
            let (mut head, body) = answer.into_parts();
            headers::strip(&mut head.headers);
            Response::from_parts(head, Body::new(body))
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

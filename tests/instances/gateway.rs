//! A gateway that takes its backends in turn, request by request. One that is gone is left out.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use tokio::net::TcpListener;

/// Names the instance that answered.
pub(crate) const INSTANCE: &str = "x-instance";

/// Where requests go.
#[derive(Debug)]
pub(crate) struct Backends {
    ports: Vec<u16>,
    next: AtomicUsize,
    http: reqwest::Client,
}

impl Backends {
    pub(crate) fn new(ports: Vec<u16>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { ports, next: AtomicUsize::new(0), http }
    }
}

/// A gateway that is open as long as the test runs.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) port: u16,
}

impl Gateway {
    pub(crate) async fn open(backends: Backends) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(forward).with_state(Arc::new(backends));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { port }
    }
}

async fn forward(State(backends): State<Arc<Backends>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    for _ in 0..backends.ports.len() {
        let number = backends.next.fetch_add(1, Ordering::Relaxed) % backends.ports.len();
        let url = format!("http://127.0.0.1:{}{}", backends.ports[number], parts.uri);
        let mut headers = parts.headers.clone();
        headers.remove("host");
        let sent = backends.http.request(parts.method.clone(), url).headers(headers);
        match sent.body(body.clone()).send().await {
            Ok(answer) => return passed_on(answer, number),
            Err(error) if error.is_connect() => {}
            Err(_) => break,
        }
    }
    StatusCode::BAD_GATEWAY.into_response()
}

fn passed_on(answer: reqwest::Response, number: usize) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    response.headers_mut().insert(INSTANCE, HeaderValue::from(number));
    response.headers_mut().remove("transfer-encoding");
    response.map(|_| Body::from_stream(answer.bytes_stream()))
}

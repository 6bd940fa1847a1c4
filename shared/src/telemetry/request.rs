//! A span and a measurement for each request that an app answers.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use opentelemetry::StringValue;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::{metrics, spans};
use crate::base_url::PublicBaseUrl;
use crate::trace_context::TraceContext;

/// How clients reach the apps, since the gateway alone sees them.
#[derive(Clone, Copy, Debug)]
pub struct Scheme(&'static str);

impl From<&PublicBaseUrl> for Scheme {
    fn from(base_url: &PublicBaseUrl) -> Self {
        Self(if base_url.is_https() { "https" } else { "http" })
    }
}

/// Observes the answer to a request: the semantic conventions for HTTP servers, and of the request
/// no more than its method and route. The span is a part of what the caller's headers name.
///
/// It ends with the head of the answer, so a stream that lives on is not measured.
pub async fn observe(
    State(Scheme(scheme)): State<Scheme>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = span(method, route.as_ref().map(MatchedPath::as_str), scheme);
    if let Some(parent) = TraceContext::of_headers(request.headers()) {
        spans::set_parent(&span, &parent);
    }
    let response = next.run(request).instrument(span.clone()).await;
    answered(&span, &response);
    let route = route.map(|route| StringValue::from(route.as_str().to_owned()).into());
    metrics::http_server(scheme, method, route, response.status(), begun.elapsed());
    response
}

/// The span of a request that comes from outside. The name is that of the route; a path that has
/// none is anybody's text. An app may note in it its own name for the request.
pub fn span(method: &'static str, route: Option<&str>, scheme: &'static str) -> Span {
    // As an error, so that no filter of the log parts it from what is logged within.
    let span = tracing::error_span!(
        "request",
        correlation_id = Empty,
        otel.kind = "server",
        otel.name = Empty,
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = method,
        http.response.status_code = Empty,
        http.route = route,
        url.scheme = scheme,
    );
    match route {
        Some(route) => span.record("otel.name", format!("{method} {route}")),
        None => span.record("otel.name", method),
    };
    span
}

/// Notes in `span` how the request was answered. What a client did wrong is no error of the server.
pub fn answered(span: &Span, response: &Response) {
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("error.type", status.as_str()).record("otel.status_code", "ERROR");
    }
}

/// The method by its name, as long as it is one that everybody knows.
pub fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

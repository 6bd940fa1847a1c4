//! The front of the host: which requests reach the handler, and which it answers itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::request::Parts;
use http::{Method, StatusCode};
use url::form_urlencoded;

use crate::forward::Forwarder;
use crate::host::HostOptions;
use crate::package::{AuthLevel, Package};
use crate::path;
use crate::process::Handler;

/// Longest first line of a request, in bytes.
const LONGEST_REQUEST_LINE: usize = 8 * 1024;
/// Largest head of a request, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;

#[derive(Debug)]
pub(crate) struct Front {
    package: Arc<Package>,
    function_key: String,
    forwarder: Forwarder,
}

/// The host before `handler`. It must be served with the address of the peer.
pub(crate) fn router(package: Arc<Package>, handler: Handler, options: &HostOptions) -> Router {
    let timeout: Option<Duration> = package.settings().function_timeout;
    let forwarder = Forwarder::new(handler, options.activity, timeout);
    let front = Front { package, function_key: options.function_key.clone(), forwarder };
    Router::new().fallback(take).with_state(Arc::new(front))
}

async fn take(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match front.admit(&parts) {
        Ok(path) => {
            let query = parts.uri.query().map_or(String::new(), |query| format!("?{query}"));
            match format!("{}{query}", path::forwarded(&path)).parse() {
                Ok(uri) => parts.uri = uri,
                Err(_) => return StatusCode::BAD_REQUEST.into_response(),
            }
            front.forwarder.forward(Request::from_parts(parts, body), peer).await
        }
        Err(status) => status.into_response(),
    }
}

impl Front {
    /// The path at which the handler gets the request, or what the host answers itself.
    fn admit(&self, request: &Parts) -> Result<String, StatusCode> {
        check_size(request)?;
        if is_preflight(request) {
            // By the origins in the app's configuration, of which there are none.
            return Err(StatusCode::NO_CONTENT);
        }
        let path = path::decoded(request.uri.path());
        let lower = path.to_ascii_lowercase();
        let is_below = |place: &str| {
            lower.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if is_below("/admin") {
            return Err(StatusCode::UNAUTHORIZED);
        }
        if is_below("/runtime/webhooks") {
            return Err(StatusCode::NOT_FOUND);
        }
        self.check_route(&request.method, &path)?;
        self.check_key(request)?;
        Ok(request.uri.path().to_owned())
    }

    fn check_route(&self, method: &Method, path: &str) -> Result<(), StatusCode> {
        let prefix = &self.package.settings().route_prefix;
        let below = prefix.is_empty() || path.starts_with(&format!("/{prefix}/"));
        let methods = self.package.function().methods.as_ref();
        let taken = methods.is_none_or(|methods| methods.contains(method));
        if below && taken { Ok(()) } else { Err(StatusCode::NOT_FOUND) }
    }

    /// The key is in the header, or else in the query, where OAuth has a parameter of that name.
    fn check_key(&self, request: &Parts) -> Result<(), StatusCode> {
        if self.package.function().auth_level == AuthLevel::Anonymous {
            return Ok(());
        }
        let query = request.uri.query().unwrap_or_default().as_bytes();
        let in_header = request.headers.get("x-functions-key").map(|key| key.as_bytes().to_vec());
        let in_query = || {
            let mut pairs = form_urlencoded::parse(query);
            pairs.find(|(name, _)| name == "code").map(|(_, code)| code.into_owned().into_bytes())
        };
        let key = in_header.or_else(in_query).unwrap_or_default();
        let is_good = !key.is_empty() && key == self.function_key.as_bytes();
        if is_good { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
    }
}

fn check_size(request: &Parts) -> Result<(), StatusCode> {
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method.as_str().len() + target + " HTTP/1.1\r\n".len() + 1;
    let headers = request.headers.iter();
    let head: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if line > LONGEST_REQUEST_LINE {
        Err(StatusCode::URI_TOO_LONG)
    } else if head > LARGEST_HEAD {
        Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else {
        Ok(())
    }
}

fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS
        && request.headers.contains_key(ORIGIN)
        && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What the client gets when the handler could not answer: nothing but the status.
pub(crate) fn empty_500() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

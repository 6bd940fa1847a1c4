//! What becomes of headers on their way.

use std::net::SocketAddr;

use data_encoding::HEXLOWER;
use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue};
use shared::secret::random_bytes;

/// Headers of one connection, which do not reach the other side.
const OF_THE_CONNECTION: [&str; 13] = [
    "alt-svc",
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "sec-websocket-key",
];

/// Makes of a client's headers what the handler at `handler` sees, for a request from `peer`.
pub(crate) fn to_handler(headers: &mut HeaderMap, peer: SocketAddr, handler: &str) {
    strip(headers);
    let public = headers.get("disguised-host").or_else(|| headers.get(HOST)).cloned();
    for name in ["x-forwarded-prefix", "forwarded", "x-forwarded-host"] {
        headers.remove(name);
    }
    if let Some(public) = public {
        headers.insert("x-forwarded-host", public);
    }
    set(headers, "x-forwarded-for", &peer.ip().to_string());
    set(headers, "x-forwarded-proto", "http");
    set(headers, HOST.as_str(), handler);
    let id = HEXLOWER.encode(&random_bytes::<16>());
    set(headers, "x-azure-functions-hostversion", "4.0.0.0");
    set(headers, "x-azure-functions-invocationid", &id);
    set(headers, "x-ms-invocation-id", &id);
}

/// Takes away what belongs to the connection that headers came on.
pub(crate) fn strip(headers: &mut HeaderMap) {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::try_from(name);
    if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

//! The gateway: stands for API Management. It routes by path, and adds the headers that the apps
//! trust because only the gateway sets them.

mod routes;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use data_encoding::HEXLOWER;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use shared::secret::random_bytes;
use shared::telemetry::{request, spans};
use shared::trace_context::TraceParent;
use tower::ServiceExt;
use tracing::{Instrument, Span};

use crate::identity_provider::MOUNT;
use routes::{App, RouteTable};

pub use routes::InvalidDocument;

const OAUTH_DOCUMENT: &str = include_str!("../../infra/apim/oauth.openapi.json");
const MCP_DOCUMENT: &str = include_str!("../../infra/apim/mcp.openapi.json");

/// The key that opens a function app (sent by the gateway only).
const FUNCTION_KEY: HeaderName = HeaderName::from_static("x-functions-key");

/// The address that the request came from.
const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("x-client-address");

/// What stands behind the gateway.
#[derive(Debug)]
pub struct Backends {
    /// The authorization server.
    pub oauth_fn: Router,
    /// The MCP server.
    pub mcp_fn: Router,
    /// The development identity provider, which API Management does not have.
    pub identity_provider: Router,
    /// The key that opens both apps.
    pub function_key: FunctionKey,
}

/// The key that opens a function app, whatever a client sends.
#[derive(Clone, Debug)]
pub struct FunctionKey(HeaderValue);

impl FunctionKey {
    /// A new key, of letters and digits.
    pub fn generate() -> Self {
        let key = HEXLOWER.encode(&random_bytes::<32>());
        let mut key = HeaderValue::try_from(key).unwrap_or(HeaderValue::from_static(""));
        key.set_sensitive(true);
        Self(key)
    }

    /// The key, for whoever checks it.
    pub fn expose(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The gateway before `backends`. It must be served with the address of the peer.
///
/// # Errors
/// An OpenAPI document cannot be read.
pub fn router(backends: Backends) -> Result<Router, InvalidDocument> {
    let routes = RouteTable::from_documents(OAUTH_DOCUMENT, MCP_DOCUMENT)?;
    Ok(router_by(routes, backends))
}

fn router_by(routes: RouteTable, backends: Backends) -> Router {
    let gateway = Gateway { routes, backends };
    Router::new().fallback(forward).with_state(Arc::new(gateway))
}

#[derive(Debug)]
struct Gateway {
    routes: RouteTable,
    backends: Backends,
}

async fn forward(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let path = request.uri().path();
    let found = gateway.routes.find(path);
    let app = match found {
        Some((_, App::OauthFn)) => &gateway.backends.oauth_fn,
        Some((_, App::McpFn)) => &gateway.backends.mcp_fn,
        None if is_below_mount(path) => &gateway.backends.identity_provider,
        None => return not_found(),
    };
    let span = span(&request, found.map(|(route, _)| route));
    let headers = request.headers_mut();
    headers.insert(FUNCTION_KEY, gateway.backends.function_key.0.clone());
    match HeaderValue::try_from(peer.ip().to_string()) {
        Ok(address) => headers.insert(CLIENT_ADDRESS, address),
        Err(_) => headers.remove(CLIENT_ADDRESS),
    };
    spans::inject(&span, request.headers_mut());
    let Ok(response) = app.clone().oneshot(request).instrument(span.clone()).await;
    request::answered(&span, &response);
    response
}

/// The span of a request, as API Management has one: the app's is a part of it.
fn span(request: &Request, route: Option<&str>) -> Span {
    let span = request::span(request::known(request.method()), route, "http");
    if let Some(caller) = TraceParent::of_headers(request.headers()) {
        spans::set_parent(&span, &caller);
    }
    span
}

fn is_below_mount(path: &str) -> bool {
    path.strip_prefix(MOUNT).is_some_and(|rest| rest.starts_with('/'))
}

/// The words of API Management.
fn not_found() -> Response {
    let body = json!({ "statusCode": 404, "message": "Resource not found" });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::{get, post};
    use http::{HeaderMap, Method};
    use http_body_util::BodyExt;

    use super::*;

    const DOCUMENTS: (&str, &str) =
        (r#"{ "paths": { "/": {}, "/token": {} } }"#, r#"{ "paths": { "/mcp": {} } }"#);

    fn gateway() -> Router {
        let seen = |headers: HeaderMap| async move { format!("{headers:?}") };
        router_by(
            RouteTable::from_documents(DOCUMENTS.0, DOCUMENTS.1).unwrap(),
            Backends {
                oauth_fn: Router::new().route("/", get("oauth-fn")).route("/token", post(seen)),
                mcp_fn: Router::new().route("/mcp", post("mcp-fn")),
                identity_provider: Router::new().route("/dev-idp/jwks", get("identity provider")),
                function_key: FunctionKey::generate(),
            },
        )
    }

    async fn call(method: Method, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 9], 4711))));
        let response = gateway().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_path_reaches_its_app() {
        for (method, path, body) in [
            (Method::GET, "/", "oauth-fn"),
            (Method::POST, "/mcp", "mcp-fn"),
            (Method::GET, "/dev-idp/jwks?x=1", "identity provider"),
        ] {
            assert_eq!(call(method, path, &[]).await, (StatusCode::OK, body.to_owned()));
        }
    }

    #[tokio::test]
    async fn a_wrong_method_reaches_the_app_which_refuses_it() {
        assert_eq!(call(Method::DELETE, "/mcp", &[]).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn an_unknown_path_is_refused_in_the_words_of_api_management() {
        for path in ["/admin", "/dev-idp", "/dev-idpx", "/mcp/"] {
            let (status, body) = call(Method::GET, path, &[]).await;

            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body, json!({ "statusCode": 404, "message": "Resource not found" }));
        }
    }

    #[tokio::test]
    async fn key_and_address_are_the_gateways_whatever_a_client_sends() {
        let sent = [
            ("X-Functions-Key", "guessed"),
            ("x-functions-key", "guessed twice"),
            ("X-Client-Address", "10.0.0.1"),
        ];

        let (_, seen) = call(Method::POST, "/token", &sent).await;

        assert!(seen.contains(r#""x-client-address": "127.0.0.9""#), "{seen}");
        assert!(seen.contains(r#""x-functions-key": Sensitive"#), "{seen}");
        assert!(!seen.contains("guessed") && !seen.contains("10.0.0.1"), "{seen}");
    }

    #[test]
    fn the_documents_of_this_repository_are_read() {
        let routes = RouteTable::from_documents(OAUTH_DOCUMENT, MCP_DOCUMENT).unwrap();

        assert_eq!(routes.find("/"), Some(("/", App::OauthFn)));
        assert_eq!(routes.find("/mcp"), Some(("/mcp", App::McpFn)));
        assert_eq!(routes.find("/dev-idp/jwks"), None);
    }
}

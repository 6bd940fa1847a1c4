//! The MCP server: validates the session behind each request and serves the snippet tools.

pub mod auth;
pub mod caller;
pub mod config;
pub mod deployed;
mod icons;
mod metadata;
mod resources;
pub mod snippets;
#[cfg(test)]
mod testing;
pub mod tools;
pub mod transport;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use rmcp::ServerHandler;
use shared::clock::Clock;
use shared::deadline;
use shared::session::Sessions;
use shared::storage::{ObservedStore, RecordStore};
use shared::telemetry::request::{self, Scheme};
use tower_http::cors::{Any, CorsLayer};

use crate::auth::Gate;
use crate::config::{Config, LegacySse};
use crate::snippets::SnippetStore;
use crate::snippets::owned::Snippets;
use crate::tools::SnippetTools;
use crate::transport::{Service, sse, streamable};

/// The outside things that every MCP server here needs.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Where sessions are kept; they are read only.
    pub records: Arc<dyn RecordStore>,
    /// Through which answers go to streams of HTTP+SSE on other instances.
    pub relay: Arc<dyn RecordStore>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// The whole app: the snippet tools over `snippets`, behind tokens of `config`.
pub fn router(config: &Config, doors: Doors, snippets: Arc<dyn SnippetStore>) -> Router {
    let (snippets, clock) = (Snippets::new(snippets), Arc::clone(&doors.clock));
    server(config, doors, SnippetTools::new(snippets, &config.session_keys, clock))
}

/// Any MCP handler behind our bearer layer and on our transports, with the metadata that leads
/// clients to it. Its tools find the [`caller::Caller`] in the request.
pub fn server<H: ServerHandler>(config: &Config, doors: Doors, handler: H) -> Router {
    let Doors { records, relay, clock } = doors;
    let records = Arc::new(ObservedStore::new(records, "sessions"));
    let relay = Arc::new(ObservedStore::new(relay, "relay"));
    let sessions = Sessions::new(
        &config.session_keys,
        &config.base_url,
        records,
        Arc::clone(&clock),
        config.session_cache,
    );
    let gate = Arc::new(Gate::new(&config.base_url, sessions));
    let service = Arc::new(Service::new(config, handler));
    let streamable = Router::new().route("/mcp", streamable::endpoint(Arc::clone(&service)));
    let mcp = match config.legacy_sse {
        LegacySse::On { lifetime } => {
            streamable.merge(sse::endpoints(config, lifetime, service, relay, clock))
        }
        LegacySse::Off => streamable,
    };
    let cors_of_mcp = cors([Method::POST, Method::GET, Method::DELETE]);
    let layers = (cors_of_mcp, from_fn(deadline::begin), from_fn_with_state(gate, auth::admit));
    let open = match config.legacy_sse {
        LegacySse::On { .. } => Router::new(),
        LegacySse::Off => sse::switched_off(),
    };
    let metadata = metadata::document(&config.base_url).layer(cors([Method::GET]));
    let router = mcp.layer(layers).merge(open).route("/", get(health));
    let paths = metadata::PATHS.into_iter();
    let router = paths.fold(router, |router, path| router.route(path, metadata.clone()));
    router.layer(from_fn_with_state(Scheme::from(&config.base_url), request::observe))
}

/// `GET /`: the Functions host polls it. Clients never see it, as the public `/` is oauth-fn's.
async fn health() -> &'static str {
    "mcp-fn is running.\n"
}

/// Lets pages of any origin read the answers: no cookie is involved, so there is no authority
/// that a page could borrow.
fn cors<const N: usize>(methods: [Method; N]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(methods)
        .allow_headers([
            ACCEPT,
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("mcp-method"),
            HeaderName::from_static("mcp-name"),
            HeaderName::from_static("mcp-protocol-version"),
            HeaderName::from_static("mcp-session-id"),
        ])
        .expose_headers([WWW_AUTHENTICATE, HeaderName::from_static("mcp-session-id")])
        .max_age(Duration::from_hours(1))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::header::ORIGIN;
    use http::{Request, StatusCode};
    use shared::storage::StorageCalls;

    use crate::testing::TestServer;

    #[tokio::test]
    async fn the_health_page_asks_no_storage() {
        let server = TestServer::new();
        server.break_records(true);

        let reply = server.send(Request::get("/").body(Body::empty()).unwrap()).await;

        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(server.counted.calls(), StorageCalls::default());
    }

    #[tokio::test]
    async fn preflights_are_answered_without_a_token_and_errors_can_be_read_by_pages() {
        let server = TestServer::new();
        let preflight = Request::options("/mcp")
            .header(ORIGIN, "https://inspector.example.com")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,mcp-protocol-version");

        let preflight = server.send(preflight.body(Body::empty()).unwrap()).await;
        let denied = server.send(Request::post("/mcp").body(Body::empty()).unwrap()).await;

        assert_eq!(preflight.status, StatusCode::OK);
        assert_eq!(preflight.header("access-control-allow-origin"), "*");
        assert_eq!(preflight.header("access-control-allow-credentials"), "");
        assert_eq!(preflight.header("access-control-allow-methods"), "POST,GET,DELETE");
        let headers = preflight.header("access-control-allow-headers");
        for header in [
            "authorization",
            "content-type",
            "accept",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "mcp-session-id",
            "last-event-id",
        ] {
            assert!(headers.split(',').any(|allowed| allowed == header), "{headers}");
        }
        assert_eq!(denied.header("access-control-allow-origin"), "*");
        assert_eq!(
            denied.header("access-control-expose-headers"),
            "www-authenticate,mcp-session-id"
        );
    }
}

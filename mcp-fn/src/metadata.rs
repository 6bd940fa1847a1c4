//! Tells clients where to get a token for this resource (RFC 9728).

use axum::body::Bytes;
use axum::routing::{MethodRouter, get};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use shared::base_url::PublicBaseUrl;
use shared::scope::Scope;

/// Where the document is, by the rule of RFC 9728 section 3.1 for the resource `/mcp`.
pub(crate) const MCP_PATH: &str = "/.well-known/oauth-protected-resource/mcp";

/// Every place where clients look for the document: at the root, below `/mcp`, and for HTTP+SSE.
pub(crate) const PATHS: [&str; 3] = [
    "/.well-known/oauth-protected-resource",
    MCP_PATH,
    "/.well-known/oauth-protected-resource/mcp/sse",
];

/// `GET` of the document, which is the same for every caller.
pub(crate) fn document<S>(base_url: &PublicBaseUrl) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let document = Bytes::from(serde_json::to_vec(&Metadata::of(base_url)).unwrap_or_default());
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
    get(move || async move { (headers, document) })
}

/// RFC 9728 section 2.
#[derive(Debug, Serialize)]
struct Metadata {
    resource: String,
    authorization_servers: [String; 1],
    scopes_supported: [&'static str; 2],
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'static str,
    resource_documentation: String,
}

impl Metadata {
    fn of(base_url: &PublicBaseUrl) -> Self {
        Self {
            resource: base_url.resource(),
            authorization_servers: [base_url.to_string()],
            scopes_supported: Scope::ALL.map(Scope::as_str),
            bearer_methods_supported: ["header"],
            resource_name: "Remote MCP server",
            resource_documentation: base_url.at("/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use serde_json::json;

    use crate::testing::TestServer;

    #[tokio::test]
    async fn the_metadata_names_the_resource_and_its_authorization_server() {
        let server = TestServer::new();

        for path in ["", "/mcp", "/mcp/sse"] {
            let uri = format!("/.well-known/oauth-protected-resource{path}");
            let reply = server.send(Request::get(uri).body(Body::empty()).unwrap()).await;

            assert_eq!(reply.status, StatusCode::OK);
            assert_eq!(reply.header("content-type"), "application/json");
            assert_eq!(reply.header("cache-control"), "public, max-age=300");
            assert_eq!(reply.header("access-control-allow-origin"), "*");
            assert_eq!(
                reply.json(),
                json!({
                    "resource": "https://gw.example.com/mcp",
                    "authorization_servers": ["https://gw.example.com"],
                    "scopes_supported": ["snippets:read", "snippets:write"],
                    "bearer_methods_supported": ["header"],
                    "resource_name": "Remote MCP server",
                    "resource_documentation": "https://gw.example.com/",
                })
            );
        }
    }
}

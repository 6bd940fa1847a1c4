//! That the OpenAPI documents, which API Management and the local gateway route by, and the two
//! routers agree: on paths, on methods, and on the status of a bare request.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::{ALLOW, HOST};
use http::{Method, Request, Response, StatusCode};
use local::NoAssertions;
use local::embedded::EmbeddedStore;
use serde_json::Value;
use shared::clock::SystemClock;
use shared::config::Settings;
use tower::ServiceExt;

use crate::source::{Source, root};

const ENVIRONMENT: [(&str, &str); 7] = [
    ("PUBLIC_BASE_URL", "http://127.0.0.1:8787"),
    ("SESSION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("GRANT_KEYS", "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="),
    ("UPSTREAM_ISSUER", "http://127.0.0.1:8787/nowhere"),
    ("UPSTREAM_CLIENT_ID", "client"),
    ("UPSTREAM_CREDENTIAL", "secret"),
    ("ALLOWED_TENANTS", "11111111-2222-3333-4444-555555555555"),
];

/// A document, the router that it describes, and where the routes of that router are written.
struct App {
    document: Document,
    router: Router,
    sources: &'static [&'static str],
}

/// By path and method: the statuses that an operation may answer with.
type Document = BTreeMap<String, BTreeMap<Method, BTreeSet<u16>>>;

#[tokio::test]
async fn every_documented_operation_answers_with_a_documented_status() {
    for App { document, router, .. } in [oauth_fn(), mcp_fn()] {
        for (path, operations) in &document {
            for (method, statuses) in operations {
                let status = call(&router, method, path).await.status().as_u16();

                assert!(statuses.contains(&status), "{method} {path} answers {status}");
            }
        }
    }
}

#[tokio::test]
async fn a_method_that_is_not_documented_is_refused_and_the_documented_ones_are_named() {
    for App { document, router, .. } in [oauth_fn(), mcp_fn()] {
        // The bearer layer answers first on the MCP endpoints: who has no token learns nothing.
        for (path, operations) in document.iter().filter(|(path, _)| !path.starts_with("/mcp")) {
            let documented: BTreeSet<&str> = operations.keys().map(Method::as_str).collect();
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                if operations.contains_key(&method) {
                    continue;
                }
                let answer = call(&router, &method, path).await;

                assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                let allow = answer.headers()[ALLOW].to_str().unwrap();
                let allowed: BTreeSet<&str> =
                    allow.split(',').map(str::trim).filter(|method| *method != "HEAD").collect();
                assert_eq!(allowed, documented, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn what_one_app_documents_is_unknown_to_the_other() {
    let (oauth_fn, mcp_fn) = (oauth_fn(), mcp_fn());

    for (document, other) in
        [(&oauth_fn.document, &mcp_fn.router), (&mcp_fn.document, &oauth_fn.router)]
    {
        // Each app answers at `/`, since the Functions host polls it there.
        for path in document.keys().filter(|path| *path != "/") {
            let status = call(other, &Method::GET, path).await.status();

            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}

#[test]
fn every_route_that_is_written_in_a_router_is_documented() {
    for App { document, sources, .. } in [oauth_fn(), mcp_fn()] {
        for path in sources {
            let text = fs::read_to_string(root().join(path)).unwrap();
            let source = Source::new(path, &text);
            let routes: Vec<String> =
                source.product_code().flat_map(|(_, line)| paths(line)).collect();

            assert!(!routes.is_empty(), "{path} has no routes any more: correct this test");
            for route in routes {
                let health = path.starts_with("mcp-fn") && route == "/";
                assert!(health || document.contains_key(&route), "{path} serves {route}");
            }
        }
    }
}

/// The paths in `line`.
fn paths(line: &str) -> Vec<String> {
    let literals = line.split('"').skip(1).step_by(2);
    let paths = literals.filter(|text| text.starts_with('/'));
    paths.map(str::to_owned).collect()
}

async fn call(router: &Router, method: &Method, path: &str) -> Response<Body> {
    let path = path.replace("{*path}", "mcp/sse");
    let request = Request::builder().method(method).uri(path).header(HOST, "127.0.0.1:8787");
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn oauth_fn() -> App {
    let mut settings = Settings::new(&ENVIRONMENT);
    let config = oauth_fn::Config::read(&mut settings);
    let doors = oauth_fn::Doors {
        records: Arc::new(EmbeddedStore::in_memory().unwrap()),
        clock: Arc::new(SystemClock),
        http: reqwest::Client::new(),
        documents: oauth_fn::documents::DocumentFetcher::public(),
        assertions: Arc::new(NoAssertions),
    };
    App {
        document: document("infra/apim/oauth.openapi.json"),
        router: oauth_fn::router(settings.finish(config).unwrap(), doors),
        sources: &["oauth-fn/src/endpoints/mod.rs"],
    }
}

fn mcp_fn() -> App {
    let mut settings = Settings::new(&ENVIRONMENT);
    let config = mcp_fn::config::Config::read(&mut settings);
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let doors = mcp_fn::Doors {
        records: Arc::clone(&store) as _,
        relay: Arc::clone(&store) as _,
        clock: Arc::new(SystemClock),
    };
    App {
        document: document("infra/apim/mcp.openapi.json"),
        router: mcp_fn::router(&settings.finish(config).unwrap(), doors, store),
        sources: &[
            "mcp-fn/src/lib.rs",
            "mcp-fn/src/metadata.rs",
            "mcp-fn/src/transport/sse/mod.rs",
        ],
    }
}

fn document(path: &str) -> Document {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let paths = json["paths"].as_object().unwrap().iter();
    paths.map(|(path, item)| (path.clone(), operations(item))).collect()
}

fn operations(item: &Value) -> BTreeMap<Method, BTreeSet<u16>> {
    let members = item.as_object().unwrap().iter();
    let operations = members.filter(|(name, _)| *name != "parameters");
    operations
        .map(|(method, operation)| {
            let responses = operation["responses"].as_object().unwrap().keys();
            let statuses = responses.map(|status| status.parse().unwrap()).collect();
            (method.to_uppercase().parse().unwrap(), statuses)
        })
        .collect()
}

//! The smoke test against a good system, and against one that was broken in each way that it looks
//! for.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::net::TcpListener;

use super::*;
use crate::{Options, Stack};

/// What an answer is, and what a fault makes of it.
type Text = (StatusCode, http::HeaderMap, String);
type Fault = fn(&str, &mut Text);

/// A good system behind a gateway that spoils its answers.
struct Spoiled {
    stack: Stack,
    address: SocketAddr,
    http: reqwest::Client,
    fault: Fault,
}

async fn failed(fault: Fault) -> Vec<&'static str> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let none = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().redirect(none).no_proxy().build().unwrap();
    let stack = Stack::start(Options::default()).await.unwrap();
    let spoiled = Arc::new(Spoiled { stack, address, http, fault });
    let router = Router::new().fallback(spoil).with_state(spoiled);
    tokio::spawn(async { axum::serve(listener, router).await });
    let base_url = PublicBaseUrl::try_from(format!("http://{address}").as_str()).unwrap();
    look_at(Site::new(base_url).unwrap()).await
}

/// The system has an address of its own, and takes this one for it.
async fn spoil(State(spoiled): State<Arc<Spoiled>>, request: Request) -> Response {
    let here = spoiled.address.port().to_string();
    let there = spoiled.stack.base_url().at("");
    let there_port = there.rsplit(':').next().unwrap();
    let (mut parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().unwrap().as_str().replace(&here, there_port);
    parts.headers.remove("host");
    let body = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path().to_owned();
    let sent = spoiled.http.request(parts.method, format!("{there}{target}"));
    let answer = sent.headers(parts.headers).body(body).send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for value in headers.values_mut() {
        let text = value.to_str().unwrap().replace(there_port, &here);
        *value = HeaderValue::try_from(text).unwrap();
    }
    headers.remove("content-length");
    headers.remove("transfer-encoding");
    let mut text = (status, headers, answer.text().await.unwrap().replace(there_port, &here));
    (spoiled.fault)(&path, &mut text);
    let (status, headers, body) = text;
    let mut response = Response::new(Body::from(body));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

#[tokio::test]
async fn a_good_system_passes_every_step_and_nothing_of_it_is_stored() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let url = Url::parse(&stack.base_url().resource()).unwrap();

    run(&url).await.unwrap();

    assert_eq!(stack.oauth_records().calls().writes, 0);
    assert_eq!(stack.oauth_records().calls().tables, 0);
}

#[tokio::test]
async fn a_system_behind_a_gateway_that_spoils_nothing_passes_too() {
    assert_eq!(failed(|_, _| {}).await, Vec::<&str>::new());
}

#[tokio::test]
async fn where_nothing_answers_no_more_is_tried() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = Url::parse(&format!("http://{free}/mcp")).unwrap();

    let error = run(&url).await.unwrap_err();

    assert_eq!(error.to_string(), "not as it should be: reachable");
}

#[tokio::test]
async fn a_system_of_others_is_asked_for_over_https_alone() {
    let url = Url::parse("http://mcp.example.com").unwrap();

    assert!(matches!(run(&url).await, Err(SmokeError::NoOrigin(_))));
}

/// Each step with faults that it alone finds.
const FAULTS: [(&str, &[Fault]); 13] = [
    (
        "server metadata",
        &[
            |path, (_, _, body)| {
                if path == "/.well-known/openid-configuration" {
                    *body = body.replace("\"issuer\":\"http://", "\"issuer\":\"http://evil.");
                }
            },
            |path, (_, _, body)| {
                if path.starts_with("/.well-known/oauth-authorization-server") {
                    *body = body.replace("S256", "plain");
                }
            },
            |path, (status, ..)| {
                if path == "/.well-known/oauth-authorization-server/mcp" {
                    *status = StatusCode::NOT_FOUND;
                }
            },
        ],
    ),
    (
        "resource metadata",
        &[|path, (_, _, body)| {
            if path == "/.well-known/oauth-protected-resource" {
                *body = body.replace("/mcp\"", "/\"");
            }
        }],
    ),
    (
        "preflights",
        &[
            // What the Functions host answers where API Management does not.
            |path, (status, headers, _)| {
                if path == "/token" && headers.contains_key("access-control-allow-methods") {
                    *status = StatusCode::NO_CONTENT;
                    headers.clear();
                }
            },
            |path, (_, headers, _)| {
                if path == "/oauth-callback" {
                    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
                }
            },
            |path, (_, headers, _)| {
                if path == "/mcp" && headers.contains_key("access-control-allow-headers") {
                    let value = HeaderValue::from_static("content-type");
                    headers.insert("access-control-allow-headers", value);
                }
            },
        ],
    ),
    (
        "answers to scripts",
        &[
            // What API Management answers where it adds its own to that of the app.
            |path, (_, headers, _)| {
                if path == "/.well-known/oauth-authorization-server" {
                    let value = HeaderValue::from_static("https://client.example");
                    headers.append("access-control-allow-origin", value);
                }
            },
            |path, (_, headers, _)| {
                if path == "/mcp" && headers.contains_key("www-authenticate") {
                    headers.append("access-control-allow-origin", HeaderValue::from_static("*"));
                }
            },
            |path, (_, headers, _)| {
                if path == "/mcp" && headers.contains_key("www-authenticate") {
                    headers.remove("access-control-allow-origin");
                }
            },
        ],
    ),
    (
        "page headers",
        &[
            |path, (_, headers, _)| {
                if path == "/account" {
                    headers.remove("x-frame-options");
                }
            },
            |path, (_, headers, _)| {
                if path == "/" {
                    headers.remove("content-security-policy");
                }
            },
        ],
    ),
    (
        "consent page",
        &[
            |path, (_, headers, _)| {
                if path == "/consent" {
                    headers.remove("cache-control");
                }
            },
            |path, (_, headers, _)| {
                if let Some(cookie) = headers.get_mut("set-cookie").filter(|_| path == "/authorize")
                {
                    let text = format!("{}; Domain=example.com", cookie.to_str().unwrap());
                    *cookie = HeaderValue::try_from(text).unwrap();
                }
            },
            |path, (_, headers, _)| {
                if path == "/authorize" {
                    headers.remove("set-cookie");
                }
            },
            |path, (status, ..)| {
                if path == "/register" && *status == StatusCode::CREATED {
                    *status = StatusCode::INTERNAL_SERVER_ERROR;
                }
            },
        ],
    ),
    (
        "callback",
        // What the Functions host answers where API Management sends no key.
        &[|path, (status, _, body)| {
            if path == "/oauth-callback" {
                *status = StatusCode::UNAUTHORIZED;
                body.clear();
            }
        }],
    ),
    (
        "bad redirect URIs",
        &[|path, (status, ..)| {
            if path == "/register" && *status == StatusCode::BAD_REQUEST {
                *status = StatusCode::CREATED;
            }
        }],
    ),
    (
        "unknown client",
        &[|path, (_, headers, _)| {
            if path == "/authorize" && !headers.contains_key("location") {
                headers.insert("location", HeaderValue::from_static("https://client.example/"));
            }
        }],
    ),
    (
        "nothing else",
        &[|path, (status, ..)| {
            if path == "/admin/host/status" {
                *status = StatusCode::UNAUTHORIZED;
            }
        }],
    ),
    (
        "HTTP+SSE",
        &[|path, (status, ..)| {
            if path == "/mcp/sse" {
                *status = StatusCode::OK;
            }
        }],
    ),
    (
        "discretion",
        &[
            |_, (_, headers, _)| {
                headers.insert("x-powered-by", HeaderValue::from_static("ASP.NET"));
            },
            |path, (_, _, body)| {
                if path == "/token" && body.starts_with('{') {
                    body.insert_str(1, r#""trace":"panicked at src/main.rs:3","#);
                }
            },
        ],
    ),
    ("reachable", &[|_, (status, ..)| *status = StatusCode::BAD_GATEWAY]),
];

#[tokio::test]
async fn each_step_finds_its_faults_and_the_others_find_nothing() {
    for (step, faults) in FAULTS {
        for (number, fault) in faults.iter().enumerate() {
            assert_eq!(failed(*fault).await, [step], "fault {number}");
        }
    }
}

#[tokio::test]
async fn a_challenge_that_leads_elsewhere_is_found_with_every_token() {
    let found = failed(|path, (_, headers, _)| {
        if path == "/mcp" {
            headers.remove("www-authenticate");
        }
    });

    assert_eq!(found.await, ["challenge", "bad tokens"]);
}

//! Whole requests, at the routers of both apps: whatever comes, it is not our fault.

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, StatusCode};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::apps::{App, FORM, post, post_from_own_page, post_mcp};
use crate::registration::json as any_json;

fn versions() -> impl Strategy<Value = Option<HeaderValue>> {
    const KNOWN: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
    prop_oneof![
        Just(None),
        prop::sample::select(&KNOWN).prop_map(|text| Some(HeaderValue::from_static(text))),
        "[ -~]{0,12}".prop_map(|text| HeaderValue::try_from(text).ok()),
    ]
}

/// Messages that are right in some parts.
fn messages() -> impl Strategy<Value = Value> {
    let method = "(initialize|ping|tools/list|tools/call|server/discover|notifications/initialized|\
                  resources/list|resources/read|completion/complete|prompts/get|[a-z/]{0,12})";
    let tool =
        "(hello_mcp|save_snippet|get_snippet|list_snippets|delete_snippet|whoami|[a-z]{0,9})";
    let arguments = hash_map("(snippetname|snippet|cursor|confirm|[a-z]{0,6})", any_json(), 0..4);
    let call = (tool, arguments)
        .prop_map(|(name, arguments)| json!({ "name": name, "arguments": arguments }));
    let answer = (any_json(), any_json()).prop_map(|(state, answer)| {
        json!({
            "name": "delete_snippet",
            "arguments": { "snippetname": "a" },
            "requestState": state,
            "inputResponses": { "confirmation": answer },
        })
    });
    let address = "(snippet://)?[a-z%./?#]{0,6}".prop_map(|uri| json!({ "uri": uri }));
    let params = prop_oneof![call, answer, address, any_json()];
    let id = prop_oneof![Just(json!(1)), any_json()];
    (prop_oneof![Just(json!("2.0")), any_json()], id, method, params).prop_map(
        |(version, id, method, params)| {
            json!({ "jsonrpc": version, "id": id, "method": method, "params": params })
        },
    )
}

#[test]
fn the_token_of_these_tests_is_good() {
    let (app, token) = App::mcp_fn();
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let version = HeaderValue::from_static("2025-11-25");

    let status =
        app.answer(post_mcp(&token, Some(&version), message.to_string().into_bytes())).status();

    assert_eq!(status, StatusCode::OK);
}

#[test]
fn no_message_breaks_the_mcp_endpoint() {
    let (app, token) = App::mcp_fn();
    let text = messages().prop_map(|message| message.to_string().into_bytes());
    let bodies = prop_oneof![
        2 => text,
        1 => any_json().prop_map(|json| json.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..300),
    ];

    proptest!(crate::cases(), |(body in bodies, version in versions())| {
        let status = app.answer(post_mcp(&token, version.as_ref(), body)).status();

        prop_assert!(!status.is_server_error(), "{}", status);
        prop_assert_ne!(status, StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn no_credential_breaks_the_mcp_endpoint_or_opens_it() {
    let (app, _) = App::mcp_fn();

    proptest!(crate::cases(), |(bytes in vec(any::<u8>(), 0..200))| {
        let mut request = post_mcp("x", None, b"{}".to_vec());
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            request.headers_mut().insert(AUTHORIZATION, value);
        }

        let status = app.answer(request).status();

        let refused = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED];
        prop_assert!(refused.contains(&status), "{}", status);
    });
}

#[test]
fn no_form_and_no_document_breaks_the_authorization_server() {
    let app = App::oauth_fn();
    let parameter = "(grant_type|code|client_id|redirect_uri|code_verifier|refresh_token|token|scope|\
                     resource|request|decision|response_type|state|code_challenge|action|client)";
    let value = "(authorization_code|refresh_token|allow|revoke|revoke-all|mcp_(ac|at|rt)_[A-Za-z0-9_-]{0,40}|.{0,20})";
    let form = vec((parameter, value), 0..8).prop_map(|pairs| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(pairs).finish().into_bytes()
    });
    let document = any_json().prop_map(|json| json.to_string().into_bytes());
    let bodies = prop_oneof![3 => form, 1 => document, 1 => vec(any::<u8>(), 0..300)];

    proptest!(crate::cases(), |(body in bodies)| {
        let before = app.writes();
        for (path, request) in [
            ("/token", post("/token", FORM, body.clone())),
            ("/revoke", post("/revoke", FORM, body.clone())),
            ("/consent", post_from_own_page("/consent", body.clone())),
            ("/account", post_from_own_page("/account", body.clone())),
            ("/register", post("/register", "application/json", body.clone())),
        ] {
            let status = app.answer(request).status();

            prop_assert!(!status.is_server_error(), "{} {}", path, status);
            prop_assert_ne!(status, StatusCode::OK);
            // A registration may be too long for an identifier, and nothing else is stored.
            prop_assert!(app.writes() == before || status == StatusCode::CREATED);
        }
        let query = data_encoding::HEXLOWER.encode(&body);
        let text = String::from_utf8(body).ok().filter(|text| text.is_ascii());
        for path in ["/authorize", "/consent", "/oauth-callback"] {
            let uri = format!("{path}?{}", text.as_ref().unwrap_or(&query));
            let Ok(request) = Request::get(uri).body(Body::empty()) else {
                continue;
            };

            let status = app.answer(request).status();

            prop_assert!(status.is_client_error(), "{} {}", path, status);
        }
    });
}

#[test]
fn a_body_of_untold_length_is_bounded_too() {
    let app = App::oauth_fn();
    for path in ["/token", "/revoke", "/register"] {
        let piece = || Ok::<_, std::io::Error>("x=y&".repeat(256));
        let body = Body::from_stream(futures::stream::iter((0..100).map(move |_| piece())));
        let content_type = if path == "/register" { "application/json" } else { FORM };

        let status = app.answer(post(path, content_type, body)).status();

        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

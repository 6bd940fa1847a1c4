//! What clients discover (RFC 8414, RFC 9728).

use reqwest::StatusCode;

use crate::system::{Answer, System};

#[tokio::test]
async fn every_path_that_clients_probe_gives_the_same_server_metadata() {
    let system = System::start().await;

    let first = system.get("/.well-known/oauth-authorization-server").await;

    assert_eq!(first.status, StatusCode::OK);
    let metadata = first.json();
    assert_eq!(metadata["issuer"], system.url(""));
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(first.header("access-control-allow-origin"), Some("*"));
    for path in [
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/oauth-authorization-server/mcp/sse",
        "/.well-known/openid-configuration",
    ] {
        assert_eq!(system.get(path).await.json(), metadata, "{path}");
    }
}

#[tokio::test]
async fn every_path_of_the_resource_metadata_names_the_one_resource() {
    let system = System::start().await;
    for path in ["", "/mcp", "/mcp/sse"] {
        let path = format!("/.well-known/oauth-protected-resource{path}");

        let answer = system.get(&path).await;

        assert_eq!(answer.json()["resource"], system.url("/mcp"), "{path}");
        assert_eq!(answer.json()["authorization_servers"], serde_json::json!([system.url("")]));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
}

#[tokio::test]
async fn no_header_of_a_request_changes_a_url_that_we_hand_out() {
    let system = System::start().await;
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"]
    {
        let plain = system.get(path).await.body;

        let request = system
            .http
            .get(system.url(path))
            .header("Host", "evil.example")
            .header("X-Forwarded-Host", "evil.example")
            .header("X-Forwarded-Proto", "https")
            .header("Forwarded", "host=evil.example");
        let forged = Answer::of(request).await;

        assert_eq!(forged.body, plain);
    }
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let system = System::start().await;
    for path in ["/login", "/token/", "/authorize/x", "/.well-known/other", "/mcp/other", "//"] {
        assert_eq!(system.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_landing_page_names_the_url_to_connect_to() {
    let system = System::start().await;

    let page = system.get("/").await;

    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains(&system.url("/mcp")));
    assert_eq!(system.oauth_calls().reads, 0);
}

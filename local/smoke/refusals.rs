//! What is refused, to everybody.

use http::header::{LOCATION, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use serde_json::json;

use super::Seen;
use super::site::{Site, check};

/// Redirect URIs through which codes would get into wrong hands.
pub(super) async fn redirect_uris(site: &Site) -> Seen {
    let bad = [
        "http://client.example/callback",
        "https://user@client.example/callback",
        "https://client.example/callback#fragment",
        "https://*.example/callback",
        "javascript:alert(1)",
    ];
    for uri in bad {
        let registration = json!({ "redirect_uris": [uri] });
        let request = site.request(Method::POST, "/register").json(&registration);
        let answer = site.send(request).await?;
        check(
            answer.status == StatusCode::BAD_REQUEST,
            format!("{uri} is not refused: {}", answer.status),
        )?;
    }
    Ok(format!("{} kinds are refused at registration", bad.len()))
}

/// A client that nobody knows gets no redirect and no token.
pub(super) async fn unknown_client(site: &Site) -> Seen {
    let path = "/authorize?response_type=code&client_id=unknown\
                &redirect_uri=https%3A%2F%2Fclient.example%2Fcallback";
    let page = site.get(path).await?.with_status(StatusCode::BAD_REQUEST)?;
    check(!page.headers.contains_key(LOCATION), "/authorize redirects for an unknown client")?;
    let form = [("grant_type", "authorization_code"), ("client_id", "unknown"), ("code", "x")];
    let request = site.request(Method::POST, "/token").form(&form);
    let answer = site.send(request).await?.with_status(StatusCode::UNAUTHORIZED)?;
    let error = answer.json()?;
    let says = error.get("error").and_then(|says| says.as_str());
    check(says == Some("invalid_client"), format!("/token says {error}"))?;
    Ok("gets a page at /authorize and invalid_client at /token".to_owned())
}

/// Tokens that are none, in the header and in the query.
pub(super) async fn tokens(site: &Site) -> Seen {
    for token in ["x", "mcp_at_x", "eyJhbGciOiJub25lIn0.e30."] {
        let request = site.request(Method::POST, "/mcp").bearer_auth(token).json(&json!({}));
        let answer = site.send(request).await?.with_status(StatusCode::UNAUTHORIZED)?;
        let challenge = answer.header(WWW_AUTHENTICATE.as_str()).unwrap_or_default();
        check(
            challenge.contains("error=\"invalid_token\""),
            format!("the challenge does not say invalid_token: {challenge}"),
        )?;
    }
    let request = site.request(Method::POST, "/mcp?access_token=x").json(&json!({}));
    let status = site.send(request).await?.status;
    check(status.is_client_error(), format!("a token in the query gets {status}"))?;
    Ok("are refused with invalid_token".to_owned())
}

/// Paths of the Functions host, of development and of no one.
pub(super) async fn nothing_else(site: &Site) -> Seen {
    let mut paths = vec![
        "/admin/host/status",
        "/admin/functions",
        "/runtime/webhooks/mcp",
        "/api",
        "/.env",
        "/mcp/",
        "/nothing",
    ];
    if site.base_url.at("").starts_with("https:") {
        paths.push("/dev-idp/authorize");
    }
    for path in &paths {
        let status = site.get(path).await?.status;
        check(status == StatusCode::NOT_FOUND, format!("{path} answers {status}, not 404"))?;
    }
    Ok(format!("{} other paths are 404", paths.len()))
}

/// HTTP+SSE is behind the same gate, or not there.
pub(super) async fn event_stream(site: &Site) -> Seen {
    let answer = site.get("/mcp/sse").await?;
    match answer.status {
        StatusCode::NOT_FOUND => Ok("is not there".to_owned()),
        StatusCode::UNAUTHORIZED => {
            let challenge = answer.header(WWW_AUTHENTICATE.as_str()).unwrap_or_default();
            check(challenge.contains("resource_metadata="), "its challenge leads nowhere")?;
            Ok("needs a token".to_owned())
        }
        status => Err(format!("/mcp/sse answers {status} to a stranger").into()),
    }
}

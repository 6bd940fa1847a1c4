//! What clients discover: where the system is, whose it is, and how to get a token for it.

use http::header::WWW_AUTHENTICATE;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::site::{Site, check};
use super::{Cause, Seen};

/// Something answers, and it is a page.
pub(super) async fn reachable(site: &Site) -> Seen {
    let page = site.get("/").await?.with_status(StatusCode::OK)?;
    check(page.body.contains(&site.base_url.resource()), "the page at / names no MCP endpoint")?;
    Ok(format!("the MCP endpoint is {}", site.base_url.resource()))
}

/// Certificates are checked with every request. Here it is that nothing is served without one.
pub(super) async fn encrypted(site: &Site) -> Seen {
    let Some(name) = site.base_url.at("").strip_prefix("https://").map(str::to_owned) else {
        return Ok("not looked for: the system is on this machine".to_owned());
    };
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    match plain.get(format!("http://{name}/")).send().await {
        Ok(answer) if answer.status().is_success() => Err("it is served over plain http".into()),
        _ => Ok("the certificate is good, and plain http serves nothing".to_owned()),
    }
}

/// RFC 8414: every path that clients probe gives the metadata of this issuer.
pub(super) async fn server_metadata(site: &Site) -> Seen {
    let issuer = site.base_url.at("");
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
    ] {
        let metadata = site.get(path).await?.with_status(StatusCode::OK)?.json()?;
        is(&metadata, "/issuer", &json!(issuer), path)?;
        is(&metadata, "/code_challenge_methods_supported", &json!(["S256"]), path)?;
        let members = [
            ("authorization_endpoint", "/authorize"),
            ("token_endpoint", "/token"),
            ("registration_endpoint", "/register"),
            ("revocation_endpoint", "/revoke"),
        ];
        for (member, endpoint) in members {
            let member = format!("/{member}");
            is(&metadata, &member, &json!(site.base_url.at(endpoint)), path)?;
        }
    }
    Ok(format!("the issuer is {issuer}, at every path"))
}

/// RFC 9728: the resource is the MCP endpoint, and this issuer gives its tokens.
pub(super) async fn resource_metadata(site: &Site) -> Seen {
    for path in
        ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]
    {
        let metadata = site.get(path).await?.with_status(StatusCode::OK)?.json()?;
        is(&metadata, "/resource", &json!(site.base_url.resource()), path)?;
        is(&metadata, "/authorization_servers", &json!([site.base_url.at("")]), path)?;
    }
    Ok("tokens for it come from this issuer".to_owned())
}

/// RFC 6750, RFC 9728 section 5.1: without a token, the way to one is told.
pub(super) async fn challenge(site: &Site) -> Seen {
    let request = site.request(Method::POST, "/mcp").json(&json!({}));
    let answer = site.send(request).await?.with_status(StatusCode::UNAUTHORIZED)?;
    let challenge = answer.header(WWW_AUTHENTICATE.as_str()).unwrap_or_default();
    let metadata = site.base_url.at("/.well-known/oauth-protected-resource/mcp");
    let leads_on = challenge.starts_with("Bearer ")
        && challenge.contains(&format!("resource_metadata=\"{metadata}\""));
    check(leads_on, format!("the challenge does not lead to {metadata}: {challenge}"))?;
    Ok("401 at /mcp leads to the metadata".to_owned())
}

fn is(document: &Value, member: &str, expected: &Value, path: &str) -> Result<(), Cause> {
    let found = document.pointer(member).unwrap_or(&Value::Null);
    check(found == expected, format!("{path} says {found} for {member}, not {expected}"))
}

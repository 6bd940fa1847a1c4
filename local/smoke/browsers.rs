//! What browsers meet: preflights, the headers of pages, and the way to consent.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL,
    CONTENT_SECURITY_POLICY, LOCATION, ORIGIN, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
};
use http::{Method, StatusCode};
use serde_json::json;
use url::Url;

use super::site::{Answer, Site, check};
use super::{Cause, Seen};

/// The page of some client in a browser.
const PAGE: &str = "https://client.example";

/// Where the client of this test says that it listens. Nobody is ever sent there.
const REDIRECT_URI: &str = "http://127.0.0.1:33418/callback";

/// RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What clients in browsers call is for scripts of any site, and where users are is for none.
pub(super) async fn preflights(site: &Site) -> Seen {
    for path in ["/mcp", "/register", "/token", "/revoke"] {
        let answer = preflight(site, path).await?;
        check(
            answer.status.is_success() && answer.is_for_scripts(),
            format!("scripts may not call {path}: its preflight gets {}", answer.status),
        )?;
        let allows = |header: &str, value: &str| {
            let allowed = answer.header(header).unwrap_or_default().to_ascii_lowercase();
            allowed == "*" || allowed.split(',').any(|allowed| allowed.trim() == value)
        };
        check(
            allows(ACCESS_CONTROL_ALLOW_METHODS.as_str(), "post")
                && allows(ACCESS_CONTROL_ALLOW_HEADERS.as_str(), "content-type")
                && (path != "/mcp"
                    || allows(ACCESS_CONTROL_ALLOW_HEADERS.as_str(), "authorization")),
            format!("scripts may not send what {path} takes"),
        )?;
    }
    for path in ["/authorize", "/consent", "/oauth-callback", "/account"] {
        let answer = preflight(site, path).await?;
        check(!answer.is_for_scripts(), format!("scripts may call {path}"))?;
    }
    Ok("for what clients call, and for no page".to_owned())
}

async fn preflight(site: &Site, path: &str) -> Result<Answer, Cause> {
    let request = site
        .request(Method::OPTIONS, path)
        .header(ORIGIN, PAGE)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    site.send(request).await
}

/// Browsers take an answer with two allowances for one with none. Both the apps and the gateway can
/// give one, and what the gateway adds shows in no preflight.
pub(super) async fn answers(site: &Site) -> Seen {
    let metadata = site.request(Method::GET, "/.well-known/oauth-authorization-server");
    let call = site.request(Method::POST, "/mcp").json(&json!({}));
    for request in [metadata, call] {
        let answer = site.send(request.header(ORIGIN, PAGE)).await?;
        let allowances = answer.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().count();
        check(
            allowances == 1,
            format!("{} has {ACCESS_CONTROL_ALLOW_ORIGIN} {allowances} times", answer.name),
        )?;
    }
    Ok("each has one Access-Control-Allow-Origin".to_owned())
}

/// Pages are framed by nobody, run no script, and tell nobody where the user was.
pub(super) async fn page_headers(site: &Site) -> Seen {
    for path in ["/", "/account"] {
        let page = site.get(path).await?.with_status(StatusCode::OK)?;
        let policy = page.header(CONTENT_SECURITY_POLICY.as_str()).unwrap_or_default();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            check(policy.contains(part), format!("{path} has no {part}"))?;
        }
        for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")] {
            check(page.header(name) == Some(value), format!("{path} has no {name}: {value}"))?;
        }
        check(page.header("referrer-policy").is_some(), format!("{path} has no referrer-policy"))?;
        check(!page.is_for_scripts(), format!("scripts of other sites may read {path}"))?;
    }
    let secured = site.get("/").await?.headers.contains_key(STRICT_TRANSPORT_SECURITY);
    Ok(format!("as they should be{}", if secured { ", with HSTS" } else { "" }))
}

/// A client registers without a row, and is led to the page that asks the user.
pub(super) async fn consent_page(site: &Site) -> Seen {
    let registration = json!({ "client_name": "Smoke test", "redirect_uris": [REDIRECT_URI] });
    let request = site.request(Method::POST, "/register").json(&registration);
    let registered = site.send(request).await?.with_status(StatusCode::CREATED)?.json()?;
    let client_id = registered.get("client_id").and_then(|id| id.as_str()).unwrap_or_default();
    let resource = site.base_url.resource();
    let parameters = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT_URI),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "smoke"),
        ("resource", &resource),
    ];
    let authorize = Url::parse_with_params(&site.base_url.at("/authorize"), parameters)?;
    let path = format!("/authorize?{}", authorize.query().unwrap_or_default());
    let answer = site.get(&path).await?.with_status(StatusCode::FOUND)?;
    check_cookies(&answer)?;
    let location = answer.header(LOCATION.as_str()).unwrap_or_default();
    let page = authorize.join(location)?;
    let leads_on = page.as_str().starts_with(&site.base_url.at("/consent?"));
    check(leads_on, format!("/authorize does not lead to the consent page, but to {page}"))?;
    let page = site.get(&format!("/consent?{}", page.query().unwrap_or_default())).await?;
    let page = page.with_status(StatusCode::OK)?;
    check(page.body.contains("Smoke test"), "the consent page does not name the client")?;
    check(
        page.header(CACHE_CONTROL.as_str()) == Some("no-store"),
        "the consent page may be kept by caches",
    )?;
    Ok("a new client is led to it, and named on it".to_owned())
}

/// A cookie with a domain goes to its subdomains too. Some gateways give it one.
fn check_cookies(answer: &Answer) -> Result<(), Cause> {
    let cookies: Vec<&str> = answer
        .headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|cookie| cookie.to_str().ok())
        .collect();
    check(!cookies.is_empty(), "/authorize does not know the browser again: it sets no cookie")?;
    let has_domain = cookies.iter().flat_map(|cookie| cookie.split(';').skip(1)).any(|attribute| {
        let name = attribute.split('=').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("domain")
    });
    check(!has_domain, "the cookie of /authorize has a domain, so other hosts get it")
}

/// Entra ID's `code` must reach the app, where the Functions host knows a parameter of that name.
pub(super) async fn callback(site: &Site) -> Seen {
    let page = site.get("/oauth-callback?code=x&state=y").await?;
    let page = page.with_status(StatusCode::FORBIDDEN)?;
    check(page.body.contains("<html"), "/oauth-callback answers no page: is the app reached?")?;
    Ok("a code reaches the app, and one that was not asked for gets a page".to_owned())
}

//! Preflights before the packages. The Functions host keeps them from the apps; on Azure, API
//! Management answers them in their place, and here this does, by the same policies.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{Method, StatusCode};
use roxmltree::Document;

/// Answers a preflight that a policy speaks of, and lets everything else pass.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_preflight = request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    match policy_of(request.uri().path()) {
        Some(policy) if is_preflight => by(policy).into_response(),
        _ => next.run(request).await,
    }
}

/// The policy of what is at `path`, where pages of other origins may call it. Which policy is whose
/// is written in `infra/modules/gateway-apis.bicep`.
fn policy_of(path: &str) -> Option<&'static str> {
    Some(match path {
        "/mcp" | "/mcp/sse" | "/mcp/message" => {
            include_str!("../../../infra/apim/policies/mcp.xml")
        }
        "/register" => include_str!("../../../infra/apim/policies/register.xml"),
        "/token" | "/revoke" => include_str!("../../../infra/apim/policies/back-channel.xml"),
        _ if path.starts_with("/.well-known/oauth-protected-resource") => {
            include_str!("../../../infra/apim/policies/metadata.xml")
        }
        _ if path.starts_with("/.well-known/") => {
            include_str!("../../../infra/apim/policies/documents.xml")
        }
        _ => return None,
    })
}

/// What `policy` lets any origin do.
fn by(policy: &str) -> Response {
    let Ok(policy) = Document::parse(policy) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let all = |name: &str, above: &str| {
        let named = policy.descendants().filter(|node| node.has_tag_name(name));
        let below = named.filter(|node| node.parent().is_some_and(|of| of.has_tag_name(above)));
        below.filter_map(|node| node.text()).collect::<Vec<_>>().join(",")
    };
    let methods = policy.descendants().find(|node| node.has_tag_name("allowed-methods"));
    let seconds = methods.and_then(|methods| methods.attribute("preflight-result-max-age"));
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, all("origin", "allowed-origins")),
        (ACCESS_CONTROL_ALLOW_METHODS, all("method", "allowed-methods")),
        (ACCESS_CONTROL_ALLOW_HEADERS, all("header", "allowed-headers")),
        (ACCESS_CONTROL_MAX_AGE, seconds.unwrap_or_default().to_owned()),
    ];
    (StatusCode::OK, headers).into_response()
}

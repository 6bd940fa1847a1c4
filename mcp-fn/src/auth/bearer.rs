//! Finds the access token of a request (RFC 6750 section 2.1). It is taken from the header only.

use http::header::AUTHORIZATION;
use http::request::Parts;

/// The token that a request presents, if it presents one.
///
/// # Errors
/// It is not clear which token is meant.
pub(super) fn token(parts: &Parts) -> Result<Option<&str>, MalformedAuthorization> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(header) = headers.next() else {
        return Ok(None);
    };
    if headers.next().is_some() {
        return Err(MalformedAuthorization::Repeated);
    }
    let header = header.to_str().map_err(|_| MalformedAuthorization::NotOneToken)?;
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Ok(None);
    }
    let token = token.trim();
    if token.is_empty() || token.contains([' ', '\t']) {
        return Err(MalformedAuthorization::NotOneToken);
    }
    if parts.uri.query().is_some_and(names_a_token) {
        return Err(MalformedAuthorization::InTwoPlaces);
    }
    Ok(Some(token))
}

fn names_a_token(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("access_token"))
}

/// Why a request is `invalid_request` (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum MalformedAuthorization {
    /// A token in the header and one in the query.
    #[error("Send the access token in the Authorization header only.")]
    InTwoPlaces,
    /// The scheme is Bearer, and what follows is nothing, several words or not ASCII.
    #[error("The Authorization header must read: Bearer, one space, one access token.")]
    NotOneToken,
    /// Several headers.
    #[error("Send exactly one Authorization header.")]
    Repeated,
}

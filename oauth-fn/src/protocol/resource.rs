//! The resource that a token is for (RFC 8707): there is one, the MCP endpoint.

use shared::base_url::PublicBaseUrl;

/// Checks that `requested` means the resource of `base_url`; none requested means that one too.
///
/// Scheme and host compare without regard to case (RFC 3986 section 6.2.2.1), the rest exactly.
///
/// # Errors
/// It is another resource, or has a query or a fragment.
pub fn check_resource(
    requested: Option<&str>,
    base_url: &PublicBaseUrl,
) -> Result<(), InvalidTarget> {
    let Some(requested) = requested else {
        return Ok(());
    };
    let origin = base_url.as_str();
    let same = requested
        .split_at_checked(origin.len())
        .is_some_and(|(own, path)| own.eq_ignore_ascii_case(origin) && path == "/mcp");
    if same { Ok(()) } else { Err(InvalidTarget) }
}

/// The resource is not one that tokens are issued for (RFC 8707 section 2).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("resource must be the one named in the protected resource metadata")]
pub struct InvalidTarget;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(requested: Option<&str>) -> bool {
        let base_url = PublicBaseUrl::try_from("https://gw.example.com").unwrap();
        check_resource(requested, &base_url).is_ok()
    }

    #[test]
    fn the_resource_is_taken_in_any_case_of_scheme_and_host_and_by_default() {
        assert!(check(None));
        assert!(check(Some("https://gw.example.com/mcp")));
        assert!(check(Some("HTTPS://GW.Example.COM/mcp")));
    }

    #[test]
    fn anything_else_is_another_resource() {
        for requested in [
            "https://gw.example.com",
            "https://gw.example.com:443/mcp",
            " https://gw.example.com/mcp",
            "https://gw.exa\tmple.com/mcp",
            "https:gw.example.com/mcp",
            "https:////gw.example.com/mcp",
            "https://gw.example.com/mcp/",
            "https://gw.example.com/MCP",
            "https://gw.example.com/mcp?x",
            "https://gw.example.com/mcp#x",
            "https://gw.example.com/x/../mcp",
            "https://user@gw.example.com/mcp",
            "http://gw.example.com/mcp",
            "https://other.example.com/mcp",
            "mcp",
            "",
        ] {
            assert!(!check(Some(requested)), "{requested}");
        }
    }
}

//! The one public origin that everything is served under. No URL is ever built from a request.

use std::fmt;

use url::{Host, Url};

/// `PUBLIC_BASE_URL`: an https origin, or an http origin on this machine, without a final slash.
///
/// It is the issuer of RFC 8414 section 2, and begins every URL that we hand out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicBaseUrl {
    text: String,
    url: Url,
}

impl PublicBaseUrl {
    /// The origin itself: `https://host` or `https://host:port`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL of `path`, which begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// The URL of `path`, which begins with a slash, in its parts.
    pub fn url_at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }

    /// The protected resource that tokens are for: the MCP endpoint (RFC 8707 section 2).
    pub fn resource(&self) -> String {
        self.at("/mcp")
    }

    /// Whether it is served over TLS. Only then can cookies carry the `__Host-` prefix everywhere.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// `host` or `host:port`, as in a `Host` header.
    pub fn authority(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, authority)| authority)
    }
}

impl fmt::Display for PublicBaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl TryFrom<&str> for PublicBaseUrl {
    type Error = InvalidBaseUrl;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let url = Url::parse(text).map_err(|_| InvalidBaseUrl::NotAnOrigin)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        };
        if !secure {
            return Err(InvalidBaseUrl::Insecure);
        }
        let origin = url.origin().ascii_serialization();
        if text == origin {
            Ok(Self { text: origin, url })
        } else {
            Err(InvalidBaseUrl::NotAnOrigin)
        }
    }
}

/// Why a text is not a public base URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// Plain http, and not on this machine.
    #[error("must begin with https:// (http:// is allowed on 127.0.0.1 and localhost only)")]
    Insecure,
    /// A path, a final slash, a query, a default port, capitals, or no URL at all.
    #[error("must be an origin such as https://gateway.example.com: no path and no final slash")]
    NotAnOrigin,
}

/// Whether the host of `url` is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_https_origin_and_a_local_http_origin_are_taken() {
        for text in
            ["https://gw.example.com", "https://gw.example.com:8443", "http://127.0.0.1:8787"]
        {
            assert_eq!(PublicBaseUrl::try_from(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn plain_http_is_refused_off_this_machine() {
        for text in ["http://gw.example.com", "http://127.0.0.1.nip.io", "ftp://gw.example.com"] {
            assert_eq!(PublicBaseUrl::try_from(text).unwrap_err(), InvalidBaseUrl::Insecure);
        }
    }

    #[test]
    fn anything_beyond_the_origin_is_refused() {
        for text in [
            "https://gw.example.com/",
            "https://gw.example.com/mcp",
            "https://gw.example.com?x",
            "https://GW.example.com",
            "https://gw.example.com:443",
            "https://user@gw.example.com",
            "gw.example.com",
        ] {
            assert_eq!(PublicBaseUrl::try_from(text).unwrap_err(), InvalidBaseUrl::NotAnOrigin);
        }
    }

    #[test]
    fn urls_and_the_resource_begin_with_the_origin() {
        let base = PublicBaseUrl::try_from("https://gw.example.com:8443").unwrap();

        assert_eq!(base.at("/token"), "https://gw.example.com:8443/token");
        assert_eq!(base.url_at("/token").as_str(), "https://gw.example.com:8443/token");
        assert_eq!(base.resource(), "https://gw.example.com:8443/mcp");
        assert_eq!(base.authority(), "gw.example.com:8443");
    }
}

//! Cookies: which ones a browser sent, and how ours are written (RFC 6265).

use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use shared::base_url::PublicBaseUrl;

/// How cookies of this deployment are written.
///
/// Over https they have the prefix `__Host-`, which keeps sibling domains from setting them. Plain
/// http is taken on this machine only, where not every browser would store a secure cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CookieJar {
    /// Without prefix and without `Secure`.
    Loopback,
    /// With both.
    Secure,
}

impl CookieJar {
    /// The way for `base_url`.
    pub fn new(base_url: &PublicBaseUrl) -> Self {
        if base_url.is_https() { Self::Secure } else { Self::Loopback }
    }

    /// The value of our cookie `name`, if the browser sent one.
    pub fn get<'a>(self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        self.all(headers).find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Every cookie of ours, with its name without the prefix.
    pub fn all(self, headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
        let lines = headers.get_all(COOKIE).into_iter().map(HeaderValue::as_bytes);
        lines
            .flat_map(|line| line.split(|byte| *byte == b';'))
            // One by one: a neighbour's cookie in another encoding must not hide ours.
            .filter_map(|pair| str::from_utf8(pair).ok()?.trim().split_once('='))
            .filter_map(move |(name, value)| Some((name.strip_prefix(self.prefix())?, value)))
    }

    /// The header that sets our cookie `name`; for as long as the browser runs, if no time is given.
    ///
    /// `value` is base64url, and so are names but for hyphens: nothing needs escaping.
    pub fn set(self, name: &str, value: &str, lifetime: Option<Duration>) -> Option<HeaderValue> {
        let secure = if self == Self::Secure { "; Secure" } else { "" };
        let age = lifetime.map(|time| format!("; Max-Age={}", time.as_secs())).unwrap_or_default();
        let prefix = self.prefix();
        let text = format!("{prefix}{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        HeaderValue::try_from(text).ok()
    }

    /// The header that removes our cookie `name`.
    pub fn clear(self, name: &str) -> Option<HeaderValue> {
        self.set(name, "", Some(Duration::ZERO))
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Loopback => "",
            Self::Secure => "__Host-",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        let values = cookies.iter().map(|text| (COOKIE, HeaderValue::from_str(text).unwrap()));
        values.collect()
    }

    #[test]
    fn a_secure_cookie_has_the_prefix_and_every_attribute_and_no_domain() {
        let set = CookieJar::Secure.set("mcp-flow", "v", Some(Duration::from_mins(10))).unwrap();

        assert_eq!(
            set.to_str().unwrap(),
            "__Host-mcp-flow=v; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"
        );
    }

    #[test]
    fn a_cookie_without_the_prefix_is_not_ours_over_https() {
        let headers = headers(&["mcp-flow=tossed"]);

        assert_eq!(CookieJar::Secure.get(&headers, "mcp-flow"), None);
    }

    #[test]
    fn a_neighbours_cookie_in_another_encoding_hides_nothing() {
        let line = HeaderValue::from_bytes(b"z=\xe9; __Host-mcp-flow=v; y=\xff").unwrap();
        let headers = HeaderMap::from_iter([(COOKIE, line)]);

        assert_eq!(CookieJar::Secure.get(&headers, "mcp-flow"), Some("v"));
    }

    #[test]
    fn our_cookie_is_found_among_others_and_in_several_headers() {
        let headers = headers(&["a=1; __Host-x=2", "b=3;__Host-mcp-flow=v=w; c"]);

        assert_eq!(CookieJar::Secure.get(&headers, "mcp-flow"), Some("v=w"));
        assert_eq!(CookieJar::Secure.all(&headers).count(), 2);
    }
}

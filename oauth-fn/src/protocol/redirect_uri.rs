//! Redirect URIs: which ones a client may register, and when a request names a registered one.

use serde::{Deserialize, Serialize};
use shared::base_url::is_loopback;
use url::{Position, Url};

/// Longest redirect URI, in bytes.
const LONGEST: usize = 512;

/// Schemes that browsers and systems act on themselves, so that no application can own them.
const PUBLIC_SCHEMES: [&str; 18] = [
    "about",
    "blob",
    "chrome",
    "data",
    "file",
    "filesystem",
    "ftp",
    "http",
    "https",
    "intent",
    "jar",
    "javascript",
    "mailto",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// What our answer adds to the query; a redirect URI must not bring its own.
const ANSWER_PARAMETERS: [&str; 6] =
    ["code", "error", "error_description", "error_uri", "iss", "state"];

/// An absolute URI that a registered client receives its code at, in the one spelling it has.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri {
    text: String,
    url: Url,
}

impl RedirectUri {
    /// The URI as it was registered or requested.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URI in its parts.
    pub fn as_url(&self) -> &Url {
        &self.url
    }

    /// Whether a request for `requested` means this registered URI: the same string, but for the
    /// port of a plain http address on this machine (RFC 8252 section 7.3, RFC 9700 section 2.1).
    pub fn permits(&self, requested: &Self) -> bool {
        self == requested
            || (self.is_loopback_http() && self.without_port() == requested.without_port())
    }

    /// The URI with the port of a loopback address left out, since any port will do.
    #[must_use]
    pub fn without_loopback_port(self) -> Self {
        if self.is_loopback_http() { self.without_port() } else { self }
    }

    /// Who receives a browser that is sent there.
    pub fn receiver(&self) -> Receiver<'_> {
        match self.url.scheme() {
            "http" | "https" if is_loopback(&self.url) => Receiver::ThisMachine,
            "http" | "https" => Receiver::Host(self.url.host_str().unwrap_or_default()),
            scheme => Receiver::Application(scheme),
        }
    }

    /// Whether it is https (RFC 6749 section 3.1.2.1).
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Plain http is taken on this machine only.
    fn is_loopback_http(&self) -> bool {
        self.url.scheme() == "http"
    }

    fn without_port(&self) -> Self {
        let (host, rest) = (&self.url[..Position::AfterHost], &self.url[Position::AfterPort..]);
        // The text has no path where the URL has at least a slash.
        let rest = if self.text.len() < self.url.as_str().len() { "" } else { rest };
        Self::try_from(format!("{host}{rest}")).unwrap_or_else(|_| self.clone())
    }
}

/// Who receives a browser that is sent to a redirect URI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Receiver<'a> {
    /// The application that owns this private-use scheme.
    Application(&'a str),
    /// This host on the web.
    Host(&'a str),
    /// A program on the user's own machine.
    ThisMachine,
}

/// Whether an application may own `scheme`, in lower case (RFC 8252 section 7.1).
pub fn is_private_use(scheme: &str) -> bool {
    let follows = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(follows)
        && !PUBLIC_SCHEMES.contains(&scheme)
}

impl Eq for RedirectUri {}

impl PartialEq for RedirectUri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.text
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = InvalidRedirectUri;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        check_spelling(&text)?;
        let url = Url::parse(&text).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
        check_authority(&url, &text)?;
        check_path(&url)?;
        check_query(&url)?;
        // One resource, one spelling: what a URL parser would rewrite is refused, not repaired.
        let respelled = url.as_str() != text && url.as_str().strip_suffix('/') != Some(&text);
        if respelled { Err(InvalidRedirectUri::Spelling) } else { Ok(Self { text, url }) }
    }
}

/// Which rule a redirect URI breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidRedirectUri {
    /// Its query would collide with the parameters of our answer.
    #[error("a redirect URI must not bring code, state, iss or error in its query")]
    AnswerParameter,
    /// It has a fragment (RFC 6749 section 3.1.2).
    #[error("a redirect URI must not have a fragment")]
    Fragment,
    /// It is plain http and not on this machine.
    #[error("a redirect URI must use https, or http with 127.0.0.1, [::1] or localhost")]
    Insecure,
    /// It is not an absolute URI.
    #[error("a redirect URI must be absolute")]
    NotAbsolute,
    /// Its path has dot segments, empty segments, or escapes that hide some.
    #[error("a redirect URI must not have dot segments, empty segments or escaped slashes")]
    Path,
    /// Its scheme is neither https nor one that an application may own.
    #[error("a redirect URI must use https, loopback http, or an application's own scheme")]
    Scheme,
    /// It has characters or a spelling that parsers read in different ways.
    #[error("a redirect URI must be in plain, canonical spelling")]
    Spelling,
    /// It is too long.
    #[error("a redirect URI must be at most 512 characters")]
    TooLong,
    /// It has a user name or password.
    #[error("a redirect URI must not have a user name or password")]
    UserInformation,
    /// It has a wildcard.
    #[error("a redirect URI must not have a wildcard")]
    Wildcard,
}

fn check_spelling(text: &str) -> Result<(), InvalidRedirectUri> {
    if text.len() > LONGEST {
        return Err(InvalidRedirectUri::TooLong);
    }
    if text.contains('#') {
        return Err(InvalidRedirectUri::Fragment);
    }
    if text.contains('*') {
        return Err(InvalidRedirectUri::Wildcard);
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if !text.bytes().all(plain) || has_broken_or_control_escape(text) {
        return Err(InvalidRedirectUri::Spelling);
    }
    Ok(())
}

fn check_authority(url: &Url, text: &str) -> Result<(), InvalidRedirectUri> {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(InvalidRedirectUri::UserInformation);
    }
    match url.scheme() {
        "https" => {
            let host = url.host_str().unwrap_or_default();
            let plain = !host.is_empty() && !host.ends_with('.');
            if plain { Ok(()) } else { Err(InvalidRedirectUri::Spelling) }
        }
        "http" => {
            let local = url.host_str().is_some_and(is_loopback_host);
            if local { Ok(()) } else { Err(InvalidRedirectUri::Insecure) }
        }
        scheme if is_private_use(scheme) => Ok(()),
        _ => Err(InvalidRedirectUri::Scheme),
    }
}

fn is_loopback_host(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}

fn check_path(url: &Url) -> Result<(), InvalidRedirectUri> {
    let path = url.path().strip_prefix('/').unwrap_or(url.path());
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let decoded = fully_decoded(segment);
        let last = segments.peek().is_none();
        let hidden = decoded.contains(['/', '\\']) || matches!(decoded.as_str(), "." | "..");
        if hidden || (segment.is_empty() && !last) {
            return Err(InvalidRedirectUri::Path);
        }
    }
    Ok(())
}

fn check_query(url: &Url) -> Result<(), InvalidRedirectUri> {
    let collides = url.query_pairs().any(|(name, _)| ANSWER_PARAMETERS.contains(&name.as_ref()));
    if collides { Err(InvalidRedirectUri::AnswerParameter) } else { Ok(()) }
}

/// Whether an escape in `text` stands for no byte, or for a control character.
pub(super) fn has_broken_or_control_escape(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| {
        let value = rest.get(..2).and_then(|digits| {
            let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
        });
        value.is_none_or(|byte| byte.is_ascii_control())
    })
}

/// `segment` with its escapes undone until none is left, so that `%252e` is seen as a dot.
fn fully_decoded(segment: &str) -> String {
    let mut text = segment.to_owned();
    while text.contains('%') {
        let decoded = decoded_once(&text);
        if decoded == text {
            break;
        }
        text = decoded;
    }
    text
}

fn decoded_once(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte.filter(u8::is_ascii) {
            decoded.push(char::from(byte));
            decoded.push_str(part.get(2..).unwrap_or_default());
        } else {
            decoded.push('%');
            decoded.push_str(part);
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn what_real_clients_register_is_taken() {
        for text in [
            "https://claude.ai/api/mcp/auth_callback",
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
            "http://127.0.0.1:33418/",
            "http://127.0.0.1:6274/oauth/callback",
            "http://127.0.0.1",
            "http://localhost:3000/cb?tab=1&next=%2Fhome",
            "http://[::1]:3000/cb",
            "https://app.example.com:8443/cb",
            "cursor://anysphere.cursor-retrieval/oauth/user-snippets/callback",
            "com.example.app:/oauth2redirect",
            "myapp://cb",
        ] {
            assert_eq!(uri(text).as_str(), text);
        }
    }

    #[test]
    fn every_rule_has_its_error() {
        use InvalidRedirectUri as Rule;
        for (text, rule) in [
            ("/cb", Rule::NotAbsolute),
            ("https://a@evil.example/cb", Rule::UserInformation),
            ("https://good.example@evil.example", Rule::UserInformation),
            ("https://@evil.example/", Rule::UserInformation),
            ("https://app.example/cb#x", Rule::Fragment),
            ("https://*.example/cb", Rule::Wildcard),
            ("https://app.example/*", Rule::Wildcard),
            ("http://app.example/cb", Rule::Insecure),
            ("http://localhost.evil.com/cb", Rule::Insecure),
            ("http://127.0.0.1.nip.io/cb", Rule::Insecure),
            ("http://127.0.0.2/cb", Rule::Insecure),
            ("http://sub.localhost/cb", Rule::Insecure),
            ("https://app.example/cb/../x", Rule::Spelling),
            ("https://app.example/%2e%2e/x", Rule::Spelling),
            ("https://app.example/%252e%252e/x", Rule::Path),
            ("https://app.example/a%2fb", Rule::Path),
            ("https://app.example/a%255cb", Rule::Path),
            ("https://app.example//cb", Rule::Path),
            ("cursor://app/../x", Rule::Spelling),
            ("https://app.example/cb\\x", Rule::Spelling),
            ("https:\\\\app.example", Rule::Spelling),
            ("https://app.example/c b", Rule::Spelling),
            ("https://app.example/c\tb", Rule::Spelling),
            ("https://app.example/c\nb", Rule::Spelling),
            ("https://app.example/c\0b", Rule::Spelling),
            ("https://app.example/%00", Rule::Spelling),
            ("https://app.example/%0d%0aSet-Cookie:x", Rule::Spelling),
            ("https://app.example/%zz", Rule::Spelling),
            ("https://app.example/%4", Rule::Spelling),
            ("https://\u{430}pp.example/cb", Rule::Spelling),
            ("https://APP.example/cb", Rule::Spelling),
            ("HTTPS://app.example/cb", Rule::Spelling),
            ("https://app.example:443/cb", Rule::Spelling),
            ("https://app.example./cb", Rule::Spelling),
            ("http://127.1/cb", Rule::Spelling),
            ("http://0x7f.1/cb", Rule::Spelling),
            ("http://2130706433/cb", Rule::Spelling),
            ("http://0177.0.0.1/cb", Rule::Spelling),
            ("https:app.example/cb", Rule::Spelling),
            ("javascript:alert(1)", Rule::Scheme),
            ("JaVaScRiPt:alert(1)", Rule::Scheme),
            ("data:text/html,x", Rule::Scheme),
            ("file:///etc/passwd", Rule::Scheme),
            ("blob:https://app.example/x", Rule::Scheme),
            ("about:blank", Rule::Scheme),
            ("mailto:a@b.example", Rule::Scheme),
            ("view-source:https://app.example", Rule::Scheme),
            ("vbscript:x", Rule::Scheme),
            ("ws://app.example/cb", Rule::Scheme),
            ("https://app.example/cb?code=1", Rule::AnswerParameter),
            ("https://app.example/cb?a=1&%69ss=x", Rule::AnswerParameter),
            ("https://app.example/cb?state=", Rule::AnswerParameter),
            ("https://app.example/cb?error=x", Rule::AnswerParameter),
        ] {
            assert_eq!(RedirectUri::try_from(text.to_owned()).unwrap_err(), rule, "{text}");
        }
        let long = format!("https://app.example/{}", "a".repeat(512));
        assert_eq!(RedirectUri::try_from(long).unwrap_err(), Rule::TooLong);
    }

    #[test]
    fn a_registered_uri_permits_itself_and_nothing_near_it() {
        let registered = uri("https://app.example/cb?tab=1");

        assert!(registered.permits(&uri("https://app.example/cb?tab=1")));
        for near in [
            "https://app.example/cb",
            "https://app.example/cb?tab=2",
            "https://app.example/cb/?tab=1",
            "https://app.example/CB?tab=1",
            "https://app.example:8443/cb?tab=1",
            "https://good.example.evil/cb?tab=1",
        ] {
            assert!(!registered.permits(&uri(near)), "{near}");
        }
    }

    #[test]
    fn a_final_slash_makes_another_uri() {
        assert!(!uri("https://app.example").permits(&uri("https://app.example/")));
        assert!(!uri("https://app.example/cb").permits(&uri("https://app.example/cb/")));
    }

    #[test]
    fn a_loopback_http_uri_permits_any_port_and_nothing_else() {
        let registered = uri("http://127.0.0.1:1000/cb?a=1");

        assert!(registered.permits(&uri("http://127.0.0.1:2000/cb?a=1")));
        assert!(registered.permits(&uri("http://127.0.0.1/cb?a=1")));
        for near in [
            "http://localhost:1000/cb?a=1",
            "http://[::1]:1000/cb?a=1",
            "https://127.0.0.1:1000/cb?a=1",
            "http://127.0.0.1:2000/cb",
            "http://127.0.0.1:2000/other?a=1",
        ] {
            assert!(!registered.permits(&uri(near)), "{near}");
        }
    }

    #[test]
    fn only_the_port_is_left_out_and_nothing_that_looks_like_it() {
        for (text, without) in [
            ("http://[::1]:1/cb", "http://[::1]/cb"),
            ("http://127.0.0.1:1000/a:1000/b", "http://127.0.0.1/a:1000/b"),
            ("http://localhost:1000", "http://localhost"),
            ("http://localhost:1000/?a=:1000", "http://localhost/?a=:1000"),
            ("http://localhost/cb", "http://localhost/cb"),
        ] {
            assert_eq!(uri(text).without_loopback_port().as_str(), without);
            assert!(uri(without).permits(&uri(text)), "{text}");
        }
    }

    #[test]
    fn an_https_uri_on_this_machine_permits_its_own_port_only() {
        assert!(!uri("https://127.0.0.1:1000/cb").permits(&uri("https://127.0.0.1:2000/cb")));
    }
}

//! Client identifiers that are URLs: each is the address of the client's own metadata
//! (draft-ietf-oauth-client-id-metadata-document section 3).

use url::{Host, Url};

use super::redirect_uri::has_broken_or_control_escape;
use super::registration_policy::{AllowedHosts, InvalidPolicy, is_domain};

/// Longest URL, in bytes: that of every other identifier.
const LONGEST: usize = 255;
const SCHEME: &str = "https://";

/// The `client_id` of a client that publishes its metadata there, in the one spelling it has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientIdUrl(Url);

impl ClientIdUrl {
    /// Whether `client_id` means to be such a URL. No other identifier begins like one.
    pub fn is_meant_by(client_id: &str) -> bool {
        client_id.starts_with(SCHEME)
    }

    /// The URL as the client says it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL in its parts.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Who answers for the client: the one part of all that it says that is proved.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl TryFrom<&str> for ClientIdUrl {
    type Error = InvalidClientIdUrl;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let rest = text.strip_prefix(SCHEME).ok_or(InvalidClientIdUrl::Scheme)?;
        check_spelling(text, rest)?;
        let url = Url::parse(text).map_err(|_| InvalidClientIdUrl::Spelling)?;
        if url.port().is_some() {
            return Err(InvalidClientIdUrl::Port);
        }
        let named = match url.host() {
            Some(Host::Domain(name)) => is_domain(name) && name.contains('.'),
            _ => false,
        };
        if !named {
            return Err(InvalidClientIdUrl::Host);
        }
        if url.path() == "/" {
            return Err(InvalidClientIdUrl::NoPath);
        }
        // What a URL parser would rewrite has another spelling, and so another identity.
        if url.as_str() == text { Ok(Self(url)) } else { Err(InvalidClientIdUrl::Spelling) }
    }
}

fn check_spelling(text: &str, rest: &str) -> Result<(), InvalidClientIdUrl> {
    if text.len() > LONGEST {
        return Err(InvalidClientIdUrl::TooLong);
    }
    if rest.contains('#') {
        return Err(InvalidClientIdUrl::Fragment);
    }
    if rest.contains('?') {
        return Err(InvalidClientIdUrl::Query);
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err(InvalidClientIdUrl::UserInformation);
    }
    let dots = |segment: &str| matches!(segment.replace("%2e", ".").as_str(), "." | "..");
    if rest.to_ascii_lowercase().split('/').any(dots) {
        return Err(InvalidClientIdUrl::DotSegment);
    }
    let broken = has_broken_or_control_escape(text);
    if broken { Err(InvalidClientIdUrl::Spelling) } else { Ok(()) }
}

/// Which rule a URL breaks as an identifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidClientIdUrl {
    /// Its path has dot segments.
    #[error("a client_id must not have dot segments")]
    DotSegment,
    /// It has a fragment.
    #[error("a client_id must not have a fragment")]
    Fragment,
    /// Its host is an address, or a name of one label.
    #[error("a client_id must name a host in the public DNS")]
    Host,
    /// It names a host and nothing there.
    #[error("a client_id must have a path")]
    NoPath,
    /// It names a port.
    #[error("a client_id must not name a port")]
    Port,
    /// It has a query.
    #[error("a client_id must not have a query")]
    Query,
    /// It is not https.
    #[error("a client_id that is a URL must begin with https://")]
    Scheme,
    /// It is no URL, or not in the spelling that a parser would give it.
    #[error("a client_id must be in plain, canonical spelling")]
    Spelling,
    /// It is too long.
    #[error("a client_id must be at most 255 characters")]
    TooLong,
    /// It has a user name or password.
    #[error("a client_id must not have a user name or password")]
    UserInformation,
}

/// Whose metadata documents this server reads. It holds whenever such a client comes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DocumentPolicy {
    /// Nobody's: clients must register.
    Off,
    /// Those on these hosts.
    On(AllowedHosts),
}

impl DocumentPolicy {
    /// Whether any document is read.
    pub fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }

    /// Whether the document at `url` is.
    pub fn allows(&self, url: &ClientIdUrl) -> bool {
        matches!(self, Self::On(hosts) if hosts.allow(url.host()))
    }
}

impl Default for DocumentPolicy {
    fn default() -> Self {
        Self::On(AllowedHosts::default())
    }
}

impl TryFrom<&str> for DocumentPolicy {
    type Error = InvalidPolicy;

    /// Reads `off`, or hosts as [`AllowedHosts`] does.
    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if text == "off" { Ok(Self::Off) } else { AllowedHosts::try_from(text).map(Self::On) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ClientIdUrl {
        ClientIdUrl::try_from(text).unwrap()
    }

    #[test]
    fn a_plain_https_url_with_a_path_is_an_identifier() {
        for text in [
            "https://app.example/client.json",
            "https://app.example/a/b/",
            "https://app.example/.well-known/client",
            "https://xn--bcher-kva.example/client%20a",
            "https://app.example/a@b:c",
        ] {
            assert_eq!(url(text).as_str(), text);
        }
        assert_eq!(url("https://app.example/client.json").host(), "app.example");
    }

    #[test]
    fn every_rule_has_its_error() {
        use InvalidClientIdUrl as Rule;
        let long = format!("https://app.example/{}", "p".repeat(236));
        for (text, rule) in [
            ("http://app.example/c", Rule::Scheme),
            ("HTTPS://app.example/c", Rule::Scheme),
            ("app.example/c", Rule::Scheme),
            ("", Rule::Scheme),
            (&long, Rule::TooLong),
            ("https://app.example/c#", Rule::Fragment),
            ("https://app.example/c#x", Rule::Fragment),
            ("https://app.example/c?", Rule::Query),
            ("https://app.example/c?x=1", Rule::Query),
            ("https://user@app.example/c", Rule::UserInformation),
            ("https://user:word@app.example/c", Rule::UserInformation),
            ("https://@app.example/c", Rule::UserInformation),
            ("https://app.example/a/../c", Rule::DotSegment),
            ("https://app.example/./c", Rule::DotSegment),
            ("https://app.example/c/..", Rule::DotSegment),
            ("https://app.example/a/%2e%2E/c", Rule::DotSegment),
            ("https://app.example/a/.%2e/c", Rule::DotSegment),
            ("https://app.example:8443/c", Rule::Port),
            ("https://app.example:80/c", Rule::Port),
            ("https://app.example:443/c", Rule::Spelling),
            ("https://app.example:/c", Rule::Spelling),
            ("https://127.0.0.1/c", Rule::Host),
            ("https://169.254.169.254/metadata", Rule::Host),
            ("https://2130706433/c", Rule::Host),
            ("https://0x7f.1/c", Rule::Host),
            ("https://127.1/c", Rule::Host),
            ("https://[::1]/c", Rule::Host),
            ("https://[::ffff:127.0.0.1]/c", Rule::Host),
            ("https://localhost/c", Rule::Host),
            ("https://app.example./c", Rule::Host),
            ("https://a_b.example/c", Rule::Host),
            ("https://app.example", Rule::NoPath),
            ("https://app.example/", Rule::NoPath),
            ("https://App.example/c", Rule::Spelling),
            ("https://b\u{fc}cher.example/c", Rule::Spelling),
            ("https://app.example\\c", Rule::Spelling),
            ("https://app.example/a\\c", Rule::Spelling),
            ("https://app.example/a b", Rule::Spelling),
            ("https://app.example/\u{e4}", Rule::Spelling),
            ("https://app.example/a\tb", Rule::Spelling),
            ("https://app.example/c\n", Rule::Spelling),
            ("https://app.example/%zz", Rule::Spelling),
            ("https://app.example/%0a", Rule::Spelling),
            ("https:///c", Rule::Host),
        ] {
            assert_eq!(ClientIdUrl::try_from(text).unwrap_err(), rule, "{text:?}");
        }
        assert!(ClientIdUrl::try_from(&long[..255]).is_ok());
    }

    #[test]
    fn a_policy_is_off_or_names_hosts_and_without_one_every_host_is_allowed() {
        let (app, other) = (url("https://app.example/c"), url("https://other.example/c"));
        let policy = |text| DocumentPolicy::try_from(text).unwrap();

        assert!(DocumentPolicy::default().is_on() && DocumentPolicy::default().allows(&other));
        assert!(!policy("off").is_on() && !policy("off").allows(&app));
        assert!(policy("app.example").allows(&app) && !policy("app.example").allows(&other));
        assert!(policy("*.good.example").allows(&url("https://a.good.example/c")));
        for text in ["https://app.example", "OFF", "app.example,"] {
            assert!(DocumentPolicy::try_from(text).is_err(), "{text}");
        }
    }
}

//! Which redirect URIs this server lets clients register: a matter of settings, where
//! [`RedirectUri`] is a matter of form.

use shared::base_url::PublicBaseUrl;
use url::{Host, Origin};

use super::redirect_uri::{Receiver, RedirectUri, is_private_use};

/// Private-use schemes without a dot that well-known clients register (RFC 8252 section 7.1 asks
/// for reverse domain names, which are taken as they are unless schemes are listed).
const KNOWN_SCHEMES: [&str; 4] = ["cursor", "vscode", "vscode-insiders", "windsurf"];

/// The rules for redirect URIs. It holds at registration and again at each authorization, so
/// that a client from before a rule is bound by it too.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RegistrationPolicy {
    /// Where on the web, and whether on the user's own machine.
    pub hosts: AllowedHosts,
    /// Which applications by a scheme of their own.
    pub schemes: AllowedSchemes,
    /// Our own origin, once it is known: a client has no business there.
    pub own_origin: Option<Origin>,
}

impl RegistrationPolicy {
    /// These rules for the server at `base_url`.
    #[must_use]
    pub fn at(self, base_url: &PublicBaseUrl) -> Self {
        Self { own_origin: Some(base_url.url_at("/").origin()), ..self }
    }

    /// Checks where `uri` leads.
    ///
    /// # Errors
    /// The rule that keeps users from there.
    pub fn check(&self, uri: &RedirectUri) -> Result<(), OutsidePolicy> {
        if self.own_origin.as_ref() == Some(&uri.as_url().origin()) {
            return Err(OutsidePolicy::OwnOrigin);
        }
        let (allowed, rule) = match uri.receiver() {
            Receiver::ThisMachine => {
                (self.hosts.loopback == Loopback::Allowed, OutsidePolicy::Loopback)
            }
            Receiver::Host(host) => (self.hosts.allow(host), OutsidePolicy::Host),
            Receiver::Application(scheme) => (self.schemes.allow(scheme), OutsidePolicy::Scheme),
        };
        if allowed { Ok(()) } else { Err(rule) }
    }
}

/// The hosts that https redirect URIs may name, with any port: every host, unless some are listed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AllowedHosts {
    listed: Vec<HostRule>,
    loopback: Loopback,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum HostRule {
    Exact(String),
    /// A dot and a domain: every host below it, and not the domain itself.
    Below(String),
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Loopback {
    #[default]
    Allowed,
    Refused,
}

impl AllowedHosts {
    /// Whether `host` is one of them.
    pub fn allow(&self, host: &str) -> bool {
        let matches = |rule: &HostRule| match rule {
            HostRule::Exact(exact) => host == exact,
            HostRule::Below(domain) => host.len() > domain.len() && host.ends_with(domain),
        };
        self.listed.is_empty() || self.listed.iter().any(matches)
    }
}

impl TryFrom<&str> for AllowedHosts {
    type Error = InvalidPolicy;

    /// Reads hosts, separated by commas: `app.example.com`, `*.example.com` for the hosts below a
    /// domain, and `!loopback` to refuse addresses on the user's own machine.
    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let mut hosts = Self::default();
        for entry in text.split(',').map(str::trim) {
            if entry == "!loopback" {
                hosts.loopback = Loopback::Refused;
            } else {
                hosts.listed.push(host_rule(entry).ok_or(InvalidPolicy::Hosts)?);
            }
        }
        Ok(hosts)
    }
}

/// A host in the one spelling that redirect URIs have too. A wildcard stands for whole labels, and
/// not for all of a top-level domain.
fn host_rule(entry: &str) -> Option<HostRule> {
    let (wildcard, name) = entry.strip_prefix("*.").map_or((false, entry), |name| (true, name));
    let host = Host::parse(name).ok().filter(|host| host.to_string() == name)?;
    match (wildcard, host) {
        (false, Host::Domain(_)) => is_domain(name).then(|| HostRule::Exact(name.to_owned())),
        (false, Host::Ipv4(_) | Host::Ipv6(_)) => Some(HostRule::Exact(name.to_owned())),
        (true, Host::Domain(_)) => {
            let below = is_domain(name) && name.contains('.');
            below.then(|| HostRule::Below(format!(".{name}")))
        }
        (true, _) => None,
    }
}

/// Whether `name` is one or more labels of letters, digits and hyphens.
pub(super) fn is_domain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    name.split('.').all(|label| !label.is_empty() && label.bytes().all(plain))
}

/// The private-use schemes that redirect URIs may have (RFC 8252 section 7.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum AllowedSchemes {
    /// Those of well-known clients, and every reverse domain name.
    #[default]
    Known,
    /// These and no others.
    Listed(Vec<String>),
}

impl AllowedSchemes {
    fn allow(&self, scheme: &str) -> bool {
        match self {
            Self::Known => KNOWN_SCHEMES.contains(&scheme) || is_reverse_domain(scheme),
            Self::Listed(schemes) => schemes.iter().any(|listed| listed == scheme),
        }
    }
}

impl TryFrom<&str> for AllowedSchemes {
    type Error = InvalidPolicy;

    /// Reads schemes, separated by commas: `cursor`, `com.example.app`.
    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let schemes: Vec<_> = text.split(',').map(|scheme| scheme.trim().to_owned()).collect();
        let usable = schemes.iter().all(|scheme| is_private_use(scheme));
        if usable { Ok(Self::Listed(schemes)) } else { Err(InvalidPolicy::Schemes) }
    }
}

fn is_reverse_domain(scheme: &str) -> bool {
    let labels = || scheme.split('.');
    labels().count() >= 2 && labels().all(|label| !label.is_empty())
}

/// Which rule of this server a redirect URI breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OutsidePolicy {
    /// Its host is not listed.
    #[error(
        "this server does not allow the host of this redirect URI (REGISTRATION_REDIRECT_HOSTS)"
    )]
    Host,
    /// It leads to the user's own machine, and that is refused.
    #[error("this server does not allow loopback redirect URIs (REGISTRATION_REDIRECT_HOSTS)")]
    Loopback,
    /// It leads back to this server, which would take its answer for a request.
    #[error("a redirect URI must not lead to this server itself")]
    OwnOrigin,
    /// Its scheme is neither known nor listed.
    #[error("this server does not allow the scheme of this redirect URI (REGISTRATION_SCHEMES)")]
    Scheme,
}

/// The policy cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPolicy {
    /// An entry is no host.
    #[error(
        "must be hosts such as app.example.com or *.example.com in lower case and without ports, \
         or !loopback, separated by commas"
    )]
    Hosts,
    /// An entry is no scheme of an application.
    #[error(
        "must be schemes of applications such as cursor or com.example.app in lower case, \
         separated by commas"
    )]
    Schemes,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &str, schemes: &str, uri: &str) -> Result<(), OutsidePolicy> {
        let policy = RegistrationPolicy {
            hosts: AllowedHosts::try_from(hosts).unwrap(),
            schemes: AllowedSchemes::try_from(schemes).unwrap(),
            own_origin: None,
        };
        policy.check(&RedirectUri::try_from(uri.to_owned()).unwrap())
    }

    fn check_default(uri: &str) -> Result<(), OutsidePolicy> {
        RegistrationPolicy::default().check(&RedirectUri::try_from(uri.to_owned()).unwrap())
    }

    #[test]
    fn a_redirect_uri_does_not_lead_back_to_this_server() {
        let base_url = PublicBaseUrl::try_from("https://gw.example.com").unwrap();
        let policy = RegistrationPolicy::default().at(&base_url);
        let check = |uri: &str| policy.check(&RedirectUri::try_from(uri.to_owned()).unwrap());

        for uri in ["https://gw.example.com/authorize", "https://gw.example.com/oauth-callback?x=y"]
        {
            assert_eq!(check(uri), Err(OutsidePolicy::OwnOrigin), "{uri}");
        }
        assert_eq!(check("https://gw.example.com:8443/authorize"), Ok(()));
        assert_eq!(check("https://app.gw.example.com/cb"), Ok(()));
    }

    #[test]
    fn without_settings_every_host_and_every_known_application_is_allowed() {
        for uri in [
            "https://anything.example/cb",
            "http://127.0.0.1/cb",
            "https://localhost:8443/cb",
            "cursor://anysphere.cursor-retrieval/cb",
            "vscode-insiders://x/cb",
            "com.example.app:/cb",
        ] {
            assert_eq!(check_default(uri), Ok(()), "{uri}");
        }
        assert_eq!(check_default("myapp://cb"), Err(OutsidePolicy::Scheme));
        assert_eq!(check_default("a.:/cb"), Err(OutsidePolicy::Scheme));
    }

    #[test]
    fn a_listed_host_is_allowed_with_any_port_and_its_neighbours_are_not() {
        let check = |uri| check("app.example.com,[2001:db8::1],192.0.2.1", "cursor", uri);

        for uri in [
            "https://app.example.com/cb",
            "https://app.example.com:8443/cb",
            "https://[2001:db8::1]/cb",
            "https://192.0.2.1/cb",
        ] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
        for uri in [
            "https://example.com/cb",
            "https://x.app.example.com/cb",
            "https://app.example.com.evil.example/cb",
            "https://xapp.example.com/cb",
        ] {
            assert_eq!(check(uri), Err(OutsidePolicy::Host), "{uri}");
        }
    }

    #[test]
    fn a_wildcard_allows_the_hosts_below_a_domain_and_not_the_domain() {
        let check = |uri| check("*.example.com", "cursor", uri);

        assert_eq!(check("https://a.example.com/cb"), Ok(()));
        assert_eq!(check("https://a.b.example.com/cb"), Ok(()));
        for uri in [
            "https://example.com/cb",
            "https://evilexample.com/cb",
            "https://a.example.com.evil.example/cb",
            "https://evil.example/a.example.com",
        ] {
            assert_eq!(check(uri), Err(OutsidePolicy::Host), "{uri}");
        }
    }

    #[test]
    fn addresses_on_this_machine_are_allowed_beside_listed_hosts_unless_they_are_refused() {
        for uri in
            ["http://127.0.0.1/cb", "http://[::1]/cb", "https://localhost/cb", "https://127.0.0.2/"]
        {
            assert_eq!(check("app.example", "cursor", uri), Ok(()), "{uri}");
            let refused = check("app.example, !loopback", "cursor", uri);
            assert_eq!(refused, Err(OutsidePolicy::Loopback), "{uri}");
        }
        assert_eq!(check("!loopback", "cursor", "https://anything.example/cb"), Ok(()));
    }

    #[test]
    fn listed_schemes_take_the_place_of_the_known_ones() {
        let check = |uri| check("app.example", "myapp, com.example.app", uri);

        assert_eq!(check("myapp://cb"), Ok(()));
        assert_eq!(check("com.example.app:/cb"), Ok(()));
        for uri in ["cursor://x/cb", "com.example.other:/cb"] {
            assert_eq!(check(uri), Err(OutsidePolicy::Scheme), "{uri}");
        }
    }

    #[test]
    fn hosts_that_no_redirect_uri_could_have_are_faults() {
        for text in [
            "",
            "a.example,",
            "https://a.example",
            "a.example:443",
            "a.example/",
            "A.example",
            "a.example.",
            "\u{e4}.example",
            "a b.example",
            "*",
            "*.",
            "*.com",
            "*..example.com",
            "*.*.example.com",
            "*example.com",
            "a.*.example.com",
            "*.192.0.2.1",
            "0x7f.1",
            "loopback!",
        ] {
            assert_eq!(AllowedHosts::try_from(text), Err(InvalidPolicy::Hosts), "{text:?}");
        }
    }

    #[test]
    fn schemes_that_are_not_an_applications_own_are_faults() {
        for text in [
            "",
            "cursor,",
            "https",
            "http",
            "javascript",
            "data",
            "file",
            "Cursor",
            "a://",
            "1a",
            "a b",
        ] {
            assert_eq!(AllowedSchemes::try_from(text), Err(InvalidPolicy::Schemes), "{text:?}");
        }
    }
}

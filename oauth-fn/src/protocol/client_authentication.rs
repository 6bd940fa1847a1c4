//! How a client proves that it is the one that registered (RFC 6749 section 2.3, RFC 7591
//! section 2): each in the one way that it registered, and in no other.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::secret::{Fingerprint, Secret};
use zeroize::Zeroizing;

use super::parameters::{self, Parameters};

/// Every method by its registered name.
pub const METHODS: [&str; 3] = ["none", SecretMethod::Basic.as_str(), SecretMethod::Post.as_str()];

/// Begins every client secret, so that scanners know one that leaked.
const PREFIX: &str = "mcp_cs_";

/// How a confidential client sends its secret. A public client has none.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum SecretMethod {
    /// In the Authorization header.
    #[serde(rename = "client_secret_basic")]
    Basic,
    /// In the form.
    #[serde(rename = "client_secret_post")]
    Post,
}

impl SecretMethod {
    /// The method that is registered as `name`.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Basic, Self::Post].into_iter().find(|method| method.as_str() == name)
    }

    /// Its registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

/// What a confidential client knows and nobody else does. It cannot be printed.
#[derive(Clone, Debug)]
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// A new secret of 256 bits.
    pub fn generate() -> Self {
        let random = Secret::generate().to_base64url();
        Self(format!("{PREFIX}{}", random.expose_secret()).into())
    }

    /// What we keep of it. It holds for the client that `client_id` names, and no other.
    pub fn fingerprint(&self, client_id: &str) -> Fingerprint {
        let digest = Sha256::digest(self.0.expose_secret().as_bytes());
        ClientSecretDigest(digest.into()).fingerprint(client_id)
    }

    /// The text for the client, which is told once.
    pub fn into_text(self) -> SecretString {
        self.0
    }
}

/// The SHA-256 of a client secret: all that a setting needs to hold of one.
pub struct ClientSecretDigest([u8; 32]);

impl ClientSecretDigest {
    /// The digest that is written as 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The fingerprint of the secret, as [`ClientSecret::fingerprint`] gives it.
    pub fn fingerprint(&self, client_id: &str) -> Fingerprint {
        Fingerprint::of("client-secret", &[client_id.as_bytes(), &self.0])
    }
}

impl fmt::Debug for ClientSecretDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientSecretDigest([REDACTED])")
    }
}

/// How a client registered to prove itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RegisteredAuthentication {
    /// Not at all: its id is a name, and its codes are bound by PKCE.
    Public,
    /// By a secret.
    Secret {
        /// The way that it comes.
        method: SecretMethod,
        /// What we kept of it.
        fingerprint: Fingerprint,
    },
}

impl RegisteredAuthentication {
    /// Compares what was presented with what was registered.
    ///
    /// # Errors
    /// The client is not the one that registered, or does not prove it as it registered to.
    pub fn verify(&self, presented: PresentedClient) -> Result<AuthenticatedClient, InvalidClient> {
        let PresentedClient { id, secret } = presented;
        match (self, secret) {
            (Self::Public, None) => Ok(AuthenticatedClient(id)),
            (Self::Public, Some(_)) => Err(InvalidClient::Public),
            (Self::Secret { method, fingerprint }, Some((way, secret))) if *method == way => {
                let matches = fingerprint.matches(&secret.fingerprint(&id));
                if matches { Ok(AuthenticatedClient(id)) } else { Err(InvalidClient::Secret) }
            }
            (Self::Secret { method, .. }, _) => Err(InvalidClient::Method(*method)),
        }
    }
}

/// A client that proved itself as it registered to. Only [`RegisteredAuthentication::verify`]
/// makes one.
#[derive(Debug)]
#[must_use]
pub struct AuthenticatedClient(String);

impl AuthenticatedClient {
    /// Its `client_id`.
    pub fn id(&self) -> &str {
        &self.0
    }
}

/// Which client a request says it comes from, and the secret that it brings.
#[derive(Debug)]
pub struct PresentedClient {
    id: String,
    secret: Option<(SecretMethod, ClientSecret)>,
}

impl PresentedClient {
    /// The client in a form, or in the Authorization headers that came with it.
    ///
    /// # Errors
    /// It says too little, or says it in more ways than one (RFC 6749 section 2.3).
    pub fn read(authorization: &[&[u8]], form: &Parameters) -> Result<Self, InvalidClient> {
        let asserts = |name| form.get(name).is_some();
        if asserts("client_assertion") || asserts("client_assertion_type") {
            return Err(InvalidClient::Assertion);
        }
        let named = form.get("client_id");
        let secret = form.get("client_secret");
        match (authorization, secret) {
            ([], secret) => {
                let id = named.ok_or(InvalidClient::Nameless)?.to_owned();
                let secret = secret.map(|text| (SecretMethod::Post, ClientSecret(text.into())));
                Ok(Self { id, secret })
            }
            ([header], None) => {
                let (id, secret) = read_basic(header).ok_or(InvalidClient::Header)?;
                if named.is_some_and(|named| named != id) {
                    return Err(InvalidClient::TwoNames);
                }
                Ok(Self { id, secret: Some((SecretMethod::Basic, secret)) })
            }
            ([_], Some(_)) => Err(InvalidClient::TwoMethods),
            _ => Err(InvalidClient::Header),
        }
    }

    /// The `client_id`, which proves nothing.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The id and the secret in a Basic header: form-urlencoded, joined by a colon, in base64.
fn read_basic(header: &[u8]) -> Option<(String, ClientSecret)> {
    let (scheme, encoded) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = Zeroizing::new(BASE64.decode(encoded.trim_matches(' ').as_bytes()).ok()?);
    let mut halves = joined.splitn(2, |byte| *byte == b':');
    let id = parameters::decode(halves.next()?).ok()?;
    let secret = parameters::decode(halves.next()?).ok()?;
    Some((id, ClientSecret(secret.into())))
}

/// Why we do not believe that a client is the one that it says (RFC 6749 section 5.2,
/// `invalid_client`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidClient {
    /// It brings an assertion, which no client can register for.
    #[error("client assertions are not supported: use the method that was registered")]
    Assertion,
    /// Its Authorization header cannot be read.
    #[error("the Authorization header must be Basic with client_id:client_secret, form-urlencoded")]
    Header,
    /// It registered another way to send its secret.
    #[error("this client registered {}: send its secret in that way", .0.as_str())]
    Method(SecretMethod),
    /// It does not say which client it is.
    #[error("client_id is missing")]
    Nameless,
    /// It brings a secret, and we gave it none.
    #[error("this client is public: send client_id in the form, and no secret")]
    Public,
    /// The secret is not the client's.
    #[error("the client secret is wrong")]
    Secret,
    /// It authenticates in the header and in the form.
    #[error("send the client secret once: in the Authorization header, or in the form")]
    TwoMethods,
    /// Header and form name different clients.
    #[error("the form names another client than the Authorization header")]
    TwoNames,
    /// We do not know it, or no longer.
    #[error("the client is not registered here: register again")]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(headers: &[&str], form: &str) -> Result<PresentedClient, InvalidClient> {
        let headers: Vec<_> = headers.iter().map(|header| header.as_bytes()).collect();
        PresentedClient::read(&headers, &Parameters::parse(form.as_bytes()).unwrap())
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64.encode(pair.as_bytes()))
    }

    fn registered(method: SecretMethod) -> RegisteredAuthentication {
        let fingerprint = ClientSecret("right".to_owned().into()).fingerprint("id");
        RegisteredAuthentication::Secret { method, fingerprint }
    }

    #[test]
    fn a_secret_has_256_bits_of_its_own_and_does_not_show_itself() {
        let (one, other) = (ClientSecret::generate(), ClientSecret::generate());

        let shown = format!("{one:?}");
        let text = one.into_text().expose_secret().to_owned();
        assert_eq!(text.len(), "mcp_cs_".len() + 43);
        assert!(text.starts_with("mcp_cs_"));
        assert!(!shown.contains("mcp_cs_"), "{shown}");
        assert_ne!(text, other.into_text().expose_secret());
    }

    #[test]
    fn a_secret_holds_for_its_own_client_alone() {
        let secret = ClientSecret::generate();

        assert!(!secret.fingerprint("id").matches(&secret.fingerprint("other")));
    }

    #[test]
    fn the_digest_of_a_secret_gives_the_fingerprint_of_the_secret() {
        // `printf right | sha256sum`
        let digest = "27042f4e6eca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad9";
        let secret = ClientSecret("right".to_owned().into());
        for text in [digest.to_owned(), digest.to_uppercase()] {
            let digest = ClientSecretDigest::from_hex(&text).unwrap();

            assert!(digest.fingerprint("id").matches(&secret.fingerprint("id")));
            assert!(!digest.fingerprint("other").matches(&secret.fingerprint("id")));
        }
        for text in ["", &digest[1..], &format!("{digest}00"), &digest.replace('2', "g")] {
            assert!(ClientSecretDigest::from_hex(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_example_of_rfc_6749_section_2_3_1_is_read() {
        let header = "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3";

        let presented = present(&[header], "grant_type=refresh_token").unwrap();

        let (method, secret) = presented.secret.unwrap();
        assert_eq!((presented.id.as_str(), method), ("s6BhdRkqt3", SecretMethod::Basic));
        assert_eq!(secret.into_text().expose_secret(), "7Fjfp0ZBr1KtDRbnfVdmIw");
    }

    #[test]
    fn both_halves_of_a_basic_header_are_form_urlencoded() {
        let presented = present(&[&basic("a%3Ab+c:%2B%C3%A9:d")], "").unwrap();

        assert_eq!(presented.id, "a:b c");
        assert_eq!(presented.secret.unwrap().1.into_text().expose_secret(), "+\u{e9}:d");
    }

    #[test]
    fn the_name_of_the_scheme_has_no_case_and_the_form_may_repeat_the_id() {
        let header = basic("id:right").replace("Basic", "bAsIc");

        assert!(present(&[&header], "client_id=id").is_ok());
    }

    #[test]
    fn each_way_to_say_too_little_or_too_much_has_its_error() {
        use InvalidClient as Rule;
        let good = basic("id:right");
        for (headers, form, rule) in [
            (vec![], "", Rule::Nameless),
            (vec![], "client_secret=right", Rule::Nameless),
            (vec![], "client_id=id&client_assertion=x", Rule::Assertion),
            (vec![good.clone()], "client_assertion_type=x", Rule::Assertion),
            (vec![good.clone()], "client_secret=right", Rule::TwoMethods),
            (vec![good.clone()], "client_id=other", Rule::TwoNames),
            (vec![good.clone(), good], "", Rule::Header),
            (vec![basic("no colon")], "", Rule::Header),
            (vec![basic("id:%zz")], "", Rule::Header),
            (vec![basic("%ff:x")], "", Rule::Header),
            (vec!["Basic".to_owned()], "", Rule::Header),
            (vec!["Basic %%%".to_owned()], "", Rule::Header),
            (vec!["Basic aWQ6cmlnaHQ".to_owned() + "!"], "", Rule::Header),
            (vec!["Bearer aWQ6cmlnaHQ=".to_owned()], "client_id=id", Rule::Header),
            (vec![String::new()], "client_id=id", Rule::Header),
        ] {
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            assert_eq!(present(&headers, form).unwrap_err(), rule, "{headers:?} {form}");
        }
    }

    #[test]
    fn each_client_is_believed_in_the_way_that_it_registered_and_in_no_other() {
        use InvalidClient as Rule;
        use RegisteredAuthentication::Public;
        use SecretMethod::{Basic, Post};
        let presentations = ["none", "basic", "post"].map(|way| {
            move || match way {
                "basic" => present(&[&basic("id:right")], "").unwrap(),
                "post" => present(&[], "client_id=id&client_secret=right").unwrap(),
                _ => present(&[], "client_id=id").unwrap(),
            }
        });
        for (registration, outcomes) in [
            (Public, [None, Some(Rule::Public), Some(Rule::Public)]),
            (registered(Basic), [Some(Rule::Method(Basic)), None, Some(Rule::Method(Basic))]),
            (registered(Post), [Some(Rule::Method(Post)), Some(Rule::Method(Post)), None]),
        ] {
            for (present, outcome) in presentations.iter().zip(outcomes) {
                assert_eq!(registration.verify(present()).err(), outcome, "{registration:?}");
            }
        }
    }

    #[test]
    fn a_secret_that_is_wrong_short_long_or_empty_is_refused() {
        for secret in ["wrong", "righ", "rightx", "Right", ""] {
            let presented = present(&[&basic(&format!("id:{secret}"))], "").unwrap();

            let refused = registered(SecretMethod::Basic).verify(presented).unwrap_err();

            assert_eq!(refused, InvalidClient::Secret);
        }
    }
}

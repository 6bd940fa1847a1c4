//! Clients that the operator registered beforehand: metadata of RFC 7591 section 2 in a setting,
//! each with the identifier that it was promised.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::client_authentication::{ClientSecretDigest, RegisteredAuthentication, SecretMethod};
use super::client_metadata::{
    AcceptedRegistration, ClientMetadata, ClientRegistration, RegistrationError,
};
use super::registration_policy::RegistrationPolicy;

/// Longest identifier, in characters.
const LONGEST_ID: usize = 255;
/// How identifiers begin that mean something else: those that we give out, and URLs.
const OTHER_IDS: [&str; 2] = ["mcp_client_", "https://"];

/// Clients that need no registration, by their `client_id`.
#[derive(Clone, Debug, Default)]
pub struct PreregisteredClients(HashMap<String, PreregisteredClient>);

/// A client that the operator registered.
#[derive(Clone, Debug)]
pub struct PreregisteredClient {
    /// What it may do.
    pub metadata: ClientMetadata,
    /// How it proves itself.
    pub authentication: RegisteredAuthentication,
}

impl PreregisteredClients {
    /// Reads a JSON array of clients, each under the rules of registration and of `policy`.
    ///
    /// # Errors
    /// Every fault of every entry.
    pub fn parse(
        json: &str,
        policy: &RegistrationPolicy,
    ) -> Result<Self, Vec<InvalidPreregistration>> {
        let entries: Vec<&RawValue> =
            serde_json::from_str(json).map_err(|_| vec![InvalidPreregistration::NotAList])?;
        let (mut clients, mut faults, mut ids) = (HashMap::new(), Vec::new(), HashSet::new());
        for (number, text) in (1..).zip(entries) {
            let Entry { id, client, mut broken } = Entry::read(text.get(), policy);
            if id.as_ref().is_some_and(|id| !ids.insert(id.clone())) {
                broken.push(EntryRule::RepeatedId);
            }
            let fault = |rule| InvalidPreregistration::Entry { number, id: id.clone(), rule };
            faults.extend(broken.into_iter().map(fault));
            if let Some((id, client)) = id.zip(client) {
                let client = client.of(&id);
                clients.insert(id, client);
            }
        }
        if faults.is_empty() { Ok(Self(clients)) } else { Err(faults) }
    }

    /// The client that `id` names.
    pub fn find(&self, id: &str) -> Option<&PreregisteredClient> {
        self.0.get(id)
    }
}

/// The members that no registration request has.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are named as in the setting")]
struct Promised {
    client_id: Option<String>,
    client_secret: Option<IgnoredAny>,
    client_secret_sha256: Option<String>,
}

/// An entry as far as it could be read, and the rules that it breaks.
#[derive(Default)]
struct Entry {
    id: Option<String>,
    client: Option<Nameless>,
    broken: Vec<EntryRule>,
}

impl Entry {
    fn read(json: &str, policy: &RegistrationPolicy) -> Self {
        let registration = ClientRegistration::parse(json.as_bytes());
        let (Ok(registration), Ok(promised)) = (registration, serde_json::from_str(json)) else {
            return Self { broken: vec![EntryRule::NotAnObject], ..Self::default() };
        };
        let Promised { client_id, client_secret, client_secret_sha256 } = promised;
        let client = if client_secret.is_some() {
            Err(EntryRule::SecretInClear)
        } else {
            Nameless::read(registration, client_secret_sha256.as_deref(), policy)
        };
        let mut broken = Vec::new();
        let mut noted = |rule| broken.push(rule);
        let id = read_id(client_id).map_err(&mut noted).ok();
        let client = client.map_err(&mut noted).ok();
        Self { id, client, broken }
    }
}

/// A client without its identifier.
struct Nameless {
    metadata: ClientMetadata,
    secret: Option<(SecretMethod, ClientSecretDigest)>,
}

impl Nameless {
    fn read(
        registration: ClientRegistration,
        digest: Option<&str>,
        policy: &RegistrationPolicy,
    ) -> Result<Self, EntryRule> {
        let accepted = registration.named()?.accept(policy)?;
        let AcceptedRegistration { metadata, secret_method, .. } = accepted;
        let secret = match (secret_method, digest) {
            (None, None) => None,
            (None, Some(_)) => return Err(EntryRule::PublicWithSecret),
            (Some(_), None) => return Err(EntryRule::NoSecret),
            (Some(method), Some(digest)) => {
                let digest = ClientSecretDigest::from_hex(digest).ok_or(EntryRule::Digest)?;
                Some((method, digest))
            }
        };
        Ok(Self { metadata, secret })
    }

    fn of(self, id: &str) -> PreregisteredClient {
        let authentication = match self.secret {
            None => RegisteredAuthentication::Public,
            Some((method, digest)) => {
                RegisteredAuthentication::Secret { method, fingerprint: digest.fingerprint(id) }
            }
        };
        PreregisteredClient { metadata: self.metadata, authentication }
    }
}

fn read_id(id: Option<String>) -> Result<String, EntryRule> {
    let plain = |id: &String| {
        (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let id = id.filter(plain).ok_or(EntryRule::Id)?;
    let other = OTHER_IDS.iter().any(|other| id.starts_with(other));
    if other { Err(EntryRule::OtherId) } else { Ok(id) }
}

/// What is wrong with the list of clients. No secret and no digest of one is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvalidPreregistration {
    /// The text is no list.
    NotAList,
    /// An entry breaks a rule.
    Entry {
        /// Its place in the list, from 1.
        number: usize,
        /// Its identifier, if that can be used.
        id: Option<String>,
        /// The rule.
        rule: EntryRule,
    },
}

impl fmt::Display for InvalidPreregistration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAList => formatter.write_str("must be a JSON array of clients"),
            Self::Entry { number, id: Some(id), rule } => {
                write!(formatter, "entry {number} ({id}): {rule}")
            }
            Self::Entry { number, id: None, rule } => write!(formatter, "entry {number}: {rule}"),
        }
    }
}

/// Which rule an entry breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EntryRule {
    /// The digest of the secret is none.
    #[error("client_secret_sha256 must be the SHA-256 of the secret in 64 hexadecimal digits")]
    Digest,
    /// The identifier is missing, too long, or has characters that do not travel well.
    #[error("client_id must be 1 to 255 printable ASCII characters without spaces")]
    Id,
    /// A confidential client has no digest.
    #[error("client_secret_sha256 is missing: the client authenticates with a secret")]
    NoSecret,
    /// The entry is no client.
    #[error("must be a JSON object as in RFC 7591 section 2, each member once")]
    NotAnObject,
    /// The identifier could be that of another kind of client.
    #[error("client_id must not begin with mcp_client_ or https://")]
    OtherId,
    /// A public client has a digest.
    #[error("client_secret_sha256 needs token_endpoint_auth_method client_secret_basic or _post")]
    PublicWithSecret,
    /// The identifier is that of an entry before.
    #[error("client_id is that of another entry")]
    RepeatedId,
    /// A rule of registration.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The secret itself is there.
    #[error("client_secret must not be here: give client_secret_sha256 instead")]
    SecretInClear,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::redirect_uri::InvalidRedirectUri;
    use super::super::registration_policy::{AllowedHosts, OutsidePolicy};
    use super::*;

    const URI: &str = "https://app.example/cb";
    const DIGEST: &str = "27042f4e6eca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad9";

    fn parse(list: &Value) -> Result<PreregisteredClients, Vec<InvalidPreregistration>> {
        PreregisteredClients::parse(&list.to_string(), &RegistrationPolicy::default())
    }

    fn client(id: &str) -> Value {
        json!({ "client_id": id, "client_name": "App", "redirect_uris": [URI] })
    }

    fn confidential(method: &str, digest: &str) -> Value {
        let mut client = client("app");
        client["token_endpoint_auth_method"] = json!(method);
        client["client_secret_sha256"] = json!(digest);
        client
    }

    /// The rules that one entry breaks.
    fn rules(entry: &Value) -> Vec<EntryRule> {
        let faults = parse(&json!([entry])).unwrap_err();
        let rule = |fault| match fault {
            InvalidPreregistration::Entry { number: 1, rule, .. } => rule,
            other => panic!("{other}"),
        };
        faults.into_iter().map(rule).collect()
    }

    #[test]
    fn clients_are_found_by_their_ids_and_in_no_other_spelling() {
        let clients = parse(&json!([client("app"), client("an/other:App~1")])).unwrap();

        let found = clients.find("app").unwrap();
        assert_eq!(found.metadata.name, "App");
        assert_eq!(found.metadata.redirect_uris[0].as_str(), URI);
        assert_eq!(found.authentication, RegisteredAuthentication::Public);
        assert!(clients.find("an/other:App~1").is_some());
        assert!(clients.find("App").is_none());
    }

    #[test]
    fn a_confidential_client_is_known_by_the_digest_of_its_secret() {
        for (name, method) in [
            ("client_secret_basic", SecretMethod::Basic),
            ("client_secret_post", SecretMethod::Post),
        ] {
            let clients = parse(&json!([confidential(name, DIGEST)])).unwrap();

            let fingerprint = ClientSecretDigest::from_hex(DIGEST).unwrap().fingerprint("app");
            let expected = RegisteredAuthentication::Secret { method, fingerprint };
            assert_eq!(clients.find("app").unwrap().authentication, expected);
        }
    }

    #[test]
    fn what_is_no_list_is_one_fault() {
        for text in ["", "{}", "null", "[", "[{}] x"] {
            let parsed = PreregisteredClients::parse(text, &RegistrationPolicy::default());

            assert_eq!(parsed.unwrap_err(), [InvalidPreregistration::NotAList], "{text}");
        }
    }

    #[test]
    fn an_id_must_be_plain_and_not_of_another_kind() {
        for id in ["", "a b", "\u{e4}", "a\n", &"a".repeat(256)] {
            assert_eq!(rules(&client(id)), [EntryRule::Id], "{id}");
        }
        for id in ["mcp_client_", "mcp_client_x", "https://app.example/client.json"] {
            assert_eq!(rules(&client(id)), [EntryRule::OtherId], "{id}");
        }
        for id in [&"a".repeat(255), "mcp_clien"] {
            assert!(parse(&json!([client(id)])).is_ok(), "{id}");
        }
    }

    #[test]
    fn every_rule_of_an_entry_has_its_fault() {
        let with = |name: &str, value: Value| {
            let mut entry = client("app");
            entry[name] = value;
            entry
        };
        let registration = EntryRule::Registration;
        for (entry, rule) in [
            (with("client_name", json!(null)), registration(RegistrationError::Name)),
            (with("client_name", json!(" ")), registration(RegistrationError::Name)),
            (with("redirect_uris", json!([])), registration(RegistrationError::NoRedirectUri)),
            (
                with("redirect_uris", json!(["http://app.example/"])),
                registration(InvalidRedirectUri::Insecure.into()),
            ),
            (
                with("redirect_uris", json!(["myapp://cb"])),
                registration(OutsidePolicy::Scheme.into()),
            ),
            (with("grant_types", json!(["password"])), registration(RegistrationError::GrantTypes)),
            (
                with("token_endpoint_auth_method", json!("private_key_jwt")),
                registration(RegistrationError::AuthenticationMethod),
            ),
            (with("client_secret", json!("x")), EntryRule::SecretInClear),
            (with("client_secret_sha256", json!(DIGEST)), EntryRule::PublicWithSecret),
            (with("token_endpoint_auth_method", json!("client_secret_post")), EntryRule::NoSecret),
            (confidential("client_secret_basic", &DIGEST[1..]), EntryRule::Digest),
        ] {
            assert_eq!(rules(&entry), [rule], "{entry}");
        }
        for entry in [json!("app"), json!(["app"]), json!({ "client_id": 7 })] {
            assert_eq!(rules(&entry), [EntryRule::NotAnObject], "{entry}");
        }
    }

    #[test]
    fn a_member_that_comes_twice_is_a_fault() {
        let list = client("app").to_string();
        for member in [r#""client_id":"app","#, r#""redirect_uris":["https://b.example/"],"#] {
            let list = format!("[{}]", list.replacen('{', &format!("{{{member}"), 1));

            let faults = PreregisteredClients::parse(&list, &RegistrationPolicy::default());

            assert!(faults.unwrap_err()[0].to_string().contains("entry 1"), "{list}");
        }
    }

    #[test]
    fn the_policy_for_redirect_uris_binds_these_clients_too() {
        let hosts = AllowedHosts::try_from("other.example").unwrap();
        let policy = RegistrationPolicy { hosts, ..RegistrationPolicy::default() };

        let faults = PreregisteredClients::parse(&json!([client("app")]).to_string(), &policy);

        assert!(faults.unwrap_err()[0].to_string().contains("REGISTRATION_REDIRECT_HOSTS"));
    }

    #[test]
    fn every_fault_of_every_entry_is_told_with_its_place_and_no_secret() {
        let mut leaking = client("second");
        leaking["client_secret"] = json!("hunter2");

        let faults = parse(&json!([
            { "client_id": "a b", "redirect_uris": [URI] },
            leaking,
            client("third"),
            client("third"),
        ]))
        .unwrap_err();

        let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "entry 1: client_id must be 1 to 255 printable ASCII characters without spaces",
                "entry 1: client_name must be 1 to 200 characters",
                "entry 2 (second): client_secret must not be here: give client_secret_sha256 \
                 instead",
                "entry 4 (third): client_id is that of another entry",
            ]
        );
    }
}

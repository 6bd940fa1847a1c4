//! What this app is told by its environment.

use std::fmt;
use std::num::NonZeroU32;

use secrecy::SecretString;
use shared::base_url::{PublicBaseUrl, is_loopback};
use shared::config::Settings;
use shared::seal::KeyRing;
use shared::session::DirectoryId;
use url::Url;

use crate::limits::REQUESTS_PER_MINUTE;
use crate::protocol::client_id_url::DocumentPolicy;
use crate::protocol::preregistration::PreregisteredClients;
use crate::protocol::registration_policy::{AllowedHosts, AllowedSchemes, RegistrationPolicy};
use crate::upstream::{Gate, Guests, RequiredRoles};

/// Every setting of the authorization server.
#[derive(Debug)]
pub struct Config {
    /// The public origin: also the issuer.
    pub base_url: PublicBaseUrl,
    /// Keys that mcp-fn has too.
    pub session_keys: KeyRing,
    /// Keys of this app alone.
    pub grant_keys: KeyRing,
    /// Where users sign in.
    pub upstream: UpstreamConfig,
    /// Where the clients that register may have users sent back to.
    pub registration: RegistrationPolicy,
    /// Requests of one kind that one address may make in a minute; any number if there is none.
    pub requests_per_minute: Option<NonZeroU32>,
    /// The clients that need not register.
    pub preregistered: PreregisteredClients,
    /// Whose metadata documents are read.
    pub documents: DocumentPolicy,
}

impl Config {
    /// Reads the settings; what is wrong with them is noted in `settings`.
    pub fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let ring = |text: &str| KeyRing::try_from(text);
        let base_url = settings.required("PUBLIC_BASE_URL", |text| PublicBaseUrl::try_from(text));
        let session_keys = settings.required("SESSION_KEYS", ring);
        let grant_keys = settings.required("GRANT_KEYS", ring);
        let shared = session_keys.as_ref().zip(grant_keys.as_ref());
        if shared
            .is_some_and(|(session, grant): (&KeyRing, &KeyRing)| grant.shares_a_key_with(session))
        {
            settings
                .fault("GRANT_KEYS", "must not share a key with SESSION_KEYS, which mcp-fn has");
        }
        let upstream = UpstreamConfig::read(settings);
        let registration = read_registration_policy(settings);
        let default = Some(REQUESTS_PER_MINUTE);
        let requests = settings.optional("REQUESTS_PER_MINUTE", default, parse_requests);
        let preregistered = read_preregistered_clients(settings, registration.as_ref());
        let documents =
            settings.optional("CLIENT_METADATA_HOSTS", DocumentPolicy::default(), |text| {
                DocumentPolicy::try_from(text)
            });
        Some(Self {
            base_url: base_url?,
            session_keys: session_keys?,
            grant_keys: grant_keys?,
            upstream: upstream?,
            registration: registration?,
            requests_per_minute: requests?,
            preregistered: preregistered?,
            documents: documents?,
        })
    }
}

fn read_registration_policy(settings: &mut Settings<'_>) -> Option<RegistrationPolicy> {
    let hosts = settings.optional("REGISTRATION_REDIRECT_HOSTS", AllowedHosts::default(), |text| {
        AllowedHosts::try_from(text)
    });
    let schemes = settings.optional("REGISTRATION_SCHEMES", AllowedSchemes::default(), |text| {
        AllowedSchemes::try_from(text)
    });
    Some(RegistrationPolicy { hosts: hosts?, schemes: schemes?, own_origin: None })
}

/// The clients can be judged only where the policy can be read.
fn read_preregistered_clients(
    settings: &mut Settings<'_>,
    policy: Option<&RegistrationPolicy>,
) -> Option<PreregisteredClients> {
    let none = "[]".to_owned();
    let json = settings.optional("REGISTERED_CLIENTS", none, shared::config::text)?;
    match PreregisteredClients::parse(&json, policy?) {
        Ok(clients) => Some(clients),
        Err(faults) => {
            for fault in faults {
                settings.fault("REGISTERED_CLIENTS", &fault.to_string());
            }
            None
        }
    }
}

/// The `OpenID` provider that users sign in at: Entra ID.
#[derive(Debug)]
pub struct UpstreamConfig {
    /// Its issuer, `https://login.microsoftonline.com/<tenant>/v2.0`.
    pub issuer: Url,
    /// Our application there.
    pub client_id: String,
    /// How our application proves itself.
    pub credential: UpstreamCredential,
    /// What we ask for; `openid` must be among it.
    pub scopes: Vec<String>,
    /// The tenants whose users may sign in.
    pub allowed_tenants: Vec<DirectoryId>,
    /// Which of those users.
    pub gate: Gate,
}

impl UpstreamConfig {
    fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let issuer = settings.required("UPSTREAM_ISSUER", parse_issuer);
        let client_id = settings.required("UPSTREAM_CLIENT_ID", shared::config::text);
        let credential = settings.required("UPSTREAM_CREDENTIAL", parse_credential);
        let default = ["openid", "profile", "offline_access", "User.Read"].map(str::to_owned);
        let scopes = settings.optional("UPSTREAM_SCOPES", default.to_vec(), parse_scopes);
        let allowed_tenants = settings.required("ALLOWED_TENANTS", parse_tenants);
        let gate = read_gate(settings);
        Some(Self {
            issuer: issuer?,
            client_id: client_id?,
            credential: credential?,
            scopes: scopes?,
            allowed_tenants: allowed_tenants?,
            gate: gate?,
        })
    }
}

fn read_gate(settings: &mut Settings<'_>) -> Option<Gate> {
    let roles = settings
        .optional("REQUIRED_ROLES", RequiredRoles::default(), |text| RequiredRoles::try_from(text));
    let guests = settings.optional("GUESTS", Guests::default(), |text| Guests::try_from(text));
    Some(Gate { required_roles: roles?, guests: guests? })
}

/// How we prove at Entra ID that we are our application.
pub enum UpstreamCredential {
    /// Assertions of who we are, which the application trusts; there is no secret (RFC 7523).
    Federated,
    /// A client secret (RFC 6749 section 2.3.1).
    Secret(SecretString),
}

impl fmt::Debug for UpstreamCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Federated => "UpstreamCredential::Federated",
            Self::Secret(_) => "UpstreamCredential::Secret([REDACTED])",
        })
    }
}

fn parse_issuer(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be the URL of an OpenID provider")?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !secure {
        return Err("must begin with https://");
    }
    let plain = url.query().is_none() && url.fragment().is_none() && !text.ends_with('/');
    if plain { Ok(url) } else { Err("must have no query, no fragment and no final slash") }
}

fn parse_credential(text: &str) -> Result<UpstreamCredential, &'static str> {
    if text.starts_with("@Microsoft.KeyVault(") {
        return Err("is still a Key Vault reference: check that the app's identity may read it");
    }
    match text {
        "federated" => Ok(UpstreamCredential::Federated),
        // Nobody has this secret, and somebody meant the word.
        near if near.trim().eq_ignore_ascii_case("federated") => {
            Err("must be federated in lower case and nothing else, or a client secret")
        }
        secret => Ok(UpstreamCredential::Secret(secret.into())),
    }
}

fn parse_scopes(text: &str) -> Result<Vec<String>, &'static str> {
    let scopes: Vec<_> = text.split_ascii_whitespace().map(str::to_owned).collect();
    let has = |name: &str| scopes.iter().any(|scope| scope == name);
    if has("openid") && has("profile") {
        Ok(scopes)
    } else {
        Err("must name openid and profile, since the user is known by oid and tid")
    }
}

fn parse_requests(text: &str) -> Result<Option<NonZeroU32>, &'static str> {
    let requests = text.parse().map_err(|_| "must be a whole number, and 0 for no limit")?;
    Ok(NonZeroU32::new(requests))
}

fn parse_tenants(text: &str) -> Result<Vec<DirectoryId>, &'static str> {
    let ids = text.split(',').map(|id| DirectoryId::try_from(id.trim().to_owned()));
    ids.collect::<Result<_, _>>().map_err(|_| "must be tenant ids, separated by commas")
}

#[cfg(test)]
mod tests {
    use shared::config::Env;

    use super::*;

    fn faults(env: &dyn Env) -> String {
        let mut settings = Settings::new(env);
        let config = Config::read(&mut settings);
        settings.finish(config).unwrap_err().to_string()
    }

    #[test]
    fn every_missing_setting_is_named_at_once() {
        let env: [(&str, &str); 0] = [];

        let faults = faults(&env);

        for name in [
            "PUBLIC_BASE_URL",
            "SESSION_KEYS",
            "GRANT_KEYS",
            "UPSTREAM_ISSUER",
            "UPSTREAM_CLIENT_ID",
            "UPSTREAM_CREDENTIAL",
            "ALLOWED_TENANTS",
        ] {
            assert!(faults.contains(&format!("{name} is missing")), "{faults}");
        }
    }

    #[test]
    fn the_keys_of_this_app_are_not_those_that_it_shares() {
        let ring = format!("k1:{}", data_encoding::BASE64.encode(&[1; 32]));
        let env = [("SESSION_KEYS", ring.as_str()), ("GRANT_KEYS", ring.as_str())];

        assert!(faults(&env).contains("GRANT_KEYS must not share a key with SESSION_KEYS"));
    }

    #[test]
    fn an_unresolved_key_vault_reference_is_a_fault_of_every_secret() {
        let reference = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/k)";
        let env = [
            ("SESSION_KEYS", reference),
            ("GRANT_KEYS", reference),
            ("UPSTREAM_CREDENTIAL", reference),
        ];

        let faults = faults(&env);

        assert_eq!(faults.matches("is still a Key Vault reference").count(), 3, "{faults}");
        assert!(!faults.contains("SecretUri"));
    }

    #[test]
    fn the_registration_policy_is_read_from_two_settings_and_both_may_be_missing() {
        let read = |env: &dyn Env| {
            let mut settings = Settings::new(env);
            let policy = read_registration_policy(&mut settings);
            settings.finish(policy)
        };
        let none: [(&str, &str); 0] = [];
        let both = [
            ("REGISTRATION_REDIRECT_HOSTS", "app.example, *.example.com"),
            ("REGISTRATION_SCHEMES", "cursor"),
        ];

        let policy = read(&both).unwrap();

        assert_eq!(read(&none).unwrap(), RegistrationPolicy::default());
        assert_eq!(policy.hosts, AllowedHosts::try_from("app.example,*.example.com").unwrap());
        assert_eq!(policy.schemes, AllowedSchemes::try_from("cursor").unwrap());
    }

    #[test]
    fn a_registration_policy_that_cannot_be_read_is_a_fault_of_each_setting() {
        let env = [
            ("REGISTRATION_REDIRECT_HOSTS", "https://app.example"),
            ("REGISTRATION_SCHEMES", "javascript"),
            ("CLIENT_METADATA_HOSTS", "OFF"),
        ];

        let faults = faults(&env);

        assert!(faults.contains("REGISTRATION_REDIRECT_HOSTS must be hosts such as"), "{faults}");
        assert!(faults.contains("REGISTRATION_SCHEMES must be schemes of"), "{faults}");
        assert!(faults.contains("CLIENT_METADATA_HOSTS must be hosts such as"), "{faults}");
    }

    #[test]
    fn the_gate_is_read_from_two_settings_and_both_may_be_missing() {
        let read = |env: &dyn Env| {
            let mut settings = Settings::new(env);
            let gate = read_gate(&mut settings);
            settings.finish(gate)
        };
        let none: [(&str, &str); 0] = [];
        let both = [("REQUIRED_ROLES", "mcp.user, mcp.admin"), ("GUESTS", "refused")];

        let gate = read(&both).unwrap();

        assert!(read(&none).unwrap().is_open());
        assert_eq!(gate.required_roles, RequiredRoles::try_from("mcp.user,mcp.admin").unwrap());
        assert_eq!(gate.guests, Guests::Refused);
        let faults = faults(&[("REQUIRED_ROLES", ","), ("GUESTS", "no")]);
        assert!(faults.contains("REQUIRED_ROLES must be the values of app roles"), "{faults}");
        assert!(faults.contains("GUESTS must be allowed or refused"), "{faults}");
    }

    #[test]
    fn a_limit_of_zero_requests_is_none_at_all() {
        assert_eq!(parse_requests("0"), Ok(None));
        assert_eq!(parse_requests("60"), Ok(NonZeroU32::new(60)));
        for text in ["-1", "1.5", "many", "4294967296"] {
            assert!(parse_requests(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_fault_of_a_registered_client_is_a_fault_of_its_setting() {
        let clients = r#"[
            { "client_id": "one", "client_name": "One", "redirect_uris": ["http://a.example/"] },
            { "client_id": "two", "client_name": "Two", "redirect_uris": ["https://a.example/"],
              "client_secret": "hunter2" }
        ]"#;

        let faults = faults(&[("REGISTERED_CLIENTS", clients)]);

        assert!(
            faults.contains("REGISTERED_CLIENTS entry 1 (one): a redirect URI must"),
            "{faults}"
        );
        assert!(
            faults.contains("REGISTERED_CLIENTS entry 2 (two): client_secret must"),
            "{faults}"
        );
        assert!(!faults.contains("hunter2"));
    }

    #[test]
    fn the_word_federated_is_no_secret_in_any_spelling_and_a_secret_does_not_show_itself() {
        let shown = |text| format!("{:?}", parse_credential(text).unwrap());

        assert_eq!(shown("federated"), "UpstreamCredential::Federated");
        assert_eq!(shown("hunter2"), "UpstreamCredential::Secret([REDACTED])");
        for text in ["Federated", "federated ", "FEDERATED"] {
            assert!(parse_credential(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_issuer_is_https_without_a_final_slash() {
        for text in
            ["http://login.example", "https://login.example/", "https://login.example?x", "x"]
        {
            assert!(parse_issuer(text).is_err(), "{text}");
        }
        assert!(parse_issuer("https://login.microsoftonline.com/t/v2.0").is_ok());
    }
}

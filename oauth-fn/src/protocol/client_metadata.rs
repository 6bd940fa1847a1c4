//! What a client says of itself when it registers (RFC 7591 section 2), and what we keep of it.

use serde::{Deserialize, Serialize};
use shared::scope::Scopes;
use url::Url;

use super::client_authentication::SecretMethod;
use super::redirect_uri::{InvalidRedirectUri, Receiver, RedirectUri};
use super::registration_policy::{OutsidePolicy, RegistrationPolicy};

/// Most redirect URIs that one client may register.
const MOST_REDIRECT_URIS: usize = 10;
/// Longest client name, in characters.
const LONGEST_NAME: usize = 200;
const NAMELESS: &str = "Unnamed client";
const GRANT_TYPES: [&str; 2] = ["authorization_code", "refresh_token"];
const RESPONSE_TYPES: [&str; 1] = ["code"];

/// What we keep of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientMetadata {
    /// The name that it gave itself: a claim, not a fact.
    pub name: String,
    /// Where its users may be sent back to; loopback addresses without their port.
    pub redirect_uris: Vec<RedirectUri>,
    /// Whether it wants refresh tokens.
    pub refresh_tokens: RefreshTokens,
}

impl ClientMetadata {
    /// Whether its users are sent back to websites alone. A client that may also wait on the user's
    /// machine is a program there, even where it goes the way of a website, as some do.
    pub fn is_website(&self) -> bool {
        let mut receivers = self.redirect_uris.iter().map(RedirectUri::receiver);
        receivers.all(|receiver| matches!(receiver, Receiver::Host(_)))
    }

    /// Whether users of this client may be sent to `requested`.
    pub fn permits(&self, requested: &RedirectUri) -> bool {
        self.redirect_uris.iter().any(|registered| registered.permits(requested))
    }
}

/// Whether a client gets refresh tokens beside access tokens.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RefreshTokens {
    /// It does.
    #[serde(rename = "r")]
    Issued,
    /// Its `grant_types` leave `refresh_token` out.
    #[serde(rename = "n")]
    Withheld,
}

/// A registration request, and in the answer what was registered (RFC 7591 sections 2 and 3.2.1).
/// Members that we do not know are ignored.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ClientRegistration {
    redirect_uris: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contacts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_type: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    scope: Option<String>,
    #[serde(skip_serializing)]
    jwks: Option<serde_json::Value>,
    #[serde(skip_serializing)]
    jwks_uri: Option<String>,
}

/// A registration that keeps every rule.
#[derive(Clone, Debug)]
pub struct AcceptedRegistration {
    /// What to keep.
    pub metadata: ClientMetadata,
    /// How the client will send its secret; a public client gets none.
    pub secret_method: Option<SecretMethod>,
    /// What to answer.
    pub answer: ClientRegistration,
}

impl ClientRegistration {
    /// The registration in a JSON document.
    ///
    /// # Errors
    /// It is not an object of the right types.
    pub fn parse(json: &[u8]) -> Result<Self, RegistrationError> {
        // The library would take an array too, with the members in their order.
        let object = json.trim_ascii_start().starts_with(b"{");
        let registration = serde_json::from_slice(json).ok().filter(|_| object);
        registration.ok_or(RegistrationError::NotAnObject)
    }

    /// This registration, if it names the client: not every way to register leaves that open.
    ///
    /// # Errors
    /// It has no name.
    pub fn named(self) -> Result<Self, RegistrationError> {
        if self.client_name.is_some() { Ok(self) } else { Err(RegistrationError::Name) }
    }

    /// This registration without the grant and response types that are not offered here: what a
    /// client says to every server at once may name those of others.
    #[must_use]
    pub fn with_offered_types(mut self) -> Self {
        let keep = |list: &mut Option<Vec<String>>, offered: &[&str]| {
            if let Some(list) = list {
                list.retain(|name| offered.contains(&name.as_str()));
            }
        };
        keep(&mut self.grant_types, &GRANT_TYPES);
        keep(&mut self.response_types, &RESPONSE_TYPES);
        self
    }

    /// Checks every rule, those of `policy` among them, and gives what to keep and what to answer.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn accept(
        mut self,
        policy: &RegistrationPolicy,
    ) -> Result<AcceptedRegistration, RegistrationError> {
        self.check_redirect_uri_count()?;
        let refresh_tokens = self.check_types()?;
        let secret_method = self.secret_method()?;
        self.check_texts()?;
        let redirect_uris = self.checked_redirect_uris(policy)?;
        let metadata = ClientMetadata {
            name: self.client_name.clone().unwrap_or_else(|| NAMELESS.to_owned()),
            redirect_uris,
            refresh_tokens,
        };
        // What was left out or widened is answered as it is now in force (section 3.2.1).
        self.grant_types = Some(match refresh_tokens {
            RefreshTokens::Issued => vec!["authorization_code".into(), "refresh_token".into()],
            RefreshTokens::Withheld => vec!["authorization_code".into()],
        });
        self.response_types = Some(vec!["code".into()]);
        let method = secret_method.map_or("none", SecretMethod::as_str);
        self.token_endpoint_auth_method = Some(method.to_owned());
        self.scope = Some(Scopes::all().to_string());
        Ok(AcceptedRegistration { metadata, secret_method, answer: self })
    }

    fn check_redirect_uri_count(&self) -> Result<(), RegistrationError> {
        match self.redirect_uris.as_deref() {
            None | Some([]) => Err(RegistrationError::NoRedirectUri),
            Some(uris) if uris.len() > MOST_REDIRECT_URIS => {
                Err(RegistrationError::TooManyRedirectUris)
            }
            Some(_) => Ok(()),
        }
    }

    fn checked_redirect_uris(
        &self,
        policy: &RegistrationPolicy,
    ) -> Result<Vec<RedirectUri>, RegistrationError> {
        let mut uris = Vec::new();
        for text in self.redirect_uris.iter().flatten() {
            let uri = RedirectUri::try_from(text.clone())?;
            if self.application_type.as_deref() == Some("web") && !uri.is_https() {
                return Err(RegistrationError::WebWithoutHttps);
            }
            policy.check(&uri)?;
            let uri = uri.without_loopback_port();
            if !uris.contains(&uri) {
                uris.push(uri);
            }
        }
        Ok(uris)
    }

    fn check_types(&self) -> Result<RefreshTokens, RegistrationError> {
        let known = |list: &Option<Vec<String>>, known: &[&str]| {
            list.iter().flatten().all(|name| known.contains(&name.as_str()))
        };
        let has = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|entry| entry == name))
        };
        if !known(&self.grant_types, &GRANT_TYPES) || !has(&self.grant_types, "authorization_code")
        {
            return Err(RegistrationError::GrantTypes);
        }
        if !known(&self.response_types, &RESPONSE_TYPES) || !has(&self.response_types, "code") {
            return Err(RegistrationError::ResponseTypes);
        }
        if !matches!(self.application_type.as_deref(), None | Some("native" | "web")) {
            return Err(RegistrationError::ApplicationType);
        }
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(RegistrationError::TwoKeySets);
        }
        let refreshes = has(&self.grant_types, "refresh_token");
        Ok(if refreshes { RefreshTokens::Issued } else { RefreshTokens::Withheld })
    }

    fn secret_method(&self) -> Result<Option<SecretMethod>, RegistrationError> {
        match self.token_endpoint_auth_method.as_deref() {
            None | Some("none") => Ok(None),
            Some(name) => {
                let method = SecretMethod::named(name);
                method.map(Some).ok_or(RegistrationError::AuthenticationMethod)
            }
        }
    }

    fn check_texts(&self) -> Result<(), RegistrationError> {
        let name = self.client_name.as_deref().unwrap_or(NAMELESS);
        if name.trim().is_empty() || name.chars().count() > LONGEST_NAME {
            return Err(RegistrationError::Name);
        }
        let links = [&self.client_uri, &self.logo_uri, &self.tos_uri, &self.policy_uri];
        for link in links.into_iter().flatten().filter(|link| !link.is_empty()) {
            let url = Url::parse(link).map_err(|_| RegistrationError::Link)?;
            if !matches!(url.scheme(), "https" | "http") || link.len() > 512 {
                return Err(RegistrationError::Link);
            }
        }
        Ok(())
    }
}

/// Which rule a registration breaks (RFC 7591 section 3.2.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RegistrationError {
    /// `application_type` is neither native nor web.
    #[error("application_type must be native or web")]
    ApplicationType,
    /// It wants to authenticate in a way that is not offered.
    #[error("token_endpoint_auth_method must be none, client_secret_basic or client_secret_post")]
    AuthenticationMethod,
    /// Its grant types lack the code or have others.
    #[error("grant_types must be authorization_code, and refresh_token if wanted")]
    GrantTypes,
    /// One of its links is no web address.
    #[error("client_uri, logo_uri, tos_uri and policy_uri must be web addresses")]
    Link,
    /// Its name is blank or too long.
    #[error("client_name must be 1 to 200 characters")]
    Name,
    /// It has nowhere to be sent back to.
    #[error("redirect_uris must name at least one URI")]
    NoRedirectUri,
    /// The body is not a JSON object of the right types.
    #[error("the body must be a JSON object as in RFC 7591 section 2, each member once")]
    NotAnObject,
    /// A redirect URI breaks a rule of this server.
    #[error(transparent)]
    Policy(#[from] OutsidePolicy),
    /// A redirect URI breaks a rule.
    #[error(transparent)]
    RedirectUri(#[from] InvalidRedirectUri),
    /// Its response types are not the code.
    #[error("response_types must be code")]
    ResponseTypes,
    /// It names more redirect URIs than anyone needs.
    #[error("redirect_uris must name at most 10 URIs")]
    TooManyRedirectUris,
    /// It gives its keys twice.
    #[error("jwks and jwks_uri must not both be present")]
    TwoKeySets,
    /// A web application has a redirect URI that is not https.
    #[error("a client of application_type web must use https redirect URIs")]
    WebWithoutHttps,
}

impl RegistrationError {
    /// The error code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoRedirectUri
            | Self::Policy(_)
            | Self::RedirectUri(_)
            | Self::TooManyRedirectUris
            | Self::WebWithoutHttps => "invalid_redirect_uri",
            _ => "invalid_client_metadata",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn accept(document: &Value) -> Result<(ClientMetadata, Value), RegistrationError> {
        let registration = ClientRegistration::parse(document.to_string().as_bytes())?;
        let accepted = registration.accept(&RegistrationPolicy::default())?;
        Ok((accepted.metadata, serde_json::to_value(accepted.answer).unwrap()))
    }

    #[test]
    fn a_method_is_answered_as_it_was_asked_for_and_none_if_it_was_not() {
        for (asked, method) in [
            (json!(null), None),
            (json!("none"), None),
            (json!("client_secret_basic"), Some(SecretMethod::Basic)),
            (json!("client_secret_post"), Some(SecretMethod::Post)),
        ] {
            let document = json!({
                "redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": asked,
            });
            let registration = ClientRegistration::parse(document.to_string().as_bytes()).unwrap();

            let accepted = registration.accept(&RegistrationPolicy::default()).unwrap();

            assert_eq!(accepted.secret_method, method);
            let answered = accepted.answer.token_endpoint_auth_method.unwrap();
            assert_eq!(answered, asked.as_str().unwrap_or("none"));
        }
    }

    #[test]
    fn what_is_left_out_is_answered_as_it_is_in_force() {
        let (metadata, answer) =
            accept(&json!({"redirect_uris": ["http://127.0.0.1:1234/cb"]})).unwrap();

        assert_eq!(metadata.name, "Unnamed client");
        assert_eq!(metadata.refresh_tokens, RefreshTokens::Issued);
        assert_eq!(
            answer,
            json!({
                "redirect_uris": ["http://127.0.0.1:1234/cb"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "scope": "snippets:read snippets:write",
            })
        );
    }

    #[test]
    fn a_member_that_is_null_counts_as_left_out() {
        let without = json!({"redirect_uris": ["https://app.example/cb"]});
        let with = json!({
            "redirect_uris": ["https://app.example/cb"], "client_name": null, "grant_types": null,
            "response_types": null, "token_endpoint_auth_method": null, "application_type": null,
        });

        assert_eq!(accept(&with).unwrap(), accept(&without).unwrap());
    }

    #[test]
    fn known_members_come_back_and_unknown_ones_are_ignored() {
        let (_, answer) = accept(&json!({
            "redirect_uris": ["https://app.example/cb"],
            "client_name": "App", "client_uri": "https://app.example", "software_id": "s",
            "application_type": "web", "unknown": [1, {"deep": true}],
        }))
        .unwrap();

        assert_eq!(answer["client_uri"], "https://app.example");
        assert_eq!(answer["software_id"], "s");
        assert_eq!(answer["application_type"], "web");
        assert!(answer.get("unknown").is_none());
    }

    #[test]
    fn a_client_that_wants_no_refresh_tokens_gets_none() {
        let (metadata, answer) = accept(&json!({
            "redirect_uris": ["https://app.example/cb"], "grant_types": ["authorization_code"],
        }))
        .unwrap();

        assert_eq!(metadata.refresh_tokens, RefreshTokens::Withheld);
        assert_eq!(answer["grant_types"], json!(["authorization_code"]));
    }

    #[test]
    fn loopback_ports_are_not_kept_since_any_will_do() {
        let register = |port: u16| {
            let uri = format!("http://localhost:{port}/cb");
            accept(&json!({"redirect_uris": [uri], "client_name": "App"})).unwrap().0
        };

        assert_eq!(register(1000), register(2000));
    }

    #[test]
    fn every_rule_of_registration_has_its_error() {
        use RegistrationError as Rule;
        let uri = "https://app.example/cb";
        let many = vec![uri; 11];
        for (document, rule) in [
            (json!([]), Rule::NotAnObject),
            (json!("text"), Rule::NotAnObject),
            (json!(vec![json!([uri]); 16]), Rule::NotAnObject),
            (json!({"redirect_uris": "text"}), Rule::NotAnObject),
            (json!({"redirect_uris": [1]}), Rule::NotAnObject),
            (json!({"redirect_uris": [uri], "client_name": 7}), Rule::NotAnObject),
            (json!({}), Rule::NoRedirectUri),
            (json!({"redirect_uris": []}), Rule::NoRedirectUri),
            (json!({"redirect_uris": many}), Rule::TooManyRedirectUris),
            (
                json!({"redirect_uris": ["javascript:alert(1)"]}),
                Rule::RedirectUri(InvalidRedirectUri::Scheme),
            ),
            (json!({"redirect_uris": ["myapp://cb"]}), Rule::Policy(OutsidePolicy::Scheme)),
            (json!({"redirect_uris": [uri, "myapp://cb"]}), Rule::Policy(OutsidePolicy::Scheme)),
            (json!({"redirect_uris": [uri], "grant_types": []}), Rule::GrantTypes),
            (json!({"redirect_uris": [uri], "grant_types": ["refresh_token"]}), Rule::GrantTypes),
            (
                json!({"redirect_uris": [uri], "grant_types": ["authorization_code", "password"]}),
                Rule::GrantTypes,
            ),
            (json!({"redirect_uris": [uri], "response_types": ["token"]}), Rule::ResponseTypes),
            (json!({"redirect_uris": [uri], "response_types": []}), Rule::ResponseTypes),
            (
                json!({"redirect_uris": [uri], "token_endpoint_auth_method": "private_key_jwt"}),
                Rule::AuthenticationMethod,
            ),
            (json!({"redirect_uris": [uri], "application_type": "x"}), Rule::ApplicationType),
            (
                json!({"redirect_uris": ["http://localhost/cb"], "application_type": "web"}),
                Rule::WebWithoutHttps,
            ),
            (json!({"redirect_uris": [uri], "client_name": " "}), Rule::Name),
            (json!({"redirect_uris": [uri], "client_name": "n".repeat(201)}), Rule::Name),
            (json!({"redirect_uris": [uri], "client_uri": "javascript:1"}), Rule::Link),
            (json!({"redirect_uris": [uri], "logo_uri": "x"}), Rule::Link),
            (
                json!({"redirect_uris": [uri], "jwks": {}, "jwks_uri": "https://app.example"}),
                Rule::TwoKeySets,
            ),
        ] {
            assert_eq!(accept(&document).unwrap_err(), rule, "{document}");
        }
    }

    #[test]
    fn repeated_members_marks_and_bottomless_documents_are_refused() {
        let deep = "[".repeat(10_000);
        for text in [
            r#"{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}"#,
            "\u{feff}{\"redirect_uris\":[\"https://a.example/\"]}",
            "{",
            "",
            deep.as_str(),
        ] {
            let parsed = ClientRegistration::parse(text.as_bytes());
            assert_eq!(parsed.unwrap_err(), RegistrationError::NotAnObject);
        }
    }
}

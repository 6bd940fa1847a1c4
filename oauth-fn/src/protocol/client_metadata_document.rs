//! What a client publishes of itself at the URL that is its identifier
//! (draft-ietf-oauth-client-id-metadata-document section 4).

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client_id_url::ClientIdUrl;
use super::client_metadata::{ClientMetadata, ClientRegistration, RegistrationError};
use super::registration_policy::RegistrationPolicy;

/// The metadata in the document `json` from `url`, under the rules of registration and of
/// `policy`. Grants that only other servers offer are passed over. Such a client is public: there
/// is nobody to share a secret with.
///
/// # Errors
/// The first rule that is broken.
pub fn read_document(
    json: &[u8],
    url: &ClientIdUrl,
    policy: &RegistrationPolicy,
) -> Result<ClientMetadata, InvalidDocument> {
    let registration = ClientRegistration::parse(json)?;
    let published: Published =
        serde_json::from_slice(json).map_err(|_| RegistrationError::NotAnObject)?;
    if published.client_id.as_deref() != Some(url.as_str()) {
        return Err(InvalidDocument::OtherClient);
    }
    if published.client_secret.or(published.client_secret_expires_at).is_some() {
        return Err(InvalidDocument::Secret);
    }
    let accepted = registration.named()?.with_offered_types().accept(policy)?;
    match accepted.secret_method {
        None => Ok(accepted.metadata),
        Some(_) => Err(InvalidDocument::NotPublic),
    }
}

/// The members that no registration request has.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are named as in the document")]
struct Published {
    client_id: Option<String>,
    client_secret: Option<IgnoredAny>,
    client_secret_expires_at: Option<IgnoredAny>,
}

/// Which rule a document breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidDocument {
    /// It wants to authenticate by a secret.
    #[error("token_endpoint_auth_method must be none in a metadata document")]
    NotPublic,
    /// It speaks of another client.
    #[error("client_id is not the URL of the metadata document")]
    OtherClient,
    /// It breaks a rule of registration.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// It publishes a secret.
    #[error("a metadata document must not have a client_secret")]
    Secret,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::client_metadata::RefreshTokens;
    use super::super::redirect_uri::InvalidRedirectUri;
    use super::super::registration_policy::OutsidePolicy;
    use super::*;

    const URL: &str = "https://app.example/client.json";

    fn read(document: &str) -> Result<ClientMetadata, InvalidDocument> {
        let url = ClientIdUrl::try_from(URL).unwrap();
        read_document(document.as_bytes(), &url, &RegistrationPolicy::default())
    }

    fn good() -> Value {
        json!({
            "client_id": URL, "client_name": "App", "redirect_uris": ["https://app.example/cb"],
        })
    }

    #[test]
    fn a_document_says_what_a_registration_would() {
        let mut document = good();
        document["token_endpoint_auth_method"] = json!("none");
        for document in [good(), document] {
            let metadata = read(&document.to_string()).unwrap();

            assert_eq!(metadata.name, "App");
            assert_eq!(metadata.redirect_uris[0].as_str(), "https://app.example/cb");
        }
    }

    #[test]
    fn grants_of_other_servers_are_passed_over_as_in_the_document_of_vs_code() {
        let mut document = good();
        document["grant_types"] = json!([
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code"
        ]);
        document["response_types"] = json!(["code", "id_token"]);
        document["token_endpoint_auth_methods_supported"] = json!(["none"]);

        let metadata = read(&document.to_string()).unwrap();
        document["grant_types"] = json!(["authorization_code", "implicit"]);
        let without_refresh = read(&document.to_string()).unwrap();

        assert_eq!(metadata.refresh_tokens, RefreshTokens::Issued);
        assert_eq!(without_refresh.refresh_tokens, RefreshTokens::Withheld);
    }

    #[test]
    fn every_rule_of_a_document_has_its_error() {
        use InvalidDocument as Rule;
        use RegistrationError as Registration;
        for (name, value, rule) in [
            ("client_id", json!(null), Rule::OtherClient),
            ("client_id", json!("https://app.example/client.json/"), Rule::OtherClient),
            ("client_id", json!("https://APP.example/client.json"), Rule::OtherClient),
            ("client_id", json!(7), Registration::NotAnObject.into()),
            ("client_name", json!(null), Registration::Name.into()),
            ("client_name", json!(""), Registration::Name.into()),
            ("redirect_uris", json!(null), Registration::NoRedirectUri.into()),
            ("redirect_uris", json!([]), Registration::NoRedirectUri.into()),
            (
                "redirect_uris",
                json!(["javascript:x"]),
                Registration::from(InvalidRedirectUri::Scheme).into(),
            ),
            (
                "redirect_uris",
                json!(["myapp://cb"]),
                Registration::from(OutsidePolicy::Scheme).into(),
            ),
            ("grant_types", json!(["implicit"]), Registration::GrantTypes.into()),
            ("response_types", json!(["token"]), Registration::ResponseTypes.into()),
            ("client_secret", json!("x"), Rule::Secret),
            ("client_secret_expires_at", json!(0), Rule::Secret),
            ("token_endpoint_auth_method", json!("client_secret_basic"), Rule::NotPublic),
            ("token_endpoint_auth_method", json!("client_secret_post"), Rule::NotPublic),
            (
                "token_endpoint_auth_method",
                json!("private_key_jwt"),
                Registration::AuthenticationMethod.into(),
            ),
        ] {
            let mut document = good();
            document[name] = value;

            assert_eq!(read(&document.to_string()).unwrap_err(), rule, "{document}");
        }
    }

    #[test]
    fn what_is_no_object_or_says_something_twice_is_no_document() {
        let twice = good().to_string().replacen('{', &format!("{{\"client_id\":\"{URL}\","), 1);
        for text in ["", "[]", "null", "<html>", "{", &format!("[{}]", good()), &twice] {
            assert_eq!(read(text).unwrap_err(), RegistrationError::NotAnObject.into(), "{text}");
        }
    }
}

//! The authorization server metadata (RFC 8414 section 2).

use serde::Serialize;
use shared::base_url::PublicBaseUrl;
use shared::scope::Scope;

use super::client_authentication::METHODS;
use super::client_id_url::DocumentPolicy;

/// What clients discover.
#[derive(Clone, Debug, Serialize)]
pub struct AuthorizationServerMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    registration_endpoint: String,
    revocation_endpoint: String,
    scopes_supported: [&'static str; 2],
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    client_id_metadata_document_supported: bool,
    service_documentation: String,
}

impl AuthorizationServerMetadata {
    /// The metadata of the server at `base_url`, which reads the documents of clients if `documents`
    /// says so.
    pub fn new(base_url: &PublicBaseUrl, documents: &DocumentPolicy) -> Self {
        Self {
            issuer: base_url.as_str().to_owned(),
            authorization_endpoint: base_url.at("/authorize"),
            token_endpoint: base_url.at("/token"),
            registration_endpoint: base_url.at("/register"),
            revocation_endpoint: base_url.at("/revoke"),
            scopes_supported: Scope::ALL.map(Scope::as_str),
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: ["authorization_code", "refresh_token"],
            token_endpoint_auth_methods_supported: METHODS,
            revocation_endpoint_auth_methods_supported: METHODS,
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: documents.is_on(),
            service_documentation: base_url.at("/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_lies_under_the_issuer_and_the_issuer_has_no_final_slash() {
        let base_url = PublicBaseUrl::try_from("https://gw.example.com").unwrap();

        let metadata = AuthorizationServerMetadata::new(&base_url, &DocumentPolicy::default());
        let json = serde_json::to_value(metadata).unwrap();

        assert_eq!(json["issuer"], "https://gw.example.com");
        let endpoints: Vec<_> = json
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| name.ends_with("_endpoint"))
            .map(|(_, url)| url.as_str().unwrap())
            .collect();
        assert_eq!(endpoints.len(), 4);
        assert!(endpoints.iter().all(|url| url.starts_with("https://gw.example.com/")));
    }
}

//! What Entra ID publishes of itself (`OpenID Connect` Discovery 1.0 section 4).

use serde::Deserialize;
use url::Url;

use super::http_client::{HttpClient, HttpFailure};

/// Entra ID's endpoints and issuer.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Provider {
    /// Where `{tenantid}` stands in it, the user's tenant takes its place.
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) end_session_endpoint: Option<Url>,
}

impl Provider {
    pub(super) async fn discover(http: &HttpClient, issuer: &Url) -> Result<Self, HttpFailure> {
        let mut url = issuer.clone();
        url.set_path(&format!(
            "{}/.well-known/openid-configuration",
            issuer.path().trim_end_matches('/')
        ));
        let provider: Self = http.fetch(&url).await?;
        provider.checked(issuer)
    }

    /// An issuer speaks for itself alone, and its endpoints are as safe as it is.
    fn checked(self, issuer: &Url) -> Result<Self, HttpFailure> {
        let templated = self.issuer.contains("{tenantid}")
            && Url::parse(&self.issuer).is_ok_and(|own| own.origin() == issuer.origin());
        let same_issuer = templated || self.issuer == issuer.as_str();
        let endpoints = || {
            [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri]
                .into_iter()
                .chain(&self.end_session_endpoint)
        };
        let safe = endpoints().all(|url| url.scheme() == "https")
            || endpoints().all(|url| url.origin() == issuer.origin());
        if same_issuer && safe {
            Ok(self)
        } else {
            Err(HttpFailure::Unusable("the discovery document is another issuer's".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(issuer: &str, token_endpoint: &str) -> bool {
        let provider = Provider {
            issuer: issuer.to_owned(),
            authorization_endpoint: Url::parse("https://login.example/authorize").unwrap(),
            token_endpoint: Url::parse(token_endpoint).unwrap(),
            jwks_uri: Url::parse("https://login.example/keys").unwrap(),
            end_session_endpoint: Url::parse("https://login.example/sign-out").ok(),
        };
        provider.checked(&Url::parse("https://login.example/t/v2.0").unwrap()).is_ok()
    }

    #[test]
    fn a_provider_speaks_for_the_issuer_that_was_asked() {
        let token = "https://login.example/token";

        assert!(checked("https://login.example/t/v2.0", token));
        assert!(checked("https://login.example/{tenantid}/v2.0", token));
        assert!(!checked("https://login.example/other/v2.0", token));
        assert!(!checked("https://evil.example/{tenantid}/v2.0", token));
    }

    #[test]
    fn an_endpoint_in_plain_http_is_refused() {
        assert!(!checked("https://login.example/t/v2.0", "http://login.example/token"));
    }
}

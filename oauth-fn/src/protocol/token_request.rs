//! Requests to the token and revocation endpoints (RFC 6749 sections 4.1.3 and 6, RFC 7009).

use secrecy::SecretString;
use shared::base_url::PublicBaseUrl;
use shared::scope::{Scopes, UnknownScope};

use super::parameters::{MissingParameter, Parameters, RepeatedParameter};
use super::pkce::{CodeVerifier, InvalidCodeVerifier};
use super::resource::{InvalidTarget, check_resource};

/// A request for tokens, as far as it can be judged by itself.
#[derive(Debug)]
pub enum TokenRequest {
    /// Trades an authorization code.
    Code(CodeExchange),
    /// Renews a session.
    Refresh(Refresh),
}

/// A code, and what it must be bound to.
#[derive(Debug)]
pub struct CodeExchange {
    /// The client that presents it.
    pub client_id: String,
    /// The code.
    pub code: SecretString,
    /// The redirect URI of the authorization request.
    pub redirect_uri: String,
    /// What its challenge was made of.
    pub code_verifier: CodeVerifier,
}

/// A refresh token, and what is wanted for it.
#[derive(Debug)]
pub struct Refresh {
    /// The client that presents it.
    pub client_id: String,
    /// The token.
    pub refresh_token: SecretString,
    /// Fewer scopes than the session has, if any are named.
    pub scopes: Option<Scopes>,
}

impl TokenRequest {
    /// The request in a form.
    ///
    /// # Errors
    /// The first rule that it breaks. The client is looked at before this.
    pub fn read(
        form: &Parameters,
        client_id: &str,
        base_url: &PublicBaseUrl,
    ) -> Result<Self, InvalidTokenRequest> {
        let client_id = client_id.to_owned();
        match form.required("grant_type")? {
            "authorization_code" => {
                check_resource(form.get("resource"), base_url)?;
                Ok(Self::Code(CodeExchange {
                    client_id,
                    code: form.required("code")?.into(),
                    redirect_uri: form.required("redirect_uri")?.to_owned(),
                    code_verifier: form.required("code_verifier")?.try_into()?,
                }))
            }
            "refresh_token" => {
                check_resource(form.get("resource"), base_url)?;
                Ok(Self::Refresh(Refresh {
                    client_id,
                    refresh_token: form.required("refresh_token")?.into(),
                    scopes: form
                        .get("scope")
                        .map(Scopes::try_from)
                        .transpose()?
                        .filter(|scopes| !scopes.is_empty()),
                }))
            }
            _ => Err(InvalidTokenRequest::GrantType),
        }
    }
}

/// Which rule a token request breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidTokenRequest {
    /// The grant type is not supported.
    #[error("grant_type must be authorization_code or refresh_token")]
    GrantType,
    /// A parameter is missing.
    #[error(transparent)]
    Missing(#[from] MissingParameter),
    /// A parameter came twice.
    #[error(transparent)]
    Repeated(#[from] RepeatedParameter),
    /// A scope is unknown.
    #[error(transparent)]
    Scope(#[from] UnknownScope),
    /// The resource is not ours.
    #[error(transparent)]
    Target(#[from] InvalidTarget),
    /// The verifier cannot be one, so it matches no challenge (RFC 7636 section 4.6).
    #[error(transparent)]
    Verifier(#[from] InvalidCodeVerifier),
}

impl InvalidTokenRequest {
    /// The error code on the wire (RFC 6749 section 5.2).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::GrantType => "unsupported_grant_type",
            Self::Missing(_) | Self::Repeated(_) => "invalid_request",
            Self::Scope(_) => "invalid_scope",
            Self::Target(_) => "invalid_target",
            Self::Verifier(_) => "invalid_grant",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<TokenRequest, &'static str> {
        let base_url = PublicBaseUrl::try_from("https://gw.example.com").unwrap();
        let form = Parameters::parse(form.as_bytes()).unwrap();
        TokenRequest::read(&form, "id", &base_url).map_err(|error| error.code())
    }

    #[test]
    fn every_rule_of_the_token_request_has_its_error_code() {
        let verifier = "v".repeat(43);
        let code =
            format!("grant_type=authorization_code&code=c&redirect_uri=u&code_verifier={verifier}");
        let refresh = "grant_type=refresh_token&refresh_token=r";
        assert!(matches!(read(&code), Ok(TokenRequest::Code(_))));
        assert!(matches!(read(refresh), Ok(TokenRequest::Refresh(_))));
        for (form, error) in [
            (String::new(), "invalid_request"),
            ("grant_type=password".to_owned(), "unsupported_grant_type"),
            ("grant_type=client_credentials".to_owned(), "unsupported_grant_type"),
            ("grant_type=Authorization_Code".to_owned(), "unsupported_grant_type"),
            (code.replace("code=c", "x=c"), "invalid_request"),
            (code.replace("redirect_uri=u", "redirect_uri="), "invalid_request"),
            (code.replace("code_verifier", "x"), "invalid_request"),
            (code.replace("vvv", "v"), "invalid_grant"),
            (format!("{code}&resource=https://other.example"), "invalid_target"),
            (format!("{refresh}&resource=https://other.example"), "invalid_target"),
            (format!("{refresh}&scope=admin"), "invalid_scope"),
            ("grant_type=refresh_token".to_owned(), "invalid_request"),
        ] {
            assert_eq!(read(&form).unwrap_err(), error, "{form}");
        }
    }
}

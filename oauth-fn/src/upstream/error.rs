//! Why Entra ID gave nothing, sorted by what follows from it.

use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType};
use oauth2::{RequestTokenError, StandardErrorResponse};
use shared::client_assertion::NoAssertion;

use super::gate::NotPermitted;
use super::http_client::HttpFailure;
use super::id_token::InvalidIdToken;

/// Why Entra ID gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The user may not sign in here.
    #[error("the user's tenant is not allowed")]
    ForeignTenant,
    /// What it said does not hold, or our application is not set up as it should be.
    #[error("Entra ID gave an answer that cannot be used")]
    Invalid(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The user may not use this server.
    #[error(transparent)]
    NotPermitted(NotPermitted),
    /// The grant behind the call is over, or Entra ID wants the user to sign in again.
    #[error("Entra ID no longer honours the grant: {0}")]
    Refused(String),
    /// Our application cannot prove itself, or Entra ID does not take the proof.
    #[error("our application does not prove itself to Entra ID")]
    Unproved(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot be reached, or asks for patience.
    #[error("Entra ID cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl UpstreamError {
    /// Whether the user may no longer sign in, so that no session may go on.
    pub fn ends_sessions(&self) -> bool {
        match self {
            Self::ForeignTenant | Self::NotPermitted(_) | Self::Refused(_) => true,
            Self::Invalid(_) | Self::Unproved(_) | Self::Unavailable(_) => false,
        }
    }
}

impl From<InvalidIdToken> for UpstreamError {
    fn from(error: InvalidIdToken) -> Self {
        match error {
            InvalidIdToken::NotPermitted(rule) => Self::NotPermitted(rule),
            InvalidIdToken::Tenant => Self::ForeignTenant,
            other => Self::Invalid(Box::new(other)),
        }
    }
}

impl From<HttpFailure> for UpstreamError {
    fn from(error: HttpFailure) -> Self {
        match error {
            HttpFailure::Unusable(_) => Self::Invalid(Box::new(error)),
            HttpFailure::Network(_) | HttpFailure::Status(_) | HttpFailure::TooLate => {
                Self::Unavailable(Box::new(error))
            }
        }
    }
}

impl From<NoAssertion> for UpstreamError {
    fn from(error: NoAssertion) -> Self {
        Self::Unproved(Box::new(error))
    }
}

/// Entra ID does not believe that we are our application. Its own words tell what it was shown.
#[derive(Debug, thiserror::Error)]
#[error(
    "check UPSTREAM_CLIENT_ID and UPSTREAM_CREDENTIAL: a secret may be wrong or over; federated \
     needs a federated identity credential of the application UPSTREAM_CLIENT_ID, with its tenant \
     as issuer, the principal id of the identity AZURE_CLIENT_ID as subject, and \
     UPSTREAM_ASSERTION_AUDIENCE as audience: {0}"
)]
struct NotOurApplication(String);

/// Entra ID does not take a request of ours as our application's. Where no federated credential
/// matches, or no application, it says so in these words; but also where the request asks for
/// something else than the application is registered for.
#[derive(Debug, thiserror::Error)]
#[error(
    "check in Entra ID that the application UPSTREAM_CLIENT_ID has the redirect URI \
     PUBLIC_BASE_URL/oauth-callback (platform Web) and the permissions in UPSTREAM_SCOPES; or {0}"
)]
struct NotRegisteredSo(NotOurApplication);

type TokenFailure = RequestTokenError<HttpFailure, BasicErrorResponse>;

impl From<TokenFailure> for UpstreamError {
    fn from(error: TokenFailure) -> Self {
        match error {
            RequestTokenError::ServerResponse(answer) => Self::from(answer),
            RequestTokenError::Request(error) => Self::from(error),
            // The source carries the path of the fault, and not the body of the answer.
            RequestTokenError::Parse(source, _) => Self::Invalid(Box::new(source)),
            RequestTokenError::Other(text) => Self::Invalid(text.into()),
        }
    }
}

impl From<StandardErrorResponse<BasicErrorResponseType>> for UpstreamError {
    /// Branches on the error code alone: numbers and texts of Entra ID change.
    fn from(answer: StandardErrorResponse<BasicErrorResponseType>) -> Self {
        let code = answer.error().as_ref().to_owned();
        match code.as_str() {
            "invalid_grant" | "interaction_required" | "consent_required" | "login_required" => {
                Self::Refused(answer.to_string())
            }
            "temporarily_unavailable" | "server_error" => {
                Self::Unavailable(answer.to_string().into())
            }
            "invalid_client" => Self::Unproved(Box::new(NotOurApplication(answer.to_string()))),
            "invalid_request" | "unauthorized_client" => {
                let not_ours = NotOurApplication(answer.to_string());
                Self::Unproved(Box::new(NotRegisteredSo(not_ours)))
            }
            _ => Self::Invalid(answer.to_string().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::telemetry::ErrorChain;

    use super::*;

    #[test]
    fn a_session_ends_with_the_users_leave_and_not_with_a_fault() {
        let code = |code: &str| {
            let body = format!(r#"{{"error":"{code}"}}"#);
            let answer: BasicErrorResponse = serde_json::from_str(&body).unwrap();
            UpstreamError::from(answer).ends_sessions()
        };

        assert!(UpstreamError::from(InvalidIdToken::Tenant).ends_sessions());
        assert!(UpstreamError::from(InvalidIdToken::from(NotPermitted::NoRole)).ends_sessions());
        for leave in ["invalid_grant", "interaction_required", "consent_required", "login_required"]
        {
            assert!(code(leave), "{leave}");
        }
        for rule in [InvalidIdToken::Missing, InvalidIdToken::OtherUser, InvalidIdToken::Key] {
            assert!(!UpstreamError::from(rule).ends_sessions(), "{rule:?}");
        }
        for fault in [
            "temporarily_unavailable",
            "server_error",
            "invalid_client",
            "invalid_request",
            "unauthorized_client",
            "unknown",
        ] {
            assert!(!code(fault), "{fault}");
        }
    }

    #[test]
    fn an_application_that_is_not_believed_is_our_fault_and_the_log_says_what_to_check() {
        for (code, number) in [
            ("invalid_client", "AADSTS700213"),
            ("invalid_request", "AADSTS70021"),
            ("unauthorized_client", "AADSTS700016"),
        ] {
            let body = format!(r#"{{"error":"{code}","error_description":"{number}: no"}}"#);
            let answer: BasicErrorResponse = serde_json::from_str(&body).unwrap();

            let error = UpstreamError::from(answer);

            let log = ErrorChain(&error).to_string();
            assert!(matches!(error, UpstreamError::Unproved(_)), "{code}");
            for word in [
                "UPSTREAM_CLIENT_ID",
                "UPSTREAM_CREDENTIAL",
                "AZURE_CLIENT_ID",
                "UPSTREAM_ASSERTION_AUDIENCE",
                number,
            ] {
                assert!(log.contains(word), "{log}");
            }
            for word in ["UPSTREAM_SCOPES", "PUBLIC_BASE_URL"] {
                assert_eq!(log.contains(word), code != "invalid_client", "{log}");
            }
        }
    }
}

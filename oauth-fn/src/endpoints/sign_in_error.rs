//! Why a sign-in came to nothing.

use shared::serve::Interrupted;
use shared::storage::StoreError;

use crate::grants::StartError;
use crate::upstream::UpstreamError;

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignInError {
    #[error("the answer names another issuer than the one that was asked")]
    ForeignIssuer,
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("the sign-in service answered neither code nor error")]
    NoAnswer,
    #[error("the sign-in service answered {0:?}")]
    SignIn(String),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl SignInError {
    /// Its name in the audit.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::ForeignIssuer => "foreign_issuer",
            Self::Interrupted(_) => "interrupted",
            Self::NoAnswer => "no_answer",
            Self::SignIn(upstream) if upstream == "access_denied" => "declined",
            Self::SignIn(_) => "upstream_error",
            Self::Start(StartError::AlreadyStarted) => "already_finished",
            Self::Start(StartError::Store(_)) | Self::Store(_) => "storage",
            Self::Upstream(UpstreamError::ForeignTenant) => "foreign_tenant",
            Self::Upstream(UpstreamError::Invalid(_)) => "invalid_answer",
            Self::Upstream(UpstreamError::NotPermitted(_)) => "not_permitted",
            Self::Upstream(UpstreamError::Refused(_)) => "code_refused",
            Self::Upstream(UpstreamError::Unavailable(_)) => "unavailable",
            Self::Upstream(UpstreamError::Unproved(_)) => "unproved",
        }
    }
}

//! The error codes of RFC 6749 and its companions, each with a sentence for a developer.

use std::fmt;

/// Why the user comes back without a code (RFC 6749 section 4.1.2.1, RFC 8707 section 2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthorizationErrorCode {
    /// The user, or the organisation, said no.
    AccessDenied,
    /// The user would have to be asked for consent (`OpenID Connect` Core section 3.1.2.6).
    ConsentRequired,
    /// The user would have to be shown something (the same section).
    InteractionRequired,
    /// The request is not well-formed.
    InvalidRequest,
    /// A scope is unknown.
    InvalidScope,
    /// The resource is not ours.
    InvalidTarget,
    /// The user would have to sign in (the same section of `OpenID Connect` Core).
    LoginRequired,
    /// Request objects are not supported (`OpenID Connect` Core section 3.1.2.6).
    RequestNotSupported,
    /// Nor are references to them.
    RequestUriNotSupported,
    /// Something failed on our side.
    ServerError,
    /// Something failed that may work again soon.
    TemporarilyUnavailable,
    /// Only `code` is supported.
    UnsupportedResponseType,
}

impl AuthorizationErrorCode {
    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }
}

/// A refusal as the client gets to know it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorizationRefusal {
    /// What kind of refusal it is.
    pub code: AuthorizationErrorCode,
    sentence: String,
    correlation_id: Option<CorrelationId>,
}

impl AuthorizationRefusal {
    /// A refusal that explains itself.
    pub fn new(code: AuthorizationErrorCode, sentence: &str) -> Self {
        Self { code, sentence: sentence.to_owned(), correlation_id: None }
    }

    /// This refusal with the name under which our log tells more.
    #[must_use]
    pub fn correlated(mut self, id: CorrelationId) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// The sentence, and the name in our log.
    pub fn description(&self) -> String {
        match self.correlation_id {
            None => self.sentence.clone(),
            Some(id) => format!("{} Correlation id: {id}", self.sentence),
        }
    }
}

/// A random name that joins an answer to the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CorrelationId([u8; 10]);

impl CorrelationId {
    /// A new name of 16 characters.
    pub fn generate() -> Self {
        Self(shared::secret::random_bytes())
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = data_encoding::BASE32HEX_NOPAD.encode(&self.0);
        formatter.write_str(&text.to_ascii_lowercase())
    }
}

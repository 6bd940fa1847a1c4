//! What went wrong between us and Azure Storage, in words that an operator can act on.

use std::error::Error;
use std::fmt;

use azure_core::error::ErrorKind;
use azure_core::http::RawResponse;
use azure_core::http::headers::ERROR_CODE;
use serde::Deserialize;

use super::StorageEndpoint;

/// What a call to Azure Storage is for, and the role that it takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Operation {
    purpose: &'static str,
    role: &'static str,
}

impl Operation {
    /// A call that wants to `purpose` ("read a record"), which whoever has `role` may do.
    pub const fn new(purpose: &'static str, role: &'static str) -> Self {
        Self { purpose, role }
    }
}

/// A call to Azure Storage that failed. Its text names the setting of the account, the operation,
/// and what came back: status and code, never a key, a path or a body. Where that may be the fault
/// of how the app was set up, it names the role that it takes, too.
#[derive(Debug)]
pub struct StorageFault {
    setting: &'static str,
    operation: Operation,
    cause: Cause,
}

impl StorageFault {
    pub(super) fn new(
        endpoint: &StorageEndpoint,
        operation: Operation,
        error: &azure_core::Error,
    ) -> Self {
        Self { setting: endpoint.setting(), operation, cause: Cause::of(error) }
    }

    pub(super) fn timed_out(endpoint: &StorageEndpoint, operation: Operation) -> Self {
        Self { setting: endpoint.setting(), operation, cause: Cause::TimedOut }
    }

    pub(super) fn too_late(endpoint: &StorageEndpoint, operation: Operation) -> Self {
        Self { setting: endpoint.setting(), operation, cause: Cause::TooLate }
    }

    /// What went wrong, in one word.
    pub fn kind(&self) -> &'static str {
        match self.cause {
            Cause::NoAnswer(_) => "no_answer",
            Cause::NoToken(_) => "no_token",
            Cause::Refused { .. } => "refused",
            Cause::TimedOut => "timed_out",
            Cause::TooLate => "too_late",
            Cause::Unreadable(_) => "unreadable",
        }
    }

    /// The status and error code of Azure's answer, if it answered.
    pub fn refusal(&self) -> Option<(u16, &str)> {
        match &self.cause {
            Cause::Refused { status, code } => Some((*status, code)),
            _ => None,
        }
    }
}

impl fmt::Display for StorageFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, operation: Operation { purpose, role }, cause } = self;
        write!(formatter, "{setting}: cannot {purpose}: {cause}")?;
        if cause.may_lie_in_the_settings() {
            write!(
                formatter,
                "; {setting} must name an account that this app reaches, and on which its \
                 identity has the role {role}"
            )?;
        }
        Ok(())
    }
}

impl Error for StorageFault {}

/// What went wrong in a call of storage that ended in `error`, in one word.
pub fn kind_of(error: &(dyn Error + Send + Sync + 'static)) -> &'static str {
    error.downcast_ref::<StorageFault>().map_or("failed", StorageFault::kind)
}

#[derive(Debug)]
enum Cause {
    NoAnswer(String),
    NoToken(String),
    Refused {
        status: u16,
        code: String,
    },
    TimedOut,
    /// The time of the request was over, and no longer a call's own.
    TooLate,
    Unreadable(String),
}

impl Cause {
    fn of(error: &azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::HttpResponse { status, raw_response, .. } => Self::Refused {
                status: **status,
                code: raw_response.as_deref().and_then(error_code).unwrap_or_default(),
            },
            ErrorKind::Credential => Self::NoToken(without_token(error)),
            ErrorKind::Connection | ErrorKind::Io => Self::NoAnswer(root(error)),
            _ => Self::Unreadable(root(error)),
        }
    }

    /// Whether it may be the account or the role that is wrong, and not the hour.
    fn may_lie_in_the_settings(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::NoToken(_) | Self::TimedOut => true,
            Self::Refused { status, .. } => matches!(status, 401 | 403 | 404),
            Self::TooLate | Self::Unreadable(_) => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(cause) => write!(formatter, "no answer ({cause})"),
            Self::NoToken(cause) => write!(
                formatter,
                "no token for the identity AZURE_CLIENT_ID, or of `az login` on a laptop ({cause})"
            ),
            Self::Refused { status, code } => write!(formatter, "{status} {code}"),
            Self::TimedOut => formatter.write_str("no answer in time"),
            Self::TooLate => formatter.write_str("the time of the request was over before"),
            Self::Unreadable(cause) => write!(formatter, "the answer is not readable ({cause})"),
        }
    }
}

/// The header names it, or, for tables, the body alone.
fn error_code(response: &RawResponse) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "odata.error")]
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        code: String,
    }
    let header = response.headers().get_optional_string(&ERROR_CODE);
    header.or_else(|| Some(serde_json::from_slice::<Body>(response.body()).ok()?.error.code))
}

/// Why there is no token: the identity endpoint's status, as its body is nobody's business, or what
/// came before an answer.
pub(super) fn without_token(error: &azure_core::Error) -> String {
    match answered(error) {
        Some(400) => "the identity is not assigned to this app".to_owned(),
        Some(status) => format!("the identity endpoint answers {status}"),
        None => root(error),
    }
}

/// The status of the answer that is among the causes.
fn answered(error: &azure_core::Error) -> Option<u16> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        let kind = current.downcast_ref::<azure_core::Error>().map(azure_core::Error::kind);
        if let Some(ErrorKind::HttpResponse { status, .. }) = kind {
            return Some(**status);
        }
        cause = current.source();
    }
    None
}

/// The innermost cause. The layers above it add URLs and remarks on retries.
fn root(error: &azure_core::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use azure_core::http::StatusCode;
    use azure_core::http::headers::Headers;

    use super::*;
    use crate::azure::StorageService;
    use crate::config::Settings;

    const READ: Operation = Operation::new("read a record", "Storage Table Data Reader");

    fn fault(error: &azure_core::Error) -> StorageFault {
        let env = [("SESSION_TABLES_ENDPOINT", "https://acct.table.core.windows.net")];
        let mut settings = Settings::new(&env);
        let service = StorageService::Table;
        let endpoint = StorageEndpoint::read(&mut settings, "SESSION_TABLES_ENDPOINT", service);
        StorageFault::new(&endpoint.unwrap(), READ, error)
    }

    fn answer(status: u16, headers: Headers, body: &'static str) -> azure_core::Error {
        let status = StatusCode::from(status);
        let raw_response = Some(Box::new(RawResponse::from_bytes(status, headers, body)));
        ErrorKind::HttpResponse { status, error_code: None, raw_response }.into_error()
    }

    #[test]
    fn the_code_of_a_refusal_is_read_from_the_header_or_the_body() {
        let mut headers = Headers::new();
        headers.insert("x-ms-error-code", "BlobNotFound");
        let body = r#"{"odata.error":{"code":"TableNotFound","message":{"value":"none"}}}"#;

        assert_eq!(fault(&answer(404, headers, "")).refusal(), Some((404, "BlobNotFound")));
        assert_eq!(
            fault(&answer(404, Headers::new(), body)).refusal(),
            Some((404, "TableNotFound"))
        );
        assert_eq!(fault(&answer(502, Headers::new(), "<html>")).refusal(), Some((502, "")));
    }

    #[test]
    fn a_missing_role_is_named_with_the_setting() {
        let mut headers = Headers::new();
        headers.insert("x-ms-error-code", "AuthorizationPermissionMismatch");

        assert_eq!(
            fault(&answer(403, headers, "")).to_string(),
            "SESSION_TABLES_ENDPOINT: cannot read a record: 403 AuthorizationPermissionMismatch; \
             SESSION_TABLES_ENDPOINT must name an account that this app reaches, and on which its \
             identity has the role Storage Table Data Reader"
        );
    }

    #[test]
    fn what_the_settings_cannot_help_blames_no_setting() {
        let answers = [(409, "TableBeingDeleted"), (429, "TooManyRequests"), (503, "ServerBusy")];
        for (status, code) in answers {
            let mut headers = Headers::new();
            headers.insert("x-ms-error-code", code);

            let expected =
                format!("SESSION_TABLES_ENDPOINT: cannot read a record: {status} {code}");
            assert_eq!(fault(&answer(status, headers, "")).to_string(), expected);
        }
    }

    #[test]
    fn the_innermost_cause_is_shown_without_the_url() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = azure_core::Error::with_error(
            ErrorKind::Connection,
            azure_core::Error::with_error(ErrorKind::Io, refused, "https://acct/path"),
            "retry policy expired",
        );

        let line = fault(&error).to_string();
        let begin =
            "SESSION_TABLES_ENDPOINT: cannot read a record: no answer (connection refused); ";
        assert!(line.starts_with(begin), "{line}");
        assert!(!line.contains("https"), "{line}");
    }

    #[test]
    fn a_token_that_cannot_be_had_points_to_the_identity() {
        let error = azure_core::Error::with_message(ErrorKind::Credential, "not assigned");

        assert!(
            fault(&error)
                .to_string()
                .contains("AZURE_CLIENT_ID, or of `az login` on a laptop (not assigned)")
        );
    }

    #[test]
    fn of_an_identity_endpoint_that_answers_otherwise_only_the_status_is_told() {
        let refused = |status| {
            let answer = answer(status, Headers::new(), "secret-body");
            let credential = azure_core::Error::with_error(
                ErrorKind::Credential,
                azure_core::Error::with_error(
                    ErrorKind::Other,
                    answer,
                    "The request failed: secret-body",
                ),
                "failed: secret-body",
            );
            fault(&credential).to_string()
        };

        assert!(refused(500).contains("the identity endpoint answers 500"), "{}", refused(500));
        assert!(refused(400).contains("the identity is not assigned"), "{}", refused(400));
        assert!(!refused(500).contains("secret-body"));
    }
}

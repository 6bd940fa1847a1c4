//! Errors in the form that Entra ID gives them: a number, a sentence, and ids for its support.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use shared::clock::UnixTime;
use shared::secret::random_bytes;
use time::OffsetDateTime;

/// An error of Entra ID.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct EntraError {
    /// The OAuth error code.
    pub(super) error: &'static str,
    /// The number behind `AADSTS`.
    pub(super) number: u32,
    /// What Entra ID says of it.
    pub(super) message: String,
}

impl EntraError {
    pub(super) fn new(error: &'static str, number: u32, message: impl Into<String>) -> Self {
        Self { error, number, message: message.into() }
    }

    /// A required parameter is not there.
    pub(super) fn missing(name: &str) -> Self {
        let message = format!("The request must contain the following parameter: '{name}'.");
        Self::new("invalid_request", 900_144, message)
    }

    /// The sentence with its number and ids, as it stands in `error_description`.
    pub(super) fn description(&self, now: UnixTime) -> String {
        Described::new(self, now).text
    }

    /// The answer of the token endpoint.
    pub(super) fn answer(&self, now: UnixTime) -> Response {
        let status = match self.error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let Described { text, trace, correlation, timestamp } = Described::new(self, now);
        let body = json!({
            "error": self.error,
            "error_description": text,
            "error_codes": [self.number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        });
        (status, Json(body)).into_response()
    }
}

struct Described {
    text: String,
    trace: String,
    correlation: String,
    timestamp: String,
}

impl Described {
    fn new(error: &EntraError, now: UnixTime) -> Self {
        let (trace, correlation, timestamp) = (guid(), guid(), timestamp(now));
        let EntraError { number, message, .. } = error;
        let text = format!(
            "AADSTS{number}: {message} Trace ID: {trace} Correlation ID: {correlation} \
             Timestamp: {timestamp}"
        );
        Self { text, trace, correlation, timestamp }
    }
}

fn guid() -> String {
    let number = u128::from_be_bytes(random_bytes());
    let digits = format!("{number:032x}");
    let mut guid = String::with_capacity(36);
    for (index, digit) in digits.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            guid.push('-');
        }
        guid.push(digit);
    }
    guid
}

fn timestamp(now: UnixTime) -> String {
    let seconds = i64::try_from(now.as_secs()).unwrap_or_default();
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second)) = (moment.date(), moment.to_hms());
    format!("{date} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_reads_like_one_of_entra_id() {
        let error = EntraError::new("invalid_grant", 70_008, "The code has expired.");

        let text = error.description(UnixTime::from_secs(1_797_206_400));

        assert!(text.starts_with("AADSTS70008: The code has expired. Trace ID: "), "{text}");
        assert!(text.ends_with(" Timestamp: 2026-12-14 00:00:00Z"), "{text}");
    }

    #[test]
    fn a_guid_has_five_groups() {
        let lengths: Vec<usize> = guid().split('-').map(str::len).collect();

        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}

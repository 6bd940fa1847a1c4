//! Why a message was not handed on, as a JSON-RPC error.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use rmcp::model::{ErrorData, JsonRpcError};

use shared::deadline::SlowBody;

use super::LARGEST_MESSAGE;

/// Why a message was not handed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The client stopped sending.
    #[error("the request body ended too early")]
    Interrupted,
    /// The task that answered it came to an unexpected end.
    #[error("internal error")]
    Internal,
    /// It is JSON, but no JSON-RPC message of MCP.
    #[error("the request body must be one JSON-RPC 2.0 message (batches are not supported)")]
    NotAMessage,
    /// It is no JSON at all.
    #[error("the request body is not valid JSON")]
    NotJson,
    /// It did not come to its end in time.
    #[error("{SlowBody}")]
    TooSlow,
    /// It is longer than [`LARGEST_MESSAGE`].
    #[error("the request body is larger than {LARGEST_MESSAGE} bytes")]
    TooLarge,
}

impl Fault {
    /// What is wrong with a message that could not be read.
    pub(super) fn of(message: &[u8]) -> Self {
        match serde_json::from_slice::<serde_json::Value>(message) {
            Ok(_) => Self::NotAMessage,
            Err(_) => Self::NotJson,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let text = self.to_string();
        let (status, error) = match self {
            Self::Interrupted | Self::NotAMessage => {
                (StatusCode::BAD_REQUEST, ErrorData::invalid_request(text, None))
            }
            Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, ErrorData::internal_error(text, None))
            }
            Self::NotJson => (StatusCode::BAD_REQUEST, ErrorData::parse_error(text, None)),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, ErrorData::invalid_request(text, None)),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, ErrorData::invalid_request(text, None))
            }
        };
        json_rpc(status, error)
    }
}

/// A JSON-RPC error that answers no request in particular.
pub(super) fn json_rpc(status: StatusCode, error: ErrorData) -> Response {
    let body = serde_json::to_vec(&JsonRpcError::new(None, error)).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

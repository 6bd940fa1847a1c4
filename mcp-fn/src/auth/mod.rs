//! Lets requests in that carry a valid access token, and answers all others (RFC 6750).
//!
//! The layer knows no tools: it leaves a [`Caller`] with the request, for any handler behind it.

mod bearer;
mod denial;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use shared::base_url::PublicBaseUrl;
use shared::session::{Refusal, SessionError, Sessions};
use shared::telemetry::{ErrorChain, metrics};

use crate::caller::Caller;
use crate::metadata;
use denial::Denial;

/// What the bearer layer checks tokens with.
#[derive(Debug)]
pub struct Gate {
    sessions: Sessions,
    resource_metadata: String,
}

impl Gate {
    /// A gate to the resource of `base_url`, for the tokens of `sessions`.
    pub fn new(base_url: &PublicBaseUrl, sessions: Sessions) -> Self {
        Self { sessions, resource_metadata: base_url.at(metadata::MCP_PATH) }
    }

    async fn caller(&self, parts: &Parts) -> Result<Caller, Denial> {
        let token = bearer::token(parts)?.ok_or(Denial::NoCredentials)?;
        let session = self.sessions.find(token).await.inspect_err(log)?;
        Ok(Caller::new(session))
    }
}

/// Serves a request whose token is good. Nothing else about a request is looked at before, so
/// that a client without a token always learns where to get one.
pub async fn admit(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match gate.caller(&parts).await {
        Ok(caller) => {
            // The token goes no further: no handler can log it or pass it on.
            parts.headers.remove(AUTHORIZATION);
            parts.extensions.insert(caller.clone());
            let response = next.run(Request::from_parts(parts, body)).await;
            match caller.scopes_to_ask_for() {
                None => response,
                Some(scopes) => gate.deny(&Denial::InsufficientScope(scopes)),
            }
        }
        Err(denial) => gate.deny(&denial),
    };
    forbid_storing(response.headers_mut());
    response
}

fn forbid_storing(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn log(error: &SessionError) {
    match error {
        SessionError::Refused(refusal @ Refusal::Integrity(week)) => {
            tracing::warn!(
                target: "audit",
                audit = "integrity",
                outcome = "failure",
                table = week.table().as_str(),
                %refusal,
                "token refused"
            );
            metrics::audited("integrity", std::iter::empty());
        }
        SessionError::Refused(refusal) => tracing::debug!(%refusal, "token refused"),
        SessionError::Missing(_) | SessionError::Store(_) => {
            tracing::error!(error = %ErrorChain(error), "sessions cannot be read");
        }
    }
}

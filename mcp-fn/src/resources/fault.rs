//! Why a resource was not given, as an error of the protocol.

use rmcp::ErrorData;
use shared::telemetry::ErrorChain;

use crate::caller::MissingScope;
use crate::snippets::SnippetStoreError;

/// A failed request for resources.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResourceFault {
    /// The cursor cannot be one of ours.
    #[error("the cursor must be the nextCursor of an earlier answer")]
    Cursor,
    /// The session lacks a scope; the whole request ends in `insufficient_scope`.
    #[error(transparent)]
    MissingScope(#[from] MissingScope),
    /// Only names of snippets are completed.
    #[error("only the name in snippet://{{name}} can be completed")]
    NotCompletable,
    /// The caller has no snippet with this URI, whoever else may have one.
    #[error("there is no such resource")]
    NotFound,
    /// The store failed, which is not the caller's doing.
    #[error("snippets cannot be reached right now; try again in a moment")]
    Store(#[from] SnippetStoreError),
    /// A page is longer than a completion may be.
    #[error("internal error")]
    TooMany(String),
}

impl From<ResourceFault> for ErrorData {
    fn from(fault: ResourceFault) -> Self {
        let says = fault.to_string();
        match fault {
            ResourceFault::Cursor | ResourceFault::NotCompletable => {
                Self::invalid_params(says, None)
            }
            ResourceFault::MissingScope(missing) => missing.into(),
            // rmcp makes -32602 of it for clients of 2026-07-28. It also logs each error whole, so
            // the URI, which the client knows, stays out.
            ResourceFault::NotFound => Self::resource_not_found(says, None),
            ResourceFault::Store(error) => {
                tracing::error!(error = %ErrorChain(&error), "snippets cannot be reached");
                Self::internal_error(says, None)
            }
            ResourceFault::TooMany(problem) => {
                tracing::error!(problem, "a completion is too long");
                Self::internal_error(says, None)
            }
        }
    }
}

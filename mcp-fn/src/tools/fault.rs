//! Why a tool did not do what it was asked to, in words that a model can act on.

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};

use shared::telemetry::ErrorChain;

use crate::snippets::{InvalidSnippetName, SnippetName, SnippetStoreError, SnippetTooLong};

/// A failed call of a tool; the caller reads why.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToolFault {
    /// Somebody else wrote or deleted it in the same moment.
    #[error("the snippet named '{0}' was changed in the meantime. Nothing was done. Call again")]
    Changed(SnippetName),
    /// The cursor cannot be one of ours.
    #[error("the cursor must be the next_cursor of an earlier answer")]
    Cursor,
    /// The name breaks its rule.
    #[error(transparent)]
    Name(#[from] InvalidSnippetName),
    /// There is nothing under the name.
    #[error("there is no snippet named '{0}'")]
    NotFound(SnippetName),
    /// The store failed, which is not the caller's doing.
    #[error("snippets cannot be reached right now. Try again in a moment")]
    Store(#[from] SnippetStoreError),
    /// The text does not fit.
    #[error(transparent)]
    TooLong(#[from] SnippetTooLong),
}

impl IntoCallToolResult for ToolFault {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        if let Self::Store(error) = &self {
            tracing::error!(error = %ErrorChain(error), "snippets cannot be reached");
        }
        let text = sentence(&self.to_string());
        Ok(CallToolResult::error(vec![ContentBlock::text(text)]).into())
    }
}

/// `text` with a capital letter in front and a full stop behind.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

//! Why a tool did not do what it was asked to, in words that a model can act on.

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};

use shared::telemetry::ErrorChain;

use super::confirmation::Loss;
use crate::snippets::{InvalidSnippetName, SnippetName, SnippetStoreError, SnippetTooLong};

/// A failed call of a tool; the caller reads why.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToolFault {
    /// The answer to a question of ours is none.
    #[error("the answer to the question cannot be read")]
    Answer(#[source] serde_json::Error),
    /// Somebody else wrote or deleted it in the same moment.
    #[error("the snippet named '{0}' was changed in the meantime. Nothing was done. Call again")]
    Changed(SnippetName),
    /// The cursor cannot be one of ours.
    #[error("the cursor must be the next_cursor of an earlier answer")]
    Cursor,
    /// The user was asked, and did not agree.
    #[error("the user did not agree, and the snippet named '{0}' stays as it is")]
    Declined(SnippetName),
    /// The state is of no question about this call, or of one that was asked too long ago.
    #[error("the requestState is not of this call or too old: call again without it")]
    ForeignState,
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
    /// The user must agree, and the client cannot ask them.
    #[error(
        "{0}. Nothing was done. Ask the user, and if they agree call again with confirm set to true"
    )]
    Unconfirmed(Loss),
}

impl IntoCallToolResult for ToolFault {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        if let Self::Store(error) = &self {
            tracing::error!(error = %ErrorChain(error), "snippets cannot be reached");
        }
        // What the client did is not for a model to mend.
        if matches!(self, Self::Answer(_) | Self::ForeignState) {
            return Err(ErrorData::invalid_params(self.to_string(), None));
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

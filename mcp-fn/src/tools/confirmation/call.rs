//! A call that may take something away: who makes it, and what was said about it so far.

use rmcp::ErrorData;
use rmcp::handler::server::common::FromContextPart;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    ClientCapabilities, ElicitResult, ElicitationAction, InputResponses, ProtocolVersion,
};
use shared::storage::Key;

use super::{CONFIRM, QUESTION};
use crate::caller::Caller;
use crate::snippets::{SnippetName, SnippetText};
use crate::tools::fault::ToolFault;

/// A call of a tool that may take something away.
pub(in crate::tools) struct Call<'a> {
    /// Who calls what, and what was asked before.
    pub(in crate::tools) dialogue: &'a Dialogue,
    /// The snippet that it is about.
    pub(in crate::tools) name: &'a SnippetName,
    /// The text that is to be there.
    pub(in crate::tools) text: Option<&'a SnippetText>,
    /// Whether the argument says that the user agreed.
    pub(in crate::tools) confirmed: bool,
}

impl Call<'_> {
    pub(super) fn client_can_ask(&self) -> bool {
        self.dialogue.client_can_ask
    }

    pub(super) fn state(&self) -> Option<&str> {
        self.dialogue.state.as_deref()
    }

    /// What the user answered, if the client says so.
    pub(super) fn answer(&self) -> Result<Option<ElicitResult>, ToolFault> {
        let answer = self.dialogue.answers.as_ref().and_then(|answers| answers.get(QUESTION));
        let answer = answer.map(|answer| serde_json::from_value(answer.clone()));
        answer.transpose().map_err(ToolFault::Answer)
    }

    /// Where the state of a question about this call opens, and nowhere else.
    pub(super) fn place(&self) -> [&[u8]; 5] {
        let Dialogue { owner, client_id, tool, .. } = self.dialogue;
        let text = self.text.map_or("", SnippetText::as_str);
        [owner.as_str(), client_id, tool, self.name.as_str(), text].map(str::as_bytes)
    }
}

/// Whether the user accepted the form, with its box ticked.
pub(super) fn is_yes(answer: &ElicitResult) -> bool {
    let ticked = answer.content.as_ref().and_then(|content| content.get(CONFIRM));
    answer.action == ElicitationAction::Accept && ticked.is_some_and(|ticked| ticked == true)
}

/// Who calls which tool, and what they bring along from a question before.
pub(in crate::tools) struct Dialogue {
    owner: Key,
    client_id: String,
    tool: String,
    client_can_ask: bool,
    state: Option<String>,
    answers: Option<InputResponses>,
}

impl<S> FromContextPart<ToolCallContext<'_, S>> for Dialogue {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        let caller = Caller::from_context_part(context)?;
        let request = context.request_context();
        let version = request.protocol_version();
        let modern = version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        Ok(Self {
            owner: caller.session().identity.user_key(),
            client_id: caller.session().client_id.clone(),
            tool: context.name().to_owned(),
            client_can_ask: modern
                && request.client_capabilities().is_some_and(|it| has_forms(&it)),
            state: context.request_state.take(),
            answers: context.input_responses.take(),
        })
    }
}

/// Whether the client shows forms to its user; one that names no mode means forms.
fn has_forms(capabilities: &ClientCapabilities) -> bool {
    let elicitation = capabilities.elicitation.as_ref();
    elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
}

//! The tools: what an MCP client can ask of this server.

mod answer;
mod arguments;
mod confirmation;
mod fault;
mod handler;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rmcp::handler::server::common::schema_for_output;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_router};
use shared::clock::Clock;
use shared::seal::KeyRing;

use crate::caller::{Caller, MayRead, MayWrite};
use crate::icons::Picture;
use crate::resources::SnippetResources;
use crate::snippets::owned::Snippets;
use crate::snippets::{Condition, Deletion, Saving, SnippetName, SnippetText};
use answer::{Answer, Deleted, Greeting, Reply, Saved, SnippetList, Who, WholeSnippet};
use arguments::{DeleteSnippet, ListSnippets, NamedSnippet, SaveSnippet};
use confirmation::{Call, Confirmations, Consent, Dialogue, Loss};
use fault::ToolFault;

/// The snippet tools, with a greeting and a look at one's own session; and snippets as resources.
#[derive(Debug)]
pub struct SnippetTools {
    snippets: Snippets,
    resources: SnippetResources,
    confirmations: Confirmations,
    clock: Arc<dyn Clock>,
    router: ToolRouter<Self>,
}

#[tool_router]
impl SnippetTools {
    /// Tools over `snippets`; what they ask the user is sealed with `keys`.
    pub fn new(snippets: Snippets, keys: &KeyRing, clock: Arc<dyn Clock>) -> Self {
        let confirmations = Confirmations::new(keys, Arc::clone(&clock));
        let resources = SnippetResources::new(snippets.clone());
        Self { snippets, resources, confirmations, clock, router: Self::tool_router() }
    }

    #[tool(
        title = "Say hello",
        icons = Picture::Greeting.icons(),
        description = "Says hello. Use it to see whether the connection to this server works.",
        output_schema = schema_for_output::<Greeting>(),
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    fn hello_mcp() -> Answer<Greeting> {
        Answer::greeting()
    }

    #[tool(
        title = "Save a snippet",
        icons = Picture::Save.icons(),
        description = "Saves a text under a name for the signed-in user. Where the name has another \
            text already, the user must agree first that it is replaced.",
        output_schema = schema_for_output::<Saved>(),
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn save_snippet(
        &self,
        permit: MayWrite,
        dialogue: Dialogue,
        Parameters(arguments): Parameters<SaveSnippet>,
    ) -> Result<Reply<Saved>, ToolFault> {
        let name = SnippetName::try_from(arguments.snippetname.as_str())?;
        let text = SnippetText::try_from(arguments.snippet)?;
        let confirmed = arguments.confirm;
        let call = Call { dialogue: &dialogue, name: &name, text: Some(&text), confirmed };
        let condition = match self.confirmations.consent(&call)? {
            Consent::Everything => Condition::Anything,
            Consent::Nothing => Condition::Nothing,
            Consent::Loss(version) => Condition::Version(version),
        };
        if self.snippets.save(&permit, &name, &text, &condition).await? == Saving::Saved {
            return Ok(Reply::Answer(Answer::saved(&name, &text)));
        }
        match self.snippets.at_stake(&permit, &name).await? {
            // Nothing is lost. It may be what this very call wrote, if the answer to it was lost.
            Some(there) if there.text == text => Ok(Reply::Answer(Answer::saved(&name, &text))),
            Some(there) => {
                let loss = Loss::by_replacement(&name, &there, &text);
                Ok(Reply::Question(self.confirmations.ask(&call, loss, &there.version)?))
            }
            None => Err(ToolFault::Changed(name)),
        }
    }

    #[tool(
        title = "Get a snippet",
        icons = Picture::Snippet.icons(),
        description = "Gives the text that was saved under a name, exactly as it was saved.",
        output_schema = schema_for_output::<WholeSnippet>(),
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_snippet(
        &self,
        permit: MayRead,
        Parameters(arguments): Parameters<NamedSnippet>,
    ) -> Result<Answer<WholeSnippet>, ToolFault> {
        let name = SnippetName::try_from(arguments.snippetname.as_str())?;
        match self.snippets.find(&permit, &name).await? {
            Some(snippet) => Ok(Answer::whole_snippet(&name, &snippet.text)),
            None => Err(ToolFault::NotFound(name)),
        }
    }

    #[tool(
        title = "List snippets",
        icons = Picture::List.icons(),
        description = "Lists the names and sizes of the user's snippets in the order of their names, \
            at most 100 in one answer. Where there are more, the answer has a cursor for the \
            next call.",
        output_schema = schema_for_output::<SnippetList>(),
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_snippets(
        &self,
        permit: MayRead,
        Parameters(arguments): Parameters<ListSnippets>,
    ) -> Result<Answer<SnippetList>, ToolFault> {
        let from = arguments.cursor.as_deref().map(SnippetName::try_from).transpose();
        let from = from.map_err(|_| ToolFault::Cursor)?;
        let page = self.snippets.list(&permit, from.as_ref()).await?;
        Ok(Answer::list(page))
    }

    #[tool(
        title = "Delete a snippet",
        icons = Picture::Delete.icons(),
        description = "Deletes the snippet with a name, for good, once the user has agreed. There is \
            no way to get it back.",
        output_schema = schema_for_output::<Deleted>(),
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn delete_snippet(
        &self,
        permit: MayWrite,
        dialogue: Dialogue,
        Parameters(arguments): Parameters<DeleteSnippet>,
    ) -> Result<Reply<Deleted>, ToolFault> {
        let name = SnippetName::try_from(arguments.snippetname.as_str())?;
        let confirmed = arguments.confirm;
        let call = Call { dialogue: &dialogue, name: &name, text: None, confirmed };
        let version = match self.confirmations.consent(&call)? {
            Consent::Everything => None,
            Consent::Loss(version) => Some(version),
            Consent::Nothing => return self.ask_to_delete(&permit, &call).await,
        };
        match self.snippets.delete(&permit, &name, version.as_ref()).await? {
            Deletion::Conflict => self.ask_to_delete(&permit, &call).await,
            Deletion::Deleted => Ok(Reply::Answer(Answer::deleted(&name))),
            Deletion::NotFound => Err(ToolFault::NotFound(name)),
        }
    }

    #[tool(
        title = "Who am I",
        icons = Picture::Person.icons(),
        description = "Tells who is signed in, through which client, what the client may do, and \
            until when.",
        output_schema = schema_for_output::<Who>(),
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    #[expect(clippy::needless_pass_by_value, reason = "rmcp hands values to tools")]
    fn whoami(&self, caller: Caller) -> Answer<Who> {
        Answer::who(caller.session(), self.clock.now())
    }
}

impl SnippetTools {
    async fn ask_to_delete(
        &self,
        permit: &MayWrite,
        call: &Call<'_>,
    ) -> Result<Reply<Deleted>, ToolFault> {
        match self.snippets.at_stake(permit, call.name).await? {
            Some(there) => {
                let loss = Loss::by_deletion(call.name, &there);
                Ok(Reply::Question(self.confirmations.ask(call, loss, &there.version)?))
            }
            None => Err(ToolFault::NotFound(call.name.clone())),
        }
    }
}

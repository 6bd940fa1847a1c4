//! The tools: what an MCP client can ask of this server.

mod answer;
mod arguments;
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

use crate::caller::{Caller, MayRead, MayWrite};
use crate::snippets::owned::Snippets;
use crate::snippets::{Condition, Deletion, Saving, SnippetName, SnippetText};
use answer::{Answer, Deleted, Greeting, Saved, SnippetList, Who, WholeSnippet};
use arguments::{ListSnippets, NamedSnippet, SaveSnippet};
use fault::ToolFault;

/// The snippet tools, with a greeting and a look at one's own session.
#[derive(Debug)]
pub struct SnippetTools {
    snippets: Snippets,
    clock: Arc<dyn Clock>,
    router: ToolRouter<Self>,
}

#[tool_router]
impl SnippetTools {
    /// Tools over `snippets`.
    pub fn new(snippets: Snippets, clock: Arc<dyn Clock>) -> Self {
        Self { snippets, clock, router: Self::tool_router() }
    }

    #[tool(
        title = "Say hello",
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
        description = "Saves a text under a name for the signed-in user, and replaces the text that \
            the name had before. Call list_snippets first if no text must be lost.",
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
        Parameters(arguments): Parameters<SaveSnippet>,
    ) -> Result<Answer<Saved>, ToolFault> {
        let name = SnippetName::try_from(arguments.snippetname.as_str())?;
        let text = SnippetText::try_from(arguments.snippet)?;
        match self.snippets.save(&permit, &name, &text, &Condition::Anything).await? {
            Saving::Saved => Ok(Answer::saved(&name, &text)),
            Saving::Conflict => Err(ToolFault::Changed(name)),
        }
    }

    #[tool(
        title = "Get a snippet",
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
        description = "Deletes the snippet with a name, for good. There is no way to get it back.",
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
        Parameters(arguments): Parameters<NamedSnippet>,
    ) -> Result<Answer<Deleted>, ToolFault> {
        let name = SnippetName::try_from(arguments.snippetname.as_str())?;
        match self.snippets.delete(&permit, &name, None).await? {
            Deletion::Conflict => Err(ToolFault::Changed(name)),
            Deletion::Deleted => Ok(Answer::deleted(&name)),
            Deletion::NotFound => Err(ToolFault::NotFound(name)),
        }
    }

    #[tool(
        title = "Who am I",
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

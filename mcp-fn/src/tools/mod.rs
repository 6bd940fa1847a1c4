//! The tools: what an MCP client can ask of this server.

mod answer;
mod arguments;
mod fault;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rmcp::handler::server::common::schema_for_output;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult,
    DiscoverResult, ErrorCode, Implementation, ListToolsResult, PaginatedRequestParams,
    ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use shared::clock::Clock;
use tracing::field::Empty;

use crate::caller::{Caller, MayRead, MayWrite};
use crate::snippets::owned::Snippets;
use crate::snippets::{Condition, Deletion, Saving, SnippetName, SnippetText};
use answer::{Answer, Deleted, Greeting, Saved, SnippetList, Who, WholeSnippet};
use arguments::{ListSnippets, NamedSnippet, SaveSnippet};
use fault::ToolFault;

/// How long clients may keep the list of tools, in milliseconds. It is the same for every user
/// and changes with a deployment only.
const LIST_LIFETIME: u64 = 5 * 60 * 1000;

/// The methods with params of their own.
const SERVED: [&str; 4] = ["initialize", "server/discover", "tools/call", "tools/list"];

const INSTRUCTIONS: &str = "Keeps named pieces of text (snippets) for the signed-in user: save \
    them with save_snippet, see what there is with list_snippets, read one with get_snippet, \
    remove one with delete_snippet. Snippets are private to the user and stay until deleted.";

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

impl ServerHandler for SnippetTools {
    fn get_info(&self) -> ServerConfig {
        let server = Implementation::new("remote-mcp-functions-rust", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(server.with_title("Remote MCP server"))
            .with_instructions(INSTRUCTIONS)
    }

    async fn discover(
        &self,
        _context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(LIST_LIFETIME)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ListToolsResult::with_all_items(self.router.list_all());
        // Earlier revisions do not know the two members.
        Ok(match context.protocol_version() {
            Some(version) if version >= ProtocolVersion::V_2026_07_28 => {
                tools.with_ttl_ms(LIST_LIFETIME).with_cache_scope(CacheScope::Public)
            }
            _ => tools,
        })
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.router.get(name).cloned()
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // Requests whose params do not fit their method end here, like those of unknown methods.
        if SERVED.contains(&request.method.as_str()) {
            return Err(ErrorData::invalid_params("the params do not fit this method", None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "there is no such method", None))
    }

    #[tracing::instrument(skip_all, fields(tool = Empty))]
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // Only names of ours get into the log.
        let Some(tool) = self.router.get(&request.name) else {
            return Err(ErrorData::invalid_params("there is no such tool: see tools/list", None));
        };
        tracing::Span::current().record("tool", tool.name.as_ref());
        self.router.call(ToolCallContext::new(self, request, context)).await
    }
}

//! What this server answers to each method of the protocol.

use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult,
    DiscoverResult, ErrorCode, Implementation, ListToolsResult, PaginatedRequestParams,
    ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tracing::field::Empty;

use super::SnippetTools;

/// How long clients may keep the list of tools, in milliseconds. It is the same for every user
/// and changes with a deployment only.
const LIST_LIFETIME: u64 = 5 * 60 * 1000;

/// The methods with params of their own.
const SERVED: [&str; 4] = ["initialize", "server/discover", "tools/call", "tools/list"];

const INSTRUCTIONS: &str = "Keeps named pieces of text (snippets) for the signed-in user: save \
    them with save_snippet, see what there is with list_snippets, read one with get_snippet, \
    remove one with delete_snippet. Snippets are private to the user and stay until deleted.";

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

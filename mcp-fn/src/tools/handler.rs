//! What this server answers to each method of the protocol.

use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, Implementation,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::SnippetTools;
use crate::caller::Caller;
use crate::icons::Picture;
use crate::resources::SnippetResources;

/// How long clients may keep what is the same for every user and changes with a deployment only,
/// in milliseconds.
const LIST_LIFETIME: u64 = 5 * 60 * 1000;

/// How long clients may keep what is a user's own, in milliseconds: a text that was just replaced
/// must not be met again, and nothing tells clients of a change.
const OWN_LIFETIME: u64 = 1000;

/// The methods with params of their own.
const SERVED: [&str; 8] = [
    "completion/complete",
    "initialize",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "server/discover",
    "tools/call",
    "tools/list",
];

const INSTRUCTIONS: &str = "Keeps named pieces of text (snippets) for the signed-in user: save \
    them with save_snippet, see what there is with list_snippets, read one with get_snippet, \
    remove one with delete_snippet. Snippets are private to the user and stay until deleted. They \
    are resources too: snippet:// and the name.";

impl ServerHandler for SnippetTools {
    fn get_info(&self) -> ServerConfig {
        let server = Implementation::new("remote-mcp-functions-rust", env!("CARGO_PKG_VERSION"))
            .with_title("Remote MCP server")
            .with_description("Keeps snippets of text for each signed-in user.")
            .with_icons(Picture::Server.icons());
        let capabilities =
            ServerCapabilities::builder().enable_completions().enable_resources().enable_tools();
        ServerConfig::new(capabilities.build())
            .with_server_info(server)
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
        let mut tools = ListToolsResult::with_all_items(self.router.list_all());
        (tools.ttl_ms, tools.cache_scope) = public(&context);
        Ok(tools)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.router.get(name).cloned()
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let caller = Caller::of(&context.extensions)?;
        let cursor = request.and_then(|page| page.cursor);
        let mut page = self.resources.list(&caller, cursor.as_deref()).await?;
        (page.ttl_ms, page.cache_scope) = private(&context);
        Ok(page)
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut templates = SnippetResources::templates();
        (templates.ttl_ms, templates.cache_scope) = public(&context);
        Ok(templates)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let caller = Caller::of(&context.extensions)?;
        let mut text = self.resources.read(&caller, &request.uri).await?;
        (text.ttl_ms, text.cache_scope) = private(&context);
        Ok(text.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let caller = Caller::of(&context.extensions)?;
        Ok(self.resources.complete(&caller, request).await?)
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

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.router.get(&request.name).is_none() {
            return Err(ErrorData::invalid_params("there is no such tool: see tools/list", None));
        }
        let cancelled = context.ct.clone();
        tokio::select! {
            biased;
            answer = self.router.call(ToolCallContext::new(self, request, context)) => answer,
            // Its client went away, and hears this no more.
            () = cancelled.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
        }
    }
}

type Caching = (Option<u64>, Option<CacheScope>);

/// What a client is told about keeping what is the same for everybody.
fn public(context: &RequestContext<RoleServer>) -> Caching {
    caching(context, LIST_LIFETIME, CacheScope::Public)
}

/// What a client is told about keeping what is the caller's own.
fn private(context: &RequestContext<RoleServer>) -> Caching {
    caching(context, OWN_LIFETIME, CacheScope::Private)
}

/// Earlier revisions do not know the two members.
fn caching(context: &RequestContext<RoleServer>, lifetime: u64, scope: CacheScope) -> Caching {
    let version = context.protocol_version();
    let knows = version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    (knows.then_some(lifetime), knows.then_some(scope))
}

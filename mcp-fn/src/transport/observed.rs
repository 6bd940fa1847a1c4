//! A span and a measurement for each MCP request, whatever handler answers it: the semantic
//! conventions for MCP servers. Of a request, nothing is noted but its method, the revision of the
//! protocol, and its tool where the handler has one of that name.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

#[expect(deprecated, reason = "earlier revisions have it")]
use rmcp::model::SetLevelRequestParams;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CancelledNotificationParam,
    CompleteRequestParams, CompleteResult, CustomNotification, CustomRequest, CustomResult,
    DiscoverResult, ErrorData, GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams,
    GetSkillResult, GetTaskParams, GetTaskResult, InitializeRequestParams, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
    ReadResourceDirectoryRequestParams, ReadResourceDirectoryResult, ReadResourceRequestParams,
    ReadResourceResponse, ServerConfig, SubscribeRequestParams, SubscriptionFilter, Tool,
    UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use shared::telemetry::{metrics, spans};
use shared::trace_context::TraceParent;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// A handler whose requests are observed.
#[derive(Debug)]
pub(super) struct Observed<H>(Arc<H>);

impl<H> Observed<H> {
    pub(super) fn new(handler: &Arc<H>) -> Self {
        Self(Arc::clone(handler))
    }
}

/// One request on its way.
struct Operation {
    method: &'static str,
    tool: Option<String>,
    span: Span,
    begun: Instant,
    is_cancelled: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Operation {
    /// A request that is a part of the client's trace, and of the HTTP request that it came in where
    /// the client names none.
    fn begin(
        method: &'static str,
        tool: Option<&str>,
        context: &RequestContext<RoleServer>,
    ) -> Self {
        let version = context.protocol_version();
        let version = version.as_ref().and_then(|version| {
            ProtocolVersion::KNOWN_VERSIONS.iter().find(|known| *known == version)
        });
        let span = tracing::info_span!(
            "operation",
            otel.kind = "server",
            otel.name = Empty,
            otel.status_code = Empty,
            error.type = Empty,
            gen_ai.operation.name = tool.map(|_| "execute_tool"),
            gen_ai.tool.name = tool,
            mcp.method.name = method,
            mcp.protocol.version = version.map(ProtocolVersion::as_str),
            rpc.response.status_code = Empty,
        );
        match tool {
            Some(tool) => span.record("otel.name", format!("{method} {tool}")),
            None => span.record("otel.name", method),
        };
        let client = context.meta.get_traceparent();
        if let Some(client) = client.and_then(|text| TraceParent::try_from(text).ok()) {
            spans::link(&span, &Span::current());
            spans::set_parent(&span, &client);
        }
        let (tool, token) = (tool.map(str::to_owned), context.ct.clone());
        let is_cancelled = Box::new(move || token.is_cancelled());
        Self { method, tool, span, begun: Instant::now(), is_cancelled }
    }

    async fn observe<T>(
        self,
        work: impl Future<Output = Result<T, ErrorData>>,
        has_failed: fn(&T) -> bool,
    ) -> Result<T, ErrorData> {
        let answer = work.instrument(self.span.clone()).await;
        let error = match &answer {
            _ if (self.is_cancelled)() => Some(metrics::CANCELLED.to_owned()),
            Ok(answer) if has_failed(answer) => Some("tool_error".to_owned()),
            Ok(_) => None,
            Err(error) => {
                let code = error.code.0.to_string();
                self.span.record("rpc.response.status_code", &code);
                Some(code)
            }
        };
        if let Some(error) = &error {
            self.span.record("error.type", error);
            if error != metrics::CANCELLED {
                self.span.record("otel.status_code", "ERROR");
            }
        }
        metrics::mcp_server(self.method, self.tool.as_deref(), error, self.begun.elapsed());
        answer
    }
}

/// Requests that are observed and handed on.
macro_rules! requests {
    ($($(#[$why:meta])? $method:literal $name:ident($($request:ident: $Request:ty)?) -> $Answer:ty;)*) => {
        $(
            $(#[$why])?
            async fn $name(
                &self,
                $($request: $Request,)?
                context: RequestContext<RoleServer>,
            ) -> Result<$Answer, ErrorData> {
                let operation = Operation::begin($method, None, &context);
                operation.observe(self.0.$name($($request,)? context), |_| false).await
            }
        )*
    };
}

/// Notifications, which are handed on.
macro_rules! notifications {
    ($($name:ident($($notification:ident: $Notification:ty)?);)*) => {
        $(
            async fn $name(
                &self,
                $($notification: $Notification,)?
                context: NotificationContext<RoleServer>,
            ) {
                self.0.$name($($notification,)? context).await;
            }
        )*
    };
}

impl<H: ServerHandler> ServerHandler for Observed<H> {
    requests! {
        "completion/complete" complete(request: CompleteRequestParams) -> CompleteResult;
        "initialize" initialize(request: InitializeRequestParams) -> InitializeResult;
        #[expect(deprecated, reason = "earlier revisions have it")]
        "logging/setLevel" set_level(request: SetLevelRequestParams) -> ();
        "ping" ping() -> ();
        "prompts/get" get_prompt(request: GetPromptRequestParams) -> GetPromptResponse;
        "prompts/list" list_prompts(request: Option<PaginatedRequestParams>) -> ListPromptsResult;
        "resources/directory/read" read_resource_directory(
            request: ReadResourceDirectoryRequestParams
        ) -> ReadResourceDirectoryResult;
        "resources/list" list_resources(
            request: Option<PaginatedRequestParams>
        ) -> ListResourcesResult;
        "resources/read" read_resource(request: ReadResourceRequestParams) -> ReadResourceResponse;
        "resources/templates/list" list_resource_templates(
            request: Option<PaginatedRequestParams>
        ) -> ListResourceTemplatesResult;
        "server/discover" discover() -> DiscoverResult;
        "skills/get" get_skill(request: GetSkillRequestParams) -> GetSkillResult;
        "skills/list" list_skills(request: Option<PaginatedRequestParams>) -> ListSkillsResult;
        "tasks/cancel" cancel_task(request: CancelTaskParams) -> ();
        "tasks/get" get_task(request: GetTaskParams) -> GetTaskResult;
        "tasks/update" update_task(request: UpdateTaskParams) -> ();
        "tools/list" list_tools(request: Option<PaginatedRequestParams>) -> ListToolsResult;
        "_OTHER" on_custom_request(request: CustomRequest) -> CustomResult;
        #[expect(deprecated, reason = "earlier revisions have it")]
        "resources/subscribe" subscribe(request: SubscribeRequestParams) -> ();
        #[expect(deprecated, reason = "earlier revisions have it")]
        "resources/unsubscribe" unsubscribe(request: UnsubscribeRequestParams) -> ();
    }

    notifications! {
        on_cancelled(notification: CancelledNotificationParam);
        on_progress(notification: ProgressNotificationParam);
        on_initialized();
        on_roots_list_changed();
        on_custom_notification(notification: CustomNotification);
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = self.0.get_tool(&request.name);
        let name = tool.as_ref().map(|tool| tool.name.as_ref());
        let operation = Operation::begin("tools/call", name, &context);
        operation.observe(self.0.call_tool(request, context), has_failed).await
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.0.listen(context).await
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.0.accepted_subscription_filter(requested)
    }

    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.get_tool(name)
    }

    fn negotiate_initialize(
        &self,
        request: &InitializeRequestParams,
    ) -> Result<InitializeResult, ErrorData> {
        self.0.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.0.supported_protocol_versions()
    }
}

fn has_failed(response: &CallToolResponse) -> bool {
    matches!(response, CallToolResponse::Complete(result) if result.is_error == Some(true))
}

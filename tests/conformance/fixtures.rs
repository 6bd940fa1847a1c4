//! The handler that the suite talks to.
#![expect(deprecated, reason = "the suite still asks for what 2026-07-28 deprecates")]

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
    GetPromptRequestParams, GetPromptResponse, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::content::{result, text, typed};
use crate::dialogue::{Answers, Dialogues};
use crate::{prompts, resources, tools};

type Context = RequestContext<RoleServer>;

/// Everything that the suite calls, lists, reads and gets.
pub(crate) struct Fixtures {
    pub(crate) dialogues: Dialogues,
    changes: broadcast::Sender<Change>,
}

/// A list that is said to have changed.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    Prompts,
    Tools,
}

impl Default for Fixtures {
    fn default() -> Self {
        Self { dialogues: Dialogues::default(), changes: broadcast::Sender::new(16) }
    }
}

impl Fixtures {
    /// Tells all who listen that a list changed.
    pub(crate) fn announce(&self, change: Change) -> Value {
        let listeners = self.changes.send(change).unwrap_or_default();
        text(&format!("{listeners} streams were told."))
    }

    /// What came with a call of a tool.
    pub(crate) fn answers(request: &CallToolRequestParams, context: &Context) -> Answers {
        Answers {
            capabilities: context.client_capabilities().unwrap_or_default(),
            responses: request.input_responses.clone().unwrap_or_default(),
            state: request.request_state.clone(),
        }
    }
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let capabilities = json!({
            "completions": {},
            "logging": {},
            "prompts": { "listChanged": true },
            "resources": { "subscribe": true },
            "tools": { "listChanged": true },
        });
        ServerConfig::new(typed(capabilities).unwrap_or_default())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        tools::list()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::list().ok()?.tools.into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        tools::call(self, request, context).await
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        prompts::list()
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let answers = Answers {
            capabilities: context.client_capabilities().unwrap_or_default(),
            responses: request.input_responses.clone().unwrap_or_default(),
            state: request.request_state.clone(),
        };
        prompts::get(&request, &self.dialogues, &answers)
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        result(json!({ "completion": { "values": ["paris", "park", "party"], "total": 3 } }))
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        resources::list()
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        resources::templates()
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&request.uri).map(ReadResourceResponse::from)
    }

    async fn set_level(
        &self,
        _request: SetLevelRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(
        &self,
        _request: SubscribeRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _request: UnsubscribeRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes.subscribe();
        let accepted = context.accepted();
        let (prompts, tools) = (accepted.prompts_list_changed, accepted.tools_list_changed);
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return Ok(()),
                change = changes.recv() => change,
            };
            let sink = context.sink();
            let told = match change {
                Ok(Change::Prompts) if prompts == Some(true) => {
                    sink.notify_prompt_list_changed().await
                }
                Ok(Change::Tools) if tools == Some(true) => sink.notify_tool_list_changed().await,
                Ok(_) => continue,
                Err(_) => return Ok(()),
            };
            if told.is_err() {
                return Ok(());
            }
        }
    }
}

//! What tools of the suite tell or ask the client while they are at work.

use std::time::Duration;

use rmcp::model::{ClientCapabilities, ClientResult, ProgressNotificationParam, ProtocolVersion};
use rmcp::service::{RequestContext, ServiceError};
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use crate::content::{text, typed};

const PAUSE: Duration = Duration::from_millis(50);

type Context = RequestContext<RoleServer>;

/// Three lines of a log. Since 2026-07-28, nobody gets them who did not ask.
pub(crate) async fn logged(context: &Context) -> Result<Value, ErrorData> {
    let era = context.protocol_version();
    let wanted = era.is_none_or(|version| version < ProtocolVersion::V_2026_07_28)
        || !json!(context.meta)["io.modelcontextprotocol/logLevel"].is_null();
    for line in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        if wanted {
            let params = json!({ "level": "info", "data": line });
            let line = json!({ "method": "notifications/message", "params": params });
            context.peer.send_notification(typed(line)?).await.map_err(|error| gone(&error))?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(text("The log has been written."))
}

/// Progress, if the client gave a token for it.
pub(crate) async fn progressing(context: &Context) -> Result<Value, ErrorData> {
    for percent in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, percent).with_total(100.0);
            context.peer.notify_progress(progress).await.map_err(|error| gone(&error))?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(text("All of it is done."))
}

/// Refuses a client that has no model for us to ask.
pub(crate) fn sampled(context: &Context) -> Result<Value, ErrorData> {
    if can(context, "sampling") {
        return Ok(text("The client has a model."));
    }
    let required: ClientCapabilities = typed(json!({ "sampling": {} }))?;
    Err(ErrorData::missing_required_client_capability(required))
}

/// Asks the client something in the middle of the call, and hands the answer out.
pub(crate) async fn asked(context: &Context, question: Value) -> Result<Value, ErrorData> {
    let capability = question["method"].as_str().and_then(|method| method.split('/').next());
    if !can(context, capability.unwrap_or_default()) {
        return Err(ErrorData::invalid_request("the client cannot be asked this", None));
    }
    let answer = context.peer.send_request(typed(question)?).await.map_err(|error| gone(&error))?;
    Ok(match answer {
        ClientResult::CreateMessageResult(message) => {
            let said = json!(message);
            let said = said["content"]["text"].as_str().unwrap_or_default();
            text(&format!("LLM response: {said}"))
        }
        other => {
            let answer = json!(other);
            let (action, content) = (&answer["action"], &answer["content"]);
            text(&format!("Elicitation completed: action={action}, content={content}"))
        }
    })
}

fn can(context: &Context, capability: &str) -> bool {
    !json!(context.client_capabilities())[capability].is_null()
}

fn gone(error: &ServiceError) -> ErrorData {
    ErrorData::internal_error(format!("the client is not there any more: {error}"), None)
}

//! An independent client that shows our questions to its user (threat 50).

use std::sync::{Arc, Mutex};

use rmcp::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ElicitRequestParams,
    ElicitResult, ElicitationAction, Implementation, ProtocolVersion,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, RequestContext, RoleClient, RunningService,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};

use crate::system::System;

/// A user who answers every question alike, and remembers them.
#[derive(Clone)]
struct User {
    agrees: bool,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ClientHandler for User {
    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, rmcp::ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            panic!("no form: {request:?}");
        };
        self.asked.lock().unwrap().push(message);
        Ok(if self.agrees {
            ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "confirm": true }))
        } else {
            ElicitResult::new(ElicitationAction::Decline)
        })
    }

    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        ClientConfig::new(capabilities, Implementation::new("test", "1"))
    }
}

async fn connect(system: &System, token: &str, user: User) -> RunningService<RoleClient, User> {
    let config = StreamableHttpClientTransportConfig::with_uri(system.url("/mcp"));
    let transport = StreamableHttpClientTransport::from_config(config.auth_header(token));
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions };
    user.serve_with_lifecycle(transport, lifecycle).await.unwrap()
}

async fn call(
    client: &RunningService<RoleClient, User>,
    tool: &'static str,
    arguments: Value,
) -> CallToolResult {
    let arguments = arguments.as_object().unwrap().clone();
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap()
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

#[tokio::test]
async fn a_client_asks_its_user_and_does_what_they_say() {
    let system = System::start().await;
    let token = system.sign_in(&system.client("App").await).await.access_token;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let willing = connect(&system, &token, User { agrees: true, asked: asked.clone() }).await;
    let unwilling = connect(&system, &token, User { agrees: false, asked: asked.clone() }).await;
    let save = |text: &str| json!({ "snippetname": "a", "snippet": text });
    let delete = json!({ "snippetname": "a" });

    let new = call(&unwilling, "save_snippet", save("one")).await;
    let declined = call(&unwilling, "save_snippet", save("two")).await;
    let replaced = call(&willing, "save_snippet", save("three")).await;
    let kept = call(&unwilling, "delete_snippet", delete.clone()).await;
    let deleted = call(&willing, "delete_snippet", delete).await;

    let declining = "The user did not agree, and the snippet named 'a' stays as it is.";
    for (result, says) in [
        (new, "Saved snippet 'a' (3 bytes)."),
        (declined, declining),
        (replaced, "Saved snippet 'a' (5 bytes)."),
        (kept, declining),
        (deleted, "Deleted snippet 'a'."),
    ] {
        assert_eq!(text(&result), says);
        assert_eq!(result.is_error.unwrap(), says == declining);
    }
    assert_eq!(asked.lock().unwrap().len(), 4);
    willing.cancel().await.unwrap();
    unwilling.cancel().await.unwrap();
}

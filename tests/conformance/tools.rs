//! The tools of the suite.

use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use crate::content::{SOUND, embedded, image, result, text};
use crate::dialogue::Turn;
use crate::fixtures::{Change, Fixtures};
use crate::talk::{asked, logged, progressing};
use crate::{questions, talk};

/// `tools/list`.
pub(crate) fn list() -> Result<ListToolsResult, ErrorData> {
    let mut tools: Vec<Value> = PLAIN.iter().map(|name| tool(name, &[])).collect();
    tools.push(tool("test_sampling", &["prompt"]));
    tools.push(tool("test_elicitation", &["message"]));
    let mut with_header = tool("test_custom_header", &["region"]);
    with_header["inputSchema"]["properties"]["region"]["x-mcp-header"] = json!("Region");
    tools.push(with_header);
    let mut with_schema = tool("json_schema_2020_12_tool", &[]);
    with_schema["inputSchema"] = json_schema();
    tools.push(with_schema);
    result(json!({ "tools": tools }))
}

const PLAIN: [&str; 24] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_tool_with_logging",
    "test_error_handling",
    "test_tool_with_progress",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_reconnection",
    "test_missing_capability",
    "test_streaming_elicitation",
    "test_logging_tool",
    "test_trigger_tool_change",
    "test_trigger_prompt_change",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
];

fn tool(name: &str, texts: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        texts.iter().map(|text| ((*text).to_owned(), json!({ "type": "string" }))).collect();
    let schema = json!({ "type": "object", "properties": properties, "required": texts });
    json!({ "name": name, "description": name.replace('_', " "), "inputSchema": schema })
}

fn json_schema() -> Value {
    let words = json!({ "type": "string" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": { "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": { "street": words, "city": words },
        } },
        "properties": {
            "name": words,
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "enum": ["phone", "email"] },
            "phone": words,
            "email": words,
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } } },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}

/// `tools/call`.
pub(crate) async fn call(
    fixtures: &Fixtures,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let name = request.name.to_string();
    let argument = |name: &str| {
        let argument = request.arguments.as_ref().and_then(|arguments| arguments.get(name));
        argument.cloned().unwrap_or_default()
    };
    let content = match name.as_str() {
        "test_tool_with_logging" | "test_logging_tool" => vec![logged(&context).await?],
        "test_tool_with_progress" => vec![progressing(&context).await?],
        "test_missing_capability" => vec![talk::sampled(&context)?],
        "test_sampling" => vec![asked(&context, questions::sampling(&argument("prompt"))).await?],
        "test_elicitation" => {
            vec![asked(&context, questions::elicitation(&argument("message"))).await?]
        }
        "test_elicitation_sep1034_defaults" => vec![asked(&context, questions::defaults()).await?],
        "test_elicitation_sep1330_enums" => vec![asked(&context, questions::enums()).await?],
        "test_trigger_tool_change" => vec![fixtures.announce(Change::Tools)],
        "test_trigger_prompt_change" => vec![fixtures.announce(Change::Prompts)],
        "test_error_handling" => {
            let text = text("This tool intentionally returns an error for testing");
            return outcome(json!({ "content": [text], "isError": true }));
        }
        other => match fixed(other) {
            Some(content) => content,
            None => match fixtures.dialogues.turn(other, &Fixtures::answers(&request, &context))? {
                Some(Turn::Ask(question)) => return Ok(question.into()),
                Some(Turn::Done(told)) => vec![text(&told)],
                None => return Err(ErrorData::invalid_params("there is no such tool", None)),
            },
        },
    };
    outcome(json!({ "content": content }))
}

fn outcome(json: Value) -> Result<CallToolResponse, ErrorData> {
    result::<CallToolResult>(json).map(CallToolResponse::from)
}

/// What a tool answers whoever asks, and whatever for.
fn fixed(name: &str) -> Option<Vec<Value>> {
    let sound = json!({ "type": "audio", "data": SOUND, "mimeType": "audio/wav" });
    let data = json!({ "test": "data", "value": 123 }).to_string();
    let mixed = embedded("test://mixed-content-resource", "application/json", &data);
    let plain = "This is an embedded resource content.";
    Some(match name {
        "test_simple_text" => vec![text("This is a simple text response for testing.")],
        "test_image_content" => vec![image()],
        "test_audio_content" => vec![sound],
        "test_embedded_resource" => {
            vec![embedded("test://embedded-resource", "text/plain", plain)]
        }
        "test_multiple_content_types" => {
            vec![text("Multiple content types test:"), image(), mixed]
        }
        "test_custom_header" | "json_schema_2020_12_tool" => vec![text("The arguments fit.")],
        // An answer is never split here, so there is nothing to come back for.
        "test_reconnection" => vec![text("Reconnection was not needed.")],
        _ => return None,
    })
}

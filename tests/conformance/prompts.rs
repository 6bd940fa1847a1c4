//! The prompts of the suite.

use rmcp::ErrorData;
use rmcp::model::{GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListPromptsResult};
use serde_json::{Value, json};

use crate::content::{embedded, image, result, text};
use crate::dialogue::{Answers, Dialogues, Turn};

/// `prompts/list`.
pub(crate) fn list() -> Result<ListPromptsResult, ErrorData> {
    let argument = |name: &str| json!({ "name": name, "description": name, "required": true });
    let prompt = |name: &str, description: &str, arguments: &[&str]| {
        let arguments: Vec<Value> = arguments.iter().map(|name| argument(name)).collect();
        json!({ "name": name, "description": description, "arguments": arguments })
    };
    result(json!({ "prompts": [
        prompt("test_simple_prompt", "A text", &[]),
        prompt("test_prompt_with_arguments", "A text with two arguments", &["arg1", "arg2"]),
        prompt("test_prompt_with_embedded_resource", "A resource", &["resourceUri"]),
        prompt("test_prompt_with_image", "A picture", &[]),
        prompt("test_input_required_result_prompt", "Asks for its context", &[]),
    ] }))
}

/// `prompts/get`.
pub(crate) fn get(
    request: &GetPromptRequestParams,
    dialogues: &Dialogues,
    answers: &Answers,
) -> Result<GetPromptResponse, ErrorData> {
    let argument = |name: &str| {
        let argument = request.arguments.as_ref().and_then(|arguments| arguments.get(name));
        argument.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let contents = match request.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (one, other) = (argument("arg1"), argument("arg2"));
            vec![text(&format!("Prompt with arguments: arg1='{one}', arg2='{other}'"))]
        }
        "test_prompt_with_embedded_resource" => vec![
            embedded(
                &argument("resourceUri"),
                "text/plain",
                "Embedded resource content for testing.",
            ),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![image(), text("Please analyze the image above.")],
        name => match dialogues.turn(name, answers)? {
            Some(Turn::Ask(question)) => return Ok(question.into()),
            Some(Turn::Done(told)) => vec![text(&told)],
            None => return Err(ErrorData::invalid_params("there is no such prompt", None)),
        },
    };
    let messages: Vec<Value> =
        contents.into_iter().map(|content| json!({ "role": "user", "content": content })).collect();
    let result: GetPromptResult = result(json!({ "messages": messages }))?;
    Ok(result.into())
}

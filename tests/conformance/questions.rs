//! What the suite wants clients to be asked in the middle of a call, before 2026-07-28.

use serde_json::{Value, json};

/// A question to the client's model.
pub(crate) fn sampling(prompt: &Value) -> Value {
    let content = json!({ "type": "text", "text": prompt });
    let params = json!({ "messages": [{ "role": "user", "content": content }], "maxTokens": 100 });
    json!({ "method": "sampling/createMessage", "params": params })
}

/// A question to the user.
pub(crate) fn elicitation(message: &Value) -> Value {
    let field = |description: &str| json!({ "type": "string", "description": description });
    let fields = json!({
        "username": field("User's response"),
        "email": field("User's email address"),
    });
    form(message, &fields, &["username", "email"])
}

/// A form with something filled in for each kind of field (SEP-1034).
pub(crate) fn defaults() -> Value {
    let states = ["active", "inactive", "pending"];
    let fields = json!({
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": { "type": "string", "enum": states, "default": "active" },
        "verified": { "type": "boolean", "default": true },
    });
    form(&json!("Please check what is filled in"), &fields, &[])
}

/// A form with each way to choose (SEP-1330).
pub(crate) fn enums() -> Value {
    let options = ["option1", "option2", "option3"];
    let titled = |noun: &str| {
        let numbered = [("value1", "First"), ("value2", "Second"), ("value3", "Third")];
        json!(
            numbered
                .map(|(value, nth)| json!({ "const": value, "title": format!("{nth} {noun}") }))
        )
    };
    let names = ["Option One", "Option Two", "Option Three"];
    let fields = json!({
        "untitledSingle": { "type": "string", "enum": options },
        "titledSingle": { "type": "string", "oneOf": titled("Option") },
        "legacyEnum": { "type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": names },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled("Choice") } },
    });
    form(&json!("Please choose"), &fields, &[])
}

fn form(message: &Value, fields: &Value, required: &[&str]) -> Value {
    let schema = json!({ "type": "object", "properties": fields, "required": required });
    let params = json!({ "message": message, "requestedSchema": schema });
    json!({ "method": "elicitation/create", "params": params })
}

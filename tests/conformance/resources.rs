//! The resources of the suite.

use rmcp::ErrorData;
use rmcp::model::{ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult};
use serde_json::{Value, json};

use crate::content::{IMAGE, result};

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
const WATCHED: &str = "test://watched-resource";

/// `resources/list`.
pub(crate) fn list() -> Result<ListResourcesResult, ErrorData> {
    let resource = |uri: &str, mime_type: &str, description: &str| json!({ "uri": uri, "name": uri, "description": description, "mimeType": mime_type });
    result(json!({ "resources": [
        resource(TEXT, "text/plain", "A text that stays the same"),
        resource(BINARY, "image/png", "A picture that stays the same"),
        resource(WATCHED, "text/plain", "A text that can be subscribed to"),
    ] }))
}

/// `resources/templates/list`.
pub(crate) fn templates() -> Result<ListResourceTemplatesResult, ErrorData> {
    result(json!({ "resourceTemplates": [{
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "description": "Data by its id",
        "mimeType": "application/json",
    }] }))
}

/// `resources/read`.
pub(crate) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let content = content(uri).ok_or_else(|| {
        ErrorData::invalid_params("Resource not found", Some(json!({ "uri": uri })))
    })?;
    result(json!({ "contents": [content] }))
}

fn content(uri: &str) -> Option<Value> {
    let text = |mime_type: &str, text: &str| {
        Some(json!({ "uri": uri, "mimeType": mime_type, "text": text }))
    };
    match uri {
        TEXT => text("text/plain", "This is the content of the static text resource."),
        BINARY => Some(json!({ "uri": uri, "mimeType": "image/png", "blob": IMAGE })),
        WATCHED => text("text/plain", "Nothing happened yet."),
        _ => {
            let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
            let data = format!("Data for ID: {id}");
            let data = json!({ "id": id, "templateTest": true, "data": data });
            text("application/json", &data.to_string())
        }
    }
}

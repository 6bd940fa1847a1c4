//! What the fixtures hand out.

use rmcp::ErrorData;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A red pixel, as PNG.
pub(crate) const IMAGE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4oCAAAAKUAPHrl2sSAAAAAElFTkSuQmCC";
/// Two samples of silence, as WAV.
pub(crate) const SOUND: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==";

/// A text.
pub(crate) fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The red pixel.
pub(crate) fn image() -> Value {
    json!({ "type": "image", "data": IMAGE, "mimeType": "image/png" })
}

/// A resource within a message.
pub(crate) fn embedded(uri: &str, mime_type: &str, text: &str) -> Value {
    let resource = json!({ "uri": uri, "mimeType": mime_type, "text": text });
    json!({ "type": "resource", "resource": resource })
}

/// `json` in the type of the protocol.
///
/// # Errors
/// The fixture is no such thing.
pub(crate) fn typed<T: DeserializeOwned>(json: Value) -> Result<T, ErrorData> {
    serde_json::from_value(json).map_err(|error| {
        ErrorData::internal_error(format!("the fixture does not fit its type: {error}"), None)
    })
}

/// `json` as a result, which says since 2026-07-28 that it is a whole one.
///
/// # Errors
/// The fixture is no such result.
pub(crate) fn result<T: DeserializeOwned>(mut json: Value) -> Result<T, ErrorData> {
    json["resultType"] = "complete".into();
    typed(json)
}

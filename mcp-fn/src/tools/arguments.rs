//! What the tools are called with. The comments on fields are what a model reads about them.

use schemars::JsonSchema;
use serde::Deserialize;

/// Of `delete_snippet`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteSnippet {
    /// The name of the snippet.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub(super) snippetname: String,
    /// Whether the user has agreed that the snippet is deleted. Leave it out unless an answer of
    /// this tool asks for it.
    #[serde(default)]
    pub(super) confirm: bool,
}

/// Of `get_snippet`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedSnippet {
    /// The name of the snippet.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub(super) snippetname: String,
}

/// Of `save_snippet`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaveSnippet {
    /// The name to save it under: 1 to 128 letters, digits, '.', '_' or '-'.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub(super) snippetname: String,
    /// The text itself: at most 1 MiB of UTF-8.
    #[schemars(length(max = 1_048_576))]
    pub(super) snippet: String,
    /// Whether the user has agreed that the text which the name has now is replaced. Leave it out
    /// unless an answer of this tool asks for it.
    #[serde(default)]
    pub(super) confirm: bool,
}

/// Of `list_snippets`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListSnippets {
    /// The `next_cursor` of the answer before, to go on from there; leave it out to begin.
    // Some model providers take no `null` among the types of an argument.
    #[serde(default)]
    #[schemars(with = "String")]
    pub(super) cursor: Option<String>,
}

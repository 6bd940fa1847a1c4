//! What the tools answer: a text for people, and the same as data by the tool's output schema.

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, InputRequiredResult};
use schemars::JsonSchema;
use serde::Serialize;
use shared::clock::UnixTime;
use shared::session::Session;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::snippets::{SnippetEntry, SnippetName, SnippetPage, SnippetText};

/// A text, and the data that says the same.
pub(super) struct Answer<T> {
    text: String,
    data: T,
}

impl<T: Serialize> IntoCallToolResult for Answer<T> {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let data = serde_json::to_value(self.data)
            .map_err(|_| ErrorData::internal_error("internal error", None))?;
        let mut result = CallToolResult::success(vec![ContentBlock::text(self.text)]);
        result.structured_content = Some(data);
        Ok(result.into())
    }
}

/// What a tool answers that may have to ask first.
pub(super) enum Reply<T> {
    /// The tool has done it.
    Answer(Answer<T>),
    /// The user must be asked.
    Question(InputRequiredResult),
}

impl<T: Serialize> IntoCallToolResult for Reply<T> {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        match self {
            Self::Answer(answer) => answer.into_call_tool_result(),
            Self::Question(question) => Ok(question.into()),
        }
    }
}

/// Of `hello_mcp`.
#[derive(JsonSchema, Serialize)]
pub(super) struct Greeting {
    /// The greeting.
    message: String,
}

impl Answer<Greeting> {
    pub(super) fn greeting() -> Self {
        let text = "Hello I am MCPTool!".to_owned();
        Self { data: Greeting { message: text.clone() }, text }
    }
}

/// Of `save_snippet`.
#[derive(JsonSchema, Serialize)]
pub(super) struct Saved {
    /// The name that it was saved under.
    snippetname: String,
    /// The length of the text in bytes of UTF-8.
    #[schemars(transform = without_format)]
    bytes: usize,
}

impl Answer<Saved> {
    pub(super) fn saved(name: &SnippetName, text: &SnippetText) -> Self {
        let bytes = text.as_str().len();
        Self {
            text: format!("Saved snippet '{name}' ({bytes} bytes)."),
            data: Saved { snippetname: name.to_string(), bytes },
        }
    }
}

/// Of `get_snippet`.
#[derive(JsonSchema, Serialize)]
pub(super) struct WholeSnippet {
    /// The name of the snippet.
    snippetname: String,
    /// Its text, exactly as it was saved.
    snippet: String,
}

impl Answer<WholeSnippet> {
    pub(super) fn whole_snippet(name: &SnippetName, text: &SnippetText) -> Self {
        let text = text.as_str().to_owned();
        Self { data: WholeSnippet { snippetname: name.to_string(), snippet: text.clone() }, text }
    }
}

/// Of `list_snippets`.
#[derive(JsonSchema, Serialize)]
pub(super) struct SnippetList {
    /// The snippets, in the order of their names.
    snippets: Vec<ListedSnippet>,
    /// Where the next call goes on; absent if these are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("type" = "string"))]
    next_cursor: Option<String>,
}

/// One of `list_snippets`.
#[derive(JsonSchema, Serialize)]
struct ListedSnippet {
    /// Its name.
    snippetname: String,
    /// The length of its text in bytes of UTF-8.
    #[schemars(transform = without_format)]
    bytes: u64,
}

impl Answer<SnippetList> {
    pub(super) fn list(page: SnippetPage) -> Self {
        let mut lines: Vec<_> = page.snippets.iter().map(line).collect();
        if lines.is_empty() {
            lines.push("There are no snippets.".to_owned());
        }
        if let Some(next) = &page.next {
            lines.push(format!("There are more: call again with cursor '{next}'."));
        }
        let snippets = page
            .snippets
            .into_iter()
            .map(|entry| ListedSnippet { snippetname: entry.name.to_string(), bytes: entry.bytes });
        let next_cursor = page.next.map(|next| next.to_string());
        Self {
            text: lines.join("\n"),
            data: SnippetList { snippets: snippets.collect(), next_cursor },
        }
    }
}

fn line(entry: &SnippetEntry) -> String {
    format!("{} ({} bytes)", entry.name, entry.bytes)
}

/// Of `delete_snippet`.
#[derive(JsonSchema, Serialize)]
pub(super) struct Deleted {
    /// The name whose snippet is gone.
    snippetname: String,
}

impl Answer<Deleted> {
    pub(super) fn deleted(name: &SnippetName) -> Self {
        Self {
            text: format!("Deleted snippet '{name}'."),
            data: Deleted { snippetname: name.to_string() },
        }
    }
}

/// Of `whoami`.
#[derive(JsonSchema, Serialize)]
pub(super) struct Who {
    /// The name of the signed-in user.
    name: String,
    /// The identifier of the user's tenant in Microsoft Entra ID.
    tenant: String,
    /// The identifier of the MCP client.
    client_id: String,
    /// The name that the MCP client gave itself.
    client_name: String,
    /// What the user allowed the client to do.
    scopes: Vec<String>,
    /// When the access token ends, as in RFC 3339.
    expires_at: String,
    /// Seconds until the access token ends.
    #[schemars(transform = without_format)]
    expires_in: u64,
}

impl Answer<Who> {
    pub(super) fn who(session: &Session, now: UnixTime) -> Self {
        let Session { identity, client_id, client_name, scopes, expires_at, .. } = session;
        let data = Who {
            name: identity.name.clone(),
            tenant: identity.tenant_id.as_str().to_owned(),
            client_id: client_id.clone(),
            client_name: client_name.clone(),
            scopes: scopes.iter().map(|scope| scope.to_string()).collect(),
            expires_at: rfc3339(*expires_at),
            expires_in: expires_at.since(now).as_secs(),
        };
        let allowed = if scopes.is_empty() { "none".to_owned() } else { scopes.to_string() };
        let text = format!(
            "Signed in as {} (tenant {}) through {}. Scopes: {allowed}. \
             The access token ends at {}, in {} seconds.",
            data.name, data.tenant, data.client_name, data.expires_at, data.expires_in,
        );
        Self { text, data }
    }
}

fn rfc3339(moment: UnixTime) -> String {
    let seconds = i64::try_from(moment.as_secs()).unwrap_or(i64::MAX);
    let date = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::seconds(seconds));
    date.format(&Rfc3339).unwrap_or_default()
}

/// JSON Schema has no formats for integers, and clients warn of those that Rust's types bring.
fn without_format(schema: &mut schemars::Schema) {
    schema.remove("format");
}

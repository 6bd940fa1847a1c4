//! How each MCP client is pointed at this server, ready to copy.

use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;

/// What a user copies to connect one client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientSetup {
    /// The client's name.
    pub client: &'static str,
    /// Where the text goes: a file, or a terminal.
    pub place: &'static str,
    /// The text to copy.
    pub text: String,
}

impl ClientSetup {
    /// The setups of all clients that we have words for, the general form last.
    pub fn all(base_url: &PublicBaseUrl) -> [Self; 5] {
        let url = base_url.resource();
        let typed = json!({ "snippets": { "type": "http", "url": url } });
        let untyped = json!({ "snippets": { "url": url } });
        let add = format!("claude mcp add --transport http snippets {url}");
        let inspect = format!(
            "npx @modelcontextprotocol/inspector --cli --server-url {url} --transport http \
             --method tools/list"
        );
        [
            Self::file("VS Code", ".vscode/mcp.json", &json!({ "servers": typed })),
            Self::command("Claude Code", "In a terminal", add),
            Self::file("Cursor", "~/.cursor/mcp.json", &json!({ "mcpServers": untyped })),
            Self::command("MCP Inspector", "In a terminal, with Node.js 22.19 or later", inspect),
            Self::file(
                "Any other client",
                "In its configuration file",
                &json!({ "mcpServers": typed }),
            ),
        ]
    }

    fn file(client: &'static str, place: &'static str, content: &Value) -> Self {
        Self { client, place, text: format!("{content:#}") }
    }

    fn command(client: &'static str, place: &'static str, text: String) -> Self {
        Self { client, place, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setups() -> [ClientSetup; 5] {
        ClientSetup::all(&PublicBaseUrl::try_from("https://gateway.example.com").unwrap())
    }

    #[test]
    fn each_setup_names_the_mcp_endpoint_once() {
        for setup in setups() {
            let times = setup.text.matches("https://gateway.example.com/mcp").count();

            assert_eq!(times, 1, "{}", setup.client);
        }
    }

    #[test]
    fn a_configuration_is_json_in_the_shape_that_its_client_reads() {
        let url = "https://gateway.example.com/mcp";
        let [vs_code, _, cursor, _, any] =
            setups().map(|setup| serde_json::from_str::<Value>(&setup.text).unwrap_or_default());

        let with_type = json!({ "snippets": { "type": "http", "url": url } });
        assert_eq!(vs_code, json!({ "servers": with_type }));
        assert_eq!(cursor, json!({ "mcpServers": { "snippets": { "url": url } } }));
        assert_eq!(any, json!({ "mcpServers": with_type }));
    }

    #[test]
    fn a_command_is_one_line() {
        for setup in setups().iter().filter(|setup| !setup.text.starts_with('{')) {
            assert!(!setup.text.contains('\n'), "{}", setup.client);
        }
    }
}

//! What holds for every tool: its description, its schemas, and its silence in the log.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

use crate::testing::TestServer;

const BOTH: &str = "snippets:read snippets:write";

#[tokio::test]
async fn the_six_tools_tell_what_they_do_take_and_answer() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    let listed = server.ask(&token, "tools/list", json!({})).await.json();
    let tools = listed["result"]["tools"].as_array().unwrap();

    let table: Vec<_> = tools
        .iter()
        .map(|tool| {
            assert!(tool["title"].is_string() && tool["description"].is_string(), "{tool}");
            assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
            assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
            assert!(!tool["outputSchema"].to_string().contains("\"format\""), "{tool}");
            // Some model providers do not take it among the types of a schema.
            assert!(!tool.to_string().contains("\"null\""), "{tool}");
            assert_eq!(tool["annotations"]["openWorldHint"], false, "{tool}");
            assert_eq!(tool["annotations"]["idempotentHint"], true, "{tool}");
            let read_only = tool["annotations"]["readOnlyHint"].as_bool().unwrap();
            assert_eq!(tool["annotations"]["destructiveHint"], !read_only, "{tool}");
            (tool["name"].as_str().unwrap(), read_only, tool["inputSchema"]["required"].clone())
        })
        .collect();
    assert_eq!(
        table,
        [
            ("delete_snippet", false, json!(["snippetname"])),
            ("get_snippet", true, json!(["snippetname"])),
            ("hello_mcp", true, Value::Null),
            ("list_snippets", true, Value::Null),
            ("save_snippet", false, json!(["snippetname", "snippet"])),
            ("whoami", true, Value::Null),
        ]
    );
}

#[tokio::test]
async fn whatever_is_shown_has_a_title_and_a_picture_that_loads_nothing() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let snippet = json!({"snippetname": "a", "snippet": "text"});
    server.call(&token, "save_snippet", snippet).await;
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    });

    let initialized = server.ask(&token, "initialize", params).await.json();
    let discovered = server.ask_modern(&token, "server/discover", json!({})).await.json();
    let mut shown = vec![initialized["result"]["serverInfo"].clone()];
    shown.push(discovered["result"]["_meta"]["io.modelcontextprotocol/serverInfo"].clone());
    for (method, member) in [
        ("tools/list", "tools"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        let listed = server.ask(&token, method, json!({})).await.json();
        shown.extend(listed["result"][member].as_array().unwrap().iter().cloned());
    }

    assert_eq!(shown.len(), 10);
    for it in shown {
        assert!(it["title"].is_string(), "{it}");
        assert_eq!(it["icons"].as_array().unwrap().len(), 1, "{it}");
        let icon = &it["icons"][0];
        assert_eq!(icon["mimeType"], "image/svg+xml");
        assert_eq!(icon["sizes"], json!(["any"]));
        let picture = icon["src"].as_str().unwrap();
        let picture = picture.strip_prefix("data:image/svg+xml;base64,").unwrap();
        let picture = String::from_utf8(BASE64.decode(picture.as_bytes()).unwrap()).unwrap();
        let namespace = "<svg xmlns=\"http://www.w3.org/2000/svg\" ";
        let drawing = picture.strip_prefix(namespace).unwrap();
        assert!(drawing.ends_with("</svg>"), "{picture}");
        for what_acts_or_loads in ["://", "href", "url(", "script", "style", " on", "import"] {
            assert!(!drawing.contains(what_acts_or_loads), "{picture}");
        }
    }
}

#[tokio::test]
async fn the_data_of_every_answer_has_all_that_its_schema_requires() {
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;
    let listed = server.ask(&token, "tools/list", json!({})).await.json();

    for (tool, arguments) in [
        ("hello_mcp", json!({})),
        ("save_snippet", json!({"snippetname": "a", "snippet": "text"})),
        ("get_snippet", json!({"snippetname": "a"})),
        ("list_snippets", json!({})),
        ("delete_snippet", json!({"snippetname": "a", "confirm": true})),
        ("whoami", json!({})),
    ] {
        let tools = listed["result"]["tools"].as_array().unwrap();
        let schema = &tools.iter().find(|known| known["name"] == tool).unwrap()["outputSchema"];
        let data = &server.call(&token, tool, arguments).await["structuredContent"];

        for required in schema["required"].as_array().unwrap() {
            assert!(!data[required.as_str().unwrap()].is_null(), "{tool}: {required} in {data}");
        }
        for member in data.as_object().unwrap().keys() {
            assert!(schema["properties"][member].is_object(), "{tool}: {member} in {schema}");
        }
    }
}

#[tokio::test]
async fn neither_snippets_nor_tokens_are_logged_and_a_fault_is_logged_once_with_its_cause() {
    let log = Log::default();
    let format = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    let ours = Targets::new()
        .with_target("mcp_fn", LevelFilter::TRACE)
        .with_target("shared", LevelFilter::TRACE);
    let guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(ours).with(format));
    let server = TestServer::new();
    let token = server.sign_in("ann", BOTH).await;

    let arguments = json!({"snippetname": "a", "snippet": "CONFIDENTIAL"});
    server.call(&token, "save_snippet", arguments).await;
    server.call(&token, "get_snippet", json!({"snippetname": "a"})).await;
    server.ask(&token.replace("mcp_at_", "mcp_at_A"), "ping", json!({})).await;
    server.snippets.broken.store(true, Ordering::Relaxed);
    server.refusal(&token, "get_snippet", json!({"snippetname": "a"})).await;
    drop(guard);

    let log = log.text();
    assert_eq!(log.matches("connection refused").count(), 1, "{log}");
    assert_eq!(log.matches("token refused").count(), 1, "{log}");
    assert!(!log.contains("CONFIDENTIAL"), "{log}");
    assert!(!log.contains(&token["mcp_at_".len()..]), "{log}");
}

/// Lines of log, kept.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

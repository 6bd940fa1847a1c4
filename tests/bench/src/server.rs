//! The MCP servers that are measured: how each is started, and what it must answer.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::connection::{Answer, Connection};
use crate::process::{Process, Program, free_port};

/// The least users that may hold 10,000 streams.
pub(crate) const USERS: usize = 40;

/// As long as a token of ours.
const TOKEN_OF_PEERS: &str = concat!(
    "mcp_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
);

/// What every server says.
const GREETING: &str = "Hello I am MCPTool!";

/// A server that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    /// How long it has to be busy before it is as fast as it gets.
    pub(crate) warm_up: Duration,
    file: PathBuf,
    /// What comes before the port.
    arguments: Vec<String>,
    settings: Vec<(String, String)>,
    tokens: Tokens,
}

/// Where the tokens of its users come from.
#[derive(Clone, Debug)]
enum Tokens {
    /// They are these.
    Known(Vec<String>),
    /// It prints one a user.
    Printed(usize),
    /// It takes this one as an argument.
    Told,
}

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) tokens: Vec<String>,
    /// From its start to its first good answer.
    pub(crate) came_up_in: Duration,
}

impl Server {
    /// A peer, which takes a port and the token to compare with, after `arguments`.
    pub(crate) fn peer(name: &'static str, file: &Path, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let (file, settings) = (file.to_owned(), Vec::new());
        let warm_up = Duration::from_millis(500);
        Self { name, warm_up, file, arguments, settings, tokens: Tokens::Told }
    }

    /// mcp-fn on the embedded store, which prints the tokens of its users.
    pub(crate) fn in_memory(name: &'static str, file: &Path) -> Self {
        Self { tokens: Tokens::Printed(USERS), ..Self::peer(name, file, &[]) }
    }

    /// mcp-fn as it is deployed.
    pub(crate) fn deployed(
        name: &'static str,
        file: &Path,
        settings: Vec<(String, String)>,
        tokens: Vec<String>,
    ) -> Self {
        Self { settings, tokens: Tokens::Known(tokens), ..Self::peer(name, file, &[]) }
    }

    /// The same with these settings.
    pub(crate) fn told(self, settings: Vec<(String, String)>) -> Self {
        Self { settings, ..self }
    }

    /// The same, with time to compile what it runs.
    pub(crate) fn warmed_up_for(self, warm_up: Duration) -> Self {
        Self { warm_up, ..self }
    }

    /// Starts it, and waits until it has answered.
    pub(crate) async fn start(&self, core: &'static str) -> Running {
        let process = self.spawn(core);
        let mut running = Running {
            name: self.name,
            process,
            tokens: self.tokens_told(),
            came_up_in: Duration::ZERO,
        };
        if let Tokens::Printed(users) = self.tokens {
            let printed = async |process: &Process| tokens_in(&process.printed(), users);
            running.tokens = running.process.wait_for(printed).await;
        }
        let request = running.request();
        let answers = async |process: &Process| {
            let mut connection = Connection::open(process.address).await.ok()?;
            let answer = connection.exchange(&request).await.ok()?;
            Some(greets(&answer)).filter(|greets| *greets)
        };
        running.process.wait_for(answers).await;
        running.came_up_in = running.process.began.elapsed();
        running
    }

    /// Starts it, and waits until it listens: for one that serves HTTP+SSE alone.
    pub(crate) async fn start_to_listen(&self, core: &'static str) -> Running {
        let mut process = self.spawn(core);
        process.wait_until_it_listens().await;
        let came_up_in = process.began.elapsed();
        Running { name: self.name, process, tokens: self.tokens_told(), came_up_in }
    }

    /// Whether it can be waited for with a call of the tool.
    pub(crate) fn prints_tokens(&self) -> bool {
        matches!(self.tokens, Tokens::Printed(_))
    }

    fn spawn(&self, core: &'static str) -> Process {
        let port = free_port();
        let mut arguments = self.arguments.clone();
        arguments.push(port.to_string());
        match &self.tokens {
            Tokens::Told => arguments.push(TOKEN_OF_PEERS.to_owned()),
            Tokens::Printed(users) => arguments.push(users.to_string()),
            Tokens::Known(_) => {}
        }
        let (name, file) = (self.name.to_owned(), self.file.clone());
        Process::start(
            &Program { name, file, arguments, settings: self.settings.clone(), core },
            port,
        )
    }

    fn tokens_told(&self) -> Vec<String> {
        match &self.tokens {
            Tokens::Told => vec![TOKEN_OF_PEERS.to_owned()],
            Tokens::Known(tokens) => tokens.clone(),
            Tokens::Printed(_) => Vec::new(),
        }
    }
}

impl Running {
    /// A call of `hello_mcp`.
    pub(crate) fn request(&self) -> Vec<u8> {
        let call = json!({ "name": "hello_mcp", "arguments": {} });
        post(self.process.address, "/mcp", &self.tokens[0], &message(Some(1), "tools/call", &call))
    }
}

/// A message of JSON-RPC.
pub(crate) fn message(id: Option<u64>, method: &str, params: &Value) -> String {
    let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
    if let Some(id) = id {
        message["id"] = id.into();
    }
    message.to_string()
}

/// A request that posts `message` to `path` at `host`.
pub(crate) fn post(host: SocketAddr, path: &str, token: &str, message: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n\
         mcp-protocol-version: 2025-11-25\r\ncontent-length: {}\r\n\r\n{message}",
        message.len()
    )
    .into_bytes()
}

/// Whether the answer is the one to a call of `hello_mcp`.
pub(crate) fn greets(answer: &Answer<'_>) -> bool {
    let body = serde_json::from_slice::<Value>(answer.body).unwrap_or_default();
    let (result, content) = (&body["result"], &body["result"]["content"]);
    answer.status == 200
        && body["id"] == 1
        && result["isError"] != true
        && content.as_array().is_some_and(|content| content.len() == 1)
        && content[0]["text"] == GREETING
}

fn tokens_in(printed: &str, users: usize) -> Option<Vec<String>> {
    let whole = printed.rsplit_once('\n')?.0;
    let tokens = whole.lines().filter(|line| line.starts_with("mcp_at_"));
    let tokens: Vec<String> = tokens.map(str::to_owned).collect();
    (tokens.len() == users).then_some(tokens)
}

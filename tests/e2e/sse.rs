//! HTTP+SSE through the gateway (MCP 2024-11-05): events come one by one while the stream is open.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::client::Browser;
use crate::system::{Answer, System};
use crate::traced;

/// More than any event takes, on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// A stream as a client holds it.
struct Stream {
    response: Response,
    unread: String,
    /// Where its first event said that messages go.
    address: String,
}

impl Stream {
    async fn open(system: &System, access_token: &str) -> Self {
        let request = system.http.get(system.url("/mcp/sse"));
        let request = request.header(AUTHORIZATION, format!("Bearer {access_token}"));
        let response = request.header("Accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut stream = Self { response, unread: String::new(), address: String::new() };
        let first = stream.event().await;
        let address = first.split("data: ").nth(1).unwrap();
        assert!(first.contains("event: endpoint\n"), "{first}");
        address.clone_into(&mut stream.address);
        stream
    }

    /// The next event, without the empty line at its end.
    async fn event(&mut self) -> String {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.unread = rest;
                return event;
            }
            let piece = timeout(LONG, self.response.chunk()).await.unwrap();
            self.unread.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
        }
    }

    async fn answer(&mut self) -> Value {
        let event = self.event().await;
        traced::received(self.response.headers(), &event);
        serde_json::from_str(event.strip_prefix("event: message\ndata: ").unwrap()).unwrap()
    }

    async fn post(&self, system: &System, access_token: &str, message: &Value) -> Answer {
        // Relative to the stream, as browsers would resolve it.
        let stream = url::Url::parse(&system.url("/mcp/sse")).unwrap();
        let request = system.http.post(stream.join(&self.address).unwrap()).json(message);
        Answer::of(request.header(AUTHORIZATION, format!("Bearer {access_token}"))).await
    }
}

fn call(id: u32, tool: &str, arguments: &Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

#[tokio::test]
async fn a_client_of_2024_11_05_is_served_over_a_stream() {
    let system = System::start().await;
    let client = system.client("App").await;
    let token = system.sign_in(&client).await.access_token;
    let mut stream = Stream::open(&system, &token).await;
    let params = json!({
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let saved = json!({ "snippetname": "a", "snippet": "two\nlines" });

    let mut answers = Vec::new();
    for message in [
        initialize,
        call(1, "save_snippet", &saved),
        call(2, "get_snippet", &json!({ "snippetname": "a" })),
    ] {
        let taken = stream.post(&system, &token, &message).await;
        assert_eq!((taken.status, taken.body.as_str()), (StatusCode::ACCEPTED, ""));
        answers.push(stream.answer().await);
    }

    assert_eq!(answers[0]["result"]["protocolVersion"], "2024-11-05");
    assert_eq!(answers[1]["result"]["isError"], false, "{}", answers[1]);
    assert_eq!(answers[2]["result"]["structuredContent"]["snippet"], "two\nlines");
}

#[tokio::test]
async fn a_stolen_stream_is_of_no_use_to_another_user() {
    let system = System::start().await;
    let client = system.client("App").await;
    let alices = system.sign_in(&client).await.access_token;
    let code = Browser::new().code_as(&system, &client, "bob").await;
    let bobs = system.redeem(&client, &code).await.tokens().access_token;
    let stream = Stream::open(&system, &alices).await;

    let message = call(1, "whoami", &json!({}));
    let refused = stream.post(&system, &bobs, &message).await;

    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.body);
    assert_eq!(stream.post(&system, &alices, &message).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn both_paths_lead_a_client_without_a_token_to_one() {
    let system = System::start().await;
    for answer in [
        system.get("/mcp/sse").await,
        system.request(reqwest::Method::POST, "/mcp/message?sessionId=x").await,
    ] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let metadata = system.url("/.well-known/oauth-protected-resource/mcp");
        assert!(answer.header("www-authenticate").unwrap().contains(&metadata));
    }
}

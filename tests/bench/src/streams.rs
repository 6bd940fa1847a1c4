//! Streams of HTTP+SSE: what each one that is held open costs in memory, and how long an event takes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::process::SERVER_CORE;
use crate::server::{Running, Server, message, post};

/// So many streams are opened at once.
const AT_ONCE: usize = 32;

/// How long a server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(2);

/// More than this no user of ours may hold.
const STREAMS_OF_ONE: usize = 250;

/// How many clients call at once.
const CALLERS: usize = 16;

/// Kilobytes for each of so many streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) streams: usize,
    pub(crate) kilobytes: f64,
}

/// How long an event takes that answers a message, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Events {
    pub(crate) median: f64,
    pub(crate) percentile_99: f64,
}

/// What `server` holds for each stream when there are so many, for each of `numbers`.
pub(crate) async fn held(server: &Server, numbers: &[usize]) -> Vec<Held> {
    let running = start(server).await;
    // What comes with the first one is not counted.
    drop(open(&running, 0).await);
    sleep(REST).await;
    let before = running.process.memory();
    let (mut streams, mut held) = (Vec::new(), Vec::new());
    for &number in numbers {
        while streams.len() < number {
            let next = streams.len()..number.min(streams.len() + AT_ONCE);
            streams.extend(join_all(next.map(|index| open(&running, index))).await);
        }
        sleep(REST).await;
        let grown = running.process.memory().saturating_sub(before);
        let streams = u32::try_from(number).unwrap();
        let kilobytes = grown as f64 / 1024.0 / f64::from(streams);
        held.push(Held { streams: number, kilobytes });
    }
    held
}

/// How long `server` takes from a message to the event that answers it.
pub(crate) async fn events(server: &Server, time: Duration) -> Events {
    let running = start(server).await;
    let mut callers = JoinSet::new();
    for index in 0..CALLERS {
        let caller = Caller::open(&running, index).await;
        callers.spawn(caller.call_for(server.warm_up, time));
    }
    let mut times = callers.join_all().await.concat();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Events {
        median: milliseconds(times[times.len() / 2]),
        percentile_99: milliseconds(times[times.len() * 99 / 100]),
    }
}

async fn start(server: &Server) -> Running {
    if server.prints_tokens() {
        server.start(SERVER_CORE).await
    } else {
        server.start_to_listen(SERVER_CORE).await
    }
}

/// A stream, and where it says that messages go.
async fn open(server: &Running, index: usize) -> (Connection, String) {
    let token = &server.tokens[index / STREAMS_OF_ONE % server.tokens.len()];
    let request = format!(
        "GET /mcp/sse HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         accept: text/event-stream\r\n\r\n",
        server.process.address
    );
    let mut connection = Connection::open(server.process.address).await.unwrap();
    connection.send(request.as_bytes()).await.unwrap();
    let endpoint = connection.until(endpoint_in).await;
    let endpoint = endpoint.unwrap_or_else(|bad| panic!("{}, stream {index}: {bad}", server.name));
    // It may be relative to the address of the stream.
    let path = if endpoint.starts_with('/') { endpoint } else { format!("/mcp/{endpoint}") };
    (connection, path)
}

fn endpoint_in(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    assert!(text.len() < 12 || text.starts_with("HTTP/1.1 200"), "{text}");
    let (_, rest) = text.split_once("event: endpoint")?;
    let (_, rest) = rest.split_once("data: ")?;
    let end = rest.find(['\r', '\n'])?;
    rest.get(..end).map(str::to_owned)
}

/// A client that calls `hello_mcp` over HTTP+SSE.
struct Caller {
    stream: Connection,
    messages: Connection,
    host: SocketAddr,
    endpoint: String,
    token: String,
}

impl Caller {
    async fn open(server: &Running, index: usize) -> Self {
        let (stream, endpoint) = open(server, index).await;
        let host = server.process.address;
        let messages = Connection::open(host).await.unwrap();
        let token = server.tokens[0].clone();
        let mut caller = Self { stream, messages, host, endpoint, token };
        let client = json!({ "name": "bench", "version": "1" });
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client
        });
        caller.ask(0, "initialize", &hello, "serverInfo").await;
        caller.tell(&message(None, "notifications/initialized", &json!({}))).await;
        caller.accepted().await;
        caller
    }

    async fn call_for(mut self, warm_up: Duration, time: Duration) -> Vec<Duration> {
        let (began, mut times) = (Instant::now(), Vec::new());
        let call = json!({ "name": "hello_mcp", "arguments": {} });
        for id in 1.. {
            let asked = Instant::now();
            self.ask(id, "tools/call", &call, "Hello I am MCPTool!").await;
            if began.elapsed() > warm_up {
                times.push(asked.elapsed());
            }
            if began.elapsed() > warm_up + time {
                break;
            }
        }
        times
    }

    /// Sends a request, and waits for the event that answers it and says `expected`.
    async fn ask(&mut self, id: u64, method: &str, params: &serde_json::Value, expected: &str) {
        self.tell(&message(Some(id), method, params)).await;
        let ends = [format!("\"id\":{id},"), format!("\"id\":{id}}}")];
        let answered = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let is_whole = text.contains(expected) && text.ends_with('\n');
            (is_whole && ends.iter().any(|end| text.contains(end))).then_some(())
        };
        let (event, accepted) = tokio::join!(self.stream.until(answered), self.messages.answer());
        let accepted = accepted.unwrap();
        assert_eq!(accepted.status, 202, "{}", accepted.text());
        event.unwrap();
    }

    async fn tell(&mut self, message: &str) {
        let request = post(self.host, &self.endpoint, &self.token, message);
        self.messages.send(&request).await.unwrap();
    }

    async fn accepted(&mut self) {
        let answer = self.messages.answer().await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
}

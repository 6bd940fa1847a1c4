//! A client of HTTP+SSE that opens its stream anew when it ends, as `EventSource` does.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::Cluster;
use crate::gateway::INSTANCE;

/// How long a client waits for an answer before it asks once more.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client, its stream, and what it has heard.
pub(crate) struct Client {
    shared: Arc<Shared>,
    reader: tokio::task::JoinHandle<()>,
}

struct Shared {
    number: usize,
    cluster: Arc<Cluster>,
    http: reqwest::Client,
    /// The name of the stream, and where it is held.
    stream: Mutex<(String, usize)>,
    waiting: Mutex<HashMap<usize, oneshot::Sender<Instant>>>,
    /// How often each message was sent, and how often it was answered.
    counts: Mutex<HashMap<usize, (usize, usize)>>,
    opened: AtomicUsize,
}

impl Client {
    /// A client with an open stream.
    pub(crate) async fn open(cluster: &Arc<Cluster>, number: usize) -> Self {
        let shared = Arc::new(Shared {
            number,
            cluster: Arc::clone(cluster),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stream: Mutex::default(),
            waiting: Mutex::default(),
            counts: Mutex::default(),
            opened: AtomicUsize::new(0),
        });
        let first = shared.connect().await;
        let reader = tokio::spawn(Arc::clone(&shared).read(first));
        while shared.stream.lock().unwrap().0.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        Self { shared, reader }
    }

    /// Sends message `number` and waits for its answer; tells how long that took. A message whose
    /// stream broke before the answer came is sent again.
    pub(crate) async fn ask(&self, number: usize) -> Duration {
        let shared = &self.shared;
        let began = Instant::now();
        loop {
            let (answered, answer) = oneshot::channel();
            shared.waiting.lock().unwrap().insert(number, answered);
            shared.counts.lock().unwrap().entry(number).or_default().0 += 1;
            if shared.post(number).await
                && let Ok(Ok(at)) = timeout(PATIENCE, answer).await
            {
                return at - began;
            }
            assert!(began.elapsed() < PATIENCE * 3, "message {number} of {self:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How often the stream was opened.
    pub(crate) fn opened(&self) -> usize {
        self.shared.opened.load(Ordering::Relaxed)
    }

    /// How many messages were answered.
    pub(crate) fn answered(&self) -> usize {
        assert!(!self.reader.is_finished(), "{self:?} has heard what it should not");
        let counts = self.shared.counts.lock().unwrap();
        counts.values().filter(|(_, answered)| *answered > 0).count()
    }

    /// How many messages had to be sent again.
    pub(crate) fn sent_again(&self) -> usize {
        self.shared.counts.lock().unwrap().values().filter(|(sent, _)| *sent > 1).count()
    }

    /// Where the stream is held.
    pub(crate) fn instance(&self) -> usize {
        self.shared.stream.lock().unwrap().1
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "client {}", self.shared.number)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Shared {
    async fn connect(&self) -> Response {
        let before = self.stream.lock().unwrap().0.clone();
        loop {
            let request = self.http.get(self.cluster.url("/mcp/sse"));
            let request = request.header(AUTHORIZATION, self.authorization());
            let answer = request.header("Last-Event-ID", &before).send().await;
            match answer {
                Ok(answer) if answer.status() == StatusCode::OK => {
                    self.opened.fetch_add(1, Ordering::Relaxed);
                    return answer;
                }
                _ => sleep(Duration::from_millis(500)).await,
            }
        }
    }

    async fn read(self: Arc<Self>, mut response: Response) {
        loop {
            let instance = response.headers()[INSTANCE].to_str().unwrap().parse().unwrap();
            let mut unread = String::new();
            while let Ok(Some(piece)) = response.chunk().await {
                unread.push_str(std::str::from_utf8(&piece).unwrap());
                while let Some((event, rest)) = unread.split_once("\n\n") {
                    self.heard(event, instance);
                    unread = rest.to_owned();
                }
            }
            response = self.connect().await;
        }
    }

    fn heard(&self, event: &str, instance: usize) {
        let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else { return };
        if let Some(name) = data.strip_prefix("message?sessionId=") {
            *self.stream.lock().unwrap() = (name.to_owned(), instance);
            return;
        }
        let answer: Value = serde_json::from_str(data).unwrap();
        let id = usize::try_from(answer["id"].as_u64().unwrap()).unwrap();
        assert_eq!(answer["result"]["content"][0]["text"], "Hello I am MCPTool!", "{answer}");
        let mut counts = self.counts.lock().unwrap();
        let (sent, answered) = counts.get_mut(&id).unwrap();
        *answered += 1;
        assert!(answered <= sent, "{id} was answered once too often");
        if let Some(waiting) = self.waiting.lock().unwrap().remove(&id) {
            let _given_up = waiting.send(Instant::now());
        }
    }

    async fn post(&self, id: usize) -> bool {
        let (name, held) = self.stream.lock().unwrap().clone();
        let message = json!({
            "jsonrpc": "2.0",
            "id": id,
            "method": "tools/call",
            "params": { "name": "hello_mcp", "arguments": {} },
        });
        let request = self.http.post(self.cluster.url(&format!("/mcp/message?sessionId={name}")));
        let sent = request.header(AUTHORIZATION, self.authorization()).json(&message).send().await;
        let Ok(answer) = sent else { return false };
        if answer.status() != StatusCode::ACCEPTED {
            return false;
        }
        let landed = answer.headers()[INSTANCE].to_str().unwrap().parse().unwrap();
        self.cluster.count(landed, held);
        true
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.cluster.token(self.number))
    }
}

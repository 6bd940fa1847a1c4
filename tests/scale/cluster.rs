//! Instances of the whole of mcp-fn over one relay, in the time of the test: nothing waits for a real
//! second.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use futures::StreamExt;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use local::embedded::EmbeddedStore;
use mcp_fn::Doors;
use mcp_fn::config::{Config, LegacySse};
use serde_json::json;
use shared::clock::{Clock, UnixTime};
use shared::storage::CountedStore;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::distance::DistantStore;
use crate::memory::MemoryStore;
use crate::users::{START, Users, base_url};

/// The host that the Functions host names to the app.
const HERE: &str = "127.0.0.1:40001";

/// Instances, and what they ask of the relay.
#[derive(Debug)]
pub(crate) struct Cluster {
    instances: Vec<Router>,
    pub(crate) users: Users,
    pub(crate) relay: Arc<CountedStore>,
}

impl Cluster {
    /// So many instances, whose streams live for `lifetime`; a call of the relay takes `trip`.
    pub(crate) async fn start(
        instances: usize,
        users: usize,
        lifetime: Duration,
        trip: Duration,
    ) -> Self {
        let users = Users::sign_in(users).await;
        let distant = Arc::new(DistantStore::new(Arc::new(MemoryStore::default()), trip));
        let relay = Arc::new(CountedStore::new(distant));
        let snippets = Arc::new(EmbeddedStore::in_memory().unwrap());
        let clock: Arc<dyn Clock> = Arc::new(TestTime(Instant::now()));
        let config = Config {
            legacy_sse: LegacySse::On { lifetime },
            ..Config::new(base_url(), users.keys.clone())
        };
        let start = || {
            let records = Arc::clone(&users.records);
            let doors =
                Doors { records, relay: Arc::clone(&relay) as _, clock: Arc::clone(&clock) };
            mcp_fn::router(&config, doors, Arc::clone(&snippets) as _)
        };
        let instances = std::iter::repeat_with(start).take(instances).collect();
        Self { instances, users, relay }
    }

    /// Opens a stream of the user at the instance, both by number.
    pub(crate) async fn open(&self, user: usize, instance: usize) -> Stream {
        let request = Request::get("/mcp/sse").header(AUTHORIZATION, self.bearer(user));
        let request = request.header(HOST, HERE).body(Body::empty()).unwrap();
        let response = self.instances[instance].clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut events = response.into_body().into_data_stream();
        let first = text(events.next().await);
        let address = first.split_once("data: ").unwrap().1.trim().to_owned();
        let (answered, answers) = mpsc::unbounded_channel();
        let reading = tokio::spawn(async move {
            while let Some(piece) = events.next().await {
                if text(Some(piece)).contains("\"result\"") {
                    answered.send(Instant::now()).unwrap();
                }
            }
        });
        Stream { user, instance, address, answers, reading }
    }

    /// The time from a message for `stream`, posted to the instance with this number, to its answer.
    pub(crate) async fn delay(&self, stream: &mut Stream, instance: usize) -> Duration {
        let asked = Instant::now();
        self.post(stream.user, &stream.address, instance).await;
        stream.answers.recv().await.unwrap().duration_since(asked)
    }

    async fn post(&self, user: usize, address: &str, instance: usize) {
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let request = Request::post(format!("/mcp/{address}"))
            .header(AUTHORIZATION, self.bearer(user))
            .header(CONTENT_TYPE, "application/json")
            .header(HOST, HERE)
            .body(Body::from(ask.to_string()));
        let response = self.instances[instance].clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }

    fn bearer(&self, user: usize) -> String {
        format!("Bearer {}", self.users.tokens[user])
    }
}

/// A stream as its client holds it, which reads whatever comes.
#[derive(Debug)]
pub(crate) struct Stream {
    user: usize,
    pub(crate) instance: usize,
    address: String,
    /// When answers came.
    answers: mpsc::UnboundedReceiver<Instant>,
    reading: JoinHandle<()>,
}

impl Stream {
    /// Waits until the stream ends by itself.
    pub(crate) async fn end(&mut self) {
        (&mut self.reading).await.unwrap();
    }
}

/// A client that goes away reads nothing more.
impl Drop for Stream {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn text(piece: Option<Result<Bytes, axum::Error>>) -> String {
    String::from_utf8(piece.unwrap().unwrap().to_vec()).unwrap()
}

/// The clock of the apps goes by the time of the test.
#[derive(Debug)]
struct TestTime(Instant);

impl Clock for TestTime {
    fn now(&self) -> UnixTime {
        START.plus(self.0.elapsed())
    }

    fn millis(&self) -> u64 {
        START.as_secs() * 1000 + u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

//! HTTP+SSE, over the real router: one instance, and two that share a table.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;
use shared::seal::KeyRing;
use tokio::time::{Instant, sleep, timeout};

use super::event::EventReader;
use crate::config::{Config, LegacySse};
use crate::testing::{BASE_URL, Reply, TestServer};

const BOTH: &str = "snippets:read snippets:write";
/// How long a stream lives here.
const LIFETIME: Duration = Duration::from_mins(5);
/// More than the pause between two looks of the relay.
const A_WHILE: Duration = Duration::from_secs(2);

fn server() -> TestServer {
    TestServer::with(Config {
        session_cache: Duration::ZERO,
        legacy_sse: LegacySse::On { lifetime: LIFETIME },
        ..Config::new(PublicBaseUrl::try_from(BASE_URL).unwrap(), KeyRing::generate())
    })
}

/// A stream as a client holds it.
struct Stream {
    body: BodyDataStream,
    events: EventReader,
    read: Vec<String>,
    /// What the stream said, comments and all.
    text: String,
    session_id: String,
}

impl Stream {
    async fn open(server: &TestServer, token: &str) -> Self {
        Self::open_after(server, token, None).await
    }

    /// Opens a stream anew, as a client does that was told the id of the one before.
    async fn open_after(server: &TestServer, token: &str, before: Option<&str>) -> Self {
        let mut request = get(token);
        if let Some(before) = before {
            request = request.header("last-event-id", before);
        }
        let response = server.respond(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = response.into_body().into_data_stream();
        let (events, read, text) = (EventReader::default(), Vec::new(), String::new());
        let mut stream = Self { body, events, read, text, session_id: String::new() };
        let address = stream.next().await.unwrap();
        let session_id = address.strip_prefix("message?sessionId=").unwrap();
        stream.session_id = session_id.to_owned();
        stream
    }

    /// The data of the next event, or nothing if the stream has ended.
    async fn next(&mut self) -> Option<String> {
        while self.read.is_empty() {
            let piece = self.body.next().await?.unwrap();
            self.text.push_str(&String::from_utf8_lossy(&piece));
            let read = self.events.read(&piece);
            self.read.extend(read.iter().map(|data| String::from_utf8(data.to_vec()).unwrap()));
        }
        Some(self.read.remove(0))
    }

    async fn answer(&mut self) -> Value {
        let data = timeout(A_WHILE, self.next()).await.expect("an answer in time");
        serde_json::from_str(&data.expect("an open stream")).unwrap()
    }

    /// Asserts that nothing comes for a while.
    async fn is_silent(&mut self) {
        assert!(timeout(A_WHILE, self.next()).await.is_err(), "{}", self.text);
    }
}

fn get(token: &str) -> http::request::Builder {
    Request::get("/mcp/sse")
        .header(HOST, "127.0.0.1:40001")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(ACCEPT, "text/event-stream")
}

fn post(token: &str, session_id: &str) -> http::request::Builder {
    Request::post(format!("/mcp/message?sessionId={session_id}"))
        .header(HOST, "127.0.0.1:40001")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
}

async fn send(server: &TestServer, token: &str, session_id: &str, message: &Value) -> Reply {
    server.send(post(token, session_id).body(message.to_string().into()).unwrap()).await
}

fn call(id: u32, tool: &str, arguments: &Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

fn ping(id: u32) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "ping"})
}

#[tokio::test(start_paused = true)]
async fn a_whole_conversation_goes_over_one_stream() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    let params = json!({
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    });
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});

    for (message, answered) in
        [(initialize, true), (initialized, false), (call(2, "hello_mcp", &json!({})), true)]
    {
        let reply = send(&server, &token, &stream.session_id, &message).await;

        assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
        assert!(reply.body.is_empty());
        if answered {
            assert_eq!(stream.answer().await["id"], message["id"]);
        } else {
            stream.is_silent().await;
        }
    }
    assert!(server.relay.table_names().is_empty(), "nothing went through storage");
}

#[tokio::test(start_paused = true)]
async fn the_first_bytes_come_at_once_and_a_comment_keeps_a_silent_stream_alive() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let began = Instant::now();

    let mut stream = Stream::open(&server, &token).await;
    let first = began.elapsed();
    let comment = stream.body.next().await.unwrap().unwrap();

    assert_eq!(first, Duration::ZERO);
    assert_eq!((comment, began.elapsed()), (": keep-alive\n\n".into(), Duration::from_secs(15)));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_lands_on_another_instance_is_answered_on_the_stream_once() {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;

    let reply = send(&other, &token, &stream.session_id, &ping(7)).await;
    let answer = stream.answer().await;

    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 7, "result": {}}));
    stream.is_silent().await;
    assert!(server.relay.rows().is_empty(), "what was passed on is taken away");
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_the_relay_is_sealed_and_may_be_longer_than_a_row() {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    let text = "secret snippet ".repeat(60_000);
    let save = json!({"snippetname": "long", "snippet": text});
    server.call(&token, "save_snippet", save).await;
    let mut stream = Stream::open(&server, &token).await;
    let get = call(1, "get_snippet", &json!({"snippetname": "long"}));

    send(&other, &token, &stream.session_id, &get).await;
    let rows = server.relay.rows();
    let answer = stream.answer().await;

    assert!(rows.len() > 1, "{}", rows.len());
    for row in rows {
        let columns: usize = row.columns().map(|(_, column)| column.len()).sum();
        assert!(columns < 1 << 20, "{columns}");
        for (_, column) in row.columns() {
            assert!(column.len() <= 64 * 1024);
            assert!(!column.windows(7).any(|window| window == b"snippet"));
        }
    }
    assert_eq!(answer["result"]["structuredContent"]["snippet"], text);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_was_put_there_by_somebody_else_is_thrown_away() {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    send(&other, &token, &stream.session_id, &ping(1)).await;
    server.relay.spoil();

    stream.is_silent().await;
    send(&other, &token, &stream.session_id, &ping(2)).await;

    assert_eq!(stream.answer().await["id"], 2);
    assert!(server.relay.rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_users_token_on_a_stolen_id_is_refused_and_does_nothing() {
    let server = server();
    let ann = server.sign_in("ann", BOTH).await;
    let ben = server.sign_in("ben", BOTH).await;
    let mut stream = Stream::open(&server, &ann).await;
    let save = call(1, "save_snippet", &json!({"snippetname": "a", "snippet": "b"}));

    for instance in [&server, &server.another()] {
        let reply = send(instance, &ben, &stream.session_id, &save).await;

        assert_eq!(reply.status, StatusCode::NOT_FOUND);
        assert_eq!(reply.json()["error"]["code"], -32600);
    }
    stream.is_silent().await;
    let list = server.call(&ben, "list_snippets", json!({})).await;
    assert_eq!(list["structuredContent"]["snippets"], json!([]));
}

#[tokio::test]
async fn an_id_that_names_no_stream_is_refused_whatever_is_wrong_with_it() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let stream = Stream::open(&server, &token).await;
    let id = &stream.session_id;

    for query in [
        String::new(),
        "sessionId=".to_owned(),
        "sessionId=x".to_owned(),
        format!("sessionid={id}"),
        format!("sessionId={id}x"),
        format!("sessionId={id}&sessionId={id}"),
    ] {
        let request = Request::post(format!("/mcp/message?{query}"))
            .header(HOST, "localhost")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/json");
        let reply = server.send(request.body(ping(1).to_string().into()).unwrap()).await;

        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{query}");
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains("GET /mcp/sse"));
    }
}

#[tokio::test]
async fn both_endpoints_want_a_token_first() {
    let server = server();
    for (method, path) in [(Method::GET, "/mcp/sse"), (Method::POST, "/mcp/message?sessionId=x")] {
        let request = Request::builder().method(method).uri(path).header(HOST, "evil.example.com");

        let reply = server.send(request.body(Body::empty()).unwrap()).await;

        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(reply.challenge().contains("resource_metadata="), "{path}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_and_other_hosts_are_refused() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let stream = Stream::open(&server, &token).await;
    for (name, value) in [(ORIGIN, "https://evil.example.com"), (HOST, "evil.example.com")] {
        let mut requests = [
            get(&token).body(Body::empty()).unwrap(),
            post(&token, &stream.session_id).body(ping(1).to_string().into()).unwrap(),
        ];
        for request in &mut requests {
            request.headers_mut().insert(&name, value.parse().unwrap());
        }
        for request in requests {
            assert_eq!(server.send(request).await.status, StatusCode::FORBIDDEN, "{value}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_scope_is_403_for_the_poster_and_nothing_on_the_stream() {
    let server = server();
    let token = server.sign_in("ann", "snippets:read").await;
    let mut stream = Stream::open(&server, &token).await;
    let save = call(1, "save_snippet", &json!({"snippetname": "a", "snippet": "b"}));

    let reply = send(&server, &token, &stream.session_id, &save).await;

    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.challenge().contains("insufficient_scope"), "{}", reply.challenge());
    assert!(reply.challenge().contains("snippets:read snippets:write"));
    stream.is_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_is_an_error_of_its_request() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    let id = stream.session_id.clone();
    let body = |text: String| post(&token, &id).body(Body::from(text)).unwrap();

    let not_json = server.send(body("{".to_owned())).await;
    let batch = server.send(body(json!([ping(1)]).to_string())).await;
    let too_large = server.send(body(" ".repeat(super::super::LARGEST_MESSAGE + 1))).await;

    for (reply, status) in [
        (not_json, StatusCode::BAD_REQUEST),
        (batch, StatusCode::BAD_REQUEST),
        (too_large, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(reply.status, status);
        assert!(reply.json()["error"]["message"].is_string());
    }
    stream.is_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_for_its_age_and_says_so() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    let began = Instant::now();

    let end = stream.next().await;

    assert_eq!((end, began.elapsed()), (None, LIFETIME));
    assert!(
        stream.text.ends_with(
            ": closed: the stream was open as long as it may be, \
        open another one\n\n"
        ),
        "{}",
        stream.text
    );
}

/// Asserts that an answer which comes late comes on the next stream, whichever instances are asked.
async fn comes_on_the_next_stream(names_the_one_before: bool) {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    for (takes, follows) in
        [(&server, &server), (&server, &other), (&other, &server), (&other, &other)]
    {
        let mut ended = Stream::open(&server, &token).await;
        while ended.next().await.is_some() {}

        let reply = send(takes, &token, &ended.session_id, &ping(3)).await;
        let before = names_the_one_before.then_some(ended.session_id.as_str());
        let mut next = Stream::open_after(follows, &token, before).await;

        assert_eq!(reply.status, StatusCode::ACCEPTED);
        assert_eq!(next.answer().await["id"], 3);
        next.is_silent().await;
        assert!(server.relay.rows().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_to_a_stream_that_ended_is_answered_on_the_one_after_it() {
    comes_on_the_next_stream(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_say_which_stream_ended_gets_its_late_answers_all_the_same() {
    comes_on_the_next_stream(false).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_streams_that_ended_at_once_nobody_guesses() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let mut ended = [Stream::open(&server, &token).await, Stream::open(&server, &token).await];
    for stream in &mut ended {
        while stream.next().await.is_some() {}
    }

    let mut next = Stream::open(&server, &token).await;
    send(&server, &token, &ended[0].session_id, &ping(3)).await;

    next.is_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_followed_by_its_own_user_alone() {
    let server = server();
    let (ann, ben) = (server.sign_in("ann", BOTH).await, server.sign_in("ben", BOTH).await);
    let mut ended = Stream::open(&server, &ann).await;
    while ended.next().await.is_some() {}

    let mut stranger = Stream::open_after(&server, &ben, Some(&ended.session_id)).await;
    send(&server, &ann, &ended.session_id, &ping(3)).await;

    stranger.is_silent().await;
}

#[tokio::test]
async fn long_after_its_end_a_stream_takes_no_message() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let stream = Stream::open(&server, &token).await;

    server.clock.advance(LIFETIME);
    let just_after = send(&server, &token, &stream.session_id, &ping(1)).await;
    server.clock.advance(Duration::from_secs(20));
    let later = send(&server, &token, &stream.session_id, &ping(2)).await;

    assert_eq!(just_after.status, StatusCode::ACCEPTED);
    assert_eq!(later.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_slows_its_own_messages_down_and_then_loses_its_stream() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let save = json!({"snippetname": "long", "snippet": "x".repeat(1 << 20)});
    server.call(&token, "save_snippet", save).await;
    let mut slow = Stream::open(&server, &token).await;
    let mut reading = Stream::open(&server, &token).await;
    let get = call(1, "get_snippet", &json!({"snippetname": "long"}));
    let began = Instant::now();

    let mut waited = Vec::new();
    while began.elapsed() < Duration::from_secs(5) {
        send(&server, &token, &slow.session_id, &get).await;
        waited.push(began.elapsed());
    }
    send(&server, &token, &reading.session_id, &ping(9)).await;

    assert_eq!(waited.first(), Some(&Duration::ZERO));
    assert_eq!(waited.last(), Some(&Duration::from_secs(5)));
    assert_eq!(slow.next().await, None);
    assert_eq!(slow.text.rsplit(':').next(), Some(" the client reads too slowly\n\n"));
    assert_eq!(reading.answer().await["id"], 9);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_on_another_instance_holds_no_other_stream_up() {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    let save = json!({"snippetname": "long", "snippet": "x".repeat(1 << 20)});
    server.call(&token, "save_snippet", save).await;
    let mut slow = Stream::open(&server, &token).await;
    let mut reading = Stream::open(&server, &token).await;
    let get = call(1, "get_snippet", &json!({"snippetname": "long"}));

    for _ in 0..6 {
        send(&other, &token, &slow.session_id, &get).await;
    }
    send(&other, &token, &reading.session_id, &ping(9)).await;
    let answer = reading.answer().await;
    sleep(Duration::from_secs(5)).await;
    send(&other, &token, &slow.session_id, &get).await;
    sleep(A_WHILE).await;

    assert_eq!(answer["id"], 9);
    assert_eq!(slow.next().await, None);
    assert!(slow.text.ends_with("the client reads too slowly\n\n"));
}

#[tokio::test(start_paused = true)]
async fn streams_that_nobody_reads_take_no_room_from_those_of_others() {
    let server = server();
    let (ann, ben) = (server.sign_in("ann", BOTH).await, server.sign_in("ben", BOTH).await);
    for token in [&ann, &ben] {
        let save = json!({"snippetname": "long", "snippet": "x".repeat(1 << 20)});
        server.call(token, "save_snippet", save).await;
    }
    let get = call(1, "get_snippet", &json!({"snippetname": "long"}));
    let mut unread = Vec::new();
    for _ in 0..40 {
        let stream = Stream::open(&server, &ann).await;
        send(&server, &ann, &stream.session_id, &get).await;
        unread.push(stream);
    }
    let mut reading = Stream::open(&server, &ben).await;

    let mut answers = Vec::new();
    for _ in 0..3 {
        let taken = send(&server, &ben, &reading.session_id, &get).await;
        let data = timeout(Duration::from_secs(10), reading.next()).await.unwrap().unwrap();
        answers.push((taken.status, data.len() > 1 << 20));
    }

    assert_eq!(answers, [(StatusCode::ACCEPTED, true); 3]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_relayed_however_long_its_tool_took() {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    server.snippets.silent.store(true, Ordering::Relaxed);
    let list = call(1, "list_snippets", &json!({}));

    let reply = send(&other, &token, &stream.session_id, &list).await;

    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(stream.answer().await["result"]["isError"], true);
}

#[tokio::test(start_paused = true)]
async fn what_waited_on_a_broken_stream_comes_on_the_one_after_it() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let broken = Stream::open(&server, &token).await;
    send(&server, &token, &broken.session_id, &ping(8)).await;

    let mut next = Stream::open_after(&server, &token, Some(&broken.session_id)).await;

    assert_eq!(next.answer().await["id"], 8);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_relayed_is_a_503_of_its_message() {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    server.relay.broken.store(true, Ordering::Relaxed);

    let reply = send(&other, &token, &stream.session_id, &ping(1)).await;
    server.relay.broken.store(false, Ordering::Relaxed);
    let again = send(&other, &token, &stream.session_id, &ping(2)).await;

    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), "5");
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(stream.answer().await["id"], 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_relayed_once_even_if_storage_does_not_say_that_it_took_it() {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    send(&other, &token, &stream.session_id, &ping(1)).await;
    stream.answer().await;
    server.relay.forgetful.store(true, Ordering::Relaxed);

    let reply = send(&other, &token, &stream.session_id, &ping(2)).await;

    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(stream.answer().await["id"], 2);
    stream.is_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_wait_for_the_202_is_answered_all_the_same() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    let message = call(4, "list_snippets", &json!({}));
    server.snippets.slow.store(true, Ordering::Relaxed);

    let waited =
        timeout(Duration::from_millis(10), send(&server, &token, &stream.session_id, &message));

    assert!(waited.await.is_err());
    assert_eq!(stream.answer().await["id"], 4);
}

#[tokio::test(start_paused = true)]
async fn storage_is_looked_at_only_while_there_are_streams() {
    let server = server();
    // Away from midnight, where there are two days to look back at.
    server.clock.advance(Duration::from_hours(1));
    let token = server.sign_in("ann", BOTH).await;
    let looks = || server.relay.looks.load(Ordering::Relaxed);
    sleep(A_WHILE).await;
    let before = looks();

    let streams = [Stream::open(&server, &token).await, Stream::open(&server, &token).await];
    sleep(Duration::from_millis(1_050)).await;
    let during = looks();
    drop(streams);
    sleep(A_WHILE).await;
    let after = looks();
    let _again = Stream::open(&server, &token).await;
    sleep(Duration::from_millis(150)).await;

    assert_eq!((before, during), (0, 12), "one look back for each, and one for all each 100 ms");
    assert_eq!(after, during);
    assert_eq!(looks(), after + 2);
}

#[tokio::test(start_paused = true)]
async fn rows_of_instances_that_are_no_more_go_with_the_tables_of_their_days() {
    let server = server();
    let other = server.another();
    let token = server.sign_in("ann", BOTH).await;
    let stream = Stream::open(&server, &token).await;
    let id = stream.session_id.clone();
    drop(stream);
    send(&other, &token, &id, &ping(1)).await;
    let left = server.relay.table_names();

    server.clock.advance(Duration::from_hours(48));
    let token = server.sign_in("ann", BOTH).await;
    let mut stream = Stream::open(&server, &token).await;
    send(&other, &token, &stream.session_id, &ping(2)).await;
    stream.answer().await;

    let there = server.relay.table_names();
    assert_eq!((left.len(), there.len()), (1, 1));
    assert_ne!(left, there);
    assert!(server.relay.dropped.lock().unwrap().contains(&left[0]));
}

#[tokio::test]
async fn other_methods_are_refused_and_the_right_one_is_named() {
    let server = server();
    let token = server.sign_in("ann", BOTH).await;
    for (path, method, allowed) in [
        ("/mcp/sse", Method::POST, "GET"),
        ("/mcp/sse", Method::HEAD, "GET"),
        ("/mcp/message", Method::GET, "POST"),
        ("/mcp/message", Method::DELETE, "POST"),
    ] {
        let mut request = get(&token).method(method.clone()).uri(path).body(Body::empty()).unwrap();
        request.headers_mut().remove(ACCEPT);
        let reply = server.send(request).await;

        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(reply.header("allow").split(',').any(|found| found == allowed), "{method} {path}");
    }
}

#[tokio::test]
async fn where_it_is_switched_off_clients_are_told_what_there_is() {
    let base_url = PublicBaseUrl::try_from(BASE_URL).unwrap();
    let server = TestServer::with(Config {
        legacy_sse: LegacySse::Off,
        ..Config::new(base_url, KeyRing::generate())
    });
    let token = server.sign_in("ann", BOTH).await;
    for request in [get(&token), post(&token, "x")] {
        let reply = server.send(request.body(Body::empty()).unwrap()).await;

        assert_eq!(reply.status, StatusCode::NOT_FOUND);
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains("at /mcp"));
    }
}

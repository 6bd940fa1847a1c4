//! Three instances of mcp-fn as they are deployed, on Azurite and behind a gateway that takes them
//! in turn: streams of HTTP+SSE are held on one, and messages land on any.
//! Runs with the feature `azurite` only; the tables are at `AZURITE_TABLES`, the blobs at
//! `AZURITE_BLOBS`.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

mod client;
mod cluster;
mod gateway;
mod instance;
mod times;

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::time::sleep;

use client::Client;
use cluster::Cluster;
use times::Times;

/// How many streams are open.
const STREAMS: usize = 200;
/// How many messages are sent to them.
const MESSAGES: usize = 2_000;
/// How many messages are under way at once.
const AT_ONCE: usize = 16;
/// Longer than an answer is on its way; afterwards none may come a second time.
const AFTERWARDS: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_comes_once_on_its_own_stream_wherever_the_messages_land() {
    let cluster = Cluster::start("whole").await;
    let clients = open(&cluster).await;

    let times = talk(&clients, async || {}).await;
    sleep(AFTERWARDS).await;

    let counts = clients.iter().map(Client::opened).collect::<Vec<_>>();
    assert_eq!(counts, [1; STREAMS], "no stream ended");
    assert_eq!(clients.iter().map(Client::answered).sum::<usize>(), MESSAGES);
    assert_eq!(clients.iter().map(Client::sent_again).sum::<usize>(), 0);
    assert_eq!(cluster.messages_elsewhere() + cluster.messages_here(), MESSAGES);
    times.print("all three instances", &cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_streams_of_an_instance_that_dies_are_opened_anew_and_the_others_do_not_notice() {
    let cluster = Cluster::start("killed").await;
    let clients = open(&cluster).await;
    let lost: Vec<_> = clients.iter().map(|client| client.instance() == 2).collect();

    let times = talk(&clients, async || cluster.kill(2).await).await;
    sleep(AFTERWARDS).await;

    let mut interrupted = 0;
    for (client, lost) in clients.iter().zip(&lost) {
        assert_eq!(client.opened(), if *lost { 2 } else { 1 }, "{client:?}");
        interrupted += if *lost { 0 } else { client.sent_again() };
    }
    // All that the others may notice: messages that were under way through the one that died.
    assert!(interrupted <= AT_ONCE, "{interrupted}");
    assert!(lost.contains(&true) && lost.contains(&false));
    assert!(clients.iter().all(|client| client.instance() != 2));
    assert_eq!(clients.iter().map(Client::answered).sum::<usize>(), MESSAGES);
    times.print("one killed in the middle", &cluster);
}

async fn open(cluster: &Arc<Cluster>) -> Vec<Client> {
    stream::iter(0..STREAMS).map(|number| Client::open(cluster, number)).buffered(8).collect().await
}

/// Sends every message, with something `in_the_middle`. Each is answered, on its stream, once.
async fn talk(clients: &[Client], in_the_middle: impl AsyncFnOnce()) -> Times {
    let (first, second) = (0..MESSAGES / 2, MESSAGES / 2..MESSAGES);
    let send = |numbers: std::ops::Range<usize>| {
        let asked = numbers.map(|number| clients[number % STREAMS].ask(number));
        stream::iter(asked).buffer_unordered(AT_ONCE).collect::<Vec<_>>()
    };
    let mut times = send(first).await;
    let (rest, ()) = tokio::join!(send(second), in_the_middle());
    times.extend(rest);
    Times::of(times)
}

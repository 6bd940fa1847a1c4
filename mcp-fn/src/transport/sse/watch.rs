//! Looks into the mailboxes of this instance while it holds streams, and passes on what it finds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use shared::storage::Key;
use shared::telemetry::{ErrorChain, metrics};
use tokio::time::{Instant, sleep};

use super::answer::whole;
use super::queue::NotTaken;
use super::relay::{Found, Mailbox};
use super::streams::Streams;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The pause while storage fails.
const PAUSE_AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// How long a row may wait for the rest of its answer, or for a stream to which it belongs: about as
/// long as a client takes to open the next one.
const FORSAKEN: Duration = Duration::from_secs(30);

/// Passes on what comes for `streams` until none is open.
pub(super) async fn watch(streams: Arc<Streams>) {
    let _watching = Watching(Arc::clone(&streams));
    let mut watcher = Watcher { streams, passed: HashSet::new(), waiting: HashMap::new() };
    let mut failing = false;
    loop {
        sleep(if failing { PAUSE_AFTER_A_FAILURE } else { PAUSE }).await;
        watcher.streams.sweep();
        let Some(mailboxes) = watcher.streams.mailboxes() else { return };
        let looks = mailboxes.iter().map(|mailbox| watcher.streams.relay.look(mailbox));
        let outcomes = join_all(looks).await;
        let failed_before = std::mem::take(&mut failing);
        for (mailbox, outcome) in mailboxes.iter().zip(outcomes) {
            match outcome {
                Ok(found) => watcher.pass_on(mailbox, found).await,
                Err(error) => {
                    if !failed_before && !failing {
                        tracing::error!(error = %ErrorChain(&error), "the relay cannot be read");
                    }
                    failing = true;
                }
            }
        }
    }
}

/// Says so if the looking comes to an end that nobody meant.
struct Watching(Arc<Streams>);

impl Drop for Watching {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.unwatched();
        }
    }
}

struct Watcher {
    streams: Arc<Streams>,
    /// Rows whose answers were passed on, but which could not be taken away yet.
    passed: HashSet<Key>,
    /// Since when rows lie there that cannot be passed on.
    waiting: HashMap<Mailbox, HashMap<Key, Instant>>,
}

impl Watcher {
    async fn pass_on(&mut self, mailbox: &Mailbox, found: Found) {
        let mut done = Vec::new();
        let mut parts = Vec::new();
        for (row, part) in found {
            match part {
                Some(_) if self.passed.contains(&row) => done.push(row),
                Some(part) => parts.push((row, part)),
                None if self.streams.owns(mailbox) => {
                    tracing::warn!(
                        "an answer in the relay does not open: were SESSION_KEYS changed?"
                    );
                    done.push(row);
                }
                None => {}
            }
        }
        let (answers, mut left) = whole(parts);
        for answer in answers {
            let passed_on = self.streams.pass_on(answer.stream, &answer.text);
            if passed_on.is_ok() {
                metrics::relayed(self.streams.since(answer.left_at));
            }
            match passed_on {
                // Who has so much waiting does not read it; to keep more would cost others.
                Ok(()) | Err(NotTaken::NoShare) => {
                    self.passed.extend(answer.rows.iter().cloned());
                    done.extend(answer.rows);
                }
                Err(_) => left.extend(answer.rows),
            }
        }
        done.extend(self.forsaken(mailbox, left));
        self.take(mailbox, done).await;
    }

    /// Those of the rows that are `left` which nobody will come for any more.
    fn forsaken(&mut self, mailbox: &Mailbox, left: Vec<Key>) -> Vec<Key> {
        if !self.streams.owns(mailbox) {
            return Vec::new();
        }
        let now = Instant::now();
        let waiting = self.waiting.remove(mailbox).unwrap_or_default();
        let (mut forsaken, mut waits) = (Vec::new(), HashMap::new());
        for row in left {
            let since = waiting.get(&row).copied().unwrap_or(now);
            if now.duration_since(since) > FORSAKEN {
                forsaken.push(row);
            } else {
                waits.insert(row, since);
            }
        }
        if !waits.is_empty() {
            self.waiting.insert(mailbox.clone(), waits);
        }
        forsaken
    }

    async fn take(&mut self, mailbox: &Mailbox, rows: Vec<Key>) {
        let relay = &self.streams.relay;
        let taken = join_all(rows.iter().map(|row| relay.take(mailbox, row))).await;
        for (row, taken) in rows.into_iter().zip(taken) {
            match taken {
                Ok(()) => {
                    self.passed.remove(&row);
                }
                Err(error) => {
                    tracing::warn!(error = %ErrorChain(&error), "an answer stays in the relay");
                    self.passed.insert(row);
                }
            }
        }
    }
}

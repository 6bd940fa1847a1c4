//! The streams that this instance holds, and how an answer finds its one, here or elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use shared::clock::{Clock, UnixTime};
use shared::storage::StoreError;

use super::answer::PostId;
use super::event;
use super::queue::{Ending, NotTaken, Queue, Room};
use super::relay::{Mailbox, Relay};
use super::session_id::{InstanceId, McpSessionId, StreamId};

/// So many streams are held at once; 40 kB each.
const MOST: usize = 20_000;

/// How long a stream that was opened anew gets answers to what was sent to the one before it.
const LATE: Duration = Duration::from_mins(1);

/// How long after its stream has ended a message still finds its way: its client is about to open
/// the next one.
const GRACE: Duration = Duration::from_secs(20);

/// All streams of this instance.
#[derive(Debug)]
pub(super) struct Streams {
    instance: InstanceId,
    lifetime: Duration,
    pub(super) relay: Relay,
    clock: Arc<dyn Clock>,
    room: Arc<Room>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    held: HashMap<StreamId, Held>,
    /// Streams that were held here or elsewhere, and which one follows them.
    followed: HashMap<StreamId, Followed>,
    /// Whether somebody looks into the mailboxes.
    watched: bool,
}

#[derive(Debug)]
struct Held {
    queue: Arc<Queue>,
    mailbox: Mailbox,
}

#[derive(Debug)]
struct Followed {
    by: StreamId,
    mailbox: Mailbox,
    until: UnixTime,
}

impl Open {
    /// Lets one stream follow another, and those which that one followed.
    fn follow(&mut self, before: StreamId, followed: Followed) {
        if let Some(held) = self.held.remove(&before) {
            held.queue.end(Ending::Gone);
        }
        for earlier in self.followed.values_mut().filter(|earlier| earlier.by == before) {
            earlier.by = followed.by;
        }
        self.followed.insert(before, followed);
    }
}

/// A stream that was opened just now.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) id: McpSessionId,
    pub(super) queue: Arc<Queue>,
    /// Whether nobody looks into the mailboxes yet.
    pub(super) is_first: bool,
}

impl Streams {
    /// No stream, on a new instance. Each one will live for `lifetime`.
    pub(super) fn new(relay: Relay, lifetime: Duration, clock: Arc<dyn Clock>) -> Self {
        let instance = InstanceId::generate();
        Self { instance, lifetime, relay, clock, room: Arc::default(), open: Mutex::default() }
    }

    /// How long a stream lives.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Opens a stream, which gets what comes late for the one `before` it. There is none if too many
    /// are open.
    pub(super) fn open(&self, before: Option<McpSessionId>) -> Option<Opened> {
        let now = self.clock.now();
        let id = McpSessionId {
            instance: self.instance,
            stream: StreamId::generate(),
            ends_at: now.plus(self.lifetime),
        };
        let queue = Arc::new(Queue::new(Arc::clone(&self.room)));
        let mut open = self.lock();
        if open.held.len() >= MOST {
            return None;
        }
        let held = Held { queue: Arc::clone(&queue), mailbox: Mailbox::of(&id) };
        open.held.insert(id.stream, held);
        if let Some(before) = before {
            let followed =
                Followed { by: id.stream, mailbox: Mailbox::of(&before), until: now.plus(LATE) };
            open.follow(before.stream, followed);
        }
        let is_first = !std::mem::replace(&mut open.watched, true);
        Some(Opened { id, queue, is_first })
    }

    /// Forgets a stream that has ended.
    pub(super) fn close(&self, stream: StreamId, ending: Ending) {
        if let Some(held) = self.lock().held.remove(&stream) {
            held.queue.end(ending);
        }
    }

    /// Whether a message for `id` may still be answered.
    pub(super) fn takes(&self, id: &McpSessionId) -> bool {
        self.clock.now() < id.ends_at.plus(GRACE)
    }

    /// Sends an answer to the stream `id`: at once if it is held here, and otherwise through the
    /// relay, where whoever holds it or the one after it finds it.
    ///
    /// # Errors
    /// Storage failed.
    pub(super) async fn deliver(
        &self,
        id: &McpSessionId,
        post: PostId,
        sequence: u32,
        answer: &Bytes,
    ) -> Result<(), StoreError> {
        if let Some(queue) = self.queue(id.stream)
            && queue.push_in_time(&event::message(answer)).await.is_ok()
        {
            return Ok(());
        }
        self.relay.leave(id, post, sequence, answer).await
    }

    /// Passes on an answer from a mailbox. It stays there while its stream is not held here.
    pub(super) fn pass_on(&self, stream: StreamId, answer: &Bytes) -> Result<(), NotTaken> {
        let queue = self.queue(stream).ok_or(NotTaken::Ended)?;
        queue.push_anyway(&event::message(answer))
    }

    /// Whether the answers in `mailbox` are for this instance, and not only some of them for streams
    /// that follow those of another one.
    pub(super) fn owns(&self, mailbox: &Mailbox) -> bool {
        mailbox.is_of(self.instance)
    }

    /// Where answers may lie for the streams of this instance; nothing if it has none, and then
    /// whoever asked need not ask again.
    pub(super) fn mailboxes(&self) -> Option<HashSet<Mailbox>> {
        let now = self.clock.now();
        let mut open = self.lock();
        let Open { held, followed, watched } = &mut *open;
        if held.is_empty() {
            followed.clear();
            *watched = false;
            return None;
        }
        followed.retain(|_, followed| now < followed.until && held.contains_key(&followed.by));
        let followed = followed.values().map(|followed| &followed.mailbox);
        Some(held.values().map(|held| &held.mailbox).chain(followed).cloned().collect())
    }

    /// The queue of `stream`, or of the one that follows it.
    fn queue(&self, stream: StreamId) -> Option<Arc<Queue>> {
        let open = self.lock();
        let held = open.held.get(&stream).or_else(|| {
            let followed = open.followed.get(&stream)?;
            open.held.get(&followed.by)
        });
        held.map(|held| Arc::clone(&held.queue))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use shared::seal::KeyRing;

    use super::*;
    use crate::testing::{ManualClock, MemoryRelay};

    #[test]
    fn one_stream_more_than_an_instance_holds_is_refused() {
        let clock = Arc::new(ManualClock::default());
        let relay = Arc::new(MemoryRelay::default());
        let relay = Relay::new(&KeyRing::generate(), relay, Arc::clone(&clock) as _);
        let streams = Streams::new(relay, Duration::from_mins(1), clock);

        let opened: Vec<_> = (0..MOST).map(|_| streams.open(None).unwrap()).collect();
        let refused = streams.open(None);
        streams.close(opened[0].id.stream, Ending::Gone);
        let again = streams.open(None);

        assert!(refused.is_none() && again.is_some());
    }
}

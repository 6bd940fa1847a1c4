//! The streams that this instance holds, and how an answer finds its one, here or elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use shared::clock::{Clock, UnixTime};
use shared::deadline::{Deadline, FOR_STORAGE};
use shared::storage::{Key, StoreError};
use tokio::time::Instant;

use super::answer::PostId;
use super::event;
use super::queue::{Ending, NotTaken, PATIENCE, Queue};
use super::relay::{Mailbox, Relay};
use super::room::Room;
use super::session_id::{InstanceId, McpSessionId, StreamId};
use super::shares::Shares;

/// So many streams are held at once. On Azure the host stops at fewer: a stream is a request, and
/// `infra/` lets an instance have 500.
const MOST: usize = 10_000;

/// So many of them may be of one user.
const MOST_OF_ONE: usize = 256;

/// So much of what is answered for one user goes through the relay at once, in bytes, and so much
/// more each second: instances read it from there into their memory.
const RELAYED: u64 = 16 * 1024 * 1024;
const RELAYED_EACH_SECOND: u64 = 1024 * 1024;

/// How long a stream that was opened anew gets answers to what was sent to the one before it.
pub(super) const LATE: Duration = Duration::from_mins(1);

/// How long after its stream has ended a message still finds its way: its client is about to open
/// the next one.
const GRACE: Duration = Duration::from_secs(20);

/// All streams of this instance.
#[derive(Debug)]
pub(super) struct Streams {
    instance: InstanceId,
    lifetime: Duration,
    pub(super) relay: Relay,
    pub(super) clock: Arc<dyn Clock>,
    room: Arc<Room>,
    shares: Shares,
    most: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) held: HashMap<StreamId, Held>,
    /// Streams that were held here or elsewhere, and which one follows them.
    followed: HashMap<StreamId, Followed>,
    /// Whether somebody looks into the mailboxes.
    watched: bool,
}

#[derive(Debug)]
pub(super) struct Held {
    owner: Key,
    /// The user and the client.
    pub(super) whose: Key,
    share: Arc<Room>,
    queue: Arc<Queue>,
    mailbox: Mailbox,
    ends_at: Instant,
}

#[derive(Debug)]
pub(super) struct Followed {
    pub(super) by: StreamId,
    pub(super) mailbox: Mailbox,
    pub(super) until: UnixTime,
}

impl Open {
    /// Lets one stream follow another, and those which that one followed; not if it is gone.
    pub(super) fn follow(&mut self, before: StreamId, followed: Followed) -> bool {
        if !self.held.contains_key(&followed.by) {
            return false;
        }
        if let Some(old) = self.held.remove(&before)
            && let Some(new) = self.held.get(&followed.by)
        {
            old.queue.hand_over(&new.queue);
        }
        for earlier in self.followed.values_mut().filter(|earlier| earlier.by == before) {
            earlier.by = followed.by;
        }
        self.followed.insert(before, followed);
        true
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
        let room = Arc::new(Room::of_all());
        let shares = Shares::new(RELAYED, RELAYED_EACH_SECOND);
        Self { instance, lifetime, relay, clock, room, shares, most: MOST, open: Mutex::default() }
    }

    /// How long a stream lives.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Opens a stream of `owner`, which gets what comes late for the one `before` it. There is none
    /// if too many are open.
    pub(super) fn open(
        &self,
        owner: &Key,
        whose: &Key,
        before: Option<McpSessionId>,
    ) -> Option<Opened> {
        let now = self.clock.now();
        let id = McpSessionId {
            instance: self.instance,
            stream: StreamId::generate(),
            ends_at: now.plus(self.lifetime),
        };
        let mut open = self.lock();
        let (share, of_owner) = {
            let mut of_owner = open.held.values().filter(|held| held.owner == *owner).peekable();
            let share = of_owner.peek().map(|held| Arc::clone(&held.share));
            (share.unwrap_or_else(|| Arc::new(Room::of_one())), of_owner.count())
        };
        if open.held.len() >= self.most || of_owner >= MOST_OF_ONE {
            return None;
        }
        let queue = Arc::new(Queue::new(Arc::clone(&self.room), Arc::clone(&share)));
        let held = Held {
            owner: owner.clone(),
            whose: whose.clone(),
            share,
            queue: Arc::clone(&queue),
            mailbox: Mailbox::of(&id),
            ends_at: Instant::now() + self.lifetime,
        };
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

    /// Sends an answer to the stream `id` of `owner`: at once if it is held here, and otherwise
    /// through the relay, where whoever holds it or the one after it finds it.
    ///
    /// # Errors
    /// Storage failed, or too much waits for the owner's clients or went through the relay for them.
    pub(super) async fn deliver(
        &self,
        id: &McpSessionId,
        owner: &Key,
        (post, sequence): (PostId, u32),
        answer: &Bytes,
    ) -> Result<(), StoreError> {
        if let Some(queue) = self.queue(id.stream) {
            match queue.push_in_time(&event::message(answer)).await {
                Ok(()) => return Ok(()),
                // It ended meanwhile; the stream that follows it finds the answer.
                Err(NotTaken::Ended) => {}
                Err(NotTaken::Full | NotTaken::NoRoom | NotTaken::NoShare) => {
                    return Err(StoreError::new("too much waits for clients that do not read"));
                }
            }
        }
        if !self.shares.take(owner, answer.len() as u64, self.clock.now()) {
            return Err(StoreError::new("too much was answered at once for one user"));
        }
        // What a tool took of its request's time is not taken from its answer.
        let left = self.relay.leave(id, post, sequence, answer);
        Deadline::after(FOR_STORAGE).hold(left).await
    }

    /// Ends the streams that are too old, or whose clients read nothing: their connections do not
    /// ask what comes next, and so would never hear of it.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.lock().held.retain(|_, held| {
            if !held.queue.is_stuck() && now <= held.ends_at + PATIENCE {
                return true;
            }
            let ending = held.queue.give_up();
            tracing::debug!(reason = ending.as_str(), "a stream is given up");
            false
        });
    }

    /// Lets the mailboxes be looked into anew.
    pub(super) fn unwatched(&self) {
        self.lock().watched = false;
    }

    /// Passes on an answer from a mailbox. It stays there while its stream is not held here.
    pub(super) fn pass_on(&self, stream: StreamId, answer: &Bytes) -> Result<(), NotTaken> {
        let queue = self.queue(stream).ok_or(NotTaken::Ended)?;
        queue.push_anyway(&event::message(answer))
    }

    /// How long ago it was that another instance left something at `left_at`, by its own clock.
    pub(super) fn since(&self, left_at: u64) -> Duration {
        Duration::from_millis(self.clock.millis().saturating_sub(left_at))
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

    pub(super) fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use shared::seal::KeyRing;

    use super::super::queue::Next;
    use super::*;
    use crate::testing::{ManualClock, MemoryRelay};

    fn streams() -> Streams {
        let clock = Arc::new(ManualClock::default());
        let relay = Arc::new(MemoryRelay::default());
        let relay = Relay::new(&KeyRing::generate(), relay, Arc::clone(&clock) as _);
        Streams::new(relay, Duration::from_mins(1), clock)
    }

    #[tokio::test]
    async fn one_stream_more_than_an_instance_holds_or_a_user_may_have_is_refused() {
        let (one, other) = (Key::word("one"), Key::word("other"));
        let streams = Streams { most: MOST_OF_ONE + 20, ..streams() };
        let mut opened = Vec::new();
        for _ in 0..MOST_OF_ONE {
            opened.push(streams.open(&one, &one, None).unwrap());
        }

        let refused = streams.open(&one, &one, None);
        let others = streams.open(&other, &other, None);
        streams.close(opened[0].id.stream, Ending::Gone);
        let again = streams.open(&one, &one, None);

        assert!(refused.is_none() && others.is_some() && again.is_some());
        while streams.lock().held.len() < streams.most {
            let user = Key::digest("user", &[&streams.lock().held.len().to_be_bytes()]);
            streams.open(&user, &user, None).unwrap();
        }
        assert!(streams.open(&Key::word("last"), &Key::word("last"), None).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_client_asks_for_nothing_ends_all_the_same() {
        let (streams, owner) = (streams(), Key::word("one"));
        let (idle, stuck) = (
            streams.open(&owner, &owner, None).unwrap(),
            streams.open(&owner, &owner, None).unwrap(),
        );
        stuck.queue.push(&Bytes::from_static(b"unread")).unwrap();

        tokio::time::sleep(Duration::from_secs(31)).await;
        streams.sweep();
        let after_half_a_minute = streams.lock().held.len();
        tokio::time::sleep(Duration::from_secs(35)).await;
        streams.sweep();

        assert_eq!(after_half_a_minute, 1);
        assert_eq!(streams.lock().held.len(), 0);
        assert_eq!(stuck.queue.next().await, Next::End(Ending::TooSlow));
        assert_eq!(idle.queue.next().await, Next::End(Ending::Age));
    }
}

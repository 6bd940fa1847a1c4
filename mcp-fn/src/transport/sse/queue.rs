//! What waits to be sent on one stream: bounded, and closed with a reason.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// So many bytes wait for a slow reader, or one event if it alone is larger.
const CAPACITY: usize = 4 * 1024 * 1024;

/// So many bytes wait for all clients of an instance together: an eighth of its memory.
const CAPACITY_OF_ALL: usize = 64 * 1024 * 1024;

/// How long an answer waits for room. Its sender waits as long, which is how a client that reads
/// too slowly is slowed down.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// It was open as long as a stream may be.
    Age,
    /// The client went away.
    Gone,
    /// The client did not read what was sent.
    TooSlow,
}

impl Ending {
    /// What the last bytes of the stream say.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Age => "the stream was open as long as it may be, open another one",
            Self::Gone => "the client went away",
            Self::TooSlow => "the client reads too slowly",
        }
    }
}

/// Why an event was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotTaken {
    /// The stream has ended.
    Ended,
    /// There is no room now.
    Full,
}

/// What waits on all streams of an instance.
#[derive(Debug, Default)]
pub(super) struct Room {
    taken: AtomicUsize,
    emptied: Notify,
}

impl Room {
    fn has(&self, bytes: usize) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        taken == 0 || taken + bytes <= CAPACITY_OF_ALL
    }

    fn take(&self, bytes: usize) {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.emptied.notify_waiters();
    }
}

/// Events on their way to one client.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Notify,
    room: Arc<Room>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Bytes>,
    bytes: usize,
    /// Since when there is more than fits.
    behind_since: Option<Instant>,
    ending: Option<Ending>,
}

impl State {
    fn add(&mut self, event: &Bytes) {
        self.bytes += event.len();
        self.events.push_back(event.clone());
    }

    /// Throws away what waits, and says how much it was.
    fn forget(&mut self) -> usize {
        self.events = VecDeque::new();
        std::mem::take(&mut self.bytes)
    }
}

/// What the stream sends next.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// An event.
    Event(Bytes),
    /// Nothing more.
    End(Ending),
}

impl Queue {
    /// A queue with nothing in it, on an instance that has so much `room`.
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), room }
    }

    /// Takes `event` if there is room for it.
    pub(super) fn push(&self, event: &Bytes) -> Result<(), NotTaken> {
        let mut state = self.state();
        if state.ending.is_some() {
            return Err(NotTaken::Ended);
        }
        let fits = state.events.is_empty() || state.bytes + event.len() <= CAPACITY;
        if !fits || !self.room.has(event.len()) {
            return Err(NotTaken::Full);
        }
        state.add(event);
        self.room.take(event.len());
        self.filled.notify_one();
        Ok(())
    }

    /// Takes `event` even if there is no room, since its sender cannot wait. If the client stays
    /// behind for too long, the stream ends.
    pub(super) fn push_anyway(&self, event: &Bytes) -> Result<(), NotTaken> {
        match self.push(event) {
            Err(NotTaken::Full) => {}
            outcome => return outcome,
        }
        let mut state = self.state();
        let behind_since = *state.behind_since.get_or_insert_with(Instant::now);
        if behind_since.elapsed() < PATIENCE {
            state.add(event);
            self.room.take(event.len());
            self.filled.notify_one();
            return Ok(());
        }
        drop(state);
        self.end(Ending::TooSlow);
        Err(NotTaken::Ended)
    }

    /// Takes `event` as soon as there is room; if there is none for too long, the stream ends.
    pub(super) async fn push_in_time(&self, event: &Bytes) -> Result<(), NotTaken> {
        let taken = timeout(PATIENCE, async {
            loop {
                let emptied = self.room.emptied.notified();
                match self.push(event) {
                    Err(NotTaken::Full) => emptied.await,
                    outcome => return outcome,
                }
            }
        });
        taken.await.unwrap_or_else(|_| {
            self.end(Ending::TooSlow);
            Err(NotTaken::Ended)
        })
    }

    /// The next event, or the end once all were taken.
    pub(super) async fn next(&self) -> Next {
        loop {
            let filled = self.filled.notified();
            if let Some(next) = self.pop() {
                return next;
            }
            filled.await;
        }
    }

    /// Ends the stream. What waits is still sent if the client reads, and thrown away if not.
    pub(super) fn end(&self, ending: Ending) {
        let mut state = self.state();
        if state.ending.is_some() {
            return;
        }
        state.ending = Some(ending);
        if ending != Ending::Age {
            self.room.give_back(state.forget());
        }
        self.filled.notify_one();
        // Who waits for room here need not wait any longer.
        self.room.emptied.notify_waiters();
    }

    fn pop(&self) -> Option<Next> {
        let mut state = self.state();
        match state.events.pop_front() {
            Some(event) => {
                state.bytes -= event.len();
                if state.bytes <= CAPACITY {
                    state.behind_since = None;
                }
                self.room.give_back(event.len());
                Some(Next::Event(event))
            }
            None => state.ending.map(Next::End),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let left = self.state().forget();
        self.room.give_back(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SMALL: Bytes = Bytes::from_static(b"small");

    fn queue() -> Queue {
        Queue::new(Arc::default())
    }

    fn large() -> Bytes {
        Bytes::from(vec![b'x'; CAPACITY])
    }

    #[tokio::test]
    async fn events_come_out_in_the_order_in_which_they_went_in() {
        let queue = queue();

        queue.push(&SMALL).unwrap();
        queue.push(&Bytes::from_static(b"other")).unwrap();

        assert_eq!(queue.next().await, Next::Event(SMALL.clone()));
        assert_eq!(queue.next().await, Next::Event(Bytes::from_static(b"other")));
    }

    #[tokio::test]
    async fn one_event_is_taken_however_large_and_the_next_has_to_wait() {
        let queue = queue();

        let first = queue.push(&Bytes::from(vec![b'x'; CAPACITY * 3]));
        let second = queue.push(&SMALL);

        assert_eq!((first, second), (Ok(()), Err(NotTaken::Full)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_room_gets_it_when_the_client_reads() {
        let queue = queue();
        queue.push(&large()).unwrap();

        let (pushed, read) = tokio::join!(queue.push_in_time(&SMALL), queue.next());

        assert_eq!((pushed, read), (Ok(()), Next::Event(large())));
        assert_eq!(queue.next().await, Next::Event(SMALL.clone()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_loses_its_stream_and_what_waited() {
        let queue = queue();
        queue.push(&large()).unwrap();
        let began = tokio::time::Instant::now();

        let pushed = queue.push_in_time(&SMALL).await;

        assert_eq!((pushed, began.elapsed()), (Err(NotTaken::Ended), PATIENCE));
        assert_eq!(queue.next().await, Next::End(Ending::TooSlow));
        assert_eq!(queue.push(&SMALL), Err(NotTaken::Ended));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_be_behind_for_a_while_if_the_sender_cannot_wait() {
        let queue = queue();
        queue.push(&large()).unwrap();

        let behind = queue.push_anyway(&SMALL);
        tokio::time::sleep(PATIENCE).await;
        let too_long = queue.push_anyway(&SMALL);

        assert_eq!((behind, too_long), (Ok(()), Err(NotTaken::Ended)));
        assert_eq!(queue.next().await, Next::End(Ending::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_catches_up_keeps_its_stream() {
        let queue = queue();
        queue.push(&large()).unwrap();
        queue.push_anyway(&SMALL).unwrap();

        queue.next().await;
        tokio::time::sleep(PATIENCE).await;

        assert_eq!(queue.push_anyway(&large()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn all_clients_of_an_instance_together_have_so_much_room_and_no_more() {
        let room = Arc::<Room>::default();
        let queues: Vec<_> =
            (0..=CAPACITY_OF_ALL / CAPACITY).map(|_| Queue::new(Arc::clone(&room))).collect();
        let (last, others) = queues.split_last().unwrap();
        for queue in others {
            queue.push(&large()).unwrap();
        }

        let full = last.push(&SMALL);
        let (pushed, _) = tokio::join!(last.push_in_time(&SMALL), others[0].next());
        drop(queues);

        assert_eq!((full, pushed), (Err(NotTaken::Full), Ok(())));
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_stream_that_ends_for_its_age_sends_what_waits() {
        let queue = queue();
        queue.push(&SMALL).unwrap();

        queue.end(Ending::Age);

        assert_eq!(queue.next().await, Next::Event(SMALL.clone()));
        assert_eq!(queue.next().await, Next::End(Ending::Age));
    }
}

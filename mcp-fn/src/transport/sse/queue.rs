//! What waits to be sent on one stream: bounded, and closed with a reason.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::room::Room;

/// So many bytes wait for a slow reader, or one event if it alone is larger.
const CAPACITY: usize = 4 * 1024 * 1024;

/// A connection takes so much at once, so that what it holds counts for little.
const PIECE: usize = 64 * 1024;

/// How long an answer waits for room. Its sender waits as long, which is how a client that reads
/// too slowly is slowed down; and how long a client may read nothing while others want its room.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client may read nothing of what waits for it, whoever wants its room.
const STALLED: Duration = Duration::from_secs(30);

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
    /// Too much waits for its client already.
    Full,
    /// Too much waits for all clients together.
    NoRoom,
    /// Too much waits for its user.
    NoShare,
}

/// Events on their way to one client.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Notify,
    room: Arc<Room>,
    /// The part of the room that its user has.
    share: Arc<Room>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Bytes>,
    bytes: usize,
    /// Whether the first of them is sent in part.
    is_cut: bool,
    /// What the connection took last; it has room for more when it asks for the next event.
    sending: usize,
    /// Since when the connection has asked for nothing, though something is there for it.
    unread_since: Option<Instant>,
    /// Since when there is more than fits.
    behind_since: Option<Instant>,
    ending: Option<Ending>,
}

impl State {
    fn add(&mut self, event: &Bytes) {
        self.unread_since.get_or_insert_with(Instant::now);
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
    /// An event, or a piece of one.
    Event(Bytes),
    /// Nothing more.
    End(Ending),
    /// Nothing more, though an event is not whole: whatever came after it would complete it.
    Cut(Ending),
}

impl Queue {
    /// A queue with nothing in it, on an instance that has so much `room`, of which its user has
    /// so large a `share`.
    pub(super) fn new(room: Arc<Room>, share: Arc<Room>) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), room, share }
    }

    /// Takes `event` if there is room for it.
    pub(super) fn push(&self, event: &Bytes) -> Result<(), NotTaken> {
        let mut state = self.state();
        if state.ending.is_some() {
            return Err(NotTaken::Ended);
        }
        if !state.events.is_empty() && state.bytes + event.len() > CAPACITY {
            return Err(NotTaken::Full);
        }
        self.add(&mut state, event)
    }

    /// Takes `event` even if much waits already, since its sender cannot wait. If the client stays
    /// behind for too long, the stream ends.
    pub(super) fn push_anyway(&self, event: &Bytes) -> Result<(), NotTaken> {
        let mut state = self.state();
        if state.ending.is_some() {
            return Err(NotTaken::Ended);
        }
        if state.events.is_empty() || state.bytes + event.len() <= CAPACITY {
            return self.add(&mut state, event);
        }
        let behind_since = *state.behind_since.get_or_insert_with(Instant::now);
        if behind_since.elapsed() < PATIENCE {
            return self.add(&mut state, event);
        }
        self.end_now(&mut state, Ending::TooSlow);
        Err(NotTaken::Ended)
    }

    /// Takes `event` as soon as there is room. If the client makes none for too long, the stream
    /// ends; if others do not, it stays, and the event is not taken.
    pub(super) async fn push_in_time(&self, event: &Bytes) -> Result<(), NotTaken> {
        let taken = timeout(PATIENCE, async {
            loop {
                let emptied = self.room.emptied();
                match self.push(event) {
                    Ok(()) => return Ok(()),
                    Err(NotTaken::Ended) => return Err(NotTaken::Ended),
                    Err(NotTaken::Full | NotTaken::NoRoom | NotTaken::NoShare) => emptied.await,
                }
            }
        });
        if let Ok(outcome) = taken.await {
            return outcome;
        }
        match self.push(event) {
            Err(NotTaken::Full) => {
                self.end(Ending::TooSlow);
                Err(NotTaken::Ended)
            }
            outcome => outcome,
        }
    }

    /// The next event, or the end once all were taken. Who asks has sent what it took before.
    pub(super) async fn next(&self) -> Next {
        self.sent();
        loop {
            let filled = self.filled.notified();
            if let Some(next) = self.pop() {
                return next;
            }
            filled.await;
        }
    }

    /// Ends the stream. What waits is still sent if it was its age, and thrown away otherwise.
    pub(super) fn end(&self, ending: Ending) {
        self.end_now(&mut self.state(), ending);
    }

    /// Moves what waits to the stream that follows this one, and ends this one.
    pub(super) fn hand_over(&self, to: &Self) {
        let mut state = self.state();
        let mut events = std::mem::take(&mut state.events);
        let mut bytes = std::mem::take(&mut state.bytes);
        // Half an event is of no use to anybody.
        if state.is_cut
            && let Some(cut) = events.pop_front()
        {
            bytes -= cut.len();
            self.give_back(cut.len());
        }
        for event in events {
            // It has been taken once, by the same user, so the room for it is there.
            to.state().add(&event);
            to.filled.notify_one();
        }
        self.share.give_back(bytes);
        to.share.take(bytes);
        self.end_now(&mut state, Ending::Gone);
    }

    /// Ends the stream of a client that reads nothing, or has had its time.
    pub(super) fn give_up(&self) -> Ending {
        let mut state = self.state();
        let ending = if state.events.is_empty() { Ending::Age } else { Ending::TooSlow };
        self.end_now(&mut state, ending);
        ending
    }

    /// Whether the client has read nothing of what is there for it, for longer than it may.
    pub(super) fn is_stuck(&self) -> bool {
        let most = if self.room.is_tight() { PATIENCE } else { STALLED };
        self.state().unread_since.is_some_and(|since| since.elapsed() > most)
    }

    fn add(&self, state: &mut State, event: &Bytes) -> Result<(), NotTaken> {
        if !self.share.has(event.len()) {
            return Err(NotTaken::NoShare);
        }
        if !self.room.has(event.len()) {
            return Err(NotTaken::NoRoom);
        }
        state.add(event);
        self.room.take(event.len());
        self.share.take(event.len());
        self.filled.notify_one();
        Ok(())
    }

    fn end_now(&self, state: &mut State, ending: Ending) {
        if state.ending.is_some() {
            return;
        }
        state.ending = Some(ending);
        if ending != Ending::Age {
            self.give_back(state.forget());
        }
        self.filled.notify_one();
        // Who waits for room here need not wait any longer.
        self.room.give_back(0);
    }

    fn sent(&self) {
        let mut state = self.state();
        let sent = std::mem::take(&mut state.sending);
        state.unread_since = (!state.events.is_empty()).then(Instant::now);
        self.give_back(sent);
    }

    fn give_back(&self, bytes: usize) {
        self.share.give_back(bytes);
        self.room.give_back(bytes);
    }

    fn pop(&self) -> Option<Next> {
        let mut state = self.state();
        let is_cut = state.is_cut;
        let Some(event) = state.events.front_mut() else {
            return state.ending.map(if is_cut { Next::Cut } else { Next::End });
        };
        let piece = event.split_to(event.len().min(PIECE));
        state.is_cut = !event.is_empty();
        if !state.is_cut {
            state.events.pop_front();
        }
        state.bytes -= piece.len();
        if state.bytes <= CAPACITY {
            state.behind_since = None;
        }
        state.sending = piece.len();
        state.unread_since = Some(Instant::now());
        Some(Next::Event(piece))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut state = self.state();
        let left = state.forget() + std::mem::take(&mut state.sending);
        drop(state);
        self.give_back(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::sse::room::{CAPACITY_OF_ALL, CAPACITY_OF_ONE};

    static SMALL: Bytes = Bytes::from_static(b"small");

    fn queue() -> Queue {
        Queue::new(Arc::new(Room::of_all()), Arc::new(Room::of_one()))
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

        assert_eq!((pushed, read), (Ok(()), Next::Event(large().slice(..PIECE))));
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

    /// Queues that fill the room of an instance, and one more.
    fn full_room() -> (Vec<Queue>, Queue, Arc<Room>) {
        let room = Arc::new(Room::of_all());
        let queues: Vec<_> = (0..CAPACITY_OF_ALL / CAPACITY)
            .map(|_| Queue::new(Arc::clone(&room), Arc::new(Room::of_one())))
            .collect();
        for queue in &queues {
            queue.push(&large()).unwrap();
        }
        (queues, Queue::new(Arc::clone(&room), Arc::new(Room::of_one())), room)
    }

    #[tokio::test(start_paused = true)]
    async fn all_clients_of_an_instance_together_have_so_much_room_and_no_more() {
        let (queues, last, room) = full_room();

        let full = last.push(&SMALL);
        let read = async {
            // Room is there again when the connection asks for more, and not when it takes some.
            let first = queues[0].next().await;
            let still_full = last.push(&SMALL);
            (first, still_full, queues[0].next().await)
        };
        let (pushed, (first, still_full, second)) = tokio::join!(last.push_in_time(&SMALL), read);
        drop((queues, last));

        assert_eq!((full, still_full), (Err(NotTaken::NoRoom), Err(NotTaken::NoRoom)));
        let piece = || Next::Event(large().slice(..PIECE));
        assert_eq!((pushed, first, second), (Ok(()), piece(), piece()));
        assert_eq!(room.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_for_the_fault_of_others_keeps_its_stream_and_they_are_stuck() {
        let (queues, last, _) = full_room();

        let pushed = last.push_in_time(&SMALL).await;
        tokio::time::sleep(Duration::from_millis(1)).await;

        assert_eq!(pushed, Err(NotTaken::NoRoom));
        assert!(queues.iter().all(Queue::is_stuck));
        assert!(!last.is_stuck());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_stuck_in_the_end_though_nobody_wants_its_room() {
        let (queue, idle) = (queue(), queue());
        queue.push(&SMALL).unwrap();
        queue.next().await;

        tokio::time::sleep(STALLED).await;
        let in_time = queue.is_stuck();
        tokio::time::sleep(Duration::from_millis(1)).await;

        assert!(!in_time && queue.is_stuck() && !idle.is_stuck());
    }

    #[tokio::test]
    async fn one_user_takes_no_more_than_their_share() {
        let (room, share) = (Arc::new(Room::of_all()), Arc::new(Room::of_one()));
        let queues: Vec<_> = (0..=CAPACITY_OF_ONE / CAPACITY)
            .map(|_| Queue::new(Arc::clone(&room), Arc::clone(&share)))
            .collect();
        let other = Queue::new(Arc::clone(&room), Arc::new(Room::of_one()));

        let pushed: Vec<_> = queues.iter().map(|queue| queue.push(&large())).collect();

        assert_eq!(pushed.last(), Some(&Err(NotTaken::NoShare)));
        assert_eq!(other.push(&large()), Ok(()));
    }

    #[tokio::test]
    async fn an_event_that_is_cut_off_is_not_completed_by_a_farewell() {
        let queue = queue();
        queue.push(&large()).unwrap();
        queue.next().await;

        queue.end(Ending::TooSlow);

        assert_eq!(queue.next().await, Next::Cut(Ending::TooSlow));
    }

    #[tokio::test]
    async fn what_waits_goes_over_to_the_stream_that_follows() {
        let room = Arc::new(Room::of_all());
        let (before, after) = (
            Queue::new(Arc::clone(&room), Arc::new(Room::of_one())),
            Queue::new(Arc::clone(&room), Arc::new(Room::of_one())),
        );
        before.push(&SMALL).unwrap();

        before.hand_over(&after);

        assert_eq!(before.next().await, Next::End(Ending::Gone));
        assert_eq!(after.next().await, Next::Event(SMALL.clone()));
        drop((before, after));
        assert_eq!(room.taken(), 0);
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

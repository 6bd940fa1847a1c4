//! The memory that waiting events take: of one user, and of an instance.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// So many bytes wait for all streams of one user together.
pub(super) const CAPACITY_OF_ONE: usize = 16 * 1024 * 1024;

/// So many bytes wait for all clients of an instance together: an eighth of its memory.
pub(super) const CAPACITY_OF_ALL: usize = 64 * 1024 * 1024;

/// What waits on several streams, and what was handed to their connections last.
#[derive(Debug)]
pub(super) struct Room {
    capacity: usize,
    taken: AtomicUsize,
    emptied: Notify,
}

impl Room {
    /// The room of an instance.
    pub(super) fn of_all() -> Self {
        Self::new(CAPACITY_OF_ALL)
    }

    /// The part of it that one user may take.
    pub(super) fn of_one() -> Self {
        Self::new(CAPACITY_OF_ONE)
    }

    fn new(capacity: usize) -> Self {
        Self { capacity, taken: AtomicUsize::new(0), emptied: Notify::new() }
    }

    /// Whether so many bytes find room.
    pub(super) fn has(&self, bytes: usize) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        taken == 0 || taken + bytes <= self.capacity
    }

    /// Whether there is so little room left that others may want it.
    pub(super) fn is_tight(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.capacity / 2
    }

    /// Takes room for so many bytes, whether it is there or not.
    pub(super) fn take(&self, bytes: usize) {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives room back, and wakes those who wait for it.
    pub(super) fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.emptied.notify_waiters();
    }

    /// Resolves when room is given back from now on.
    pub(super) fn emptied(&self) -> Notified<'_> {
        self.emptied.notified()
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

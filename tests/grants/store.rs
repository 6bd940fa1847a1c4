//! The wires that lead requests to storage: each can break, and two can be made to take turns.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use shared::storage::{
    Address, InsertError, Key, Page, Place, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version, Versioned,
};
use tokio::sync::{Notify, Semaphore, oneshot};

use crate::memory::MemoryStore;

/// What happens at one call of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Break {
    /// At which call, from 0.
    pub(crate) call: usize,
    /// Whether the call is carried out all the same.
    pub(crate) carried_out: bool,
    /// What the request sees.
    pub(crate) kind: BreakKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BreakKind {
    /// The call fails.
    Fails,
    /// The call waits for [`Watch::go_on`], and is carried out then.
    Waits,
    /// The call never comes back.
    Hangs,
}

impl Break {
    /// Whether nobody gets an answer.
    pub(crate) fn interrupts(self) -> bool {
        self.kind != BreakKind::Fails
    }

    /// Whether the work of the request never ends.
    pub(crate) fn hangs(self) -> bool {
        self.kind == BreakKind::Hangs
    }
}

/// What is seen of a request from outside.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    calls: AtomicUsize,
    writes: AtomicUsize,
    broke: AtomicBool,
    reached: Notify,
    resumed: Notify,
}

impl Watch {
    /// How often it changed what is stored.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    /// Whether the wire broke.
    pub(crate) fn broke(&self) -> bool {
        self.broke.load(Ordering::Relaxed)
    }

    /// Waits until a call waits or hangs.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets the call that waits go on.
    pub(crate) fn go_on(&self) {
        self.resumed.notify_one();
    }
}

/// Leads an instance to the storage of the request that it serves, one after the other.
#[derive(Default)]
pub(crate) struct Wire(Mutex<Option<Arc<Job>>>);

/// What one request finds at the other end.
pub(crate) struct Job {
    pub(crate) store: Arc<MemoryStore>,
    /// Closed when nobody will ever come back to a call that hangs.
    pub(crate) world: Arc<Semaphore>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) broken: Option<Break>,
    /// The race that the request is in, and which of the two it is.
    pub(crate) race: Option<(Arc<Turns>, usize)>,
}

impl Wire {
    /// Leads to `job` from now on.
    pub(crate) fn serve(&self, job: Job) {
        *self.0.lock().unwrap() = Some(Arc::new(job));
    }

    fn job(&self) -> Arc<Job> {
        Arc::clone(self.0.lock().unwrap().as_ref().unwrap())
    }
}

impl Job {
    async fn pass<T, E: From<StoreError>>(
        &self,
        writes: bool,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        if self.world.is_closed() {
            return Err(failure().into());
        }
        if let Some((turns, racer)) = &self.race {
            turns.wait_for(*racer).await;
        }
        let watch = &self.watch;
        let call = async {
            let outcome = call.await;
            let wrote = writes && outcome.is_ok();
            watch.writes.fetch_add(usize::from(wrote), Ordering::Relaxed);
            outcome
        };
        let number = watch.calls.fetch_add(1, Ordering::Relaxed);
        let Some(broken) = self.broken.filter(|broken| broken.call == number) else {
            return call.await;
        };
        watch.broke.store(true, Ordering::Relaxed);
        if broken.kind == BreakKind::Waits {
            watch.reached.notify_one();
            watch.resumed.notified().await;
            return call.await;
        }
        if broken.carried_out {
            // Nobody learns what came of it.
            let _outcome = call.await;
        }
        if broken.kind == BreakKind::Hangs {
            watch.reached.notify_one();
            let _closed = self.world.acquire().await;
        }
        Err(failure().into())
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Wire").finish_non_exhaustive()
    }
}

fn failure() -> StoreError {
    StoreError::new("the wire is broken")
}

#[async_trait]
impl RecordStore for Wire {
    async fn create_table(&self, table: &TableName) -> Result<TableCreation, StoreError> {
        let job = self.job();
        job.pass(true, job.store.create_table(table)).await
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), StoreError> {
        // It happens behind the back of the request, and has no part in what becomes of it.
        self.job().store.drop_table(table).await
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), InsertError> {
        let job = self.job();
        job.pass(true, job.store.insert(address, record)).await
    }

    async fn get(&self, address: &Address) -> Result<Option<Versioned>, StoreError> {
        let job = self.job();
        job.pass(false, job.store.get(address)).await
    }

    async fn replace(
        &self,
        address: &Address,
        record: Record,
        version: &Version,
    ) -> Result<(), ReplaceError> {
        let job = self.job();
        job.pass(true, job.store.replace(address, record, version)).await
    }

    async fn remove(&self, address: &Address) -> Result<(), StoreError> {
        let job = self.job();
        job.pass(true, job.store.remove(address)).await
    }

    async fn list(
        &self,
        table: &TableName,
        partition: &Key,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let job = self.job();
        job.pass(false, job.store.list(table, partition)).await
    }

    async fn page(&self, table: &TableName, place: Option<&Place>) -> Result<Page, StoreError> {
        let job = self.job();
        job.pass(false, job.store.page(table, place)).await
    }
}

/// The order in which two requests reach storage: where both have a call to make, a bit of the
/// schedule says whose is carried out.
#[derive(Debug)]
pub(crate) struct Turns(Mutex<Racers>);

#[derive(Debug)]
struct Racers {
    schedule: u32,
    running: [bool; 2],
    waiting: [Option<oneshot::Sender<()>>; 2],
}

impl Turns {
    pub(crate) fn new(schedule: u32) -> Self {
        let (running, waiting) = ([true; 2], [None, None]);
        Self(Mutex::new(Racers { schedule, running, waiting }))
    }

    /// Racer `racer` has its answer: the other one goes on alone.
    pub(crate) fn finish(&self, racer: usize) {
        let mut racers = self.0.lock().unwrap();
        racers.running[racer] = false;
        racers.let_one_pass();
    }

    async fn wait_for(&self, racer: usize) {
        let (sender, receiver) = oneshot::channel();
        {
            let mut racers = self.0.lock().unwrap();
            racers.waiting[racer] = Some(sender);
            racers.let_one_pass();
        }
        // The sender is dropped only with the whole race.
        let _passed = receiver.await;
    }
}

impl Racers {
    fn let_one_pass(&mut self) {
        let here = [0, 1].map(|racer| self.waiting[racer].is_some() || !self.running[racer]);
        if here != [true; 2] {
            return;
        }
        let chosen = usize::from(self.schedule & 1 == 1);
        let chosen = if self.waiting[chosen].is_some() { chosen } else { 1 - chosen };
        if let Some(waiting) = self.waiting[chosen].take() {
            self.schedule >>= 1;
            let _sent = waiting.send(());
        }
    }
}

//! The load: a number of connections, each of which sends its next request when the answer to the
//! last one is there. Every answer is looked at.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinSet, LocalSet};
use tokio::time::sleep;

use crate::connection::Connection;
use crate::server::{Running, greets};

/// What was measured of one server under one load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) requests_per_second: f64,
    /// Microseconds of processor time for each request.
    pub(crate) processor: f64,
    /// Milliseconds.
    pub(crate) median: f64,
    /// Milliseconds.
    pub(crate) percentile_99: f64,
}

/// For how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What the connections share.
#[derive(Debug, Default)]
struct Shared {
    is_measuring: bool,
    is_over: bool,
    times: Vec<Duration>,
}

/// Loads `server` over `connections` connections.
pub(crate) async fn load(server: &Running, connections: usize, span: Span) -> Load {
    let shared = Rc::<RefCell<Shared>>::default();
    let local = LocalSet::new();
    let measured = local.run_until(async {
        let mut callers = JoinSet::new();
        for _ in 0..connections {
            let (address, request) = (server.process.address, server.request());
            callers.spawn_local(call(address, request, Rc::clone(&shared)));
        }
        sleep(span.warm_up).await;
        let (began, processor) = (Instant::now(), server.process.processor_time());
        shared.borrow_mut().is_measuring = true;
        sleep(span.measured).await;
        // A slow one on a busy machine gets as long as it takes; a dead one fails its callers.
        while shared.borrow().times.is_empty() && !callers.is_empty() {
            sleep(span.measured).await;
            callers.try_join_next().into_iter().for_each(|ended| finish(server, ended));
        }
        let processor = server.process.processor_time().saturating_sub(processor);
        let time = began.elapsed();
        shared.borrow_mut().is_over = true;
        while let Some(ended) = callers.join_next().await {
            finish(server, ended);
        }
        (processor, time)
    });
    let (processor, time) = measured.await;
    let times = std::mem::take(&mut shared.borrow_mut().times);
    Load::new(times, processor, time)
}

/// Ends the run if a caller got a bad answer.
fn finish(server: &Running, ended: Result<Result<(), String>, JoinError>) {
    ended.unwrap().unwrap_or_else(|bad| panic!("{}: {bad}", server.name));
}

impl Load {
    fn new(mut times: Vec<Duration>, processor: Duration, time: Duration) -> Self {
        times.sort_unstable();
        assert!(!times.is_empty(), "nothing was answered");
        let requests = u32::try_from(times.len()).unwrap();
        Self {
            requests_per_second: f64::from(requests) / time.as_secs_f64(),
            processor: processor.as_secs_f64() * 1e6 / f64::from(requests),
            median: times[times.len() / 2].as_secs_f64() * 1e3,
            percentile_99: times[times.len() * 99 / 100].as_secs_f64() * 1e3,
        }
    }
}

async fn call(
    address: std::net::SocketAddr,
    request: Vec<u8>,
    shared: Rc<RefCell<Shared>>,
) -> Result<(), String> {
    let mut connection = Connection::open(address).await.map_err(|error| error.to_string())?;
    // An answer that is the same as a good one, byte by byte, is good.
    let mut good = Vec::new();
    loop {
        let began = Instant::now();
        let answer = connection.exchange(&request).await?;
        let time = began.elapsed();
        if answer.status != 200 || answer.body != good {
            if !greets(&answer) {
                return Err(format!("a bad answer: {}", answer.text()));
            }
            good = answer.body.to_vec();
        }
        let mut shared = shared.borrow_mut();
        if shared.is_over {
            return Ok(());
        }
        if shared.is_measuring {
            shared.times.push(time);
        }
    }
}

//! A server in a process of its own, on a core of its own, and what the system knows about it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::connection::Connection;
use crate::logs;

/// How long a server may take to come up.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause between two looks whether it is there.
const PAUSE: Duration = Duration::from_micros(200);

/// The core of the server that is measured.
pub(crate) const SERVER_CORE: &str = "0";

/// The core of the load generator, and of whatever else has to run.
pub(crate) const OTHER_CORE: &str = "1";

/// What is started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) core: &'static str,
}

/// A process that ends with its handle.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) began: Instant,
}

impl Process {
    /// Starts `program` for the port `port`.
    pub(crate) fn start(program: &Program, port: u16) -> Self {
        let log = logs().join(program.name.replace(' ', "-"));
        let file = File::create(&log).unwrap();
        let began = Instant::now();
        let child = Command::new("taskset")
            .args(["-c", program.core])
            .arg(&program.file)
            .args(&program.arguments)
            .env_clear()
            .envs(program.settings.iter().map(|(name, value)| (name, value)))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn();
        let child =
            child.unwrap_or_else(|error| panic!("{} does not start: {error}", program.name));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { child, log, name: program.name.clone(), address, began }
    }

    /// Waits until `look` gives something.
    pub(crate) async fn wait_for<T>(&mut self, mut look: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            let ended = self.child.try_wait().unwrap().is_some();
            let waiting = !ended && self.began.elapsed() < PATIENCE;
            assert!(waiting, "{} does not come up:\n{}", self.name, self.printed());
            sleep(PAUSE).await;
        }
    }

    /// Waits until somebody listens.
    pub(crate) async fn wait_until_it_listens(&mut self) {
        self.wait_for(async |process| Connection::open(process.address).await.ok()).await;
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The time on a processor that it and its children have had.
    pub(crate) fn processor_time(&self) -> Duration {
        let tree = self.tree();
        let threads = tree.iter().flat_map(|id| fs::read_dir(format!("/proc/{id}/task")).unwrap());
        // A thread may end meanwhile.
        let times = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.unwrap().path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(times.sum())
    }

    /// What it and its children hold in memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let held = |id: &u32| {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
            let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            held.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
        };
        self.tree().iter().map(held).sum()
    }

    fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.child.id()];
        let mut looked_at = 0;
        while let Some(id) = tree.get(looked_at) {
            for thread in fs::read_dir(format!("/proc/{id}/task")).unwrap() {
                let children = fs::read_to_string(thread.unwrap().path().join("children"));
                let children = children.unwrap_or_default();
                tree.extend(children.split_whitespace().map(|id| id.parse::<u32>().unwrap()));
            }
            looked_at += 1;
        }
        tree
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A port of this machine at which nothing listens.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

//! oauth-fn as it is deployed: a process of its own, which knows what its environment says.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long a start, or a line of the log, may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running app. It ends when it is dropped.
pub(crate) struct FunctionApp {
    process: Child,
    log: Arc<Log>,
    pub(crate) address: SocketAddr,
}

impl FunctionApp {
    /// Starts the app with these settings and no others, and waits until it serves.
    pub(crate) fn start(settings: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deployed-oauth-fn"));
        command.env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let (log, (serving, told)) = (Arc::<Log>::default(), channel());
        let (stdout, kept) = (process.stdout.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || listen(stdout, &kept, &serving));
        let Ok(address) = told.recv_timeout(PATIENCE) else {
            process.kill().unwrap();
            panic!("it does not serve: {:?}", log.lines.lock().unwrap());
        };
        Self { process, log, address }
    }

    /// Every line that was logged, up to one that has `last` in it, and perhaps some more.
    pub(crate) fn log_up_to(&self, last: &str) -> Vec<String> {
        let missing = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(last));
        let lines = self.log.lines.lock().unwrap();
        let waited = self.log.grown.wait_timeout_while(lines, PATIENCE, missing).unwrap();
        assert!(!waited.1.timed_out(), "nothing was logged of {last}");
        waited.0.clone()
    }
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Drop for FunctionApp {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

fn listen(stdout: ChildStdout, log: &Log, serving: &Sender<SocketAddr>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if event["message"] == "serving" {
            let address = event["address"].as_str().unwrap().parse().unwrap();
            serving.send(address).unwrap();
        }
        log.lines.lock().unwrap().push(line);
        log.grown.notify_all();
    }
}

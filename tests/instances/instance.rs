//! One process of mcp-fn, as Azure Functions would start it.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long a process may take to listen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process; it ends with the test.
#[derive(Debug)]
pub(crate) struct Instance {
    child: Mutex<Child>,
    pub(crate) port: u16,
}

impl Instance {
    /// Starts one with `settings` as its whole environment, and waits until it listens.
    pub(crate) async fn start(settings: &[(&str, String)]) -> Self {
        let port = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_deployed-mcp-fn"))
            .env_clear()
            .envs(settings.iter().map(|(name, value)| (*name, value.as_str())))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let instance = Self { child: Mutex::new(child), port };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "it does not listen");
            sleep(Duration::from_millis(20)).await;
        }
        instance
    }

    /// Ends it without a word, as the platform does.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _gone = child.kill();
        let _reaped = child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

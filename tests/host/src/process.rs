//! The handler as a process: started, probed, started again when it ends, and killed in the end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::host::HostOptions;
use crate::log::Log;
use crate::package::Package;

/// How often the host asks whether the handler is there.
const PROBE_EVERY: Duration = Duration::from_millis(25);

/// An error counts together with the one before it for that long.
const ERRORS_COUNT_FOR: Duration = Duration::from_mins(30);

/// That many errors in a row, and the host gives up.
const MOST_ERRORS: usize = 3;

/// The exit code of a handler that wants to be started again.
const RESTART: i32 = 200;

/// Where the handler is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// It was started and has not answered yet.
    Starting,
    /// It answered here. It may be gone since, if it ended as though all were well.
    At(SocketAddr),
    /// The host has given up.
    GivenUp,
}

/// The handler of a package. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Handler {
    state: watch::Receiver<State>,
    restarts: mpsc::Sender<()>,
    supervisor: JoinHandle<()>,
}

impl Handler {
    /// Starts the handler, and returns when it has answered.
    pub(crate) async fn start(
        package: Arc<Package>,
        options: &HostOptions,
        log: Log,
    ) -> Result<Self, StartError> {
        let (told, state) = watch::channel(State::Starting);
        let (restarts, asked) = mpsc::channel(1);
        let (settings, readiness) = (options.settings.clone(), options.readiness);
        let launch = Launch { package, settings, readiness, log };
        let supervisor = tokio::spawn(supervise(launch, told, asked));
        let mut handler = Self { state, restarts, supervisor };
        let first = handler.state.wait_for(|state| *state != State::Starting).await;
        match first.map(|state| *state) {
            Ok(State::At(_)) => Ok(handler),
            _ => Err(StartError),
        }
    }

    /// Where the handler is, once it is anywhere.
    pub(crate) async fn address(&self) -> Option<SocketAddr> {
        let mut state = self.state.clone();
        match state.wait_for(|state| *state != State::Starting).await.map(|state| *state) {
            Ok(State::At(address)) => Some(address),
            _ => None,
        }
    }

    /// Ends the process and starts another one, with all that is under way in it.
    pub(crate) fn restart(&self) {
        // One that waits already is enough.
        let _waiting = self.restarts.try_send(());
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// The handler does not come up; the log says why.
#[derive(Debug, thiserror::Error)]
#[error("the handler does not come up: see the log")]
pub struct StartError;

struct Launch {
    package: Arc<Package>,
    settings: Vec<(String, String)>,
    readiness: Duration,
    log: Log,
}

/// Keeps a process running until it ends for good.
async fn supervise(launch: Launch, told: watch::Sender<State>, mut asked: mpsc::Receiver<()>) {
    let mut errors = Errors::default();
    loop {
        told.send_replace(State::Starting);
        let end = match launch.run(&told, &mut asked).await {
            Ok(status) => Ended::of(status),
            Err(error) => Ended::Wrong(error.to_string()),
        };
        match end {
            // The host does nothing: requests go where nobody listens any more.
            Ended::Well => return,
            Ended::ToBeRestarted => {}
            Ended::Wrong(why) => {
                launch.log.error(format!("the handler ended: {why}"));
                if errors.another(Instant::now()) {
                    launch.log.error("the handler ended too often: the host stops");
                    told.send_replace(State::GivenUp);
                    return;
                }
            }
        }
    }
}

impl Launch {
    /// Runs a process to its end.
    async fn run(
        &self,
        told: &watch::Sender<State>,
        asked: &mut mpsc::Receiver<()>,
    ) -> io::Result<ExitStatus> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut child = self.command(address.port()).spawn()?;
        self.listen_to(&mut child);
        let up = async {
            while !answers(address).await {
                tokio::time::sleep(PROBE_EVERY).await;
            }
        };
        tokio::select! {
            status = child.wait() => return status,
            up = tokio::time::timeout(self.readiness, up) => if up.is_err() {
                child.kill().await?;
                return Err(io::Error::other("it does not answer"));
            }
        }
        told.send_replace(State::At(address));
        tokio::select! {
            status = child.wait() => status,
            _ = asked.recv() => {
                self.log.error("a request took too long: the handler is started again");
                child.kill().await?;
                Ok(restart())
            }
        }
    }

    fn command(&self, port: u16) -> Command {
        let mut command = command(&self.package, &self.settings, port);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn listen_to(&self, child: &mut Child) {
        if let Some(printed) = child.stdout.take() {
            let log = self.log.clone();
            tokio::spawn(each_line(printed, move |line| log.printed(line)));
        }
        if let Some(complaints) = child.stderr.take() {
            let log = self.log.clone();
            tokio::spawn(each_line(complaints, move |line| log.complained(line)));
        }
    }
}

/// The program of `package` with the environment that the host gives it.
pub(crate) fn command(package: &Package, settings: &[(String, String)], port: u16) -> Command {
    let mut command = Command::new(package.program());
    let (port, id) = (port.to_string(), "e8a5c1d0-0000-4000-8000-000000000001");
    command
        .current_dir(package.directory())
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
        .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", id)
        .env("FUNCTIONS_HTTPWORKER_PORT", &port)
        .env("FUNCTIONS_HTTPWORKER_ID", id)
        .env("FUNCTIONS_APP_ROOT_PATH", package.directory())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn each_line(from: impl AsyncRead + Unpin, mut take: impl FnMut(String)) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        take(line);
    }
}

/// Whether anything that looks like HTTP answers `GET /`, whatever it says.
pub(crate) async fn answers(address: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut start = [0; 5];
        stream.read_exact(&mut start).await?;
        io::Result::Ok(start)
    };
    asked.await.is_ok_and(|start| start == *b"HTTP/")
}

pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// How a process ended.
enum Ended {
    Well,
    ToBeRestarted,
    Wrong(String),
}

impl Ended {
    fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(0) => Self::Well,
            Some(RESTART) => Self::ToBeRestarted,
            _ => Self::Wrong(status.to_string()),
        }
    }
}

/// The status of a process that ended by itself in order to be started again.
fn restart() -> ExitStatus {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::from_raw(RESTART << 8);
    #[cfg(windows)]
    return std::os::windows::process::ExitStatusExt::from_raw(RESTART.cast_unsigned());
}

/// Counts errors that follow each other closely.
#[derive(Debug, Default)]
struct Errors {
    count: usize,
    last: Option<Instant>,
}

impl Errors {
    /// Notes an error, and says whether it is one too many.
    fn another(&mut self, now: Instant) -> bool {
        let close = self.last.is_some_and(|last| now.duration_since(last) < ERRORS_COUNT_FOR);
        self.count = if close { self.count + 1 } else { 1 };
        self.last = Some(now);
        self.count >= MOST_ERRORS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_error_is_one_too_many_unless_half_an_hour_lies_between() {
        let (mut errors, now) = (Errors::default(), Instant::now());
        let (soon, late) = (Duration::from_mins(29), Duration::from_mins(30));

        assert!(!errors.another(now));
        assert!(!errors.another(now + soon));
        assert!(!errors.another(now + soon + late));
        assert!(!errors.another(now + soon + late + soon));
        assert!(errors.another(now + soon + late + soon + soon));
    }
}

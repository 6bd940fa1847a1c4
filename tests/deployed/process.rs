//! A deployed binary, started as the Functions host starts it, and an account that answers it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a process may take to listen, and to write a line of its log, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that serves on this machine. It ends with the test.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts `binary` with `settings` as its whole environment, and waits until it serves.
    pub(crate) fn start(binary: &str, settings: &[(&str, &str)]) -> Self {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut process = Self::spawn(binary, settings);
            let is_ready = process.wait_for("it does not serve", || {
                let log = process.log.lock().unwrap();
                let is_ready = log.iter().any(|line| line.contains("\"serving\""));
                let is_late = log.iter().any(|line| line.contains("cannot listen on"));
                (is_ready || is_late).then_some(is_ready)
            });
            if is_ready {
                return process;
            }
            // Another test took the port between our look and the process.
            assert!(tries < 5, "{:#?}", process.log.lock().unwrap());
            process.kill();
        }
    }

    fn spawn(binary: &str, settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut child = Command::new(binary)
            .env_clear()
            .envs(settings.iter().copied())
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let written = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                written.lock().unwrap().push(line);
            }
        });
        Self { child, port, log }
    }

    /// The answer to one request: status and the rest, as it came.
    pub(crate) fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers = headers.replace('\n', "\r\n");
        let length = body.len();
        write!(
            stream,
            "{first} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("{answer}")), answer)
    }

    /// Sends a request, and gives the connection as soon as the answer has begun.
    pub(crate) fn begin(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(stream, "{}\r\nhost: 127.0.0.1\r\n\r\n", head.replace('\n', "\r\n")).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(status, *b"HTTP/1.1 200");
        stream
    }

    /// Tells the process to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not stop: {:#?}", self.log.lock().unwrap());
    }

    /// Ends the process as the Functions host does: without a warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The one line of the log that complains of something.
    pub(crate) fn complaint(&self) -> String {
        self.wait_for("nothing is logged", || {
            let log = self.log.lock().unwrap();
            let mut complaints =
                log.iter().filter(|line| line.contains("\"ERROR\"") || line.contains("\"WARN\""));
            let complaint = complaints.next()?;
            assert!(complaints.next().is_none(), "{log:#?}");
            Some(complaint.clone())
        })
    }

    fn wait_for<T>(&self, otherwise: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(found) = found() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{otherwise}: {:#?}", self.log.lock().unwrap());
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

/// The endpoint of the account at `port`, as a setting has it.
pub(crate) fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}/devstoreaccount1")
}

/// An account that gives every request the same answer.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) port: u16,
    requests: Arc<AtomicUsize>,
}

impl Account {
    pub(crate) fn answering(status: u16, code: &str, body: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<AtomicUsize>::default();
        let (counted, length) = (Arc::clone(&requests), body.len());
        let answer = format!(
            "HTTP/1.1 {status} -\r\nconnection: close\r\nx-ms-error-code: {code}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::Relaxed);
                let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
                while head.next().is_some_and(|line| !line.is_empty()) {}
                let _gone = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

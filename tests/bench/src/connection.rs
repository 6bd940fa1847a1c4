//! A connection to a server, kept alive: as little of an HTTP client as can be, so that what is
//! measured is the server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// More headers than any of these servers sends.
const MOST_HEADERS: usize = 48;

/// A connection, and what came in that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    taken: usize,
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// A new connection to `address`.
    pub(crate) async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096), taken: 0 })
    }

    /// Sends `request` and reads the answer to it.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, String> {
        self.send(request).await?;
        self.answer().await
    }

    /// Sends `request`, whose answer has to be read afterwards.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), String> {
        self.stream.write_all(request).await.map_err(|error| error.to_string())
    }

    /// Reads an answer to its end.
    pub(crate) async fn answer(&mut self) -> Result<Answer<'_>, String> {
        let (status, head, length) = in_time(self.read_answer()).await?;
        self.taken = head + length;
        let (head, rest) = self.buffer.split_at(head);
        Ok(Answer { status, head, body: rest.get(..length).unwrap_or_default() })
    }

    /// Reads until `found` finds something in what came in, takes all of that, and gives what it found.
    pub(crate) async fn until<T>(
        &mut self,
        found: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, String> {
        self.forget_taken();
        let reading = async {
            loop {
                if let Some(found) = found(&self.buffer) {
                    return Ok(found);
                }
                self.read_more().await?;
            }
        };
        let found = in_time(reading).await?;
        self.taken = self.buffer.len();
        Ok(found)
    }

    /// Status, length of the head, length of the body.
    async fn read_answer(&mut self) -> Result<(u16, usize, usize), String> {
        self.forget_taken();
        let (status, head, length) = loop {
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
            self.read_more().await?;
        };
        loop {
            let body = self.buffer.get(head..).unwrap_or_default();
            let length = length.or_else(|| length_of_chunks(body));
            if let Some(length) = length.filter(|length| *length <= body.len()) {
                return Ok((status, head, length));
            }
            self.read_more().await?;
        }
    }

    fn forget_taken(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
    }

    async fn read_more(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the connection was closed".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

async fn in_time<T>(reading: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(PATIENCE, reading).await.map_err(|_| "no answer in time")?
}

impl Answer<'_> {
    /// The body as text, for complaints.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(self.body))
    }

    /// The values of the header `name`.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        let _parsed_before = answer.parse(self.head);
        let values = answer.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        values.map(|header| String::from_utf8_lossy(header.value).into_owned()).collect()
    }
}

/// How long a body is that comes in chunks, once the last one is there. Nobody takes them apart.
fn length_of_chunks(body: &[u8]) -> Option<usize> {
    body.ends_with(b"\r\n0\r\n\r\n").then_some(body.len())
}

/// The status, where the body begins, and how long it is, if the head is there as a whole.
fn parse_head(bytes: &[u8]) -> Result<Option<(u16, usize, Option<usize>)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let parsed = answer.parse(bytes).map_err(|error| error.to_string())?;
    let (httparse::Status::Complete(head), Some(status)) = (parsed, answer.code) else {
        return Ok(None);
    };
    let length =
        answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    Ok(Some((status, head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

        assert_eq!(parse_head(&answer[..30]), Ok(None));
        assert_eq!(parse_head(answer), Ok(Some((200, 38, Some(2)))));
        assert!(parse_head(b"SMTP").is_err());
    }
}

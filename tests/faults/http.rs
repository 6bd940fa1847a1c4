//! HTTP/1.1 as far as Azure Storage needs it, written by hand: what breaks off in the middle, or is
//! reset, cannot be had from a library that keeps the protocol.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// What a client asks.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path below the account, decoded.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; nothing if the client has gone.
    pub(crate) async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Self> {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            more(stream, buffer).await?;
        };
        let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let mut words = lines.next().unwrap().split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        assert!(!headers.contains_key("transfer-encoding"), "{method} {target}: no length");
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while buffer.len() < length {
            more(stream, buffer).await?;
        }
        let url = Url::parse(&format!("http://localhost{target}")).unwrap();
        let path = url.path().strip_prefix("/devstoreaccount1/").unwrap();
        Some(Self {
            method: method.to_owned(),
            path: decoded(path),
            query: url.query_pairs().into_owned().collect(),
            headers,
            body: buffer.drain(..length).collect(),
        })
    }

    /// The header `name`, which is in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(buffer).await.ok()?;
    (read > 0).then_some(())
}

/// A path is no form: a plus sign is one.
fn decoded(path: &str) -> String {
    let form = format!("path={}", path.replace('+', "%2B"));
    let (_, path) = url::form_urlencoded::parse(form.as_bytes()).next().unwrap();
    path.into_owned()
}

/// What comes back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    pub(crate) fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with("content-type", kind)
    }

    pub(crate) async fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        stream.write_all(&[self.head(), self.body.clone()].concat()).await
    }

    /// Writes half of the body, or of the head if there is no body.
    pub(crate) async fn write_half(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let head = self.head();
        let half = if self.body.is_empty() {
            head[..head.len() / 2].to_vec()
        } else {
            [&head, &self.body[..self.body.len() / 2]].concat()
        };
        stream.write_all(&half).await
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} -\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if self.status != 204 {
            write!(head, "content-length: {}\r\n", self.body.len()).unwrap();
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

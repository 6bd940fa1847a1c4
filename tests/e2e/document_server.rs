//! The website of a client, as a network of its own that stands in for the internet: names, a TLS
//! server on this machine, and answers down to the byte.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use local::Options;
use oauth_fn::documents::{DocumentFetcher, Resolver, StandInNetwork};
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use rcgen::CertifiedKey;
use reqwest::Certificate;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::running::not_on_packages;
use crate::system::System;

/// What the certificate of the server is good for.
const HOSTS: [&str; 3] = ["app.example", "other.example", "a.good.example"];

/// The address that names have unless they are given others.
pub(crate) const HERE: &str = "127.0.0.1";

/// A website, and the names that lead to it.
pub(crate) struct Website {
    shared: Arc<Shared>,
    address: SocketAddr,
    root: Certificate,
}

#[derive(Debug, Default)]
struct Shared {
    /// By path: what is written to whoever asks.
    answers: Mutex<HashMap<String, Vec<u8>>>,
    /// Every head of a request, in their order.
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    /// What names resolve to, one entry for each time; the last one stays.
    addresses: Mutex<VecDeque<Vec<IpAddr>>>,
    resolutions: AtomicUsize,
}

impl Website {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let hosts = HOSTS.map(str::to_owned);
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(hosts).unwrap();
        let key = signing_key.serialize_der().try_into().unwrap();
        let tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let root = Certificate::from_der(cert.der()).unwrap();
        let website = Self { shared: Arc::default(), address, root };
        website.resolve_to(&[&[HERE]]);
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), website.shared.clone()));
        website
    }

    /// A system whose way to documents leads here.
    pub(crate) async fn system(&self) -> System {
        self.system_with(DocumentPolicy::default(), Duration::from_secs(10)).await
    }

    /// A system that reads the documents of some hosts, and waits so long for each.
    pub(crate) async fn system_with(
        &self,
        document_policy: DocumentPolicy,
        patience: Duration,
    ) -> System {
        not_on_packages("publishes documents on a stand-in for the internet");
        let documents = DocumentFetcher::standing_in(StandInNetwork {
            resolver: self.shared.clone(),
            root: self.root.clone(),
            server: self.address,
            patience,
        });
        System::start_with(Options { document_policy, documents, ..Options::default() }).await
    }

    /// From now on names resolve to these addresses, one list after the other.
    pub(crate) fn resolve_to(&self, lists: &[&[&str]]) {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        *self.shared.addresses.lock().unwrap() = lists.iter().map(parse).collect();
    }

    /// Answers requests for `path` with these bytes, head and all; then the connection ends.
    pub(crate) fn answer(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.shared.answers.lock().unwrap().insert(path.to_owned(), bytes.into());
    }

    /// Publishes a JSON document at `path`, with more header lines if there are some.
    pub(crate) fn publish(&self, path: &str, document: &Value, headers: &[&str]) {
        let headers = [&["Content-Type: application/json"], headers, &[""]].concat();
        self.answer(path, response(&headers.join("\r\n"), &document.to_string()));
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn resolutions(&self) -> usize {
        self.shared.resolutions.load(Ordering::SeqCst)
    }
}

/// A good answer with a body.
pub(crate) fn response(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The document of a client at `url`.
pub(crate) fn document(url: &str, redirect_uri: &str) -> Value {
    json!({ "client_id": url, "client_name": "Published", "redirect_uris": [redirect_uri] })
}

#[async_trait]
impl Resolver for Shared {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.resolutions.fetch_add(1, Ordering::SeqCst);
        let mut addresses = self.addresses.lock().unwrap();
        let more = addresses.len() > 1;
        let next = if more { addresses.pop_front() } else { addresses.front().cloned() };
        next.ok_or_else(|| io::Error::other("no such name"))
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(answer(stream, tls.clone(), shared.clone()));
    }
}

/// Serves one connection. An answer that promises more than it has leaves the client waiting.
async fn answer(stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) -> io::Result<()> {
    let mut stream = tls.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    shared.requests.lock().unwrap().push(head);
    let missing = || b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    let bytes = shared.answers.lock().unwrap().get(&path).cloned().unwrap_or_else(missing);
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    // Until the other side has enough.
    let mut rest = [0; 1];
    stream.read(&mut rest).await.map(drop)
}

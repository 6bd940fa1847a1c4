//! An account of Table Storage behind TLS, which takes the tokens of the identity and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use axum::{Json, Router};
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, IF_MATCH};
use http::{HeaderMap, Method, StatusCode, Uri};
use rcgen::CertifiedKey;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::identity_endpoint::{IdentityEndpoint, STORAGE};

const HOST: &str = "acct.table.core.windows.net";
pub(crate) const ENDPOINT: &str = "https://acct.table.core.windows.net";

/// Clones are handles to one and the same.
#[derive(Clone)]
pub(crate) struct TableStorage(Arc<Shared>);

struct Shared {
    identity: IdentityEndpoint,
    content: Mutex<Content>,
    /// The value of `Authorization` of each request.
    authorizations: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Content {
    tables: BTreeSet<String>,
    /// By the name in their URL, with the number of their version.
    entities: BTreeMap<String, (u64, Value)>,
}

/// How to reach the account from this machine.
pub(crate) struct Way {
    /// A proxy that leads to it, whatever else it is asked for.
    pub(crate) proxy: String,
    /// The certificate that it shows, as PEM.
    pub(crate) certificate: String,
}

impl TableStorage {
    pub(crate) async fn start(identity: IdentityEndpoint) -> (Self, Way) {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let key = signing_key.serialize_der().try_into().unwrap();
        let tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Way {
            proxy: format!("http://{}", listener.local_addr().unwrap()),
            certificate: format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                BASE64.encode(cert.der())
            ),
        };
        let (content, authorizations) = (Mutex::default(), Mutex::default());
        let storage = Self(Arc::new(Shared { identity, content, authorizations }));
        let router = Router::new().fallback(answer).with_state(storage.clone());
        let tunnels = Tunnels { listener, tls: TlsAcceptor::from(Arc::new(tls)) };
        tokio::spawn(async { axum::serve(tunnels, router).await });
        (storage, way)
    }

    /// The value of `Authorization` of each request, in their order.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.0.authorizations.lock().unwrap().clone()
    }
}

/// A proxy (RFC 9110 section 9.3.6) whose every tunnel ends at the account itself.
struct Tunnels {
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for Tunnels {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = tunnel(stream, &self.tls).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn tunnel(mut stream: TcpStream, tls: &TlsAcceptor) -> io::Result<TlsStream<TcpStream>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if !head.starts_with(format!("CONNECT {HOST}:443 ").as_bytes()) {
        return Err(io::Error::other("nothing but the account is asked for"));
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    tls.accept(stream).await
}

/// What the requests of the app need of the protocol of Table Storage.
async fn answer(
    State(TableStorage(shared)): State<TableStorage>,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Response {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let authorization = header(AUTHORIZATION).unwrap_or_default();
    shared.authorizations.lock().unwrap().push(authorization.clone());
    let tokens = shared.identity.given_for(STORAGE);
    if !tokens.iter().any(|token| authorization == format!("Bearer {token}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let name = uri.path().trim_start_matches('/');
    let sent = || serde_json::from_slice(&body).unwrap();
    let mut content = shared.content.lock().unwrap();
    match (method, name) {
        (Method::POST, "Tables") => content.make_table(&sent()),
        (Method::POST, table) => content.insert(table, sent()),
        (Method::GET, entity) => content.get(entity),
        (Method::PUT, entity) => content.replace(entity, sent(), &header(IF_MATCH).unwrap()),
        (Method::DELETE, _) => error(404, "ResourceNotFound"),
        _ => error(501, "NotImplemented"),
    }
}

impl Content {
    fn make_table(&mut self, sent: &Value) -> Response {
        if self.tables.insert(text(sent, "TableName")) {
            StatusCode::NO_CONTENT.into_response()
        } else {
            error(409, "TableAlreadyExists")
        }
    }

    fn insert(&mut self, table: &str, sent: Value) -> Response {
        let (partition, row) = (text(&sent, "PartitionKey"), text(&sent, "RowKey"));
        let entity = format!("{table}(PartitionKey='{partition}',RowKey='{row}')");
        if !self.tables.contains(table) {
            return error(404, "TableNotFound");
        }
        if self.entities.contains_key(&entity) {
            return error(409, "EntityAlreadyExists");
        }
        self.entities.insert(entity, (1, sent));
        StatusCode::NO_CONTENT.into_response()
    }

    fn get(&self, entity: &str) -> Response {
        let Some((version, content)) = self.entities.get(entity) else {
            return error(404, "ResourceNotFound");
        };
        let mut content = content.clone();
        content["odata.etag"] = tag(*version).into();
        Json(content).into_response()
    }

    fn replace(&mut self, entity: &str, sent: Value, expected: &str) -> Response {
        match self.entities.get_mut(entity) {
            None => error(404, "ResourceNotFound"),
            Some((version, content)) if tag(*version) == expected => {
                (*version, *content) = (*version + 1, sent);
                StatusCode::NO_CONTENT.into_response()
            }
            Some(_) => error(412, "UpdateConditionNotSatisfied"),
        }
    }
}

fn tag(version: u64) -> String {
    format!("W/\"{version}\"")
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

fn error(status: u16, code: &'static str) -> Response {
    (StatusCode::from_u16(status).unwrap(), [("x-ms-error-code", code)]).into_response()
}

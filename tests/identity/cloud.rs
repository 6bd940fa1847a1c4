//! All that oauth-fn meets in Azure: its platform, its storage, its gateway and Entra ID.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use data_encoding::BASE64;
use http_body_util::BodyExt;
use local::identity_provider::{CLIENT_ID, IdentityProvider, Parts, Person, SigningKey, TENANT};
use shared::base_url::PublicBaseUrl;
use shared::clock::SystemClock;
use shared::secret::random_bytes;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use crate::function_app::FunctionApp;
use crate::identity_endpoint::{self, HEADER, IdentityEndpoint};
use crate::table_storage::{ENDPOINT, TableStorage, Way};

pub(crate) struct Cloud {
    pub(crate) identity: IdentityEndpoint,
    pub(crate) storage: TableStorage,
    pub(crate) entra: IdentityProvider,
    pub(crate) app: FunctionApp,
    base_url: PublicBaseUrl,
    _certificate: NamedTempFile,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A cloud in which oauth-fn is started with more settings. Entra ID trusts its identity.
    pub(crate) async fn start_with(more: &[(&'static str, &str)]) -> Self {
        let (identity, identity_url) = IdentityEndpoint::start().await;
        let (storage, Way { proxy, certificate }) = TableStorage::start(identity.clone()).await;
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), certificate).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let base_url = PublicBaseUrl::try_from(origin.as_str()).unwrap();
        let entra = entra_id(&base_url);
        entra.trust(identity.federated_credential());
        let backend = Arc::new(OnceLock::new());
        let gateway = entra.router().merge(gateway(Arc::clone(&backend)));
        tokio::spawn(async { axum::serve(listener, gateway).await });
        let mut settings = vec![
            ("PUBLIC_BASE_URL", origin),
            ("SESSION_KEYS", ring()),
            ("GRANT_KEYS", ring()),
            ("UPSTREAM_ISSUER", IdentityProvider::issuer_at(&base_url, TENANT)),
            ("UPSTREAM_CLIENT_ID", CLIENT_ID.to_owned()),
            ("UPSTREAM_CREDENTIAL", "federated".to_owned()),
            ("ALLOWED_TENANTS", TENANT.to_owned()),
            ("SESSION_TABLES_ENDPOINT", ENDPOINT.to_owned()),
            ("AZURE_CLIENT_ID", identity_endpoint::CLIENT_ID.to_owned()),
            ("RUST_LOG", "trace".to_owned()),
            // The platform's part.
            ("IDENTITY_ENDPOINT", identity_url),
            ("IDENTITY_HEADER", HEADER.to_owned()),
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "0".to_owned()),
            // The way to a name that is not this machine's.
            ("HTTPS_PROXY", proxy),
            ("SSL_CERT_FILE", file.path().to_str().unwrap().to_owned()),
        ];
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let app = FunctionApp::start(&settings);
        backend.set(app.address).unwrap();
        Self { identity, storage, entra, app, base_url, _certificate: file }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.base_url.at(path)
    }
}

/// It knows a secret of the application, which nobody tells oauth-fn.
fn entra_id(base_url: &PublicBaseUrl) -> IdentityProvider {
    IdentityProvider::new(Parts {
        base_url: base_url.clone(),
        client_secret: BASE64.encode(&random_bytes::<32>()).into(),
        signing_key: SigningKey::generate().unwrap(),
        refresh_key: BASE64.encode(&random_bytes::<32>()).into(),
        sign_in_as: Some(Person::Alice),
        clock: Arc::new(SystemClock),
    })
}

/// Sends everything on to the app, which tells its port when it has one.
fn gateway(backend: Arc<OnceLock<SocketAddr>>) -> Router {
    let none = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().redirect(none).no_proxy().build().unwrap();
    Router::new().fallback(forward).with_state((http, backend))
}

async fn forward(
    State((http, backend)): State<(reqwest::Client, Arc<OnceLock<SocketAddr>>)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let url = format!("http://{}{}", backend.get().unwrap(), parts.uri);
    let body = body.collect().await.unwrap().to_bytes();
    let request = http.request(parts.method, url).headers(parts.headers).body(body);
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap()));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

fn ring() -> String {
    format!("k1:{}", BASE64.encode(&random_bytes::<32>()))
}

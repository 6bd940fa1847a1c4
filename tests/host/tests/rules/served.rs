//! The small handler as a package, and the host before it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use functions_host::package::Refused;
use functions_host::{Host, HostOptions, Package, Programs};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub(crate) const KEY: &str = "the-function-key";

/// How long something may take that is sure to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The files of a package, which a test may spoil.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) host_json: Value,
    pub(crate) function_json: Value,
    pub(crate) handler: Vec<u8>,
    pub(crate) mode: u32,
}

impl Files {
    /// Those of this repository, with the small handler for its program.
    pub(crate) fn good() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |name| serde_json::from_slice(&fs::read(root.join(name)).unwrap()).unwrap();
        let handler = fs::read(env!("CARGO_BIN_EXE_host-test-handler")).unwrap();
        let (host_json, function_json) = (read("host.json"), read("http/function.json"));
        Self { host_json, function_json, handler, mode: 0o755 }
    }

    pub(crate) fn open(&self, programs: Programs) -> Result<Package, Refused> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        let (host, function) = (self.host_json.to_string(), self.function_json.to_string());
        for (name, bytes, mode) in [
            ("host.json", host.as_bytes(), 0o644),
            ("http/function.json", function.as_bytes(), 0o644),
            ("handler", &self.handler, self.mode),
        ] {
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored)
                .unix_permissions(mode);
            zip.start_file(name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        Package::open(&path, programs)
    }
}

/// A host that serves the small handler.
pub(crate) struct Served {
    pub(crate) host: Host,
    directory: TempDir,
    http: reqwest::Client,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::start_with(&Files::good(), &[], HostOptions::default()).await
    }

    pub(crate) async fn start_with(
        files: &Files,
        settings: &[(&str, &str)],
        options: HostOptions,
    ) -> Self {
        Self::try_start_with(files, settings, options).await.unwrap()
    }

    pub(crate) async fn try_start_with(
        files: &Files,
        settings: &[(&str, &str)],
        options: HostOptions,
    ) -> Result<Self, Vec<functions_host::LogLine>> {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name).display().to_string();
        let mut all = vec![("NOTES", place("notes")), ("DIED", place("died"))];
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let settings = all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let package = Arc::new(files.open(Programs::Native).unwrap());
        let options = HostOptions { settings, function_key: KEY.to_owned(), ..options };
        let host = Host::start(package, options).await.map_err(|(_, log)| log)?;
        let none = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().redirect(none).no_proxy().build().unwrap();
        Ok(Self { host, directory, http })
    }

    /// A request with the key of the function.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_without_key(method, path).header("x-functions-key", KEY)
    }

    pub(crate) fn request_without_key(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.host.address()))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// What the handler saw of a request that it echoes.
    pub(crate) async fn seen(&self, request: RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// How often the handler made this note.
    pub(crate) fn notes(&self, word: &str) -> usize {
        let notes = fs::read_to_string(self.notes_file()).unwrap_or_default();
        notes.lines().filter(|line| *line == word).count()
    }

    /// Waits until the handler has made this note so often.
    pub(crate) async fn noted(&self, word: &str, times: usize) {
        until(word, || self.notes(word) >= times).await;
    }

    /// Waits until the log says this.
    pub(crate) async fn logged(&self, text: &str) {
        until(text, || self.host.log().iter().any(|line| line.text.contains(text))).await;
    }

    fn notes_file(&self) -> PathBuf {
        self.directory.path().join("notes")
    }
}

/// Waits for what is sure to happen.
pub(crate) async fn until(what: &str, happened: impl Fn() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The good `function.json` with other members in its trigger.
pub(crate) fn with_trigger(changes: &[(&str, Value)]) -> Files {
    let mut files = Files::good();
    for (name, value) in changes {
        files.function_json["bindings"][0][name] = value.clone();
    }
    files
}

/// The good `host.json` with another member at its top.
pub(crate) fn with_host(name: &str, value: impl Into<Value>) -> Files {
    let mut files = Files::good();
    files.host_json[name] = value.into();
    files
}

/// The small handler behind no key.
pub(crate) fn anonymous() -> Files {
    with_trigger(&[("authLevel", json!("anonymous"))])
}

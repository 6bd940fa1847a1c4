//! Everything that the process logs, for people and as JSON, in memory.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::FmtSpan;

/// So many characters of a secret in a row are a leak: 96 bits of base64.
const TELLING: usize = 16;

/// What was logged so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// Captures every event and every span of this process from now on, as `RUST_LOG=trace` does.
    pub(crate) fn everything() -> Self {
        let captured = Self::default();
        let (for_people, for_machines) = (captured.clone(), captured.clone());
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || for_people.clone());
        let json = tracing_subscriber::fmt::layer()
            .json()
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || for_machines.clone());
        shared::telemetry::log_through(lines.and_then(json), &[("RUST_LOG", "trace")], "off");
        captured
    }

    /// Adds what was sent: of its bytes, those that are text are found as such.
    pub(crate) fn add(&self, sent: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(String::from_utf8_lossy(sent).as_bytes());
    }

    /// The text of it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The names of those `secrets` of which a telling part was logged.
    pub(crate) fn leaks(&self, secrets: &[Secret]) -> Vec<String> {
        let text = self.text();
        let parts: HashSet<&[u8]> = text.as_bytes().windows(TELLING).collect();
        let told = |spelling: &String| {
            spelling.as_bytes().windows(TELLING).any(|part| parts.contains(part))
        };
        let leaked = secrets.iter().filter(|secret| secret.spellings.iter().any(told));
        leaked.map(|secret| secret.name().to_owned()).collect()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text that must not be logged, in every spelling that it might take.
#[derive(Debug)]
pub(crate) struct Secret {
    name: String,
    spellings: Vec<String>,
}

impl Secret {
    /// The secret `text`, which is called `name` when it leaks.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        assert!(text.len() >= TELLING, "{name} is too short to be searched for: {text}");
        Self { name: name.to_owned(), spellings: vec![text.to_owned()] }
    }

    /// The bytes of a key: in base64 of both kinds, as hexadecimal digits and as a list.
    pub(crate) fn of_bytes(name: &str, bytes: &[u8]) -> Self {
        use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
        let encodings = [BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER];
        let encoded = encodings.iter().map(|encoding| encoding.encode(bytes));
        let spellings = encoded.chain([format!("{bytes:?}")]).collect();
        Self { name: name.to_owned(), spellings }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The last way that it is spelled in.
    pub(crate) fn spelling(&self) -> &str {
        self.spellings.last().unwrap()
    }
}

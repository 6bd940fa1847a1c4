//! Blob Storage in memory, as far as our verbs need it: one container, `snippets`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use shared::azure::StorageService;
use shared::storage::Key;

use crate::account::Service;
use crate::http::{Answer, Request};

const MODIFIED: &str = "Wed, 25 Nov 2026 12:00:00 GMT";

/// The blobs of the container, by name. The entity tag of a blob is made of its text.
#[derive(Debug, Default)]
pub(crate) struct Blobs(pub(crate) BTreeMap<String, Vec<u8>>);

impl Blobs {
    fn list(&self, prefix: &str) -> Answer {
        let mut blobs = String::new();
        for (name, text) in self.0.iter().filter(|(name, _)| name.starts_with(prefix)) {
            let length = text.len();
            write!(
                blobs,
                "<Blob><Name>{name}</Name><Properties><Last-Modified>{MODIFIED}</Last-Modified>\
                 <Etag>0x1</Etag><Content-Length>{length}</Content-Length></Properties></Blob>"
            )
            .unwrap();
        }
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults \
             ContainerName=\"snippets\"><Blobs>{blobs}</Blobs><NextMarker /></EnumerationResults>"
        );
        Answer::new(200).body("application/xml", xml)
    }

    fn at(&mut self, name: &str, request: &Request) -> Answer {
        let present = self.0.get(name).cloned();
        let etag = present.as_deref().map(etag);
        let lost = request.header("if-match").is_some_and(|wanted| etag.as_deref() != Some(wanted));
        if request.method == "PUT" {
            let content_type = request.header("x-ms-blob-content-type");
            assert_eq!(content_type, Some("text/plain; charset=utf-8"), "{name}");
            if present.is_some() && request.header("if-none-match").is_some() {
                return Self::refusal(409, "BlobAlreadyExists");
            }
            if lost {
                return Self::refusal(412, "ConditionNotMet");
            }
            self.0.insert(name.to_owned(), request.body.clone());
            return Answer::new(201)
                .with("etag", self::etag(&request.body))
                .with("last-modified", MODIFIED);
        }
        let (Some(text), Some(etag)) = (present, etag) else {
            return Self::refusal(404, "BlobNotFound");
        };
        if request.method == "DELETE" {
            if lost {
                return Self::refusal(412, "ConditionNotMet");
            }
            self.0.remove(name);
            return Answer::new(202);
        }
        Answer::new(200)
            .with("etag", &etag)
            .with("last-modified", MODIFIED)
            .body("text/plain; charset=utf-8", text)
    }
}

fn etag(text: &[u8]) -> String {
    format!("\"{}\"", Key::digest("etag", &[text]).as_str())
}

impl Service for Blobs {
    const SERVICE: StorageService = StorageService::Blob;
    const SETTING: &'static str = "BLOBS_ENDPOINT";

    fn answer(&mut self, request: &Request) -> Answer {
        match request.path.strip_prefix("snippets/") {
            Some(name) => self.at(name, request),
            None => self.list(request.query.get("prefix").map_or("", String::as_str)),
        }
    }

    /// Blob Storage says the code in a header.
    fn refusal(status: u16, code: &str) -> Answer {
        let xml = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
        Answer::new(status).with("x-ms-error-code", code).body("application/xml", xml)
    }
}

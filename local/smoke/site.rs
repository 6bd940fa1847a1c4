//! The system that is looked at: sends requests to it, and watches what its answers give away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderMap};
use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use serde_json::Value;
use shared::base_url::PublicBaseUrl;

use super::{Cause, Seen};

/// How long an answer may take. A cold start is among them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Headers that tell strangers of our insides, by how their names begin.
const INDISCREET_HEADERS: [&str; 7] = [
    "x-aspnet",
    "x-azure-functions",
    "x-client-address",
    "x-forwarded",
    "x-functions",
    "x-ms-invocation",
    "x-powered-by",
];

/// Words that stand in no answer to a stranger.
const INDISCREET_WORDS: [&str; 8] = [
    "AADSTS",
    "azurewebsites.net",
    "core.windows.net",
    "Key Vault",
    "panicked",
    "RUST_BACKTRACE",
    "stack trace",
    ".rs:",
];

/// A system, seen by a browser that keeps its cookies.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) base_url: PublicBaseUrl,
    http: reqwest::Client,
    seen: Mutex<Watched>,
}

/// What was watched in the answers.
#[derive(Debug, Default)]
struct Watched {
    answers: usize,
    /// What was told, and by which paths.
    indiscretions: BTreeMap<String, BTreeSet<String>>,
}

impl Site {
    pub(super) fn new(base_url: PublicBaseUrl) -> reqwest::Result<Self> {
        let builder = reqwest::Client::builder().cookie_store(true).timeout(PATIENCE);
        let builder = builder.redirect(reqwest::redirect::Policy::none());
        // A proxy leads to no system on this machine.
        let local = base_url.at("").starts_with("http:");
        let http = if local { builder.no_proxy() } else { builder }.build()?;
        Ok(Self { base_url, http, seen: Mutex::default() })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.base_url.at(path))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Cause> {
        self.send(self.request(Method::GET, path)).await
    }

    /// The answer to a request, read whole and watched.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Cause> {
        let answer = request.send().await?;
        let name = answer.url().path().to_owned();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let answer = Answer { name, status, headers, body: answer.text().await? };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.answers += 1;
        for told in answer.indiscretions() {
            seen.indiscretions.entry(told).or_default().insert(answer.name.clone());
        }
        Ok(answer)
    }

    /// Whether no answer so far told of our insides.
    pub(super) fn discretion(&self) -> Seen {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.indiscretions.is_empty() {
            Ok(format!("none of {} answers tells of the insides", seen.answers))
        } else {
            let told = seen.indiscretions.iter().map(|(told, paths)| {
                let first = paths.first().map_or("", String::as_str);
                match paths.len() {
                    1 => format!("{first} tells {told}"),
                    more => format!("{first} and {} other paths tell {told}", more - 1),
                }
            });
            Err(told.collect::<Vec<_>>().join("; ").into())
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The path that gave it.
    pub(super) name: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// This answer, if it has the right status.
    pub(super) fn with_status(self, status: StatusCode) -> Result<Self, Cause> {
        if self.status == status {
            Ok(self)
        } else {
            Err(format!("{} answers {}, not {status}", self.name, self.status).into())
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn json(&self) -> Result<Value, Cause> {
        let read = serde_json::from_str(&self.body);
        read.map_err(|error| format!("{} gives no JSON: {error}", self.name).into())
    }

    /// Whether scripts of any site may read it.
    pub(super) fn is_for_scripts(&self) -> bool {
        self.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN)
    }

    fn indiscretions(&self) -> Vec<String> {
        let headers = self
            .headers
            .keys()
            .filter(|name| INDISCREET_HEADERS.iter().any(|start| name.as_str().starts_with(start)));
        let words = INDISCREET_WORDS.iter().filter(|word| self.body.contains(**word));
        headers.map(ToString::to_string).chain(words.map(ToString::to_string)).collect()
    }
}

/// A step failed unless `is_good`.
pub(super) fn check(is_good: bool, otherwise: impl Into<Cause>) -> Result<(), Cause> {
    if is_good { Ok(()) } else { Err(otherwise.into()) }
}

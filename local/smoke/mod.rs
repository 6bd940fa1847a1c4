//! The smoke test: looks at a deployed system from outside, as a stranger would, and changes nothing.
//!
//! It registers a client that needs no row and opens the consent page; nobody signs in. So nothing of
//! it is stored, and it may be run at any time.

mod browsers;
mod discovery;
mod refusals;
mod site;
#[cfg(test)]
mod tests;

use std::error::Error;

use shared::base_url::PublicBaseUrl;
use url::Url;

use crate::say;

use site::Site;

/// Looks at the system at `url` and prints what it finds: every step, also after one that failed.
///
/// # Errors
/// There is no system, or something about it is not as it should be.
pub async fn run(url: &Url) -> Result<(), SmokeError> {
    let origin = url.origin().ascii_serialization();
    let base_url = PublicBaseUrl::try_from(origin.as_str());
    let base_url = base_url.map_err(|_| SmokeError::NoOrigin(url.clone()))?;
    say::line(format_args!("Looking at {base_url}\n"));
    let failed = look_at(Site::new(base_url)?).await;
    if failed.is_empty() {
        say::line("\nEverything is as it should be.");
        Ok(())
    } else {
        Err(SmokeError::Failed(failed))
    }
}

/// The names of the steps that failed.
async fn look_at(site: Site) -> Vec<&'static str> {
    let mut report = Report::default();
    if !report.add("reachable", discovery::reachable(&site).await) {
        return report.failed;
    }
    report.add("TLS", discovery::encrypted(&site).await);
    report.add("server metadata", discovery::server_metadata(&site).await);
    report.add("resource metadata", discovery::resource_metadata(&site).await);
    report.add("challenge", discovery::challenge(&site).await);
    report.add("preflights", browsers::preflights(&site).await);
    report.add("answers to scripts", browsers::answers(&site).await);
    report.add("page headers", browsers::page_headers(&site).await);
    report.add("consent page", browsers::consent_page(&site).await);
    report.add("callback", browsers::callback(&site).await);
    report.add("bad redirect URIs", refusals::redirect_uris(&site).await);
    report.add("unknown client", refusals::unknown_client(&site).await);
    report.add("bad tokens", refusals::tokens(&site).await);
    report.add("nothing else", refusals::nothing_else(&site).await);
    report.add("HTTP+SSE", refusals::event_stream(&site).await);
    report.add("discretion", site.discretion());
    report.failed
}

/// Why a step failed.
type Cause = Box<dyn Error + Send + Sync>;

/// What there was to see in a step.
type Seen = Result<String, Cause>;

/// What was found so far.
#[derive(Debug, Default)]
struct Report {
    failed: Vec<&'static str>,
}

impl Report {
    /// Prints how a step ended, and says whether all is well with it.
    fn add(&mut self, name: &'static str, seen: Seen) -> bool {
        match seen {
            Ok(seen) => {
                say::line(format_args!("  \u{2713} {name:<18} {seen}"));
                true
            }
            Err(cause) => {
                say::line(format_args!("  \u{2717} {name:<18} {cause}"));
                self.failed.push(name);
                false
            }
        }
    }
}

/// Why the smoke test failed.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// Some steps failed.
    #[error("not as it should be: {}", .0.join(", "))]
    Failed(Vec<&'static str>),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// The URL leads to no system.
    #[error("{0} is not the URL of a system: give its origin, such as https://mcp.example.com")]
    NoOrigin(Url),
}

//! The demo: walks the whole flow as an independent MCP client and its user's browser would.
//!
//! The client is the one of the `rmcp` crate. Nothing here calls into the system: it only speaks
//! HTTP with it, so what works here works for others.

mod browser;
mod form;
mod steps;

use std::error::Error;
use std::fmt::Display;
use std::time::Duration;

use shared::base_url::PublicBaseUrl;
use url::Url;

use crate::command_line::DEFAULT_LISTEN;
use crate::say;
use crate::stack::{Options, Stack, StartError};

use browser::Browser;

/// How long a system that runs may take to say so.
const PATIENCE: Duration = Duration::from_secs(2);

/// Walks through the system at `url`; without one, through the system at the default address, or
/// else through an own one in memory. Prints each step.
///
/// # Errors
/// The first step that fails, or the own system does not start.
pub async fn run(url: Option<Url>) -> Result<(), DemoError> {
    let http = http_client()?;
    let (base_url, own) = system(url, &http).await?;
    say::line(format_args!("Walking through {base_url}\n"));
    let walked = walk(&base_url, http).await;
    if let Some(stack) = own {
        stack.stop().await;
    }
    walked?;
    say::line("\nEvery step went well.");
    Ok(())
}

async fn walk(base_url: &PublicBaseUrl, http: reqwest::Client) -> Result<(), DemoError> {
    let browser = Browser::new(steps::REDIRECT_URI)?;
    let mut manager = step("discover", steps::discover(base_url, &http)).await?;
    step("register", steps::register(&mut manager)).await?;
    let consent_page = step("authorize", steps::authorize(&manager, &browser)).await?;
    let arrival = step("consent", steps::consent(&browser, &consent_page)).await?;
    let callback = step("sign in", steps::sign_in(&browser, arrival)).await?;
    step("token", steps::token(&manager, &callback)).await?;
    let client = step("tools", steps::connect(base_url, &http, manager)).await?;
    let name = step("save", client.save()).await?;
    step("get", client.get(&name)).await?;
    step("delete", client.delete(&name)).await?;
    step("refresh", client.refresh()).await?;
    step("revoke", client.revoke(base_url, &http)).await?;
    client.close().await;
    Ok(())
}

/// Why a step failed.
type Cause = Box<dyn Error + Send + Sync>;

/// What a step gives to the next one, and what there was to see.
type Seen<T> = Result<(T, String), Cause>;

async fn step<T>(
    name: &'static str,
    work: impl Future<Output = Seen<T>> + Send,
) -> Result<T, DemoError> {
    match work.await {
        Ok((value, seen)) => {
            say::line(format_args!("  \u{2713} {name:<10} {seen}"));
            Ok(value)
        }
        Err(cause) => {
            say::line(format_args!("  \u{2717} {name}"));
            Err(DemoError::Step { name, cause })
        }
    }
}

/// Something that a step expected and did not find.
fn unexpected<T>(problem: impl Display) -> Result<T, Cause> {
    Err(problem.to_string().into())
}

async fn system(
    url: Option<Url>,
    http: &reqwest::Client,
) -> Result<(PublicBaseUrl, Option<Stack>), DemoError> {
    if let Some(url) = url {
        let origin = url.origin().ascii_serialization();
        let base_url = PublicBaseUrl::try_from(origin.as_str());
        return Ok((base_url.map_err(|_| DemoError::NoOrigin(url))?, None));
    }
    let usual = PublicBaseUrl::try_from(format!("http://{DEFAULT_LISTEN}").as_str());
    if let Ok(base_url) = usual
        && runs(&base_url, http).await
    {
        return Ok((base_url, None));
    }
    say::line(format_args!("Nothing runs on {DEFAULT_LISTEN}: starting a system in memory."));
    let stack = Stack::start(Options::default()).await?;
    Ok((stack.base_url().clone(), Some(stack)))
}

/// Whether a system of ours answers there, and not some other program.
async fn runs(base_url: &PublicBaseUrl, http: &reqwest::Client) -> bool {
    let metadata = base_url.at("/.well-known/oauth-protected-resource/mcp");
    let Ok(answer) = http.get(metadata).timeout(PATIENCE).send().await else {
        return false;
    };
    let document: Result<serde_json::Value, _> = answer.json().await;
    document.is_ok_and(|document| {
        document.get("resource").and_then(|resource| resource.as_str())
            == Some(base_url.resource().as_str())
    })
}

fn http_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .no_proxy()
        .build()
}

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// The URL leads to no system.
    #[error("{0} is not the URL of a system: give its origin, such as http://127.0.0.1:8787")]
    NoOrigin(Url),
    /// The own system does not start.
    #[error("the system in memory does not start")]
    Start(#[from] StartError),
    /// A step failed.
    #[error("the step \"{name}\" failed")]
    Step {
        /// The step.
        name: &'static str,
        /// Why.
        #[source]
        cause: Cause,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity_provider::Person;

    fn url_of(stack: &Stack) -> Option<Url> {
        Url::parse(&stack.base_url().resource()).ok()
    }

    #[tokio::test]
    async fn every_step_goes_well_with_the_page_and_without() {
        for sign_in_as in [None, Some(Person::Bob)] {
            let options = Options { sign_in_as, ..Options::default() };
            let stack = Stack::start(options).await.unwrap();

            run(url_of(&stack)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_first_step_that_fails_is_named() {
        let stack = Stack::start(Options::default()).await.unwrap();
        stack.identity_provider().disable(Person::Alice);

        let error = run(url_of(&stack)).await.unwrap_err();

        assert_eq!(error.to_string(), "the step \"sign in\" failed");
    }
}

//! A server with what the conformance suite of MCP asks of one, on our transport and behind our
//! bearer layer. It takes a port of this machine, and for how many seconds streams of HTTP+SSE live;
//! it prints a token, and serves until it is told to stop.
#![expect(clippy::indexing_slicing, reason = "the fixtures are JSON of our own")]

mod content;
mod dialogue;
mod fixtures;
mod prompts;
mod questions;
mod resources;
mod signed_in;
mod talk;
mod tools;

use std::error::Error;
use std::time::Duration;

use fixtures::Fixtures;
use local::say;
use mcp_fn::config::LegacySse;
use shared::base_url::PublicBaseUrl;
use shared::serve;
use signed_in::SignedIn;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().ok_or("which port?")?.parse()?;
    let base_url = PublicBaseUrl::try_from(format!("http://127.0.0.1:{port}").as_str())?;
    let SignedIn { mut config, doors, token } = SignedIn::new(base_url).await?;
    if let Some(seconds) = arguments.next() {
        let lifetime = Duration::from_secs(seconds.parse()?);
        config.legacy_sse = LegacySse::On { lifetime };
    }
    let router = mcp_fn::server(&config, doors, Fixtures::default());
    say::line(token);
    Ok(serve::serve(serve::listen(port).await?, router).await?)
}

//! A server with what the conformance suite of MCP asks of one, on our transport and behind our
//! bearer layer. It takes a port of this machine, prints a token, and serves until it is told to stop.
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

use fixtures::Fixtures;
use local::say;
use shared::base_url::PublicBaseUrl;
use shared::serve;
use signed_in::SignedIn;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("which port?")?.parse()?;
    let base_url = PublicBaseUrl::try_from(format!("http://127.0.0.1:{port}").as_str())?;
    let SignedIn { config, doors, token } = SignedIn::new(base_url).await?;
    let router = mcp_fn::server(&config, doors, Fixtures::default());
    say::line(token);
    Ok(serve::serve(router, port).await?)
}

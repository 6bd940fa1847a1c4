//! mcp-fn as it is deployed, but on the embedded store in memory. It takes a port of this machine
//! and a number of users, prints the access token of each, and serves until it is told to stop.

use std::error::Error;
use std::sync::Arc;

use bench::signed_in::sign_in;
use local::embedded::EmbeddedStore;
use local::say;
use mcp_fn::Doors;
use mcp_fn::config::Config;
use shared::base_url::PublicBaseUrl;
use shared::clock::SystemClock;
use shared::config::{ProcessEnv, Settings};
use shared::seal::KeyRing;
use shared::serve;
use shared::telemetry::{self, Destinations, Sampling, TelemetryConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().ok_or("which port?")?.parse::<u16>()?;
    let users = arguments.next().ok_or("how many users?")?.parse()?;
    telemetry::log_json_lines(&ProcessEnv);
    let mut settings = Settings::new(&ProcessEnv);
    let config = TelemetryConfig::read(&mut settings, Sampling::DEPLOYED);
    let config = settings.finish(config)?;
    let listener = serve::listen(port).await?;
    let base_url = PublicBaseUrl::try_from(format!("http://127.0.0.1:{port}").as_str())?;
    let keys = KeyRing::generate();
    let store = Arc::new(EmbeddedStore::in_memory()?);
    sign_in(users, &keys, &base_url, store.as_ref()).await?.iter().for_each(say::line);
    let doors = Doors {
        records: Arc::clone(&store) as _,
        relay: Arc::clone(&store) as _,
        clock: Arc::new(SystemClock),
    };
    let router = mcp_fn::router(&Config::new(base_url, keys), doors, store);
    let http = shared::azure::http_client()?;
    telemetry::export(&config, &Destinations { service: "mcp-fn", http, azure: None });
    Ok(serve::serve(listener, router).await?)
}

//! oauth-fn as it is deployed, with the same settings, but on the embedded store in memory.

use std::error::Error;
use std::sync::Arc;

use local::NoAssertions;
use local::embedded::EmbeddedStore;
use oauth_fn::documents::DocumentFetcher;
use oauth_fn::{Config, Doors};
use shared::clock::SystemClock;
use shared::config::{ProcessEnv, Settings};
use shared::{azure, serve, telemetry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    telemetry::log_json_lines(&ProcessEnv);
    let mut settings = Settings::new(&ProcessEnv);
    let start = Config::read(&mut settings).zip(serve::port(&mut settings));
    let (config, port) = settings.finish(start)?;
    let doors = Doors {
        records: Arc::new(EmbeddedStore::in_memory()?),
        clock: Arc::new(SystemClock),
        http: azure::http_client()?,
        documents: DocumentFetcher::public(),
        assertions: Arc::new(NoAssertions),
    };
    Ok(serve::serve(serve::listen(port).await?, oauth_fn::router(config, doors)).await?)
}

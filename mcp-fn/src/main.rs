//! The deployed MCP server: settings, tables and blobs in Azure, and the port of the Functions host.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use mcp_fn::Doors;
use mcp_fn::config::Config;
use mcp_fn::snippets::azure::AzureBlobs;
use shared::azure::{self, Azure, AzureIdentity, StorageEndpoint, StorageService};
use shared::clock::SystemClock;
use shared::config::{Env, InvalidSettings, ProcessEnv, Settings};
use shared::storage::AzureTables;
use shared::{serve, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    telemetry::log_json_lines(&ProcessEnv);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %telemetry::ErrorChain(&*error), "mcp-fn cannot go on");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process is told to stop. Nothing is sent to Azure before a request needs it.
async fn run() -> Result<(), Box<dyn Error>> {
    let start = Start::read(&ProcessEnv)?;
    let azure = Azure::new(&start.identity, azure::http_client()?)?;
    let doors = Doors {
        records: Arc::new(AzureTables::new(&azure, start.session_tables)),
        relay: Arc::new(AzureTables::new(&azure, start.relay_tables)),
        clock: Arc::new(SystemClock),
    };
    let snippets = Arc::new(AzureBlobs::new(&azure, start.blobs)?);
    serve::serve(mcp_fn::router(&start.config, doors, snippets), start.port).await?;
    Ok(())
}

/// All that the environment says.
struct Start {
    config: Config,
    identity: AzureIdentity,
    session_tables: StorageEndpoint,
    relay_tables: StorageEndpoint,
    blobs: StorageEndpoint,
    port: u16,
}

impl Start {
    fn read(env: &dyn Env) -> Result<Self, InvalidSettings> {
        let mut settings = Settings::new(env);
        let start = Self::collect(&mut settings);
        settings.finish(start)
    }

    /// Reads every setting before it gives up, so that every fault is reported.
    fn collect(settings: &mut Settings<'_>) -> Option<Self> {
        let config = Config::read(settings);
        let identity = AzureIdentity::read(settings);
        let session_tables =
            StorageEndpoint::read(settings, "SESSION_TABLES_ENDPOINT", StorageService::Table);
        let relay_tables =
            StorageEndpoint::read(settings, "RELAY_TABLES_ENDPOINT", StorageService::Table);
        let blobs = StorageEndpoint::read(settings, "BLOBS_ENDPOINT", StorageService::Blob);
        let port = serve::port(settings);
        Some(Self {
            config: config?,
            identity: identity?,
            session_tables: session_tables?,
            relay_tables: relay_tables?,
            blobs: blobs?,
            port: port?,
        })
    }
}

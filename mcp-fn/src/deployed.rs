//! A deployed MCP server, whatever its tools: settings from the environment, sessions in Azure
//! Tables, and the port of the Functions host.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use rmcp::ServerHandler;
use shared::azure::{self, Azure, AzureIdentity, StorageEndpoint, StorageService};
use shared::clock::SystemClock;
use shared::config::{Env, InvalidSettings, ProcessEnv, Settings};
use shared::serve;
use shared::storage::AzureTables;
use shared::telemetry::{self, Destinations, Sampling, TelemetryConfig};

use crate::Doors;
use crate::config::Config;

/// Why a server does not start or stopped.
pub type Fatal = Box<dyn Error>;

/// Serves `handler` to users who have signed in, until the process is told to stop. This is all that
/// the `main` of a server has to do.
pub async fn serve<H: ServerHandler>(handler: H) -> ExitCode {
    serve_with(|_| Some(|_: &Config, _: &Azure| Ok(handler))).await
}

/// The same for a handler that has settings or storage of its own: `read` takes its settings, and
/// gives what makes the handler of them. Nothing is sent to Azure before a request needs it.
pub async fn serve_with<H, M>(read: impl FnOnce(&mut Settings<'_>) -> Option<M>) -> ExitCode
where
    H: ServerHandler,
    M: FnOnce(&Config, &Azure) -> Result<H, Fatal>,
{
    telemetry::log_json_lines(&ProcessEnv);
    match run(read).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %telemetry::ErrorChain(&*error), "the server cannot go on");
            ExitCode::FAILURE
        }
    }
}

async fn run<H, M>(read: impl FnOnce(&mut Settings<'_>) -> Option<M>) -> Result<(), Fatal>
where
    H: ServerHandler,
    M: FnOnce(&Config, &Azure) -> Result<H, Fatal>,
{
    let start = Start::read(&ProcessEnv, read)?;
    let listener = serve::listen(start.port).await?;
    let http = azure::http_client()?;
    let azure = Azure::new(&start.identity, http.clone())?;
    let handler = (start.make)(&start.config, &azure)?;
    let doors = Doors {
        records: Arc::new(AzureTables::new(&azure, start.session_tables)),
        relay: Arc::new(AzureTables::new(&azure, start.relay_tables)),
        clock: Arc::new(SystemClock),
    };
    let destinations = Destinations {
        service: "mcp-fn",
        http,
        azure: Some(&azure),
        keys: &start.config.session_keys,
    };
    telemetry::export(&start.telemetry, &destinations);
    let served = serve::serve(listener, crate::server(&start.config, doors, handler)).await;
    telemetry::end().await;
    Ok(served?)
}

/// All that the environment says.
struct Start<M> {
    config: Config,
    identity: AzureIdentity,
    session_tables: StorageEndpoint,
    relay_tables: StorageEndpoint,
    telemetry: TelemetryConfig,
    port: u16,
    make: M,
}

impl<M> Start<M> {
    fn read(
        env: &dyn Env,
        own: impl FnOnce(&mut Settings<'_>) -> Option<M>,
    ) -> Result<Self, InvalidSettings> {
        let mut settings = Settings::new(env);
        let start = Self::collect(&mut settings, own);
        settings.finish(start)
    }

    /// Reads every setting before it gives up, so that every fault is reported.
    fn collect(
        settings: &mut Settings<'_>,
        own: impl FnOnce(&mut Settings<'_>) -> Option<M>,
    ) -> Option<Self> {
        let config = Config::read(settings);
        let identity = AzureIdentity::read(settings);
        let session_tables =
            StorageEndpoint::read(settings, "SESSION_TABLES_ENDPOINT", StorageService::Table);
        let relay_tables =
            StorageEndpoint::read(settings, "RELAY_TABLES_ENDPOINT", StorageService::Table);
        let make = own(settings);
        let telemetry = TelemetryConfig::read(settings, Sampling::DEPLOYED);
        let port = serve::port(settings);
        Some(Self {
            config: config?,
            identity: identity?,
            session_tables: session_tables?,
            relay_tables: relay_tables?,
            telemetry: telemetry?,
            port: port?,
            make: make?,
        })
    }
}

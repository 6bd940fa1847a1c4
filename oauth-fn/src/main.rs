//! The deployed authorization server: settings, tables in Azure, and the port of the Functions host.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use oauth_fn::documents::DocumentFetcher;
use oauth_fn::{Config, Doors};
use shared::azure::{
    self, AssertionAudience, Azure, AzureIdentity, StorageEndpoint, StorageService,
};
use shared::clock::SystemClock;
use shared::config::{Env, InvalidSettings, ProcessEnv, Settings};
use shared::serve;
use shared::storage::AzureTables;
use shared::telemetry::{self, Destinations, Sampling, TelemetryConfig};

#[tokio::main]
async fn main() -> ExitCode {
    telemetry::log_json_lines(&ProcessEnv);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %telemetry::ErrorChain(&*error), "oauth-fn cannot go on");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process is told to stop. Nothing is sent to Azure before a request needs it.
async fn run() -> Result<(), Box<dyn Error>> {
    let start = Start::read(&ProcessEnv)?;
    let listener = serve::listen(start.port).await?;
    let http = azure::http_client()?;
    let azure = Azure::new(&start.identity, http.clone())?;
    let doors = Doors {
        records: Arc::new(AzureTables::new(&azure, start.session_tables)),
        clock: Arc::new(SystemClock),
        http: http.clone(),
        documents: DocumentFetcher::public(),
        assertions: azure.client_assertions(start.assertion_audience),
    };
    let keys = &start.config.session_keys;
    let destinations = Destinations { service: "oauth-fn", http, azure: Some(&azure), keys };
    telemetry::export(&start.telemetry, &destinations);
    let served = serve::serve(listener, oauth_fn::router(start.config, doors)).await;
    telemetry::end().await;
    Ok(served?)
}

/// All that the environment says.
struct Start {
    config: Config,
    identity: AzureIdentity,
    assertion_audience: AssertionAudience,
    session_tables: StorageEndpoint,
    telemetry: TelemetryConfig,
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
        let assertion_audience = AssertionAudience::read(settings);
        let session_tables =
            StorageEndpoint::read(settings, "SESSION_TABLES_ENDPOINT", StorageService::Table);
        let telemetry = TelemetryConfig::read(settings, Sampling::DEPLOYED);
        let port = serve::port(settings);
        Some(Self {
            config: config?,
            identity: identity?,
            assertion_audience: assertion_audience?,
            session_tables: session_tables?,
            telemetry: telemetry?,
            port: port?,
        })
    }
}

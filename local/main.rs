//! The command line of the local system.

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::process::ExitCode;

use clap::Parser;
use local::azure::AzureAccount;
use local::command_line::{Command, CommandLine, Serve};
use local::greeting::Greeting;
use local::{Data, Options, Stack, StartError, demo, package, say, sessions, smoke};
use shared::config::{Env, InvalidSettings, ProcessEnv, Settings};
use shared::telemetry::{self, Destinations, Sampling, TelemetryConfig};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    log_to_terminal(match command_line.command {
        None => "warn,audit=info,oauth_fn=info,mcp_fn=info,local=info",
        // They show what they do themselves.
        Some(Command::Demo(_) | Command::Package(_) | Command::Smoke(_)) => "warn",
        Some(Command::Sessions(_) | Command::RotateKeys(_)) => "warn,audit=info",
    });
    match run(command_line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(command_line: CommandLine) -> Result<(), Box<dyn std::error::Error>> {
    refuse_azure(&ProcessEnv)?;
    match command_line.command {
        Some(Command::Demo(flags)) => Ok(demo::run(flags.url).await?),
        Some(Command::Package(flags)) => Ok(package::run(&flags)?),
        Some(Command::Sessions(command)) => Ok(sessions::run(command, &ProcessEnv).await?),
        Some(Command::RotateKeys(flags)) => Ok(local::rotate_keys::run(&flags, &ProcessEnv).await?),
        Some(Command::Smoke(flags)) => Ok(smoke::run(&flags.url).await?),
        None => Ok(serve(command_line.serve, &ProcessEnv).await?),
    }
}

async fn serve(flags: Serve, env: &(dyn Env + Sync)) -> Result<(), StartError> {
    let options = Options {
        listen: flags.listen,
        data: data(&flags, env)?,
        sign_in_as: flags.sign_in_as,
        requests_per_minute: NonZeroU32::new(flags.requests_per_minute),
        document_policy: flags.client_metadata_hosts.unwrap_or_default(),
        ..Options::default()
    };
    let watched = telemetry(env)?;
    let stack = Stack::start(options.clone()).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let destinations = Destinations { service: "local", http, azure: None };
    telemetry::export(&watched, &destinations);
    say::line(Greeting { base_url: stack.base_url(), options: &options });
    shared::serve::told_to_stop().await;
    stack.stop().await;
    telemetry::end().await;
    say::line("Stopped.");
    Ok(())
}

/// Whoever watches their own machine wants to see everything.
fn telemetry(env: &dyn Env) -> Result<TelemetryConfig, InvalidSettings> {
    let mut settings = Settings::new(env);
    let config = TelemetryConfig::read(&mut settings, Sampling::ALL);
    settings.finish(config)
}

fn data(flags: &Serve, env: &dyn Env) -> Result<Data, InvalidSettings> {
    Ok(if flags.azure {
        Data::Azure { account: Box::new(AzureAccount::read(env)?), keys: Some(flags.data.clone()) }
    } else if flags.memory {
        Data::Memory
    } else {
        Data::Directory(flags.data.clone())
    })
}

/// The settings that tell that this process runs on Azure.
const AZURE_SETTINGS: [&str; 2] = ["FUNCTIONS_WORKER_RUNTIME", "WEBSITE_INSTANCE_ID"];

/// The development identity provider must never serve anybody but a developer.
fn refuse_azure(env: &dyn Env) -> Result<(), OnAzure> {
    let found = AZURE_SETTINGS.into_iter().find(|name| env.get(name).is_some());
    found.map_or(Ok(()), |name| Err(OnAzure(name)))
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{0} is set, so this looks like Azure Functions; the local system signs anybody in and must \
     not run there. Deploy oauth-fn and mcp-fn instead, or unset it on your own machine"
)]
struct OnAzure(&'static str);

// Standard output is for the person, so the log goes to standard error.
fn log_to_terminal(usual: &str) {
    // The attributes of spans are for who sees traces, and have a dot in their names.
    let fields = debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{value:?}"),
        name if name.contains('.') => Ok(()),
        name => write!(writer, "{name}={value:?}"),
    });
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(fields.delimited(" "))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    shared::telemetry::log_through(lines, &ProcessEnv, usual);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_system_does_not_run_on_azure() {
        for name in AZURE_SETTINGS {
            assert!(refuse_azure(&[(name, "x")]).is_err());
        }
        assert!(refuse_azure(&[("HOME", "/root")]).is_ok());
    }
}

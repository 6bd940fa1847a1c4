//! The host as a program: serves a package, or says what it costs.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use functions_host::{Host, HostOptions, Package, Programs, measure};
use shared::config::{Env, ProcessEnv};

/// A stand-in for the host of Azure Functions.
#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a package until the process is told to stop.
    Serve {
        #[command(flatten)]
        app: App,
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// The key that opens the function.
        #[arg(long)]
        key: String,
    },
    /// Print the size of a package, its cold start (the median of 20) and its memory at rest.
    Measure {
        #[command(flatten)]
        app: App,
    },
}

/// An app: its package and its settings.
#[derive(Args, Debug)]
struct App {
    /// The package.
    package: PathBuf,
    /// The settings of the app: `NAME=VALUE`, or `NAME` for one of this process.
    #[arg(long = "setting", value_parser = setting)]
    settings: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    if let Some((name, value)) = text.split_once('=') {
        return Ok((name.to_owned(), value.to_owned()));
    }
    let value = ProcessEnv.get(text).ok_or("is not set here: give NAME=VALUE")?;
    Ok((text.to_owned(), value))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match CommandLine::parse().command {
        Command::Serve { app, listen, key } => serve(app, listen, key).await,
        Command::Measure { app } => measure(&app).await,
    }
}

async fn serve(app: App, listen: SocketAddr, function_key: String) -> Result<(), Box<dyn Error>> {
    let package = Arc::new(Package::open(&app.package, Programs::Static)?);
    let options =
        HostOptions { listen, function_key, settings: app.settings, ..Default::default() };
    let host = Host::start(package, options).await;
    let host = host.map_err(|(error, log)| format!("{error}\n{log:#?}"))?;
    shared::serve::told_to_stop().await;
    drop(host);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
async fn measure(app: &App) -> Result<(), Box<dyn Error>> {
    const STARTS: usize = 20;
    let package = Package::open(&app.package, Programs::Static)?;
    println!("bytes {}", package.size());
    let cold_start = measure::cold_start(&package, &app.settings, STARTS).await?;
    println!("microseconds {}", cold_start.as_micros());
    println!("memory {}", measure::memory_at_rest(&package, &app.settings).await?);
    Ok(())
}

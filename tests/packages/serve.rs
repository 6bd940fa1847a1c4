//! The whole system from the packages that are deployed, for the peers of `tests/peers`: the gateway,
//! a stand-in for the Functions host before each package, the development identity provider, and the
//! account of Azure Storage that the settings of this process name, which is Azurite's.
//!
//! It takes the flags of the local system that the peers need, and serves until it is told to stop;
//! then it prints what the apps have logged.

#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod system;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Parser;
use local::azure::AzureAccount;
use local::greeting::Greeting;
use local::identity_provider::Person;
use local::keys::Keys;
use local::{Data, Options, say};
use oauth_fn::limits::REQUESTS_PER_MINUTE;
use shared::config::ProcessEnv;
use system::{Cause, OwnSettings, PackagedSystem, Unpacked};

/// The system of packages on this machine.
#[derive(Debug, Parser)]
struct CommandLine {
    /// The directory of the packages.
    packages: PathBuf,
    /// Where to listen, on this machine only.
    #[arg(long)]
    listen: SocketAddr,
    /// Sign this user in without the page of the identity provider.
    #[arg(long, value_parser = |name: &str| Person::try_from(name))]
    sign_in_as: Option<Person>,
    /// Requests of one kind that one address may make in a minute; 0 for any number.
    #[arg(long, default_value_t = REQUESTS_PER_MINUTE.get())]
    requests_per_minute: u32,
}

#[tokio::main]
async fn main() -> Result<(), Cause> {
    let CommandLine { packages, listen, sign_in_as, requests_per_minute } = CommandLine::parse();
    if !listen.ip().is_loopback() {
        return Err("anybody can sign in here: only this machine may reach it".into());
    }
    let account = Box::new(AzureAccount::read(&ProcessEnv)?);
    account.open().await?;
    let own = storage(&account);
    let options = Options {
        listen,
        data: Data::Azure { account, keys: None },
        sign_in_as,
        requests_per_minute: NonZeroU32::new(requests_per_minute),
        ..Options::default()
    };
    let packages = Unpacked::from(&packages)?;
    let mut system = PackagedSystem::start(&packages, Keys::in_memory()?, &options, own).await?;
    say::line(Greeting { base_url: &system.base_url, options: &options });
    shared::serve::told_to_stop().await;
    system.stop().await;
    system.log().for_each(|line| say::line(line.text));
    Ok(())
}

/// Where each app finds its data, as a deployment tells it.
fn storage(account: &AzureAccount) -> OwnSettings {
    let tables = account.tables().to_string();
    OwnSettings {
        oauth_fn: vec![("SESSION_TABLES_ENDPOINT", tables.clone())],
        mcp_fn: vec![
            ("SESSION_TABLES_ENDPOINT", tables.clone()),
            ("RELAY_TABLES_ENDPOINT", tables),
            ("BLOBS_ENDPOINT", account.blobs().to_string()),
        ],
    }
}

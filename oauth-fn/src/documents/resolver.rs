//! The addresses behind a name.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;

use async_trait::async_trait;
use tokio::net::lookup_host;

use super::guard::HTTPS_PORT;

/// Finds the addresses of hosts.
#[async_trait]
pub trait Resolver: Debug + Send + Sync {
    /// Every address of `host`.
    ///
    /// # Errors
    /// The name cannot be resolved.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = lookup_host((host, HTTPS_PORT)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}

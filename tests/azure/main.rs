//! The storage ports on the Azure crates, against Azurite: the tables at `AZURITE_TABLES` and the
//! blobs at `AZURITE_BLOBS`. Runs with the feature `azurite` only, and fails without the emulator.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

#[macro_use]
#[path = "../storage/contract.rs"]
mod contract;
mod content_type;
mod snippets;
mod tables;

use shared::azure::{Azure, AzureIdentity, StorageEndpoint, StorageService, http_client};
use shared::config::{ProcessEnv, Settings};

/// Azure over a client of its own: each test has its own runtime, which connections belong to.
fn azure() -> Azure {
    Azure::new(&AzureIdentity::Developer, http_client().unwrap()).unwrap()
}

fn azurite(setting: &'static str, service: StorageService) -> StorageEndpoint {
    let mut settings = Settings::new(&ProcessEnv);
    let endpoint = StorageEndpoint::read(&mut settings, setting, service);
    settings.finish(endpoint).unwrap_or_else(|faults| panic!("{faults}"))
}

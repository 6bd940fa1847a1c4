//! The deployed MCP server: the snippet tools on blobs in Azure.

use std::process::ExitCode;
use std::sync::Arc;

use mcp_fn::config::Config;
use mcp_fn::deployed;
use mcp_fn::snippets::azure::AzureBlobs;
use mcp_fn::snippets::owned::Snippets;
use mcp_fn::tools::SnippetTools;
use shared::azure::{Azure, StorageEndpoint, StorageService};
use shared::clock::SystemClock;

#[tokio::main]
async fn main() -> ExitCode {
    deployed::serve_with(|settings| {
        let blobs = StorageEndpoint::read(settings, "BLOBS_ENDPOINT", StorageService::Blob)?;
        Some(|config: &Config, azure: &Azure| {
            let snippets = Snippets::new(Arc::new(AzureBlobs::new(azure, blobs)?));
            Ok(SnippetTools::new(snippets, &config.session_keys, Arc::new(SystemClock)))
        })
    })
    .await
}

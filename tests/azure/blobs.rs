//! The contract of the port of snippets on Azure's blobs.

use std::sync::Arc;

use mcp_fn::snippets::azure::AzureBlobs;
use shared::azure::StorageService;

snippet_contract_tests!(open());

async fn open() -> (Arc<AzureBlobs>, ()) {
    let endpoint = crate::azurite("AZURITE_BLOBS", StorageService::Blob);
    let blobs = AzureBlobs::new(&crate::azure(), endpoint).unwrap();
    blobs.make_container().await.unwrap();
    (Arc::new(blobs), ())
}

//! What Blob Storage itself keeps of a snippet, beside its text.

use azure_storage_blob::models::BlobClientGetPropertiesResultHeaders;
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use mcp_fn::snippets::azure::AzureBlobs;
use mcp_fn::snippets::{SnippetName, SnippetStore, SnippetText};
use shared::azure::{Repeats, StorageService};
use shared::secret::random_bytes;
use shared::storage::Key;

#[tokio::test]
async fn a_snippet_is_stored_as_text() {
    let endpoint = crate::azurite("AZURITE_BLOBS", StorageService::Blob);
    let store = AzureBlobs::new(&crate::azure(), endpoint.clone()).unwrap();
    store.make_container().await.unwrap();
    let options = BlobContainerClientOptions {
        client_options: crate::azure().client_options(&endpoint, Repeats::Allowed),
        ..BlobContainerClientOptions::default()
    };
    let container = BlobContainerClient::new(endpoint.at(&["snippets"]), None, Some(options));
    let owner = Key::digest("user", &[&random_bytes::<16>()]);
    let name = SnippetName::try_from("n").unwrap();
    let text = SnippetText::try_from("text".to_owned()).unwrap();

    store.put(&owner, &name, &text).await.unwrap();

    let blob = container.unwrap().blob_client(&format!("{}/n", owner.as_str()));
    let properties = blob.get_properties(None).await.unwrap();
    let content_type = properties.content_type().unwrap();
    assert_eq!(content_type.as_deref(), Some("text/plain; charset=utf-8"));
}

//! The door to Azure Blob Storage: each snippet is a blob `OWNER/NAME` in one container.
//!
//! Azure loses a dot at the end of a blob's name, so such a name gets a mark after it. The mark
//! comes before every character of a name, so that blobs stay in the order of their names.
//!
//! Saving, reading and listing are sent again while their outcome is not known; a saving under a
//! condition may then meet what it wrote itself, which is told as a conflict. A deletion is sent
//! once: its second try would find nothing and say that nothing was there.

use std::fmt;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind, ResultExt};
use azure_core::http::RequestContent;
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobClientUploadOptions, BlobContainerClientListBlobsOptions, BlobItem,
};
use azure_storage_blob::{BlobClient, BlobContainerClient, BlobContainerClientOptions};
use futures::TryStreamExt;
use shared::azure::{Azure, Operation, Repeats, SetUpError, StorageEndpoint, StorageFault};
use shared::storage::{Key, Version};

use super::{
    Condition, Deletion, Saving, Snippet, SnippetEntry, SnippetName, SnippetPage, SnippetStore,
    SnippetStoreError, SnippetText, SnippetTooLong,
};

const CONTAINER: &str = "snippets";

/// Follows a name that ends with a dot.
const MARK: char = '!';

/// Snippets on one page.
const PAGE: usize = 100;

const CONTRIBUTOR: &str = "Storage Blob Data Contributor";

const DELETE: Operation = Operation::new("delete a snippet", CONTRIBUTOR);
const GET: Operation = Operation::new("read a snippet", CONTRIBUTOR);
const LIST: Operation = Operation::new("list snippets", CONTRIBUTOR);
const MAKE_CONTAINER: Operation = Operation::new("make the container", CONTRIBUTOR);
const PUT: Operation = Operation::new("save a snippet", CONTRIBUTOR);

/// Snippets in the container `snippets` of one storage account.
pub struct AzureBlobs {
    azure: Azure,
    endpoint: StorageEndpoint,
    repeating: BlobContainerClient,
    once: BlobContainerClient,
}

impl AzureBlobs {
    /// The snippets at `endpoint`. Nothing is sent yet.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(azure: &Azure, endpoint: StorageEndpoint) -> Result<Self, SetUpError> {
        let container = |repeats| {
            let options = BlobContainerClientOptions {
                client_options: azure.client_options(&endpoint, repeats),
                ..BlobContainerClientOptions::default()
            };
            BlobContainerClient::new(endpoint.at(&[CONTAINER]), None, Some(options))
                .map_err(SetUpError::new)
        };
        let (repeating, once) = (container(Repeats::Allowed)?, container(Repeats::Never)?);
        Ok(Self { azure: azure.clone(), endpoint, repeating, once })
    }

    /// Makes the container unless it is there. In Azure the deployment has made it.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn make_container(&self) -> Result<(), SnippetStoreError> {
        let call = self.repeating.create(None);
        match self.call(MAKE_CONTAINER, call).await {
            Ok(_) => Ok(()),
            Err(fault) => match fault.refusal() {
                Some((409, "ContainerAlreadyExists")) => Ok(()),
                _ => Err(fault.into()),
            },
        }
    }

    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = azure_core::Result<T>> + Send,
    ) -> Result<T, StorageFault> {
        self.azure.call(&self.endpoint, operation, call).await
    }

    async fn page(
        &self,
        owner: &Key,
        from: Option<&SnippetName>,
    ) -> azure_core::Result<SnippetPage> {
        let prefix = format!("{}/", owner.as_str());
        let options = BlobContainerClientListBlobsOptions {
            maxresults: i32::try_from(PAGE + 1).ok(),
            prefix: Some(prefix.clone()),
            start_from: from.map(|name| path(owner, name)),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let mut blobs = self.repeating.list_blobs(Some(options))?;
        let mut page = SnippetPage::default();
        while let Some(blob) = blobs.try_next().await? {
            let Some(entry) = entry(&blob, &prefix) else { continue };
            // Azurite 3.35 starts at the first name, wherever it is told to.
            if from.is_some_and(|from| entry.name < *from) {
                continue;
            }
            if page.snippets.len() == PAGE {
                page.next = Some(entry.name);
                break;
            }
            page.snippets.push(entry);
        }
        Ok(page)
    }
}

#[async_trait]
impl SnippetStore for AzureBlobs {
    fn system(&self) -> &'static str {
        "azure.blobs"
    }

    async fn put(
        &self,
        owner: &Key,
        name: &SnippetName,
        text: &SnippetText,
        condition: &Condition,
    ) -> Result<Saving, SnippetStoreError> {
        let blob = self.repeating.blob_client(&path(owner, name));
        let content = RequestContent::from(text.as_str().as_bytes().to_vec());
        let (if_match, if_none_match) = match condition {
            Condition::Anything => (None, None),
            Condition::Nothing => (None, Some("*".into())),
            Condition::Version(version) => (Some(version.as_str().into()), None),
        };
        let options = BlobClientUploadOptions {
            blob_content_type: Some("text/plain; charset=utf-8".to_owned()),
            if_match,
            if_none_match,
            ..BlobClientUploadOptions::default()
        };

        match self.call(PUT, blob.upload(content, Some(options))).await {
            Ok(_) => Ok(Saving::Saved),
            Err(fault) => match fault.refusal() {
                Some((409, "BlobAlreadyExists") | (412, "ConditionNotMet")) => Ok(Saving::Conflict),
                _ => Err(fault.into()),
            },
        }
    }

    async fn get(
        &self,
        owner: &Key,
        name: &SnippetName,
    ) -> Result<Option<Snippet>, SnippetStoreError> {
        let blob = self.repeating.blob_client(&path(owner, name));

        match self.call(GET, download(&blob)).await {
            Ok(snippet) => Ok(Some(snippet)),
            Err(fault) => match fault.refusal() {
                Some((404, "BlobNotFound")) => Ok(None),
                _ => Err(fault.into()),
            },
        }
    }

    async fn list(
        &self,
        owner: &Key,
        from: Option<&SnippetName>,
    ) -> Result<SnippetPage, SnippetStoreError> {
        Ok(self.call(LIST, self.page(owner, from)).await?)
    }

    async fn delete(
        &self,
        owner: &Key,
        name: &SnippetName,
        version: Option<&Version>,
    ) -> Result<Deletion, SnippetStoreError> {
        let blob = self.once.blob_client(&path(owner, name));
        let options = BlobClientDeleteOptions {
            if_match: version.map(|version| version.as_str().into()),
            ..BlobClientDeleteOptions::default()
        };

        match self.call(DELETE, blob.delete(Some(options))).await {
            Ok(_) => Ok(Deletion::Deleted),
            Err(fault) => match fault.refusal() {
                Some((404, "BlobNotFound")) => Ok(Deletion::NotFound),
                Some((412, "ConditionNotMet")) => Ok(Deletion::Conflict),
                _ => Err(fault.into()),
            },
        }
    }
}

impl fmt::Debug for AzureBlobs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("AzureBlobs").field(&self.endpoint).finish()
    }
}

impl From<StorageFault> for SnippetStoreError {
    fn from(fault: StorageFault) -> Self {
        Self::new(fault)
    }
}

fn path(owner: &Key, name: &SnippetName) -> String {
    let mut path = format!("{}/{name}", owner.as_str());
    if path.ends_with('.') {
        path.push(MARK);
    }
    path
}

/// What is in `blob`, unless it is longer than any text that we wrote: that is refused unread.
async fn download(blob: &BlobClient) -> azure_core::Result<Snippet> {
    let found = blob.download(None).await?;
    let etag = found.properties.etag.map(|etag| Version::new(etag.to_string()));
    let version = etag.ok_or_else(|| Error::with_message(ErrorKind::DataConversion, "no ETag"))?;
    let length = usize::try_from(found.properties.content_length.unwrap_or_default());
    if !length.is_ok_and(|length| length <= SnippetText::LONGEST) {
        return Err(SnippetTooLong).with_kind(ErrorKind::DataConversion);
    }
    let text = found.body.collect_string().await?;
    let text = SnippetText::try_from(text).with_kind(ErrorKind::DataConversion)?;
    Ok(Snippet { text, version })
}

/// The snippet that `blob` is, if its name is one that we gave.
fn entry(blob: &BlobItem, prefix: &str) -> Option<SnippetEntry> {
    let name = blob.name.as_deref()?.strip_prefix(prefix)?;
    let name = SnippetName::try_from(name.strip_suffix(MARK).unwrap_or(name)).ok()?;
    Some(SnippetEntry { name, bytes: blob.properties.as_ref()?.content_length? })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use http::StatusCode;
    use shared::azure::{AzureIdentity, StorageService, http_client};
    use shared::config::Settings;
    use tokio::net::TcpListener;

    use super::*;

    /// An account that answers every request alike, and how many it has answered.
    async fn answering(
        status: StatusCode,
        code: &'static str,
        body: Vec<u8>,
    ) -> (AzureBlobs, Arc<AtomicUsize>) {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let answer = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let headers = [("x-ms-error-code", code), ("etag", "\"0x1\"")];
            let answer = (status, headers, body.clone());
            async move { answer }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/devstoreaccount1", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
        let env = [("BLOBS_ENDPOINT", url.as_str())];
        let mut settings = Settings::new(&env);
        let endpoint = StorageEndpoint::read(&mut settings, "BLOBS_ENDPOINT", StorageService::Blob);
        let azure = Azure::new(&AzureIdentity::Developer, http_client().unwrap()).unwrap();
        (AzureBlobs::new(&azure, endpoint.unwrap()).unwrap(), requests)
    }

    fn owner() -> Key {
        Key::word("owner")
    }

    fn name() -> SnippetName {
        SnippetName::try_from("name").unwrap()
    }

    fn cause(error: &SnippetStoreError) -> String {
        std::error::Error::source(error).unwrap().to_string()
    }

    #[test]
    fn no_blob_ends_with_a_dot_and_all_are_in_the_order_of_their_names() {
        let mut names = ["a", "a-b", "a.", "a.-", "a..", "a..b", "a.b", "aa", "...", "A", "_", "9"]
            .map(|name| SnippetName::try_from(name).unwrap());
        names.sort();

        let paths = names.map(|name| path(&owner(), &name));

        assert!(paths.is_sorted(), "{paths:?}");
        assert!(paths.iter().all(|path| !path.ends_with('.')));
    }

    #[tokio::test]
    async fn a_deletion_is_sent_once_and_a_reading_three_times() {
        let (blobs, requests) =
            answering(StatusCode::SERVICE_UNAVAILABLE, "ServerBusy", Vec::new()).await;

        blobs.delete(&owner(), &name(), None).await.unwrap_err();
        let deletions = requests.swap(0, Ordering::Relaxed);
        blobs.get(&owner(), &name()).await.unwrap_err();
        let readings = requests.load(Ordering::Relaxed);

        assert_eq!((deletions, readings), (1, 3));
    }

    #[tokio::test]
    async fn a_missing_container_is_a_fault_and_not_a_missing_snippet() {
        let (blobs, _) = answering(StatusCode::NOT_FOUND, "ContainerNotFound", Vec::new()).await;

        let error = blobs.get(&owner(), &name()).await.unwrap_err();

        let begin = "BLOBS_ENDPOINT: cannot read a snippet: 404 ContainerNotFound; ";
        assert!(cause(&error).starts_with(begin), "{}", cause(&error));
        assert!(blobs.delete(&owner(), &name(), None).await.is_err());
        assert!(blobs.list(&owner(), None).await.is_err());
    }

    #[tokio::test]
    async fn a_missing_role_is_named_with_the_setting() {
        let code = "AuthorizationPermissionMismatch";
        let (blobs, _) = answering(StatusCode::FORBIDDEN, code, Vec::new()).await;
        let text = SnippetText::try_from("text".to_owned()).unwrap();

        let error = blobs.put(&owner(), &name(), &text, &Condition::Anything).await.unwrap_err();

        assert!(cause(&error).starts_with("BLOBS_ENDPOINT: cannot save a snippet: 403 "));
        assert!(cause(&error).contains("Storage Blob Data Contributor"));
    }

    #[tokio::test]
    async fn a_blob_that_is_no_snippet_is_refused() {
        for body in [vec![b'x'; SnippetText::LONGEST + 1], vec![0xff]] {
            let (blobs, _) = answering(StatusCode::OK, "", body).await;

            let error = blobs.get(&owner(), &name()).await.unwrap_err();

            assert!(cause(&error).contains("the answer is not readable"), "{}", cause(&error));
        }
    }
}

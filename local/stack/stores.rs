//! What a system keeps its data in.

use std::path::Path;
use std::sync::Arc;

use mcp_fn::snippets::SnippetStore;
use shared::storage::RecordStore;

use super::{Data, StartError};
use crate::azure::AzureAccount;
use crate::embedded::EmbeddedStore;
use crate::files::make_directory;
use crate::keys::Keys;

/// The stores of a system.
pub(super) struct Stores {
    /// What both apps agree on.
    pub(super) records: Arc<dyn RecordStore>,
    /// What mcp-fn alone keeps.
    pub(super) snippets: Arc<dyn SnippetStore>,
    /// The store behind both, if it has to be closed in the end.
    pub(super) embedded: Option<Arc<EmbeddedStore>>,
}

impl From<EmbeddedStore> for Stores {
    fn from(store: EmbeddedStore) -> Self {
        let store = Arc::new(store);
        let (records, snippets) = (Arc::clone(&store) as _, Arc::clone(&store) as _);
        Self { records, snippets, embedded: Some(store) }
    }
}

/// Opens what is kept in `data`.
pub(super) async fn open(data: &Data) -> Result<(Stores, Keys), StartError> {
    match data {
        Data::Memory => Ok((EmbeddedStore::in_memory()?.into(), keys_in(None).await?)),
        Data::Directory(path) => {
            let path = path.clone();
            tokio::task::spawn_blocking(move || open_directory(&path)).await?
        }
        Data::Azure { account, keys } => {
            let stores = open_account(account).await?;
            Ok((stores, keys_in(keys.as_deref()).await?))
        }
    }
}

/// The store comes first: its lock keeps a second process away from the keys as well.
fn open_directory(path: &Path) -> Result<(Stores, Keys), StartError> {
    make(path)?;
    let store = EmbeddedStore::in_file(&path.join("store.redb"))?;
    Ok((store.into(), Keys::in_file(&path.join(KEYS))?))
}

/// Nothing is left behind on this machine if the account cannot be used.
async fn open_account(account: &AzureAccount) -> Result<Stores, StartError> {
    let (tables, blobs) = account.open().await?;
    Ok(Stores { records: Arc::new(tables), snippets: Arc::new(blobs), embedded: None })
}

const KEYS: &str = "keys.json";

/// The keys in `directory`, or new ones where there is none.
async fn keys_in(directory: Option<&Path>) -> Result<Keys, StartError> {
    let directory = directory.map(Path::to_owned);
    let keys = tokio::task::spawn_blocking(move || match directory {
        None => Ok(Keys::in_memory()?),
        Some(path) => {
            make(&path)?;
            Ok(Keys::in_file(&path.join(KEYS))?)
        }
    });
    keys.await?
}

fn make(path: &Path) -> Result<(), StartError> {
    make_directory(path)
        .map_err(|source| StartError::DataDirectory { path: path.to_owned(), source })
}

//! The account of Azure Storage under a local system: the one that the settings name, or Azurite.

use mcp_fn::snippets::SnippetStoreError;
use mcp_fn::snippets::azure::AzureBlobs;
use shared::azure::{self, Azure, AzureIdentity, SetUpError, StorageEndpoint, StorageService};
use shared::config::{Env, InvalidSettings, Settings};
use shared::storage::{Address, AzureTables, Key, RecordStore, StoreError, TableName};

/// Names the account of the tables, for the deployed apps too.
pub(crate) const TABLES: &str = "SESSION_TABLES_ENDPOINT";
/// Names the account of the blobs, for mcp-fn too.
const BLOBS: &str = "BLOBS_ENDPOINT";

/// Where Azurite listens unless it is told otherwise.
const AZURITE: [(&str, &str); 2] = [
    (TABLES, "http://127.0.0.1:10002/devstoreaccount1"),
    (BLOBS, "http://127.0.0.1:10000/devstoreaccount1"),
];

/// Who this process is to Azure, and where its tables and blobs lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AzureAccount {
    identity: AzureIdentity,
    tables: StorageEndpoint,
    blobs: StorageEndpoint,
}

impl AzureAccount {
    /// The account in the settings of the deployed apps, or Azurite where they name none.
    ///
    /// # Errors
    /// A setting is not good, or only one of the two endpoints is set.
    pub fn read(env: &dyn Env) -> Result<Self, InvalidSettings> {
        let env = OrAzurite(env);
        let mut settings = Settings::new(&env);
        let identity = AzureIdentity::read(&mut settings);
        let tables = StorageEndpoint::read(&mut settings, TABLES, StorageService::Table);
        let blobs = StorageEndpoint::read(&mut settings, BLOBS, StorageService::Blob);
        let read = identity.zip(tables).zip(blobs);
        let ((identity, tables), blobs) = settings.finish(read)?;
        Ok(Self { identity, tables, blobs })
    }

    /// Where the tables lie.
    pub fn tables(&self) -> &StorageEndpoint {
        &self.tables
    }

    /// Where the blobs lie.
    pub fn blobs(&self) -> &StorageEndpoint {
        &self.blobs
    }

    /// The account, ready for use: the container is made as a deployment makes it, and the tables
    /// answer. They are made when they are needed, as everywhere.
    ///
    /// # Errors
    /// The account refuses, or cannot be reached.
    pub async fn open(&self) -> Result<(AzureTables, AzureBlobs), AccountError> {
        let azure = self.azure()?;
        let tables = AzureTables::new(&azure, self.tables.clone());
        let blobs = AzureBlobs::new(&azure, self.blobs.clone())?;
        if let Err(error) = tables.get(&anywhere()).await {
            return Err(AccountError::unusable(&self.tables, error.into()));
        }
        if let Err(error) = blobs.make_container().await {
            return Err(AccountError::unusable(&self.blobs, error.into()));
        }
        Ok((tables, blobs))
    }

    /// The tables alone. Nothing is sent yet.
    pub(crate) fn open_tables(&self) -> Result<AzureTables, SetUpError> {
        Ok(AzureTables::new(&self.azure()?, self.tables.clone()))
    }

    fn azure(&self) -> Result<Azure, SetUpError> {
        Azure::new(&self.identity, azure::http_client()?)
    }
}

/// A place where nothing lies: whoever answers that is there.
fn anywhere() -> Address {
    Address::alone(TableName::word("nothing"), Key::word("nothing"))
}

/// Settings, and those of Azurite where they name no account.
struct OrAzurite<'a>(&'a dyn Env);

impl Env for OrAzurite<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let named = AZURITE.iter().any(|(setting, _)| self.0.get(setting).is_some());
        let azurite = if named { None } else { AZURITE.get(name) };
        self.0.get(name).or(azurite)
    }
}

/// Why an account cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A real one refuses, or cannot be reached.
    #[error("the storage account {endpoint} cannot be used")]
    Account {
        /// The root URL of the service that cannot be used.
        endpoint: String,
        /// What it said.
        source: Refusal,
    },
    /// The emulator does not run, or does not speak the version that we do.
    #[error(
        "Azurite does not serve {endpoint}: start it with `npx azurite --skipApiVersionCheck \
         --location .local/azurite`, or name another account in {TABLES} and {BLOBS}"
    )]
    Azurite {
        /// The root URL of the service that cannot be used.
        endpoint: String,
        /// What it said, if anything.
        source: Refusal,
    },
    /// The Azure client cannot be made.
    #[error("Azure cannot be reached")]
    SetUp(#[from] SetUpError),
}

impl AccountError {
    fn unusable(endpoint: &StorageEndpoint, source: Refusal) -> Self {
        let (endpoint, is_azurite) = (endpoint.to_string(), endpoint.is_azurite());
        if is_azurite {
            Self::Azurite { endpoint, source }
        } else {
            Self::Account { endpoint, source }
        }
    }
}

/// What a service of an account said.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The blobs.
    #[error(transparent)]
    Blobs(#[from] SnippetStoreError),
    /// The tables.
    #[error(transparent)]
    Tables(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_settings_it_is_azurite_at_its_usual_ports() {
        let none: [(&str, &str); 0] = [];

        let account = AzureAccount::read(&none).unwrap();

        assert_eq!(account.tables().to_string(), "http://127.0.0.1:10002/devstoreaccount1");
        assert_eq!(account.blobs().to_string(), "http://127.0.0.1:10000/devstoreaccount1");
    }

    #[test]
    fn an_account_is_named_whole_and_never_half_of_it_is_azurite() {
        let tables = (TABLES, "https://a.table.core.windows.net");

        let half = AzureAccount::read(&[tables]).unwrap_err().to_string();
        let whole = AzureAccount::read(&[tables, (BLOBS, "https://a.blob.core.windows.net")]);

        assert!(half.contains("BLOBS_ENDPOINT is missing"), "{half}");
        assert!(!whole.unwrap().tables().is_azurite());
    }
}

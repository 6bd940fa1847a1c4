//! Who this process is to Azure: never by a secret of its own.

use std::convert::Infallible;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::ClientOptions;
use azure_identity::{
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};

use crate::config::Settings;
use crate::session::{DirectoryId, InvalidDirectoryId};

/// What Azure knows this process as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AzureIdentity {
    /// Whoever is signed in to the Azure CLI or the Azure Developer CLI on this laptop.
    Developer,
    /// The user-assigned managed identity with this client id; Azure Functions vouches for it.
    Managed(DirectoryId),
}

impl AzureIdentity {
    /// The managed identity `AZURE_CLIENT_ID` where the platform offers its identity endpoint, and
    /// elsewhere the developer.
    pub fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let offered = |_: &str| Ok::<_, Infallible>(Platform::OffersIdentities);
        match settings.optional("IDENTITY_ENDPOINT", Platform::Laptop, offered)? {
            Platform::Laptop => Some(Self::Developer),
            Platform::OffersIdentities => {
                // Without it the endpoint refuses, and the library looks for another one.
                let header = settings.required("IDENTITY_HEADER", offered);
                let client_id = settings.required("AZURE_CLIENT_ID", client_id);
                header.and(client_id).map(Self::Managed)
            }
        }
    }

    pub(super) fn credential(
        &self,
        client_options: ClientOptions,
    ) -> azure_core::Result<Arc<dyn TokenCredential>> {
        match self {
            Self::Developer => Ok(DeveloperToolsCredential::new(None)?),
            Self::Managed(client_id) => {
                let id = UserAssignedId::ClientId(client_id.as_str().to_owned());
                let options =
                    ManagedIdentityCredentialOptions { user_assigned_id: Some(id), client_options };
                Ok(ManagedIdentityCredential::new(Some(options))?)
            }
        }
    }
}

enum Platform {
    Laptop,
    OffersIdentities,
}

fn client_id(text: &str) -> Result<DirectoryId, InvalidDirectoryId> {
    text.to_owned().try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const N: usize>(env: [(&str, &str); N]) -> Result<AzureIdentity, String> {
        let mut settings = Settings::new(&env);
        let identity = AzureIdentity::read(&mut settings);
        settings.finish(identity).map_err(|faults| faults.to_string())
    }

    #[test]
    fn azure_functions_vouches_for_the_identity_that_the_settings_name() {
        let identity = read([
            ("IDENTITY_ENDPOINT", "http://127.0.0.1:42/msi/token"),
            ("IDENTITY_HEADER", "secret"),
            ("AZURE_CLIENT_ID", "7d1ea1e6-3b34-4cd7-a53d-a2a9a4ed0e6a"),
        ]);

        let id = DirectoryId::try_from("7d1ea1e6-3b34-4cd7-a53d-a2a9a4ed0e6a".to_owned()).unwrap();
        assert_eq!(identity.unwrap(), AzureIdentity::Managed(id));
    }

    #[test]
    fn a_laptop_needs_no_setting() {
        assert_eq!(read([]).unwrap(), AzureIdentity::Developer);
    }

    #[test]
    fn azure_functions_without_a_client_id_or_without_its_header_is_a_fault() {
        let faults = read([("IDENTITY_ENDPOINT", "http://127.0.0.1:42/msi/token")]).unwrap_err();

        assert!(faults.contains("AZURE_CLIENT_ID is missing"), "{faults}");
        assert!(faults.contains("IDENTITY_HEADER is missing"), "{faults}");
    }
}

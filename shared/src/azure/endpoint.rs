//! Where an account of Azure Storage answers, as the settings say it.

use std::fmt;

use url::Url;

use super::shared_key::is_azurite_account;
use crate::base_url::is_loopback;
use crate::config::Settings;

/// A service of Azure Storage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StorageService {
    /// Blob Storage.
    Blob,
    /// Table Storage.
    Table,
}

impl fmt::Display for StorageService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Blob => "blob",
            Self::Table => "table",
        })
    }
}

/// The root URL of one service of one account: in Azure over https, or Azurite on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StorageEndpoint {
    url: Url,
    service: StorageService,
    setting: &'static str,
}

/// The root URL.
impl fmt::Display for StorageEndpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.url.as_str())
    }
}

impl StorageEndpoint {
    /// The endpoint of `service` that the setting `name` holds.
    pub fn read(
        settings: &mut Settings<'_>,
        name: &'static str,
        service: StorageService,
    ) -> Option<Self> {
        let url = settings.required(name, |text| parse(text, service))?;
        Some(Self { url, service, setting: name })
    }

    /// The URL of what lies at `path`, a segment each, below the root.
    pub fn at(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        // A URL with a host has a path: there is no other case.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// The service that answers here.
    pub fn service(&self) -> StorageService {
        self.service
    }

    /// The setting that it was read from.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// Whether it is the emulator, whose accounts and key everybody knows. It is the only one that
    /// is spoken to without TLS.
    pub fn is_azurite(&self) -> bool {
        self.azurite_account().is_some()
    }

    /// The account, if it is one of the emulator's.
    pub(super) fn azurite_account(&self) -> Option<&str> {
        (self.url.scheme() == "http").then(|| self.url.path().trim_start_matches('/'))
    }
}

/// Why a text is not an endpoint of Azure Storage.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// The emulator's account is neither the well-known one nor numbered like it.
    #[error(
        "must end in /devstoreaccount1 for Azurite, as in http://127.0.0.1:10002/devstoreaccount1"
    )]
    AzuriteAccount,
    /// A path, a foreign host, or no URL at all.
    #[error("must be the {0} endpoint of a storage account: https://ACCOUNT.{0}.core.windows.net")]
    Form(StorageService),
    /// Plain http, and not on this machine.
    #[error("must begin with https:// (http:// is for Azurite on 127.0.0.1 or localhost only)")]
    Insecure,
    /// A shared access signature, a user name or a fragment.
    #[error("must be the endpoint alone, without key or signature: the app signs in as itself")]
    Secret,
}

fn parse(text: &str, service: StorageService) -> Result<Url, InvalidEndpoint> {
    let mut url = Url::parse(text).map_err(|_| InvalidEndpoint::Form(service))?;
    let alone = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !alone {
        return Err(InvalidEndpoint::Secret);
    }
    // Azure's own tools write endpoints with a final slash; Azurite does not know them by it.
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    match url.scheme() {
        "https" if path.is_empty() && is_named(&url, service) => Ok(url),
        "https" => Err(InvalidEndpoint::Form(service)),
        "http" if !is_loopback(&url) => Err(InvalidEndpoint::Insecure),
        "http" if !path.strip_prefix('/').is_some_and(is_azurite_account) => {
            Err(InvalidEndpoint::AzuriteAccount)
        }
        "http" => Ok(url),
        _ => Err(InvalidEndpoint::Insecure),
    }
}

/// Whether the host is an account's for this service, as in every cloud: `account.table.suffix`,
/// or `account.z01.table.suffix`.
fn is_named(url: &Url, service: StorageService) -> bool {
    let service = service.to_string();
    url.domain().is_some_and(|host| host.split('.').skip(1).any(|label| label == service))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Url, InvalidEndpoint> {
        parse(text, StorageService::Table)
    }

    fn endpoint(text: &str) -> StorageEndpoint {
        StorageEndpoint {
            url: table(text).unwrap(),
            service: StorageService::Table,
            setting: "SESSION_TABLES_ENDPOINT",
        }
    }

    #[test]
    fn accounts_of_every_cloud_are_taken_with_and_without_a_final_slash() {
        for text in [
            "https://acct.table.core.windows.net",
            "https://acct.table.core.windows.net/",
            "https://acct.z12.table.storage.azure.net/",
            "https://acct.table.core.usgovcloudapi.net",
        ] {
            assert!(!endpoint(text).is_azurite(), "{text}");
        }
    }

    #[test]
    fn azurite_is_taken_on_this_machine() {
        for text in
            ["http://127.0.0.1:10002/devstoreaccount1", "http://localhost:1/devstoreaccount12/"]
        {
            assert!(endpoint(text).is_azurite(), "{text}");
        }
    }

    #[test]
    fn every_rule_has_its_error() {
        for (text, expected) in [
            ("acct", InvalidEndpoint::Form(StorageService::Table)),
            ("https://acct.blob.core.windows.net", InvalidEndpoint::Form(StorageService::Table)),
            ("https://table.core.windows.net", InvalidEndpoint::Form(StorageService::Table)),
            ("https://10.0.0.4/", InvalidEndpoint::Form(StorageService::Table)),
            ("https://a.table.core.windows.net/t", InvalidEndpoint::Form(StorageService::Table)),
            ("https://a.table.core.windows.net/?sv=1&sig=x", InvalidEndpoint::Secret),
            ("https://key@a.table.core.windows.net", InvalidEndpoint::Secret),
            ("http://a.table.core.windows.net", InvalidEndpoint::Insecure),
            ("http://127.0.0.1.nip.io/devstoreaccount1", InvalidEndpoint::Insecure),
            ("ftp://127.0.0.1/devstoreaccount1", InvalidEndpoint::Insecure),
            ("http://127.0.0.1:10002", InvalidEndpoint::AzuriteAccount),
            ("http://127.0.0.1:10002/mine", InvalidEndpoint::AzuriteAccount),
        ] {
            assert_eq!(table(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn what_lies_below_the_root_follows_after_one_slash() {
        let azure = endpoint("https://acct.table.core.windows.net/");
        let azurite = endpoint("http://127.0.0.1:10002/devstoreaccount1/");

        assert_eq!(azure.at(&["Tables"]).path(), "/Tables");
        assert_eq!(azurite.at(&["Tables"]).path(), "/devstoreaccount1/Tables");
        assert_eq!(azure.at(&["a/b?c"]).path(), "/a%2Fb%3Fc");
    }

    #[test]
    fn a_fault_names_the_setting_and_shows_no_value() {
        let env = [("SESSION_TABLES_ENDPOINT", "https://a.table.core.windows.net?sig=abc")];
        let mut settings = Settings::new(&env);

        let endpoint =
            StorageEndpoint::read(&mut settings, "SESSION_TABLES_ENDPOINT", StorageService::Table);
        let faults = settings.finish(endpoint).unwrap_err().to_string();

        assert!(faults.contains("SESSION_TABLES_ENDPOINT must be the endpoint alone"), "{faults}");
        assert!(!faults.contains("abc"));
    }
}

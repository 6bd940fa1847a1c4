//! The door to Azure Key Vault: reads and writes secrets of the vault of a deployed system.

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::base_url::is_loopback;
use url::Url;

/// The version of the REST API.
const API_VERSION: &str = "7.4";

/// The secrets of one vault, for whoever has a token for it.
#[derive(Debug)]
pub struct KeyVault {
    url: VaultUrl,
    http: Client,
    token: SecretString,
}

impl KeyVault {
    /// The vault at `url`, which `token` opens.
    pub fn new(url: VaultUrl, http: Client, token: SecretString) -> Self {
        Self { url, http, token }
    }

    /// The newest version of the secret `name`.
    ///
    /// # Errors
    /// The vault refuses or cannot be reached.
    pub async fn get(&self, name: &'static str) -> Result<SecretString, VaultError> {
        let secret: StoredSecret = self.call(name, self.request(Method::GET, name)).await?;
        Ok(secret.value.into())
    }

    /// Gives the secret `name` a new version. The one before stays in its history.
    ///
    /// # Errors
    /// The vault refuses or cannot be reached.
    pub async fn set(
        &self,
        name: &'static str,
        value: &SecretString,
        content_type: &str,
    ) -> Result<(), VaultError> {
        let secret = json!({ "value": value.expose_secret(), "contentType": content_type });
        let request = self.request(Method::PUT, name).json(&secret);
        self.call::<Value>(name, request).await.map(drop)
    }

    fn request(&self, method: Method, name: &str) -> RequestBuilder {
        let mut url = self.url.0.clone();
        url.set_path(&format!("/secrets/{name}"));
        url.set_query(Some(&format!("api-version={API_VERSION}")));
        self.http.request(method, url).bearer_auth(self.token.expose_secret())
    }

    async fn call<T: for<'a> Deserialize<'a>>(
        &self,
        secret: &'static str,
        request: RequestBuilder,
    ) -> Result<T, VaultError> {
        let unreachable = |error: reqwest::Error| VaultError::Unreachable(error.without_url());
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return answer.json().await.map_err(unreachable);
        }
        let refusal: Value = answer.json().await.unwrap_or_default();
        let code = |pointer| refusal.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let code = code("/error/innererror/code").or_else(|| code("/error/code"));
        Err(VaultError::Refused { secret, status, code: code.unwrap_or_default() })
    }
}

#[derive(Deserialize)]
struct StoredSecret {
    value: String,
}

/// `https://NAME.vault.azure.net`, or its like in another cloud; a stand-in on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VaultUrl(Url);

impl VaultUrl {
    /// Whom a token must be for: all vaults of a cloud are one audience.
    pub fn audience(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match host.split_once('.') {
            Some((_, rest)) if self.0.scheme() == "https" => format!("https://{rest}"),
            _ => "https://vault.azure.net".to_owned(),
        }
    }
}

impl TryFrom<&str> for VaultUrl {
    type Error = InvalidVaultUrl;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let url = Url::parse(text).map_err(|_| InvalidVaultUrl)?;
        let bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        let is_vault = url.domain().is_some_and(|host| {
            let mut labels = host.split('.').skip(1);
            labels.next().is_some_and(|label| label == "vault")
        });
        let known = match url.scheme() {
            "https" => is_vault,
            "http" => is_loopback(&url),
            _ => false,
        };
        if bare && known { Ok(Self(url)) } else { Err(InvalidVaultUrl) }
    }
}

/// The text is not the URL of a vault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be the URL of a vault: https://NAME.vault.azure.net")]
pub struct InvalidVaultUrl;

/// A vault gives or takes nothing.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// It answers, and says no.
    #[error("the vault answers {status} {code} for the secret {secret}: {}", advice(*.status, code))]
    Refused {
        /// The secret.
        secret: &'static str,
        /// The status of the answer.
        status: StatusCode,
        /// The vault's own word.
        code: String,
    },
    /// It does not answer, or not as a vault does.
    #[error("the vault cannot be reached, or is none")]
    Unreachable(#[source] reqwest::Error),
}

/// What to look at.
fn advice(status: StatusCode, code: &str) -> &'static str {
    match status {
        StatusCode::FORBIDDEN if code.contains("Firewall") || code.contains("Connection") => {
            "it takes no calls from here; with vnetEnabled it is to be called from its network"
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "who is signed in here needs the role Key Vault Secrets Officer on it"
        }
        StatusCode::NOT_FOUND => "it is made by `azd provision`",
        _ => "try again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_vaults_alone() {
        for text in [
            "https://kv-x.vault.azure.net",
            "https://kv-x.vault.azure.net/",
            "https://kv-x.vault.usgovcloudapi.net/",
            "http://127.0.0.1:8080",
        ] {
            assert!(VaultUrl::try_from(text).is_ok(), "{text}");
        }
        for text in [
            "kv-x",
            "http://kv-x.vault.azure.net",
            "https://vault.azure.net",
            "https://kv-x.example.com",
            "https://kv-x.vault.azure.net/secrets/a",
            "https://me@kv-x.vault.azure.net",
            "https://kv-x.vault.azure.net?a",
        ] {
            assert_eq!(VaultUrl::try_from(text), Err(InvalidVaultUrl), "{text}");
        }
    }

    #[test]
    fn the_audience_is_that_of_the_cloud() {
        let audience = |text| VaultUrl::try_from(text).unwrap().audience();

        assert_eq!(audience("https://kv-x.vault.azure.net"), "https://vault.azure.net");
        assert_eq!(
            audience("https://kv-x.vault.usgovcloudapi.net"),
            "https://vault.usgovcloudapi.net"
        );
    }
}

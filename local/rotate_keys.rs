//! Rotates a key ring of a deployed system: a new key comes first and seals, the old ones open.

use std::fmt;

use secrecy::ExposeSecret;
use shared::azure::{self, Azure, AzureIdentity, NoToken, SetUpError};
use shared::config::{Env, InvalidSettings, Settings};
use shared::seal::{InvalidKeyRing, KeyRing};

use crate::command_line::{Ring, RotateKeys};
use crate::key_vault::{InvalidVaultUrl, KeyVault, VaultError, VaultUrl};
use crate::say;

/// Where azd says which vault it made.
const VAULT: &str = "AZURE_KEY_VAULT_ENDPOINT";

/// Does what `flags` say, and tells what is left to do.
///
/// # Errors
/// The vault is not known, cannot be reached or refuses; what it has is no key ring.
pub async fn run(flags: &RotateKeys, env: &(dyn Env + Sync)) -> Result<(), RotateKeysError> {
    let vault = open(flags, env).await?;
    let secret = flags.ring.secret();
    let old = vault.get(secret).await?;
    let old = KeyRing::try_from(old.expose_secret())
        .map_err(|source| RotateKeysError::NoRing { secret, source })?;
    let new = if flags.drop_oldest {
        old.without_oldest_key().ok_or(RotateKeysError::OnlyKey(secret))?
    } else {
        old.with_new_key()
    };
    vault.set(secret, &new.to_setting(), flags.ring.setting()).await?;
    say::line(Done { ring: flags.ring, dropped: flags.drop_oldest, old: &old, new: &new });
    Ok(())
}

async fn open(flags: &RotateKeys, env: &(dyn Env + Sync)) -> Result<KeyVault, RotateKeysError> {
    let (url, identity) = read(flags, env)?;
    let http = azure::http_client()?;
    let token = Azure::new(&identity, http.clone())?.token_for(&url.audience()).await?;
    Ok(KeyVault::new(url, http, token))
}

fn read(flags: &RotateKeys, env: &dyn Env) -> Result<(VaultUrl, AzureIdentity), RotateKeysError> {
    let url = flags.vault.clone().or_else(|| env.get(VAULT)).ok_or(RotateKeysError::NoVault)?;
    let mut settings = Settings::new(env);
    let identity = AzureIdentity::read(&mut settings);
    Ok((VaultUrl::try_from(url.as_str())?, settings.finish(identity)?))
}

impl Ring {
    fn secret(self) -> &'static str {
        match self {
            Self::SessionKeys => "session-keys",
            Self::GrantKeys => "grant-keys",
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Self::SessionKeys => "SESSION_KEYS",
            Self::GrantKeys => "GRANT_KEYS",
        }
    }

    /// The apps that have it, in the order in which they must hear of a new key: who opens, first.
    fn apps(self) -> &'static str {
        match self {
            Self::SessionKeys => "mcp-fn, and then oauth-fn",
            Self::GrantKeys => "oauth-fn",
        }
    }
}

/// What was done, and what is left to do. No key is shown.
struct Done<'a> {
    ring: Ring,
    dropped: bool,
    old: &'a KeyRing,
    new: &'a KeyRing,
}

impl fmt::Display for Done<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ring, dropped, old, new } = self;
        let (secret, apps) = (ring.secret(), ring.apps());
        let (old_ids, new_ids) = (old.key_ids(), new.key_ids());
        if *dropped {
            let oldest = old_ids.last().copied().unwrap_or_default();
            writeln!(formatter, "{secret} has no {oldest} any more.")?;
            return write!(formatter, "Now let {apps} read it: docs/deploy.md, \"Rotate keys\".");
        }
        let first = new_ids.first().copied().unwrap_or_default();
        writeln!(formatter, "{secret} begins with {first}; {} still open.", old_ids.join(", "))?;
        writeln!(formatter, "Now let {apps} read it: docs/deploy.md, \"Rotate keys\".")?;
        write!(
            formatter,
            "In 30 days, when all is over that older keys sealed:\n  \
             cargo run -- rotate-keys {secret} --drop-oldest"
        )
    }
}

/// Why a ring was not rotated. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RotateKeysError {
    /// The Azure client cannot be made.
    #[error("Azure cannot be reached")]
    Azure(#[from] SetUpError),
    /// The secret is something else.
    #[error("the secret {secret} is no key ring")]
    NoRing {
        /// The secret.
        secret: &'static str,
        /// What is wrong with it.
        source: InvalidKeyRing,
    },
    /// Nobody is signed in, or not to this vault.
    #[error(transparent)]
    NoToken(#[from] NoToken),
    /// The vault was not named.
    #[error(
        "name the vault with --vault, or set AZURE_KEY_VAULT_ENDPOINT to what `azd env get-value \
         AZURE_KEY_VAULT_ENDPOINT` says"
    )]
    NoVault,
    /// There is no other key that could stay.
    #[error("{0} has one key, which stays: add a new one first")]
    OnlyKey(&'static str),
    /// The settings are not good.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The vault does not do it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What was named is no vault.
    #[error("--vault or AZURE_KEY_VAULT_ENDPOINT {0}")]
    VaultUrl(#[from] InvalidVaultUrl),
}

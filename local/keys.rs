//! The secrets of a local system: random on the first run, kept beside its data.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::seal::KeyRing;
use shared::secret::Secret;

use crate::files::Unfinished;
use crate::identity_provider::{SigningKey, UnusableKey};

/// What Azure would keep in Key Vault and in Entra ID.
#[derive(Debug)]
pub struct Keys {
    /// Both apps seal with it.
    pub session_keys: KeyRing,
    /// oauth-fn alone seals with it.
    pub grant_keys: KeyRing,
    /// oauth-fn proves itself to the identity provider with it.
    pub client_secret: SecretString,
    /// The identity provider makes refresh tokens with it.
    pub refresh_key: SecretString,
    /// The identity provider signs with it.
    pub signing_key: SigningKey,
}

impl Keys {
    /// New keys for a system that leaves nothing behind.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn in_memory() -> Result<Self, KeyFileError> {
        // An RSA key is slow to make, and systems of one process may share a signer.
        static SIGNING_KEY: OnceLock<Vec<u8>> = OnceLock::new();
        let written = if let Some(written) = SIGNING_KEY.get() {
            written
        } else {
            let written = SigningKey::generate()?.to_pkcs8()?;
            SIGNING_KEY.get_or_init(|| written)
        };
        Ok(Self::generate(SigningKey::from_pkcs8(written)?))
    }

    /// The keys in the file at `path`, which is made if it is not there.
    ///
    /// # Errors
    /// The file is damaged or out of reach. It is left as it was found.
    pub fn in_file(path: &Path) -> Result<Self, KeyFileError> {
        match fs::read(path) {
            Ok(bytes) => {
                KeyFile::read(&bytes).ok_or_else(|| KeyFileError::Damaged(path.to_owned()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = Self::generate(SigningKey::generate()?);
                let bytes = KeyFile::of(&keys)?;
                write(path, &bytes).map_err(|source| KeyFileError::Unreachable {
                    file: path.to_owned(),
                    source,
                })?;
                Ok(keys)
            }
            Err(source) => Err(KeyFileError::Unreachable { file: path.to_owned(), source }),
        }
    }

    fn generate(signing_key: SigningKey) -> Self {
        Self {
            session_keys: KeyRing::generate(),
            grant_keys: KeyRing::generate(),
            client_secret: Secret::generate().to_base64url(),
            refresh_key: Secret::generate().to_base64url(),
            signing_key,
        }
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file is there and does not hold what it should.
    #[error(
        "the key file {} is damaged; it was left as it is. Put a good copy in its place, or \
         remove it to begin anew: clients then have to register and users to sign in again",
        .0.display()
    )]
    Damaged(PathBuf),
    /// The RSA key cannot be made.
    #[error(transparent)]
    SigningKey(#[from] UnusableKey),
    /// The file cannot be read or written.
    #[error("the key file {} cannot be read or written", .file.display())]
    Unreachable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The form of the file.
#[derive(Deserialize, Serialize)]
struct KeyFile {
    session_keys: String,
    grant_keys: String,
    client_secret: String,
    refresh_key: String,
    /// PKCS #8 in base64.
    signing_key: String,
}

impl KeyFile {
    fn of(keys: &Keys) -> Result<Vec<u8>, KeyFileError> {
        let exposed = |secret: SecretString| secret.expose_secret().to_owned();
        let file = Self {
            session_keys: exposed(keys.session_keys.to_setting()),
            grant_keys: exposed(keys.grant_keys.to_setting()),
            client_secret: exposed(keys.client_secret.clone()),
            refresh_key: exposed(keys.refresh_key.clone()),
            signing_key: BASE64.encode(&keys.signing_key.to_pkcs8()?),
        };
        Ok(serde_json::to_vec_pretty(&file).unwrap_or_default())
    }

    fn read(bytes: &[u8]) -> Option<Keys> {
        let file: Self = serde_json::from_slice(bytes).ok()?;
        let signing_key = BASE64.decode(file.signing_key.as_bytes()).ok()?;
        Some(Keys {
            session_keys: KeyRing::try_from(file.session_keys.as_str()).ok()?,
            grant_keys: KeyRing::try_from(file.grant_keys.as_str()).ok()?,
            client_secret: file.client_secret.into(),
            refresh_key: file.refresh_key.into(),
            signing_key: SigningKey::from_pkcs8(&signing_key).ok()?,
        })
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (unfinished, mut file) = Unfinished::begin(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    unfinished.finish(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(keys: &Keys) -> [String; 4] {
        [
            keys.session_keys.to_setting(),
            keys.grant_keys.to_setting(),
            keys.client_secret.clone(),
            keys.refresh_key.clone(),
        ]
        .map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn keys_are_made_once_and_differ_from_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");

        let (first, second) = (Keys::in_file(&path).unwrap(), Keys::in_file(&path).unwrap());

        assert_eq!(settings(&first), settings(&second));
        assert_eq!(first.signing_key.to_pkcs8().unwrap(), second.signing_key.to_pkcs8().unwrap());
        assert_ne!(settings(&first)[0], settings(&first)[1]);
        assert_ne!(settings(&first), settings(&Keys::in_memory().unwrap()));
    }

    #[test]
    fn a_damaged_key_file_is_named_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        Keys::in_file(&path).unwrap();
        let good = fs::read_to_string(&path).unwrap();

        for broken in [
            String::new(),
            "not keys".to_owned(),
            "{}".to_owned(),
            good[..good.len() / 2].to_owned(),
            good.replacen("k1:", "k1!", 1),
            good.replacen("signing_key\": \"M", "signing_key\": \"N", 1),
        ] {
            fs::write(&path, &broken).unwrap();

            let error = Keys::in_file(&path).unwrap_err();

            assert!(matches!(&error, KeyFileError::Damaged(named) if *named == path), "{error:?}");
            assert!(error.to_string().contains(path.to_str().unwrap()));
            assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        }
    }
}

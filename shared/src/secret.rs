//! Random secrets, fingerprints of what clients present, and the encodings both travel in.

use std::fmt;

use data_encoding::{BASE32HEX_NOPAD, BASE64URL_NOPAD};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// 256 random bits that cannot be printed, compared or written out by accident.
pub struct Secret(SecretBox<[u8; 32]>);

impl Secret {
    /// Fresh bits from the operating system.
    pub fn generate() -> Self {
        Self(SecretBox::init_with_mut(random_bytes_into))
    }

    /// The secret that these bits are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// The bits themselves. Give them to a cipher or into a sealed text, and nowhere else.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// The bits as 43 characters of base64url.
    pub fn to_base64url(&self) -> secrecy::SecretString {
        BASE64URL_NOPAD.encode(self.expose()).into()
    }
}

impl Clone for Secret {
    fn clone(&self) -> Self {
        Self::from_bytes(*self.expose())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret([REDACTED])")
    }
}

/// Writes and reads a secret text as it is, for members of types that go straight into a seal:
/// `#[serde(with = "shared::secret::inside_seal")]`.
pub mod inside_seal {
    use secrecy::{ExposeSecret, SecretString};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        secret: &SecretString,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose_secret())
    }

    /// Reads the text.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SecretString, D::Error> {
        String::deserialize(deserializer).map(SecretString::from)
    }
}

/// SHA-256 of something that a client presents: enough to recognise it, not to present it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `parts`, each with its length, under a label that keeps uses apart.
    pub fn of(label: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(&label.as_bytes()).chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The fingerprint that was kept as these bytes.
    pub fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The 32 bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 160 bits as 32 characters of `0-9a-v`: a storage key that needs no escaping anywhere.
    pub fn to_key(self) -> String {
        let mut text = BASE32HEX_NOPAD.encode(self.0.get(..20).unwrap_or_default());
        text.make_ascii_lowercase();
        text
    }

    /// Whether `other` is the same, in a time that does not tell where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({})", self.to_key())
    }
}

/// `N` random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random_bytes_into(&mut bytes);
    bytes
}

fn random_bytes_into<const N: usize>(bytes: &mut [u8; N]) {
    if getrandom::fill(bytes).is_err() {
        // Nothing that this program does is safe without randomness, so it does nothing more.
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::from_bytes([7; 32]);

        assert_eq!(format!("{secret:?}"), "Secret([REDACTED])");
    }

    #[test]
    fn two_secrets_differ() {
        assert_ne!(Secret::generate().expose(), Secret::generate().expose());
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        let one = Fingerprint::of("test", &[b"ab", b"c"]);
        let other = Fingerprint::of("test", &[b"a", b"bc"]);

        assert!(!one.matches(&other));
    }

    #[test]
    fn a_storage_key_is_32_lower_case_letters_and_digits() {
        let key = Fingerprint::of("test", &[b"'/\\#?%"]).to_key();

        assert_eq!(key.len(), 32);
        assert!(key.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()));
    }
}

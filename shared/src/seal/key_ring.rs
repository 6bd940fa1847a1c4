//! Key rings: named keys, of which the first seals and every one opens.

use std::fmt;

use data_encoding::BASE64;
use hkdf::Hkdf;
use secrecy::SecretString;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Purpose, Sealer, expand};
use crate::secret::{Fingerprint, Secret};

/// Named keys of 256 bits: the first seals, every one opens. There is at least one.
#[derive(Clone)]
pub struct KeyRing {
    first: NamedKey,
    others: Vec<NamedKey>,
}

/// A key and its name.
#[derive(Clone)]
pub(super) struct NamedKey {
    pub(super) id: KeyId,
    pub(super) key: Secret,
}

impl KeyRing {
    /// A ring of one new key.
    pub fn generate() -> Self {
        let first = NamedKey { id: KeyId("k1".to_owned()), key: Secret::generate() };
        Self { first, others: Vec::new() }
    }

    /// The ring with a new key that seals, before the ones that it has, which open.
    #[must_use]
    pub fn with_new_key(&self) -> Self {
        let numbers = self.iter().filter_map(|named| named.id.0.strip_prefix('k')?.parse().ok());
        let number = numbers.max().unwrap_or(0_u32).saturating_add(1);
        let first = NamedKey { id: KeyId(format!("k{number}")), key: Secret::generate() };
        Self { first, others: self.iter().cloned().collect() }
    }

    /// The ring without its last key, the oldest one; nothing where no other is left.
    pub fn without_oldest_key(&self) -> Option<Self> {
        let (_, others) = self.others.split_last()?;
        Some(Self { first: self.first.clone(), others: others.to_vec() })
    }

    /// The names of the keys; the first one seals.
    pub fn key_ids(&self) -> Vec<&str> {
        self.iter().map(|named| named.id.0.as_str()).collect()
    }

    /// The keys of this ring for one purpose.
    pub fn sealer(&self, purpose: Purpose) -> Sealer {
        let derive = |named: &NamedKey| {
            let salt = Some(b"remote-mcp-functions/v1".as_slice());
            let (prk, _) = Hkdf::<Sha256>::extract(salt, named.key.expose());
            let key = Secret::from_bytes(expand(&prk, purpose.label().as_bytes()));
            NamedKey { id: named.id.clone(), key }
        };
        let others = self.others.iter().map(derive).collect();
        Sealer { purpose, first: derive(&self.first), others }
    }

    /// Whether a key of this ring is in `other` too, under whatever name.
    pub fn shares_a_key_with(&self, other: &Self) -> bool {
        let digest = |named: &NamedKey| Fingerprint::of("key", &[named.key.expose()]);
        self.iter().any(|own| other.iter().any(|their| digest(own).matches(&digest(their))))
    }

    /// The ring in the form that the setting has: `kid:base64key`, separated by commas.
    pub fn to_setting(&self) -> SecretString {
        let entry =
            |named: &NamedKey| format!("{}:{}", named.id.0, BASE64.encode(named.key.expose()));
        self.iter().map(entry).collect::<Vec<_>>().join(",").into()
    }

    fn iter(&self) -> impl Iterator<Item = &NamedKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("KeyRing").field(&self.key_ids()).finish()
    }
}

impl TryFrom<&str> for KeyRing {
    type Error = InvalidKeyRing;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if text.starts_with("@Microsoft.KeyVault(") {
            return Err(InvalidKeyRing::UnresolvedReference);
        }
        let mut keys = text.split(',').map(NamedKey::try_from);
        let first = keys.next().ok_or(InvalidKeyRing::Form)??;
        let mut ring = Self { first, others: Vec::new() };
        for named in keys {
            let named = named?;
            if ring.iter().any(|known| known.id == named.id) {
                return Err(InvalidKeyRing::Repeated);
            }
            ring.others.push(named);
        }
        Ok(ring)
    }
}

impl TryFrom<&str> for NamedKey {
    type Error = InvalidKeyRing;

    fn try_from(entry: &str) -> Result<Self, Self::Error> {
        let (id, key) = entry.trim().split_once(':').ok_or(InvalidKeyRing::Form)?;
        let id = KeyId::try_from(id)?;
        let key = BASE64.decode(key.as_bytes()).map(Zeroizing::new);
        let key = key.map_err(|_| InvalidKeyRing::Length)?;
        let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|_| InvalidKeyRing::Length)?;
        Ok(Self { id, key: Secret::from_bytes(key) })
    }
}

/// Why a text is not a key ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidKeyRing {
    /// An entry has no colon.
    #[error("must read kid:base64key, with commas between keys")]
    Form,
    /// A key id is empty, too long or has other characters.
    #[error("a key id must be 1 to 8 of a-z and 0-9")]
    KeyId,
    /// A key is not base64 of 32 bytes.
    #[error("each key must be 32 bytes in base64 (try: openssl rand -base64 32)")]
    Length,
    /// Two keys have one id.
    #[error("each key id must occur once")]
    Repeated,
    /// The platform did not resolve the Key Vault reference.
    #[error("is still a Key Vault reference: check that the app's identity may read the secret")]
    UnresolvedReference,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct KeyId(String);

impl KeyId {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl TryFrom<&str> for KeyId {
    type Error = InvalidKeyRing;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let fits = (1..=8).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidKeyRing::KeyId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_a_key_ring_has_its_error() {
        let key = BASE64.encode(&[1; 32]);
        for (text, expected) in [
            (
                "@Microsoft.KeyVault(SecretUri=https://v)".to_owned(),
                InvalidKeyRing::UnresolvedReference,
            ),
            (key.clone(), InvalidKeyRing::Form),
            (String::new(), InvalidKeyRing::Form),
            (format!("K1:{key}"), InvalidKeyRing::KeyId),
            (format!("toolongid:{key}"), InvalidKeyRing::KeyId),
            ("k1:AAAA".to_owned(), InvalidKeyRing::Length),
            ("k1:%%%".to_owned(), InvalidKeyRing::Length),
            (format!("k1:{key},k1:{key}"), InvalidKeyRing::Repeated),
        ] {
            assert_eq!(KeyRing::try_from(text.as_str()).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn a_ring_does_not_show_its_keys() {
        let ring = KeyRing::generate();

        assert_eq!(format!("{ring:?}"), r#"KeyRing(["k1"])"#);
    }

    #[test]
    fn a_ring_survives_its_written_form() {
        use secrecy::ExposeSecret;
        let ring = KeyRing::generate();

        let again = KeyRing::try_from(ring.to_setting().expose_secret()).unwrap();

        let sealed = ring.sealer(Purpose::Claims).seal(1, &[b"place"], b"text");
        assert!(again.sealer(Purpose::Claims).open(&[b"place"], &sealed).is_ok());
    }

    #[test]
    fn a_new_key_seals_and_the_old_ones_open_until_they_are_dropped() {
        let old = KeyRing::generate();
        let sealed = old.sealer(Purpose::Claims).seal(1, &[b"place"], b"text");

        let both = old.with_new_key();
        let new = both.without_oldest_key().unwrap();

        let opens = |ring: &KeyRing, text| ring.sealer(Purpose::Claims).open(&[b"place"], text);
        let sealed_anew = both.sealer(Purpose::Claims).seal(1, &[b"place"], b"text");
        assert_eq!((both.key_ids(), new.key_ids()), (vec!["k2", "k1"], vec!["k2"]));
        assert!(opens(&both, &sealed).is_ok() && opens(&new, &sealed).is_err());
        assert!(opens(&new, &sealed_anew).is_ok() && opens(&old, &sealed_anew).is_err());
        assert!(new.without_oldest_key().is_none());
    }

    #[test]
    fn a_new_key_has_a_name_that_no_key_had_whatever_the_others_are_called() {
        let ring = |ids: &[&str]| {
            let keys: Vec<_> = (0_u8..)
                .zip(ids)
                .map(|(byte, id)| format!("{id}:{}", BASE64.encode(&[byte; 32])))
                .collect();
            KeyRing::try_from(keys.join(",").as_str()).unwrap()
        };

        for (ids, expected) in
            [(&["k9", "k10", "main"][..], "k11"), (&["main"], "k1"), (&["kx", "k2"], "k3")]
        {
            assert_eq!(ring(ids).with_new_key().key_ids()[0], expected);
        }
    }

    #[test]
    fn a_shared_key_is_found_under_another_name() {
        let key = |byte: u8| BASE64.encode(&[byte; 32]);
        let ring = |text: String| KeyRing::try_from(text.as_str()).unwrap();
        let one = ring(format!("a:{},b:{}", key(1), key(2)));

        assert!(one.shares_a_key_with(&ring(format!("c:{},d:{}", key(3), key(2)))));
        assert!(!one.shares_a_key_with(&ring(format!("a:{},b:{}", key(3), key(4)))));
    }
}

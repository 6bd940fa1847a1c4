//! The door to AES-256-GCM: key rings, and sealing that binds a text to its purpose and place.
//!
//! A sealed text is `key id length, key id, period (2), nonce (12), ciphertext and tag`. The key
//! that seals is derived with HKDF-SHA256 (RFC 5869) from a key of the ring for one purpose and
//! one period, so that random nonces stay far below their bound of 2^32 a key.

mod key_ring;

use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Key, KeyInit, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::{Secret, random_bytes};

pub use key_ring::{InvalidKeyRing, KeyRing};

use key_ring::{KeyId, NamedKey};

const NONCE_LENGTH: usize = 12;
const MAC_LENGTH: usize = 16;

/// What a key is used for. Keys of different purposes are unrelated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// The envelope of the token that an MCP client calls with.
    AccessToken,
    /// The cookie of a user who looks after their own connections.
    AccountVisit,
    /// The envelope of an authorization code.
    AuthorizationCode,
    /// The cookie that carries one browser's authorization to Entra ID and back.
    BrowserFlow,
    /// The row column that mcp-fn reads.
    Claims,
    /// The identifiers of registered clients, which are signed and not sealed.
    ClientId,
    /// The rows of registered clients.
    ClientRow,
    /// The row column that an authorization code opens.
    CodeGrant,
    /// The questions that a user is asked through an MCP client.
    Confirmation,
    /// The rows that tell which connections a user has.
    Connection,
    /// The authorization request on its way through the consent page.
    ConsentRequest,
    /// The name of a stream of HTTP+SSE.
    McpSession,
    /// The envelope of a refresh token.
    RefreshToken,
    /// An answer on its way between two instances of mcp-fn.
    RelayedAnswer,
    /// The cookie of the consents that a browser remembers.
    RememberedConsents,
    /// Which traces are kept; nothing is sealed.
    TraceSampling,
    /// The row column that a refresh token opens.
    Upstream,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::AccessToken => "access-token",
            Self::AccountVisit => "account-visit",
            Self::AuthorizationCode => "authorization-code",
            Self::BrowserFlow => "browser-flow",
            Self::Claims => "claims",
            Self::ClientId => "client-id",
            Self::ClientRow => "client-row",
            Self::CodeGrant => "code-grant",
            Self::Confirmation => "confirmation",
            Self::Connection => "connection",
            Self::ConsentRequest => "consent-request",
            Self::McpSession => "mcp-session",
            Self::RefreshToken => "refresh-token",
            Self::RelayedAnswer => "relayed-answer",
            Self::RememberedConsents => "remembered-consents",
            Self::TraceSampling => "trace-sampling",
            Self::Upstream => "upstream",
        }
    }
}

/// Seals and opens texts for one purpose.
#[derive(Clone)]
pub struct Sealer {
    purpose: Purpose,
    first: NamedKey,
    others: Vec<NamedKey>,
}

impl Sealer {
    /// Seals `plaintext` for one `period` (a day or a week) and one `place`: the parts that name
    /// where it belongs. It opens with the same place only.
    pub fn seal(&self, period: u16, place: &[&[u8]], plaintext: &[u8]) -> Vec<u8> {
        self.seal_under(None, period, place, plaintext)
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// One and the same, whatever is wrong: form, key, purpose, place or contents.
    pub fn open(&self, place: &[&[u8]], sealed: &[u8]) -> Result<Opened, NotOpened> {
        self.open_under(None, place, sealed)
    }

    /// Seals like [`Self::seal`], so that opening takes `secret` beside the key of the ring.
    pub fn seal_with(&self, secret: &Secret, place: &[&[u8]], plaintext: &[u8]) -> Vec<u8> {
        self.seal_under(Some(secret), 0, place, plaintext)
    }

    /// Opens what [`Self::seal_with`] made with the same secret for the same place.
    ///
    /// # Errors
    /// One and the same, whatever is wrong.
    pub fn open_with(
        &self,
        secret: &Secret,
        place: &[&[u8]],
        sealed: &[u8],
    ) -> Result<Opened, NotOpened> {
        self.open_under(Some(secret), place, sealed)
    }

    /// `message` with the id of the first key and a 128-bit HMAC-SHA256 (RFC 2104) around it: the
    /// same bytes for the same message, readable by all, made by nobody else.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let NamedKey { id, key } = &self.first;
        let mut signed = header(id);
        signed.extend_from_slice(message);
        let mac = mac(key, &signed);
        signed.extend_from_slice(&mac);
        signed
    }

    /// The message that [`Self::sign`] signed.
    ///
    /// # Errors
    /// One and the same, whatever is wrong.
    pub fn verify<'a>(&self, signed: &'a [u8]) -> Result<&'a [u8], NotOpened> {
        let (id, _) = split_header(signed)?;
        let key = self.key(id)?;
        let (text, tag) =
            signed.split_at_checked(signed.len().wrapping_sub(MAC_LENGTH)).ok_or(NotOpened)?;
        let mut mac = keyed_mac(key);
        mac.update(text);
        mac.verify_truncated_left(tag).map_err(|_| NotOpened)?;
        Ok(split_header(text)?.1)
    }

    /// Whether `sealed` names the key that seals now, and not one that only opens still.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        split_header(sealed).is_ok_and(|(id, _)| id == self.first.id.as_bytes())
    }

    fn seal_under(
        &self,
        secret: Option<&Secret>,
        period: u16,
        place: &[&[u8]],
        plaintext: &[u8],
    ) -> Vec<u8> {
        let NamedKey { id, key } = &self.first;
        let nonce: [u8; NONCE_LENGTH] = random_bytes();
        let mut sealed = header(id);
        sealed.extend_from_slice(&period.to_be_bytes());
        let aad = self.associated_data(&sealed, place);
        sealed.extend_from_slice(&nonce);
        let payload = Payload { msg: plaintext, aad: &aad };
        #[expect(clippy::expect_used, reason = "AES-GCM refuses texts above 64 GiB only")]
        let ciphertext = cipher(key, secret, period)
            .encrypt(&Nonce::from(nonce), payload)
            .expect("the text is short");
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    fn open_under(
        &self,
        secret: Option<&Secret>,
        place: &[&[u8]],
        sealed: &[u8],
    ) -> Result<Opened, NotOpened> {
        let (id, rest) = split_header(sealed)?;
        let (period, rest) = rest.split_first_chunk::<2>().ok_or(NotOpened)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or(NotOpened)?;
        let header_length = sealed.len() - rest.len();
        let aad = self.associated_data(sealed.get(..header_length).ok_or(NotOpened)?, place);
        let period = u16::from_be_bytes(*period);
        let plaintext = cipher(self.key(id)?, secret, period)
            .decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: &aad })
            .map_err(|_| NotOpened)?;
        Ok(Opened { period, plaintext: Zeroizing::new(plaintext) })
    }

    fn key(&self, id: &[u8]) -> Result<&Secret, NotOpened> {
        let mut keys = std::iter::once(&self.first).chain(&self.others);
        let found = keys.find(|known| known.id.as_bytes() == id);
        found.map(|named| &named.key).ok_or(NotOpened)
    }

    fn associated_data(&self, header: &[u8], place: &[&[u8]]) -> Vec<u8> {
        let mut data = Vec::with_capacity(160);
        for part in [self.purpose.label().as_bytes(), header].iter().chain(place) {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Sealer").field(&self.purpose).finish()
    }
}

/// What a sealed text held.
#[derive(Debug)]
pub struct Opened {
    /// The period that it was sealed for.
    pub period: u16,
    /// The text, wiped from memory after use.
    pub plaintext: Zeroizing<Vec<u8>>,
}

/// The text was not sealed by us for this purpose and place, or its key has left the ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the sealed text does not open")]
pub struct NotOpened;

fn header(id: &KeyId) -> Vec<u8> {
    let mut header = Vec::with_capacity(160);
    header.push(u8::try_from(id.as_bytes().len()).unwrap_or_default());
    header.extend_from_slice(id.as_bytes());
    header
}

fn split_header(sealed: &[u8]) -> Result<(&[u8], &[u8]), NotOpened> {
    let (length, rest) = sealed.split_first().ok_or(NotOpened)?;
    rest.split_at_checked(usize::from(*length)).ok_or(NotOpened)
}

fn cipher(key: &Secret, secret: Option<&Secret>, period: u16) -> Aes256Gcm {
    let key = match secret {
        None => expand(key.expose(), &period.to_be_bytes()),
        Some(secret) => {
            let (prk, _) = Hkdf::<Sha256>::extract(Some(key.expose()), secret.expose());
            expand(&prk, b"row")
        }
    };
    let key = Zeroizing::new(key);
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

#[expect(clippy::expect_used, reason = "HKDF-SHA256 refuses other lengths only (RFC 5869)")]
fn expand(prk: &[u8], info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::from_prk(prk)
        .expect("a pseudorandom key of 32 bytes")
        .expand(info, &mut key)
        .expect("32 bytes of output");
    key
}

fn mac(key: &Secret, message: &[u8]) -> [u8; MAC_LENGTH] {
    let mut mac = keyed_mac(key);
    mac.update(message);
    let tag = mac.finalize().into_bytes();
    std::array::from_fn(|index| tag.get(index).copied().unwrap_or_default())
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104)")]
fn keyed_mac(key: &Secret) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()).expect("a key of any length")
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    const PLACE: &[&[u8]] = &[b"table", b"row"];

    fn two_keys() -> (KeyRing, KeyRing, KeyRing) {
        let (old, new) = (BASE64.encode(&[1; 32]), BASE64.encode(&[2; 32]));
        (
            KeyRing::try_from(format!("old:{old}").as_str()).unwrap(),
            KeyRing::try_from(format!("new:{new},old:{old}").as_str()).unwrap(),
            KeyRing::try_from(format!("new:{new}").as_str()).unwrap(),
        )
    }

    #[test]
    fn what_is_sealed_opens_with_its_period() {
        let sealer = KeyRing::generate().sealer(Purpose::Claims);

        let opened = sealer.open(PLACE, &sealer.seal(7, PLACE, b"text")).unwrap();

        assert_eq!((opened.period, opened.plaintext.as_slice()), (7, b"text".as_slice()));
    }

    #[test]
    fn two_seals_of_one_text_differ() {
        let sealer = KeyRing::generate().sealer(Purpose::Claims);

        assert_ne!(sealer.seal(7, PLACE, b"text"), sealer.seal(7, PLACE, b"text"));
    }

    #[test]
    fn a_sealed_text_opens_for_its_purpose_only() {
        let ring = KeyRing::generate();
        let sealed = ring.sealer(Purpose::AccessToken).seal(7, PLACE, b"text");

        let opened = ring.sealer(Purpose::RefreshToken).open(PLACE, &sealed);

        assert_eq!(opened.unwrap_err(), NotOpened);
    }

    #[test]
    fn a_sealed_text_opens_at_its_place_only() {
        let sealer = KeyRing::generate().sealer(Purpose::Claims);
        let sealed = sealer.seal(7, PLACE, b"text");

        for elsewhere in [&[b"table".as_slice(), b"other"], &[b"tabler".as_slice(), b"ow"]] {
            assert_eq!(sealer.open(elsewhere, &sealed).unwrap_err(), NotOpened);
        }
    }

    #[test]
    fn a_row_opens_with_its_secret_only() {
        let sealer = KeyRing::generate().sealer(Purpose::Claims);
        let secret = Secret::generate();
        let sealed = sealer.seal_with(&secret, PLACE, b"text");

        assert!(sealer.open_with(&secret, PLACE, &sealed).is_ok());
        assert_eq!(sealer.open_with(&Secret::generate(), PLACE, &sealed).unwrap_err(), NotOpened);
        assert_eq!(sealer.open(PLACE, &sealed).unwrap_err(), NotOpened);
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let sealer = KeyRing::generate().sealer(Purpose::Claims);
        let sealed = sealer.seal(7, PLACE, b"text");

        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;

            assert!(sealer.open(PLACE, &changed).is_err(), "byte {index}");
            assert!(sealer.open(PLACE, &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn a_new_key_seals_an_old_one_still_opens_and_a_removed_one_does_not() {
        let (old, both, new) = two_keys();
        let by_old = old.sealer(Purpose::Claims).seal(7, PLACE, b"text");
        let by_both = both.sealer(Purpose::Claims).seal(7, PLACE, b"text");

        assert!(both.sealer(Purpose::Claims).open(PLACE, &by_old).is_ok());
        assert!(new.sealer(Purpose::Claims).open(PLACE, &by_both).is_ok());
        assert!(new.sealer(Purpose::Claims).open(PLACE, &by_old).is_err());
    }

    #[test]
    fn a_signature_is_the_same_each_time_and_covers_every_byte() {
        let sealer = KeyRing::generate().sealer(Purpose::ClientId);

        let signed = sealer.sign(b"message");

        assert_eq!(signed, sealer.sign(b"message"));
        assert_eq!(sealer.verify(&signed).unwrap(), b"message");
        for index in 0..signed.len() {
            let mut changed = signed.clone();
            changed[index] ^= 1;
            assert!(sealer.verify(&changed).is_err(), "byte {index}");
            assert!(sealer.verify(&signed[..index]).is_err(), "cut at {index}");
        }
    }
}

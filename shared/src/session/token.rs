//! Opaque tokens: sealed, so that garbage and expired ones are refused without storage.
//!
//! On the wire a token is its prefix and base64url of the sealed `type (1), session (16),
//! generation (4), expiry (8), secret (32)`. The sealed text's period is the week of the grant's
//! end, which names the table of its row.

use std::fmt;
use std::marker::PhantomData;

use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{ExpiryWeek, SessionId};
use crate::clock::UnixTime;
use crate::seal::{KeyRing, Opened, Purpose, Sealer};
use crate::secret::Secret;

/// Longer texts are not even decoded.
const LONGEST: usize = 256;
const PLAIN_LENGTH: usize = 61;

/// What sets one kind of token apart from another.
pub trait TokenKind: fmt::Debug + Send + Sync + 'static {
    /// What the token begins with, so that a leaked one can be found by a scanner.
    const PREFIX: &'static str;
    /// Whose keys seal it.
    const PURPOSE: Purpose;
    /// The first byte inside the seal.
    const TYPE: u8;
}

/// The kind of token that an MCP client calls with: `access_token` on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Access {}

impl TokenKind for Access {
    const PREFIX: &'static str = "mcp_at_";
    const PURPOSE: Purpose = Purpose::AccessToken;
    const TYPE: u8 = 1;
}

/// What an MCP client calls with.
pub type SessionToken = Token<Access>;

/// A token that was opened, or is about to be minted.
pub struct Token<K> {
    /// Whose it is.
    pub session: SessionId,
    /// The week in which the grant behind it ends.
    pub week: ExpiryWeek,
    /// Which token of its session it is, counted from 1; a code is 0.
    pub generation: u32,
    /// When it ends.
    pub expires_at: UnixTime,
    /// Half of the key of its row.
    pub secret: Secret,
    kind: PhantomData<K>,
}

impl<K: TokenKind> Token<K> {
    /// A new token with a new secret.
    pub fn new(
        session: SessionId,
        week: ExpiryWeek,
        generation: u32,
        expires_at: UnixTime,
    ) -> Self {
        let secret = Secret::generate();
        Self { session, week, generation, expires_at, secret, kind: PhantomData }
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(PLAIN_LENGTH));
        bytes.push(K::TYPE);
        bytes.extend_from_slice(self.session.as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.expires_at.as_secs().to_be_bytes());
        bytes.extend_from_slice(self.secret.expose());
        bytes
    }

    fn from_opened(opened: &Opened) -> Option<Self> {
        let (kind, rest) = opened.plaintext.split_first()?;
        let (session, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (expires_at, secret) = rest.split_first_chunk()?;
        (*kind == K::TYPE).then_some(Self {
            session: SessionId::from_bytes(*session),
            week: ExpiryWeek::from_number(opened.period),
            generation: u32::from_be_bytes(*generation),
            expires_at: UnixTime::from_secs(u64::from_be_bytes(*expires_at)),
            secret: Secret::from_bytes(secret.try_into().ok()?),
            kind: PhantomData,
        })
    }
}

impl<K: TokenKind> fmt::Debug for Token<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct(K::PREFIX)
            .field("week", &self.week)
            .field("generation", &self.generation)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A token in the form that the client gets.
pub type MintedToken = SecretString;

/// Mints and opens the tokens of one kind, for one issuer.
#[derive(Clone, Debug)]
pub struct TokenSealer<K> {
    sealer: Sealer,
    issuer: String,
    kind: PhantomData<K>,
}

impl<K: TokenKind> TokenSealer<K> {
    /// Tokens under the keys of `ring`, valid at `issuer` alone.
    pub fn new(ring: &KeyRing, issuer: &str) -> Self {
        Self { sealer: ring.sealer(K::PURPOSE), issuer: issuer.to_owned(), kind: PhantomData }
    }

    /// The token as the client gets it.
    pub fn mint(&self, token: &Token<K>) -> MintedToken {
        let sealed = self.sealer.seal(token.week.number(), &self.place(), &token.to_bytes());
        format!("{}{}", K::PREFIX, BASE64URL_NOPAD.encode(&sealed)).into()
    }

    /// The token that a client presents at `now`.
    ///
    /// # Errors
    /// It is not ours, not of this kind, or over.
    pub fn open(&self, presented: &str, now: UnixTime) -> Result<Token<K>, RefusedToken> {
        let token = self.read(presented).ok_or(RefusedToken::Unreadable)?;
        if token.expires_at <= now { Err(RefusedToken::Expired) } else { Ok(token) }
    }

    /// Whether a token names the key that seals now, and not one that only opens still.
    pub fn is_current(&self, presented: &str) -> bool {
        decode::<K>(presented).is_some_and(|sealed| self.sealer.is_current(&sealed))
    }

    fn read(&self, presented: &str) -> Option<Token<K>> {
        let opened = self.sealer.open(&self.place(), &decode::<K>(presented)?).ok()?;
        Token::from_opened(&opened)
    }

    fn place(&self) -> [&[u8]; 2] {
        [K::PREFIX.as_bytes(), self.issuer.as_bytes()]
    }
}

/// What is sealed in the text of a token.
fn decode<K: TokenKind>(presented: &str) -> Option<Vec<u8>> {
    let encoded = presented.strip_prefix(K::PREFIX).filter(|text| text.len() <= LONGEST)?;
    BASE64URL_NOPAD.decode(encoded.as_bytes()).ok()
}

/// Why a token is refused before storage is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RefusedToken {
    /// It was ours, and its time is over.
    #[error("the token has expired")]
    Expired,
    /// It is not a token of ours of this kind.
    #[error("the token is not valid")]
    Unreadable,
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[derive(Debug)]
    enum Other {}

    impl TokenKind for Other {
        const PREFIX: &'static str = "mcp_at_";
        const PURPOSE: Purpose = Purpose::AccessToken;
        const TYPE: u8 = 9;
    }

    const NOW: UnixTime = UnixTime::from_secs(1_797_206_400);

    fn token<K: TokenKind>() -> Token<K> {
        let end = UnixTime::from_secs(NOW.as_secs() + 60);
        Token::new(SessionId::derived_from(b"state"), ExpiryWeek::of(end), 3, end)
    }

    fn sealer<K: TokenKind>(ring: &KeyRing) -> TokenSealer<K> {
        TokenSealer::new(ring, "https://gw.example.com")
    }

    #[test]
    fn a_token_opens_to_what_was_minted() {
        let sealer = sealer::<Access>(&KeyRing::generate());
        let token = token();

        let minted = sealer.mint(&token);
        let opened = sealer.open(minted.expose_secret(), NOW).unwrap();

        assert!(minted.expose_secret().starts_with("mcp_at_"));
        assert!(minted.expose_secret().len() < 150);
        assert_eq!(opened.session, token.session);
        assert_eq!(opened.week, token.week);
        assert_eq!(opened.generation, 3);
        assert_eq!(opened.expires_at, token.expires_at);
        assert_eq!(opened.secret.expose(), token.secret.expose());
    }

    #[test]
    fn a_token_ends_in_the_second_that_it_names() {
        let sealer = sealer::<Access>(&KeyRing::generate());
        let token = token();
        let minted = sealer.mint(&token);

        let before = UnixTime::from_secs(token.expires_at.as_secs() - 1);

        assert!(sealer.open(minted.expose_secret(), before).is_ok());
        let over = sealer.open(minted.expose_secret(), token.expires_at);
        assert_eq!(over.unwrap_err(), RefusedToken::Expired);
    }

    #[test]
    fn a_token_of_another_type_issuer_or_ring_is_not_read() {
        let ring = KeyRing::generate();
        let minted = sealer::<Access>(&ring).mint(&token());
        let presented = minted.expose_secret();

        assert!(sealer::<Other>(&ring).open(presented, NOW).is_err());
        assert!(sealer::<Access>(&KeyRing::generate()).open(presented, NOW).is_err());
        let elsewhere = TokenSealer::<Access>::new(&ring, "https://other.example.com");
        assert!(elsewhere.open(presented, NOW).is_err());
    }

    #[test]
    fn every_changed_cut_extended_or_respelled_token_is_refused() {
        let sealer = sealer::<Access>(&KeyRing::generate());
        let minted = sealer.mint(&token());
        let presented = minted.expose_secret();

        let mut variants: Vec<String> =
            (0..presented.len()).map(|length| presented[..length].to_owned()).collect();
        for index in 0..presented.len() {
            let mut bytes = presented.as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            variants.push(String::from_utf8(bytes).unwrap());
        }
        variants.extend(
            ["A", "=", "==", " ", "\n", "+", "%3D"].map(|tail| format!("{presented}{tail}")),
        );
        variants.push(presented.replace('_', "/"));
        variants.push("mcp_at_".to_owned() + &"A".repeat(100_000));

        for variant in variants {
            assert_eq!(
                sealer.open(&variant, NOW).unwrap_err(),
                RefusedToken::Unreadable,
                "{variant}"
            );
        }
    }
}

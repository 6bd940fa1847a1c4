//! The name of one stream of HTTP+SSE: what a client sends its messages to.
//!
//! It is sealed for the user who opened the stream, so nobody guesses one, a stolen one is of no use
//! to another user, and every instance can read it without a look into storage.

use data_encoding::BASE64URL_NOPAD;
use shared::base_url::PublicBaseUrl;
use shared::clock::UnixTime;
use shared::seal::{KeyRing, Opened, Purpose, Sealer};
use shared::secret::random_bytes;
use shared::storage::Key;

/// Longer texts are not even decoded.
const LONGEST: usize = 256;
const DAY: u64 = 86_400;

/// One process of the server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct InstanceId(pub(super) [u8; 16]);

impl InstanceId {
    pub(super) fn generate() -> Self {
        Self(random_bytes())
    }
}

/// One stream, on any instance.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct StreamId(pub(super) [u8; 16]);

impl StreamId {
    pub(super) fn generate() -> Self {
        Self(random_bytes())
    }
}

/// What an `Mcp-Session-Id` of HTTP+SSE says, once it is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct McpSessionId {
    /// Where the stream is held.
    pub(super) instance: InstanceId,
    /// Which of its streams it is.
    pub(super) stream: StreamId,
    /// When the stream ends by itself.
    pub(super) ends_at: UnixTime,
}

impl McpSessionId {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        [&self.instance.0[..], &self.stream.0, &self.ends_at.as_secs().to_be_bytes()].concat()
    }

    pub(super) fn from_opened(opened: &Opened) -> Option<Self> {
        let (instance, rest) = opened.plaintext.split_first_chunk()?;
        let (stream, ends_at) = rest.split_first_chunk()?;
        Some(Self {
            instance: InstanceId(*instance),
            stream: StreamId(*stream),
            ends_at: UnixTime::from_secs(u64::from_be_bytes(ends_at.try_into().ok()?)),
        })
    }
}

/// Mints and opens the names of streams, for one server.
#[derive(Debug)]
pub(super) struct McpSessionIds {
    sealer: Sealer,
    base_url: String,
}

impl McpSessionIds {
    /// Names under the keys of `ring`, for the server at `base_url`.
    pub(super) fn new(ring: &KeyRing, base_url: &PublicBaseUrl) -> Self {
        Self { sealer: ring.sealer(Purpose::McpSession), base_url: base_url.to_string() }
    }

    /// The text of `id`, which opens for `owner` alone. It is safe in a query.
    pub(super) fn mint(&self, id: McpSessionId, owner: &Key) -> String {
        let day = u16::try_from(id.ends_at.as_secs() / DAY).unwrap_or(u16::MAX);
        let sealed = self.sealer.seal(day, &self.place(owner), &id.to_bytes());
        BASE64URL_NOPAD.encode(&sealed)
    }

    /// What `text` names, if it was minted for `owner`.
    pub(super) fn open(&self, text: &str, owner: &Key) -> Option<McpSessionId> {
        if text.len() > LONGEST {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let opened = self.sealer.open(&self.place(owner), &sealed).ok()?;
        McpSessionId::from_opened(&opened)
    }

    fn place<'a>(&'a self, owner: &'a Key) -> [&'a [u8]; 2] {
        [self.base_url.as_bytes(), owner.as_str().as_bytes()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Key = Key::word("ann");
    const BEN: Key = Key::word("ben");

    fn ids(ring: &KeyRing) -> McpSessionIds {
        McpSessionIds::new(ring, &PublicBaseUrl::try_from("https://gw.example.com").unwrap())
    }

    fn id() -> McpSessionId {
        McpSessionId {
            instance: InstanceId::generate(),
            stream: StreamId::generate(),
            ends_at: UnixTime::from_secs(1_797_206_400),
        }
    }

    #[test]
    fn a_name_opens_for_the_user_who_opened_the_stream_and_for_no_other() {
        let ids = ids(&KeyRing::generate());
        let id = id();

        let text = ids.mint(id, &ANN);

        assert_eq!(ids.open(&text, &ANN), Some(id));
        assert_eq!(ids.open(&text, &BEN), None);
    }

    #[test]
    fn a_name_of_another_server_or_another_key_does_not_open() {
        let ring = KeyRing::generate();
        let elsewhere = PublicBaseUrl::try_from("https://other.example.com").unwrap();

        let text = ids(&ring).mint(id(), &ANN);

        assert_eq!(McpSessionIds::new(&ring, &elsewhere).open(&text, &ANN), None);
        assert_eq!(ids(&KeyRing::generate()).open(&text, &ANN), None);
    }

    #[test]
    fn every_changed_cut_or_extended_name_is_refused_and_so_is_garbage() {
        let ids = ids(&KeyRing::generate());
        let text = ids.mint(id(), &ANN);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();

            assert_eq!(ids.open(&changed, &ANN), None, "{at}");
            assert_eq!(ids.open(&text[..at], &ANN), None, "{at}");
        }
        for garbage in ["", "x", "é", &format!("{text}A"), &format!("{text}="), &"A".repeat(300)] {
            assert_eq!(ids.open(garbage, &ANN), None, "{garbage}");
        }
    }

    #[test]
    fn a_name_needs_no_escapes_in_a_query_and_shows_nothing() {
        let ids = ids(&KeyRing::generate());
        let id = id();

        let text = ids.mint(id, &ANN);

        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(text.bytes().all(plain), "{text}");
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        assert!(!bytes.windows(16).any(|window| window == id.stream.0));
        assert_ne!(text, ids.mint(id, &ANN));
    }
}

//! Tokens.

use data_encoding::BASE64URL_NOPAD;
use proptest::collection::vec;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use shared::clock::UnixTime;
use shared::seal::KeyRing;
use shared::session::{Access, ExpiryWeek, SessionId, Token, TokenSealer};

const NOW: UnixTime = UnixTime::from_secs(1_797_206_400);

/// A sealer, and a token that it made.
fn minted() -> (TokenSealer<Access>, String) {
    let sealer = TokenSealer::new(&KeyRing::generate(), "https://gw.example.com");
    let end = UnixTime::from_secs(NOW.as_secs() + 60);
    let token = Token::new(SessionId::derived_from(b"state"), ExpiryWeek::of(end), 1, end);
    let text = sealer.mint(&token).expose_secret().to_owned();
    (sealer, text)
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn whatever_is_no_token_of_ours_never_opens(
        text in prop_oneof![".{0,300}", "mcp_at_[A-Za-z0-9_-]{0,300}"],
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let (sealer, _) = minted();
        let sealed = format!("mcp_at_{}", BASE64URL_NOPAD.encode(&bytes));
        // As far as the id of the key, it is like one of ours.
        let alike = [b"\x02k1".as_slice(), &bytes].concat();
        let alike = format!("mcp_at_{}", BASE64URL_NOPAD.encode(&alike));

        for presented in [text, sealed, alike] {
            prop_assert!(sealer.open(&presented, NOW).is_err(), "{}", presented);
        }
    }

    #[test]
    fn a_changed_token_never_opens(
        at in any::<prop::sample::Index>(),
        gone in 0..8_usize,
        piece in prop_oneof!["[A-Za-z0-9_-]{0,8}", ".{0,4}"],
    ) {
        let (sealer, genuine) = minted();
        let at = at.index(genuine.len() + 1);
        let end = (at + gone).min(genuine.len());
        let changed = format!("{}{piece}{}", &genuine[..at], &genuine[end..]);

        prop_assert_eq!(sealer.open(&changed, NOW).is_ok(), changed == genuine);
    }

    #[test]
    fn a_changed_bit_is_noticed_wherever_it_is(
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let (sealer, genuine) = minted();
        let encoded = genuine.strip_prefix("mcp_at_").unwrap();
        let mut sealed = BASE64URL_NOPAD.decode(encoded.as_bytes()).unwrap();
        let at = at.index(sealed.len());
        *sealed.get_mut(at).unwrap() ^= 1 << bit;

        let changed = format!("mcp_at_{}", BASE64URL_NOPAD.encode(&sealed));

        prop_assert!(sealer.open(&changed, NOW).is_err());
    }
}

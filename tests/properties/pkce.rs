//! Code challenges and verifiers.

use data_encoding::BASE64URL_NOPAD;
use oauth_fn::protocol::pkce::{CodeChallenge, CodeVerifier};
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_challenge_has_one_spelling(text in "[A-Za-z0-9_=+/-]{41,45}|.{0,60}") {
        if let Ok(challenge) = CodeChallenge::try_from(text.as_str()) {
            prop_assert_eq!(String::from(challenge), text);
        }
    }

    #[test]
    fn every_digest_is_a_challenge(digest in vec(any::<u8>(), 32)) {
        let text = BASE64URL_NOPAD.encode(&digest);

        prop_assert_eq!(String::from(CodeChallenge::try_from(text.as_str()).unwrap()), text);
    }

    #[test]
    fn a_verifier_matches_its_own_challenge_and_no_other(
        text in "[A-Za-z0-9._~-]{43,128}",
        other in "[A-Za-z0-9._~-]{43,128}",
    ) {
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(&text));
        let challenge = CodeChallenge::try_from(challenge.as_str()).unwrap();
        let verify = |text: &str| challenge.verify(&CodeVerifier::try_from(text).unwrap());

        prop_assert!(verify(&text).is_ok());
        prop_assert_eq!(verify(&other).is_ok(), text == other);
    }

    #[test]
    fn a_verifier_of_other_characters_or_length_is_refused(text in ".{0,140}") {
        let unreserved = |sign: char| sign.is_ascii_alphanumeric() || "-._~".contains(sign);
        let fits = (43..=128).contains(&text.len()) && text.chars().all(unreserved);

        prop_assert_eq!(CodeVerifier::try_from(text.as_str()).is_ok(), fits);
    }
}

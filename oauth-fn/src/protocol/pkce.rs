//! Proof Key for Code Exchange (RFC 7636), with the method S256 alone.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// SHA-256 of a verifier as 43 characters of base64url (RFC 7636 section 4.2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeChallenge([u8; 32]);

impl CodeChallenge {
    /// Compares `verifier` with this challenge (RFC 7636 section 4.6).
    ///
    /// # Errors
    /// It is another challenge's verifier.
    pub fn verify(&self, verifier: &CodeVerifier) -> Result<PkceVerified, PkceMismatch> {
        let digest: [u8; 32] = Sha256::digest(verifier.0.expose_secret()).into();
        if digest.ct_eq(&self.0).into() { Ok(PkceVerified(())) } else { Err(PkceMismatch) }
    }
}

impl From<CodeChallenge> for String {
    fn from(challenge: CodeChallenge) -> Self {
        BASE64URL_NOPAD.encode(&challenge.0)
    }
}

impl TryFrom<String> for CodeChallenge {
    type Error = InvalidCodeChallenge;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::try_from(text.as_str())
    }
}

impl TryFrom<&str> for CodeChallenge {
    type Error = InvalidCodeChallenge;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let digest = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| InvalidCodeChallenge)?;
        digest.try_into().map(Self).map_err(|_| InvalidCodeChallenge)
    }
}

/// The text is not an S256 challenge.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("code_challenge must be the 43 characters of an S256 challenge")]
pub struct InvalidCodeChallenge;

/// What the client keeps until it redeems its code: 43 to 128 unreserved characters (RFC 7636
/// section 4.1).
pub struct CodeVerifier(SecretString);

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CodeVerifier([REDACTED])")
    }
}

impl TryFrom<&str> for CodeVerifier {
    type Error = InvalidCodeVerifier;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let fits = (43..=128).contains(&text.len()) && text.bytes().all(unreserved);
        if fits { Ok(Self(text.into())) } else { Err(InvalidCodeVerifier) }
    }
}

/// The text cannot be a verifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("code_verifier must be 43 to 128 unreserved characters")]
pub struct InvalidCodeVerifier;

/// Proof that a verifier matched its challenge. Only [`CodeChallenge::verify`] makes one.
#[derive(Debug)]
#[must_use]
pub struct PkceVerified(());

/// The verifier is not that of the challenge.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("code_verifier does not match code_challenge")]
pub struct PkceMismatch;

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_rfc_7636_appendix_b_matches() {
        let challenge = CodeChallenge::try_from(CHALLENGE).unwrap();

        let verified = challenge.verify(&CodeVerifier::try_from(VERIFIER).unwrap());

        assert!(verified.is_ok());
    }

    #[test]
    fn another_verifier_does_not_match() {
        let challenge = CodeChallenge::try_from(CHALLENGE).unwrap();

        let other = VERIFIER.replace('d', "e");
        let verified = challenge.verify(&CodeVerifier::try_from(other.as_str()).unwrap());

        assert_eq!(verified.unwrap_err(), PkceMismatch);
    }

    #[test]
    fn the_challenge_itself_is_no_verifier_of_it() {
        let challenge = CodeChallenge::try_from(CHALLENGE).unwrap();

        let plain = challenge.verify(&CodeVerifier::try_from(CHALLENGE).unwrap());

        assert_eq!(plain.unwrap_err(), PkceMismatch);
    }

    #[test]
    fn a_challenge_of_another_length_or_alphabet_is_refused() {
        let padded = format!("{CHALLENGE}=");
        for text in ["", "abc", &CHALLENGE[..42], &padded, &CHALLENGE.replace('-', "+")] {
            assert!(CodeChallenge::try_from(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        let of = |length: usize| "a".repeat(length);
        for (text, fits) in [
            (of(42), false),
            (of(43), true),
            (of(128), true),
            (of(129), false),
            (of(42) + "/", false),
        ] {
            assert_eq!(CodeVerifier::try_from(text.as_str()).is_ok(), fits, "{text}");
        }
    }
}

//! Authorization codes: in memory, for one use within a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use shared::clock::UnixTime;
use shared::secret::random_bytes;

use super::entra_error::EntraError;
use super::people::Person;

const LIFETIME: Duration = Duration::from_mins(1);

/// What a code stands for.
#[derive(Clone, Debug)]
pub(super) struct SignIn {
    pub(super) person: Person,
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
}

#[derive(Debug)]
struct Issued {
    sign_in: SignIn,
    expires_at: UnixTime,
    redeemed: bool,
}

/// The codes that are not over.
#[derive(Debug, Default)]
pub(super) struct Codes(Mutex<HashMap<String, Issued>>);

impl Codes {
    /// A code for `sign_in`.
    pub(super) fn issue(&self, sign_in: SignIn, now: UnixTime) -> String {
        self.insert(sign_in, now, now.plus(LIFETIME))
    }

    /// A code for `sign_in` that is over already.
    pub(super) fn issue_expired(&self, sign_in: SignIn, now: UnixTime) -> String {
        self.insert(sign_in, now, now)
    }

    /// Uses `code` up, if redirect URI and verifier are those of its request.
    pub(super) fn redeem(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        now: UnixTime,
    ) -> Result<SignIn, EntraError> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(issued) = codes.get_mut(code) else {
            return Err(refused(
                70_000,
                "The provided value for the 'code' parameter is not valid.",
            ));
        };
        if issued.redeemed {
            return Err(refused(54_005, "OAuth2 Authorization code was already redeemed."));
        }
        if issued.expires_at <= now {
            return Err(refused(70_008, "The provided authorization code has expired."));
        }
        if issued.sign_in.redirect_uri != redirect_uri {
            return Err(refused(
                500_112,
                "The reply address does not match the one of the authorization request.",
            ));
        }
        if challenge_of(verifier) != issued.sign_in.code_challenge {
            return Err(refused(501_481, "The code_verifier does not match the code_challenge."));
        }
        issued.redeemed = true;
        Ok(issued.sign_in.clone())
    }

    fn insert(&self, sign_in: SignIn, now: UnixTime, expires_at: UnixTime) -> String {
        let code = format!("1.{}", BASE64URL_NOPAD.encode(&random_bytes::<48>()));
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // They are kept for a while beyond their end, to say why they are refused.
        codes.retain(|_, issued| now < issued.expires_at.plus(LIFETIME));
        codes.insert(code.clone(), Issued { sign_in, expires_at, redeemed: false });
        code
    }
}

fn refused(number: u32, message: &str) -> EntraError {
    EntraError::new("invalid_grant", number, message)
}

/// RFC 7636 section 4.2, S256.
pub(super) fn challenge_of(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_797_206_400);
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn sign_in() -> SignIn {
        SignIn {
            person: Person::Alice,
            scope: "openid".to_owned(),
            nonce: None,
            redirect_uri: "https://app/callback".to_owned(),
            code_challenge: challenge_of(VERIFIER),
        }
    }

    #[test]
    fn the_challenge_is_the_one_of_rfc_7636_appendix_b() {
        assert_eq!(challenge_of(VERIFIER), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_code_is_redeemed_once() {
        let codes = Codes::default();
        let code = codes.issue(sign_in(), NOW);

        let first = codes.redeem(&code, "https://app/callback", VERIFIER, NOW);
        let second = codes.redeem(&code, "https://app/callback", VERIFIER, NOW);

        assert_eq!(first.unwrap().person, Person::Alice);
        assert_eq!(second.unwrap_err().number, 54_005);
    }

    #[test]
    fn a_code_needs_its_redirect_uri_its_verifier_and_its_time() {
        let codes = Codes::default();
        let code = codes.issue(sign_in(), NOW);
        let redeem = |redirect, verifier, now| {
            codes.redeem(&code, redirect, verifier, now).unwrap_err().number
        };

        assert_eq!(redeem("https://app/other", VERIFIER, NOW), 500_112);
        assert_eq!(redeem("https://app/callback", "wrong", NOW), 501_481);
        assert_eq!(redeem("https://app/callback", VERIFIER, NOW.plus(LIFETIME)), 70_008);
        assert!(codes.redeem(&code, "https://app/callback", VERIFIER, NOW).is_ok());
    }

    #[test]
    fn an_expired_code_can_be_issued_on_purpose() {
        let codes = Codes::default();
        let code = codes.issue_expired(sign_in(), NOW);

        let redeemed = codes.redeem(&code, "https://app/callback", VERIFIER, NOW);

        assert_eq!(redeemed.unwrap_err().number, 70_008);
    }
}

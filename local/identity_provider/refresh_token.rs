//! Refresh tokens: signed, not stored, so that they outlive the process. Like those of Entra ID,
//! an old one stays valid when it is used.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::secret::random_bytes;

use super::entra_error::EntraError;
use super::people::Person;

const LIFETIME: Duration = Duration::from_hours(90 * 24);

/// Makes and reads refresh tokens.
pub(super) struct RefreshTokens(hmac::Key);

/// What a refresh token stands for.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Grant {
    pub(super) person: Person,
    pub(super) scope: String,
    expires_at: UnixTime,
    // Two tokens of one second differ.
    unique: u64,
}

impl RefreshTokens {
    pub(super) fn new(key: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))
    }

    pub(super) fn issue(&self, person: Person, scope: &str, now: UnixTime) -> String {
        let grant = Grant {
            person,
            scope: scope.to_owned(),
            expires_at: now.plus(LIFETIME),
            unique: u64::from_be_bytes(random_bytes()),
        };
        let payload = serde_json::to_vec(&grant).unwrap_or_default();
        let tag = hmac::sign(&self.0, &payload);
        format!("1.{}.{}", BASE64URL_NOPAD.encode(&payload), BASE64URL_NOPAD.encode(tag.as_ref()))
    }

    pub(super) fn read(&self, token: &str, now: UnixTime) -> Result<Grant, EntraError> {
        let Some(grant) = self.open(token) else {
            let message = "The provided value for the 'refresh_token' parameter is not valid.";
            return Err(EntraError::new("invalid_grant", 9_002_313, message));
        };
        if grant.expires_at <= now {
            let message = "The refresh token has expired due to inactivity.";
            return Err(EntraError::new("invalid_grant", 700_082, message));
        }
        Ok(grant)
    }

    fn open(&self, token: &str) -> Option<Grant> {
        let (payload, tag) = token.strip_prefix("1.")?.split_once('.')?;
        let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
        hmac::verify(&self.0, &payload, &tag).ok()?;
        serde_json::from_slice(&payload).ok()
    }
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RefreshTokens([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_797_206_400);

    #[test]
    fn a_token_is_read_after_a_restart_and_until_it_is_over() {
        let token = RefreshTokens::new("key").issue(Person::Bob, "openid", NOW);

        let later = RefreshTokens::new("key");
        let end = NOW.plus(LIFETIME);

        assert_eq!(later.read(&token, NOW).unwrap().person, Person::Bob);
        assert_eq!(later.read(&token, end).unwrap_err().number, 700_082);
    }

    #[test]
    fn a_token_of_another_key_or_a_changed_one_is_refused() {
        let tokens = RefreshTokens::new("key");
        let token = tokens.issue(Person::Bob, "openid", NOW);

        assert!(RefreshTokens::new("other").read(&token, NOW).is_err());
        assert!(tokens.read(&token.replacen("1.e", "1.f", 1), NOW).is_err());
        assert!(tokens.read(&token[..token.len() - 1], NOW).is_err());
        assert!(tokens.read("", NOW).is_err());
    }

    #[test]
    fn each_token_is_another() {
        let tokens = RefreshTokens::new("key");

        assert_ne!(
            tokens.issue(Person::Bob, "openid", NOW),
            tokens.issue(Person::Bob, "openid", NOW)
        );
    }
}

//! The settings of mcp-fn.

use std::time::Duration;

use shared::base_url::PublicBaseUrl;
use shared::config::{Settings, seconds_up_to};
use shared::seal::KeyRing;

/// The longest that a revoked session may live on in a cache, in seconds; also the default.
const LONGEST_SESSION_CACHE: u64 = 30;

/// What the app must know before it serves.
#[derive(Clone, Debug)]
pub struct Config {
    /// `PUBLIC_BASE_URL`: the origin that clients see.
    pub base_url: PublicBaseUrl,
    /// `SESSION_KEYS`: what opens access tokens, and the session column that they name.
    pub session_keys: KeyRing,
    /// `SESSION_CACHE_SECONDS`: how long a session that was read is believed, 0 to 30 seconds.
    pub session_cache: Duration,
}

impl Config {
    /// The configuration in `settings`, which also collect what is wrong with it.
    pub fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let base_url = settings.required("PUBLIC_BASE_URL", |text| PublicBaseUrl::try_from(text));
        let session_keys = settings.required("SESSION_KEYS", |text| KeyRing::try_from(text));
        let session_cache = settings.optional(
            "SESSION_CACHE_SECONDS",
            LONGEST_SESSION_CACHE,
            seconds_up_to(LONGEST_SESSION_CACHE),
        );
        Some(Self {
            base_url: base_url?,
            session_keys: session_keys?,
            session_cache: Duration::from_secs(session_cache?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn a_session_is_believed_for_30_seconds_unless_the_setting_says_less() {
        for (seconds, expected) in [("", 30), ("0", 0), ("7", 7), ("30", 30)] {
            let env = [
                ("PUBLIC_BASE_URL", "https://gw.example.com"),
                ("SESSION_KEYS", KEYS),
                ("SESSION_CACHE_SECONDS", seconds),
            ];
            let mut settings = Settings::new(&env);

            let config = Config::read(&mut settings);
            let config = settings.finish(config).unwrap();

            assert_eq!(config.session_cache, Duration::from_secs(expected), "{seconds:?}");
        }
    }

    #[test]
    fn every_faulty_setting_is_named_at_once() {
        let env = [("PUBLIC_BASE_URL", "http://gw.example.com"), ("SESSION_CACHE_SECONDS", "31")];
        let mut settings = Settings::new(&env);

        let config = Config::read(&mut settings);
        let faults = settings.finish(config).unwrap_err().to_string();

        for name in ["PUBLIC_BASE_URL", "SESSION_KEYS", "SESSION_CACHE_SECONDS"] {
            assert!(faults.contains(name), "{faults}");
        }
    }
}

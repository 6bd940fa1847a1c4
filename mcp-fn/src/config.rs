//! The settings of mcp-fn.

use std::ops::RangeInclusive;
use std::time::Duration;

use shared::base_url::{InvalidBaseUrl, PublicBaseUrl};
use shared::config::{Settings, seconds_up_to};
use shared::seal::KeyRing;

/// The longest that a revoked session may live on in a cache, in seconds; also the default.
const LONGEST_SESSION_CACHE: u64 = 30;

/// How long a stream of HTTP+SSE lives unless the setting says otherwise, in seconds. The Functions
/// host ends a request after 30 minutes, and every other one of the instance with it.
const STREAM_LIFETIME: u64 = 25 * 60;

/// The longest and the shortest that a stream may live, in seconds.
const STREAM_LIFETIMES: RangeInclusive<u64> = 30..=29 * 60;

/// What the app must know before it serves.
#[derive(Clone, Debug)]
pub struct Config {
    /// `PUBLIC_BASE_URL`: the origin that clients see.
    pub base_url: PublicBaseUrl,
    /// `SESSION_KEYS`: what opens access tokens, and the session column that they name.
    pub session_keys: KeyRing,
    /// `SESSION_CACHE_SECONDS`: how long a session that was read is believed, 0 to 30 seconds.
    pub session_cache: Duration,
    /// `ALLOWED_ORIGINS`: whose pages may call the server beside our own, in a browser.
    pub allowed_origins: Vec<PublicBaseUrl>,
    /// `LEGACY_SSE` and `SSE_STREAM_SECONDS`: whether HTTP+SSE is served.
    pub legacy_sse: LegacySse,
}

/// Whether HTTP+SSE, the transport of MCP 2024-11-05, is served beside Streamable HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LegacySse {
    /// It is not.
    Off,
    /// It is.
    On {
        /// How long a stream lives before its client has to open another one.
        lifetime: Duration,
    },
}

impl Config {
    /// The server at `base_url`, for sessions under `session_keys`; all else as it is unless the
    /// settings say otherwise.
    pub fn new(base_url: PublicBaseUrl, session_keys: KeyRing) -> Self {
        Self {
            base_url,
            session_keys,
            session_cache: Duration::from_secs(LONGEST_SESSION_CACHE),
            allowed_origins: Vec::new(),
            legacy_sse: LegacySse::default(),
        }
    }

    /// The configuration in `settings`, which also collect what is wrong with it.
    pub fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let base_url = settings.required("PUBLIC_BASE_URL", |text| PublicBaseUrl::try_from(text));
        let session_keys = settings.required("SESSION_KEYS", |text| KeyRing::try_from(text));
        let session_cache = settings.optional(
            "SESSION_CACHE_SECONDS",
            LONGEST_SESSION_CACHE,
            seconds_up_to(LONGEST_SESSION_CACHE),
        );
        let allowed_origins = settings.optional("ALLOWED_ORIGINS", Vec::new(), origins);
        let legacy_sse = LegacySse::read(settings);
        Some(Self {
            session_cache: Duration::from_secs(session_cache?),
            allowed_origins: allowed_origins?,
            legacy_sse: legacy_sse?,
            ..Self::new(base_url?, session_keys?)
        })
    }
}

impl Default for LegacySse {
    fn default() -> Self {
        Self::On { lifetime: Duration::from_secs(STREAM_LIFETIME) }
    }
}

impl LegacySse {
    fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let is_on = settings.optional("LEGACY_SSE", true, |text| match text {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err("must be on or off"),
        });
        let lifetime = settings.optional("SSE_STREAM_SECONDS", STREAM_LIFETIME, |text| {
            let seconds = text.parse().ok().filter(|seconds| STREAM_LIFETIMES.contains(seconds));
            seconds.ok_or("must be 30 to 1740 seconds: the Functions host ends longer streams")
        });
        let lifetime = Duration::from_secs(lifetime?);
        Some(if is_on? { Self::On { lifetime } } else { Self::Off })
    }
}

/// Origins between commas.
fn origins(text: &str) -> Result<Vec<PublicBaseUrl>, InvalidBaseUrl> {
    text.split(',').map(|origin| PublicBaseUrl::try_from(origin.trim())).collect()
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
    fn streams_are_served_and_end_before_the_host_ends_them_unless_the_settings_say_otherwise() {
        let on = |seconds| LegacySse::On { lifetime: Duration::from_secs(seconds) };
        for (sse, seconds, expected) in [
            ("", "", on(1500)),
            ("on", "30", on(30)),
            ("on", "1740", on(1740)),
            ("off", "", LegacySse::Off),
        ] {
            let env = [
                ("PUBLIC_BASE_URL", "https://gw.example.com"),
                ("SESSION_KEYS", KEYS),
                ("LEGACY_SSE", sse),
                ("SSE_STREAM_SECONDS", seconds),
            ];
            let mut settings = Settings::new(&env);

            let config = Config::read(&mut settings);

            assert_eq!(settings.finish(config).unwrap().legacy_sse, expected, "{sse} {seconds}");
        }
    }

    #[test]
    fn every_faulty_setting_is_named_at_once() {
        let env = [
            ("PUBLIC_BASE_URL", "http://gw.example.com"),
            ("SESSION_CACHE_SECONDS", "31"),
            ("ALLOWED_ORIGINS", "https://a.example.com, *"),
            ("LEGACY_SSE", "yes"),
            ("SSE_STREAM_SECONDS", "1800"),
        ];
        let mut settings = Settings::new(&env);

        let config = Config::read(&mut settings);
        let faults = settings.finish(config).unwrap_err().to_string();

        for name in [
            "PUBLIC_BASE_URL",
            "SESSION_KEYS",
            "SESSION_CACHE_SECONDS",
            "ALLOWED_ORIGINS",
            "LEGACY_SSE",
            "SSE_STREAM_SECONDS",
        ] {
            assert!(faults.contains(name), "{faults}");
        }
    }
}

//! For how long a document is believed (RFC 9111 section 4.2), within bounds of our own.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// The least, whatever the document says: one sign-in asks more than once.
const SHORTEST: Duration = Duration::from_mins(1);
/// The most, so that a withdrawn redirect URI goes.
const LONGEST: Duration = Duration::from_hours(24);
/// If the document does not say.
const UNSAID: Duration = Duration::from_hours(1);

/// How long what came with `headers` may be used.
pub(super) fn lifetime(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let directives = values.flat_map(|value| value.to_str().unwrap_or("no-cache").split(','));
    let mut longest = None;
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let allowed = match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => Duration::ZERO,
            // What cannot be read is stale (section 4.2.1).
            "max-age" => seconds(value.trim().trim_matches('"')).saturating_sub(age(headers)),
            _ => continue,
        };
        longest = Some(longest.map_or(allowed, |before: Duration| before.min(allowed)));
    }
    longest.unwrap_or(UNSAID).clamp(SHORTEST, LONGEST)
}

/// How long the document has lain in caches on its way.
fn age(headers: &HeaderMap) -> Duration {
    let value = headers.get(AGE).and_then(|value| value.to_str().ok());
    seconds(value.unwrap_or_default().trim())
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.parse().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn lifetime_of(cache_control: &[&'static str], age: &'static str) -> u64 {
        let mut headers = HeaderMap::new();
        for value in cache_control {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        headers.insert(AGE, HeaderValue::from_static(age));
        lifetime(&headers).as_secs()
    }

    #[test]
    fn a_document_is_believed_as_long_as_it_says_within_our_bounds() {
        for (cache_control, seconds) in [
            (&["max-age=600"][..], 600),
            (&["public, Max-Age=600, immutable"], 600),
            (&["max-age=\"600\""], 600),
            (&["max-age = 600"], 600),
            (&["max-age=600, max-age=300"], 300),
            (&["max-age=600", "max-age=300"], 300),
            (&["max-age=0"], 60),
            (&["max-age=59"], 60),
            (&["max-age=604800"], 86_400),
            (&["max-age=99999999999999999999"], 60),
            (&["max-age=-1"], 60),
            (&["max-age=x"], 60),
            (&["max-age"], 60),
            (&["no-store"], 60),
            (&["NO-CACHE"], 60),
            (&["no-cache=\"set-cookie\""], 60),
            (&["max-age=600, no-store"], 60),
            (&["no-store", "max-age=600"], 60),
            (&["public"], 3600),
            (&[""], 3600),
            (&[], 3600),
        ] {
            assert_eq!(lifetime_of(cache_control, "0"), seconds, "{cache_control:?}");
        }
    }

    #[test]
    fn time_in_other_caches_counts() {
        assert_eq!(lifetime_of(&["max-age=600"], "200"), 400);
        assert_eq!(lifetime_of(&["max-age=600"], "700"), 60);
        assert_eq!(lifetime_of(&["max-age=600"], "x"), 600);
    }
}

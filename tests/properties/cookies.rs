//! The `Cookie` header.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use oauth_fn::cookies::CookieJar;
use proptest::collection::vec;
use proptest::prelude::*;

const NAME: &str = "__Host-mcp-flow";

fn headers(line: &[u8]) -> Option<HeaderMap> {
    let line = HeaderValue::from_bytes(line).ok()?;
    Some(HeaderMap::from_iter([(COOKIE, line)]))
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn any_header_is_read_and_ours_is_found_in_it(
        before in vec(prop_oneof![Just(b'='), Just(b' '), 0x80..=0xff_u8, b'a'..=b'z'], 0..40),
        value in "[A-Za-z0-9_-]{1,80}",
        after in vec(prop_oneof![Just(b';'), Just(b'='), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..40),
    ) {
        let line = [&before, b"; ".as_slice(), NAME.as_bytes(), b"=", value.as_bytes(), b";", &after];

        let headers = headers(&line.concat()).unwrap();

        prop_assert_eq!(CookieJar::Secure.get(&headers, "mcp-flow"), Some(value.as_str()));
    }

    #[test]
    fn a_cookie_is_ours_under_its_whole_name_alone(line in vec(any::<u8>(), 0..200)) {
        let Some(headers) = headers(&line) else {
            return Ok(());
        };

        for (name, _) in CookieJar::Secure.all(&headers) {
            let whole = format!("__Host-{name}=");
            prop_assert!(line.windows(whole.len()).any(|part| part == whole.as_bytes()));
        }
    }

    #[test]
    fn what_we_set_comes_back(name in "[a-z-]{1,30}", value in "[A-Za-z0-9_-]{0,200}") {
        for jar in [CookieJar::Loopback, CookieJar::Secure] {
            let set = jar.set(&name, &value, None).unwrap();
            let pair = set.to_str().unwrap().split(';').next().unwrap();

            let headers = headers(pair.as_bytes()).unwrap();

            prop_assert_eq!(jar.get(&headers, &name), Some(value.as_str()));
        }
    }
}

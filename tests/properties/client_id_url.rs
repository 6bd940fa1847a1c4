//! Client identifiers that are URLs.

use oauth_fn::protocol::client_id_url::ClientIdUrl;
use proptest::prelude::*;
use url::{Host, Url};

/// Texts that are nearly such URLs.
fn nearly() -> impl Strategy<Value = String> {
    let part = "[a-zA-Z0-9.:@/?#%\\\\\\[\\] _-]{0,12}";
    (prop_oneof![Just("https://"), Just("http://"), Just("HTTPS:"), Just("")], part, part)
        .prop_map(|(scheme, host, path)| format!("{scheme}{host}app.example/{path}"))
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = ClientIdUrl::try_from(text.as_str());
        let _ = ClientIdUrl::try_from(format!("https://{text}").as_str());
    }

    #[test]
    fn an_accepted_url_is_read_as_one_and_the_same_by_everybody(text in nearly()) {
        let Ok(accepted) = ClientIdUrl::try_from(text.as_str()) else {
            return Ok(());
        };
        let url = Url::parse(&text).unwrap();

        prop_assert_eq!(url.as_str(), &text);
        prop_assert_eq!(accepted.as_str(), &text);
        prop_assert_eq!(url.scheme(), "https");
        prop_assert!(matches!(url.host(), Some(Host::Domain(name)) if name == accepted.host()));
        prop_assert_eq!(url.port(), None);
        prop_assert!(url.username().is_empty() && url.password().is_none());
        prop_assert!(url.query().is_none() && url.fragment().is_none());
        prop_assert!(url.path().len() > 1);
        let authority = text.trim_start_matches("https://").split('/').next().unwrap();
        prop_assert_eq!(authority, accepted.host());
    }
}

//! Addresses of snippets as resources (RFC 3986, RFC 6570).

use data_encoding::HEXUPPER;
use mcp_fn::snippets::SnippetName;
use mcp_fn::snippets::uri::SnippetUri;
use proptest::prelude::*;
use url::Url;

fn named_by(address: &str) -> Option<SnippetName> {
    SnippetUri::try_from(address).ok().map(|address| address.name().clone())
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn an_address_leads_back_to_its_name_whoever_handled_it(text in "[a-zA-Z0-9._-]{1,128}") {
        let name = SnippetName::try_from(text.as_str()).unwrap();

        let address = SnippetUri::from(name.clone()).to_string();

        // As a client expands the template: the name has unreserved characters only.
        prop_assert_eq!(&address, &SnippetUri::TEMPLATE.replace("{name}", &text));
        // As a client may parse it and write it again.
        prop_assert_eq!(Url::parse(&address).unwrap().to_string(), address.clone());
        prop_assert_eq!(named_by(&address), Some(name));
    }

    #[test]
    fn an_escaped_character_is_the_character(
        characters in prop::collection::vec(("[a-zA-Z0-9._-]", any::<bool>(), any::<bool>()), 1..40),
    ) {
        let plain: String = characters.iter().map(|(character, ..)| character.as_str()).collect();
        let written = characters.into_iter().map(|(character, is_escaped, is_upper)| {
            let escaped = format!("%{}", HEXUPPER.encode(character.as_bytes()));
            match (is_escaped, is_upper) {
                (false, _) => character,
                (true, true) => escaped,
                (true, false) => escaped.to_lowercase(),
            }
        });
        let address = format!("snippet://{}", written.collect::<String>());

        let name = SnippetName::try_from(plain.as_str()).unwrap();
        prop_assert_eq!(named_by(&address), Some(name));
    }

    #[test]
    fn whatever_is_taken_is_an_address_of_a_name(
        text in "(snippet|SNIPPET|[a-z]{0,3})(://|:|/)?[a-zA-Z0-9._%/?#@:-]{0,12}|.{0,40}",
    ) {
        if let Ok(address) = SnippetUri::try_from(text.as_str()) {
            prop_assert_eq!(named_by(&address.to_string()), Some(address.name().clone()));
            prop_assert!(text.to_ascii_lowercase().starts_with("snippet://"));
            prop_assert!(!text.contains(['/', '?', '#', '@']) || text.matches('/').count() == 2);
        }
    }
}

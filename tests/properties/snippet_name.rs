//! Names of snippets.

use mcp_fn::snippets::SnippetName;
use proptest::prelude::*;

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_name_that_is_taken_has_plain_characters_alone(text in "[a-zA-Z0-9._-]{0,140}|.{0,140}") {
        let plain = |sign: char| sign.is_ascii_alphanumeric() || "._-".contains(sign);
        let fits = (1..=128).contains(&text.len()) && text.chars().all(plain);

        let name = SnippetName::try_from(text.as_str());

        prop_assert_eq!(name.is_ok(), fits);
        if let Ok(name) = name {
            prop_assert_eq!(name.as_str(), text);
        }
    }
}

//! `prompt` and `login_hint`, which are passed on to Entra ID.

use std::collections::BTreeSet;

use oauth_fn::protocol::prompt::{LoginHint, Prompt, Prompts};
use proptest::prelude::*;

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn what_entra_id_is_asked_with_stands_in_the_request(
        text in "(none|login|select_account|consent| |,){0,5}|.{0,40}",
    ) {
        let Ok(prompts) = Prompts::try_from(text.as_str()) else { return Ok(()) };
        let words: BTreeSet<&str> = text.split(' ').collect();

        prop_assert!(words.len() == 1 || !words.contains("none"));
        prop_assert_eq!(prompts.permit_consent_page().is_ok(), !words.contains("none"));
        if let Some(prompt) = prompts.upstream().map(Prompt::as_str) {
            prop_assert!(prompt != "consent" && words.contains(prompt));
        }
    }

    #[test]
    fn a_hint_is_passed_on_as_it_came_or_not_at_all(text in "(?s).{0,300}") {
        let hint = LoginHint::try_from(text.as_str());

        let fits = text.chars().count() <= 254;
        let plain = text.chars().all(|sign| sign == ' ' || sign.is_ascii_graphic());
        prop_assert!(hint.is_ok() || !(fits && plain));
        if let Ok(hint) = hint {
            prop_assert_eq!(hint.as_str(), text.as_str());
            prop_assert!(fits && !text.contains(char::is_control));
        }
    }
}

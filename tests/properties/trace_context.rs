//! W3C Trace Context, as clients send it.

use proptest::prelude::*;
use shared::trace_context::{TraceParent, TraceState};

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_parent_that_is_taken_holds_digits_alone(
        text in "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,4})?|[0-9a-fA-F-]{50,60}|.{0,60}",
    ) {
        if let Ok(parent) = TraceParent::try_from(text.as_str()) {
            let read = format!("{}-{}-", parent.trace_id(), parent.parent_id());

            prop_assert_eq!(&text[3..53], &read);
            prop_assert!(read.bytes().all(|byte| b"0123456789abcdef-".contains(&byte)));
        }
    }

    #[test]
    fn a_state_that_is_taken_gives_each_member_back(
        text in "([a-z][a-z0-9@_*/-]{0,5}=[ -~]{1,5}[, \t]{0,3}){0,4}|.{0,40}",
    ) {
        if let Ok(state) = TraceState::try_from(text.as_str()) {
            let members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
            for member in members.filter(|member| !member.is_empty()) {
                let (key, value) = member.split_once('=').unwrap();

                prop_assert_eq!(state.member(key), Some(value));
            }
        }
    }
}

//! W3C Trace Context, as clients send it.

use proptest::prelude::*;
use shared::trace_context::TraceParent;

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
}

//! Queries and form bodies.

use std::collections::BTreeMap;

use oauth_fn::protocol::parameters::Parameters;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use url::form_urlencoded;

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        let read = Parameters::parse(&bytes);

        // Where both read it, they read the same: ours refuses what the other repairs.
        if let Ok(parameters) = read {
            let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (name, value) in form_urlencoded::parse(&bytes) {
                pairs.entry(name.into_owned()).or_default().push(value.into_owned());
            }
            for (name, values) in &pairs {
                let expected = match values.as_slice() {
                    [value] if !value.is_empty() => Some(value.as_str()),
                    _ => None,
                };
                prop_assert_eq!(parameters.get(name), expected);
            }
            let once = pairs.values().all(|values| values.len() == 1);
            prop_assert_eq!(parameters.each_once().is_ok(), once);
        }
    }

    #[test]
    fn what_a_browser_writes_is_read_back(pairs in btree_map(".{0,12}", ".{1,40}", 0..8)) {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();

        let parameters = Parameters::parse(text.as_bytes()).unwrap();

        for (name, value) in &pairs {
            prop_assert_eq!(parameters.get(name), Some(value.as_str()));
        }
        prop_assert!(parameters.each_once().is_ok());
    }

    #[test]
    fn a_broken_escape_is_refused_wherever_it_stands(
        before in "[a-z=&]{0,20}",
        broken in "%([^0-9a-fA-F]|[0-9a-fA-F]?|[0-9a-fA-F][^0-9a-fA-F])",
    ) {
        let text = before + &broken;

        prop_assert!(Parameters::parse(text.as_bytes()).is_err());
    }
}

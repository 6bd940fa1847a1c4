//! Names in storage (threat 45).

use proptest::collection::vec;
use proptest::prelude::*;
use shared::session::{DirectoryId, ExpiryWeek, Identity, SessionId};
use shared::storage::Key;

/// What Table Storage takes without escaping.
fn is_plain(key: &str) -> bool {
    (1..=63).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_storage_key_is_ours_whatever_it_was_made_from(
        outside in vec(any::<u8>(), 0..600),
        week in any::<u16>(),
    ) {
        let address = SessionId::derived_from(&outside).address(ExpiryWeek::from_number(week));

        let names = [address.table.as_str(), address.partition.as_str(), address.row.as_str()];
        prop_assert!(names.into_iter().all(is_plain), "{:?}", names);
        prop_assert!(is_plain(Key::digest("client", &[&outside]).as_str()));
    }

    #[test]
    fn two_users_have_two_keys(
        one in ("[a-z0-9-]{1,64}", "[a-z0-9-]{1,64}"),
        two in ("[a-z0-9-]{1,64}", "[a-z0-9-]{1,64}"),
    ) {
        let key = |(tenant, object): &(String, String)| {
            let id = |text: &String| DirectoryId::try_from(text.clone()).unwrap();
            let name = "A".to_owned();
            Identity { tenant_id: id(tenant), object_id: id(object), name }.user_key()
        };

        prop_assert!(is_plain(key(&one).as_str()));
        prop_assert_eq!(key(&one) == key(&two), one == two);
    }
}

//! Client registrations.

use oauth_fn::protocol::client_id_url::ClientIdUrl;
use oauth_fn::protocol::client_metadata::ClientRegistration;
use oauth_fn::protocol::client_metadata_document::read_document;
use oauth_fn::protocol::preregistration::PreregisteredClients;
use oauth_fn::protocol::registration_policy::RegistrationPolicy;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any JSON, a few levels deep.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,16}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            hash_map("[a-z_]{1,12}", inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

const MEMBERS: &str = "(redirect_uris|client_name|client_uri|contacts|grant_types|response_types|\
                       token_endpoint_auth_method|application_type|scope|jwks|jwks_uri|client_id|\
                       client_secret|client_secret_sha256|other)";

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_document_makes_the_parser_panic(
        bytes in vec(any::<u8>(), 0..200),
        members in hash_map(MEMBERS, json(), 0..8),
        cut in any::<usize>(),
    ) {
        let document = json!(members).to_string().into_bytes();
        let cut = &document[..cut % document.len()];

        let whole = ClientRegistration::parse(&document);

        if let Ok(registration) = whole {
            let written = serde_json::to_vec(&registration).unwrap();
            prop_assert!(ClientRegistration::parse(&written).is_ok());
        }
        prop_assert!(ClientRegistration::parse(cut).is_err());
        let policy = RegistrationPolicy::default();
        let url = ClientIdUrl::try_from("https://app.example/client.json").unwrap();
        for text in [&document, cut, &bytes] {
            let published = read_document(text, &url, &policy);
            prop_assert!(published.is_err(), "no document says this URL by chance");
            let list = format!("[{}]", String::from_utf8_lossy(text));
            let faults = PreregisteredClients::parse(&list, &policy).err();
            prop_assert!(faults.is_none_or(|faults| !faults.is_empty()));
        }
        let object = serde_json::from_slice(&bytes).is_ok_and(|value: Value| value.is_object());
        prop_assert!(object || ClientRegistration::parse(&bytes).is_err());
    }
}

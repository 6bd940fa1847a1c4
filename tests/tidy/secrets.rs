//! That secrets have no `==`, whose time tells how much was right.

use std::marker::PhantomData;

use oauth_fn::grants::IssuedToken;
use oauth_fn::protocol::pkce::CodeVerifier;
use secrecy::SecretString;
use shared::client_assertion::ClientAssertion;
use shared::seal::KeyRing;
use shared::secret::Secret;
use shared::session::{EntraAccessToken, SessionToken};

/// Asks the compiler whether `T` can be compared: a method of the value hides that of its
/// reference, and is there only where it can.
struct Probe<T>(PhantomData<T>);

trait Otherwise {
    fn has_equals(&self) -> &'static str {
        "no"
    }
}

impl<T> Otherwise for Probe<T> {}

impl<T: PartialEq> Probe<T> {
    #[expect(clippy::unused_self, reason = "it hides the method of the trait")]
    fn has_equals(&self) -> &'static str {
        "yes"
    }
}

macro_rules! has_equals {
    ($type:ty) => {
        Probe::<$type>(PhantomData).has_equals()
    };
}

#[test]
fn no_secret_can_be_compared_with_equals() {
    assert_eq!(has_equals!(String), "yes");

    assert_eq!(has_equals!(ClientAssertion), "no");
    assert_eq!(has_equals!(CodeVerifier), "no");
    assert_eq!(has_equals!(EntraAccessToken), "no");
    assert_eq!(has_equals!(IssuedToken), "no");
    assert_eq!(has_equals!(KeyRing), "no");
    assert_eq!(has_equals!(Secret), "no");
    assert_eq!(has_equals!(SecretString), "no");
    assert_eq!(has_equals!(SessionToken), "no");
}

//! What a user may do on the page with their own connections.

use shared::storage::Key;

use super::consent::SameOrigin;
use super::parameters::Parameters;

/// What a button of the page asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AccountAction {
    /// End every session of one client.
    Revoke(Key),
    /// End every session of every client.
    RevokeAll,
    /// Begin a visit.
    SignIn,
    /// End the visit, here and at Entra ID.
    SignOut,
}

impl AccountAction {
    /// The action in the body of the form, which our own page has sent.
    ///
    /// # Errors
    /// There is none, an unknown one, or one that does not say for which client.
    pub fn read(form: &Parameters, _: &SameOrigin) -> Result<Self, NoAction> {
        match (form.get("action"), form.get("client")) {
            // It is compared with keys of ours, and named in the audit.
            (Some("revoke"), Some(client)) => {
                Key::parse_digest(client).map(Self::Revoke).ok_or(NoAction)
            }
            (Some("revoke-all"), None) => Ok(Self::RevokeAll),
            (Some("sign-in"), None) => Ok(Self::SignIn),
            (Some("sign-out"), None) => Ok(Self::SignOut),
            _ => Err(NoAction),
        }
    }
}

/// The form says nothing that could be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the form has no action")]
pub struct NoAction;

#[cfg(test)]
mod tests {
    use shared::base_url::PublicBaseUrl;

    use super::*;

    fn read(form: &str) -> Result<AccountAction, NoAction> {
        let base_url = PublicBaseUrl::try_from("https://gw.example.com").unwrap();
        let proof = SameOrigin::check(Some("https://gw.example.com"), None, &base_url).unwrap();
        AccountAction::read(&Parameters::parse(form.as_bytes()).unwrap(), &proof)
    }

    #[test]
    fn each_button_has_its_action_and_nothing_else_is_one() {
        let revoke = AccountAction::Revoke(Key::digest("client-id", &[b"c"]));
        let AccountAction::Revoke(key) = &revoke else {
            panic!("it is a revocation");
        };
        let form = format!("action=revoke&client={}", key.as_str());
        assert_eq!(read(&form), Ok(revoke.clone()));
        for (form, expected) in [
            ("action=revoke&client=c", Err(NoAction)),
            ("action=revoke&client=%0A%1B%5B2J", Err(NoAction)),
            ("action=revoke-all", Ok(AccountAction::RevokeAll)),
            ("action=sign-in", Ok(AccountAction::SignIn)),
            ("action=sign-out", Ok(AccountAction::SignOut)),
            ("action=revoke", Err(NoAction)),
            ("action=revoke-all&client=c", Err(NoAction)),
            ("action=Sign-In", Err(NoAction)),
            ("client=c", Err(NoAction)),
            ("", Err(NoAction)),
        ] {
            assert_eq!(read(form), expected, "{form}");
        }
    }
}

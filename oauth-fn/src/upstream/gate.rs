//! Which users of the allowed tenants may use this server: what the `id_token` has to say of them.

use serde::Deserialize;
use serde_json::Value;

/// Longest value that Entra ID lets an app role have.
const LONGEST_ROLE: usize = 120;

/// The rules for users. They hold at sign-in and again at each refresh.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Gate {
    /// Who has to have been given a role.
    pub required_roles: RequiredRoles,
    /// Whether users of other directories may come as guests.
    pub guests: Guests,
}

impl Gate {
    /// Whether every user of the allowed tenants is let in, so that nothing has to be looked at.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, claims: &GateClaims) -> Result<(), NotPermitted> {
        self.required_roles.check(&claims.roles)?;
        self.guests.check(&claims.acct)
    }
}

/// The app roles one of which a user must have; nobody needs one if there are none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequiredRoles(Vec<String>);

impl RequiredRoles {
    fn check(&self, roles: &Value) -> Result<(), NotPermitted> {
        let given = roles.as_array().map(Vec::as_slice).unwrap_or_default();
        let suffices = |role: &String| given.iter().any(|given| given == role);
        let permitted = self.0.is_empty() || self.0.iter().any(suffices);
        if permitted { Ok(()) } else { Err(NotPermitted::NoRole) }
    }
}

impl TryFrom<&str> for RequiredRoles {
    type Error = InvalidGate;

    /// Reads the values of app roles, separated by commas: `mcp.user, mcp.admin`.
    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let roles: Vec<_> = text.split(',').map(|role| role.trim().to_owned()).collect();
        let usable = |role: &String| {
            let printable = role.bytes().all(|byte| byte.is_ascii_graphic());
            printable && (1..=LONGEST_ROLE).contains(&role.len())
        };
        if roles.iter().all(usable) { Ok(Self(roles)) } else { Err(InvalidGate::Roles) }
    }
}

/// Whether guests may sign in: users whose account is in another directory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Guests {
    /// They may, as members may.
    #[default]
    Allowed,
    /// They may not, and nor may anybody of whom nothing is known.
    Refused,
}

impl Guests {
    fn check(self, acct: &Value) -> Result<(), NotPermitted> {
        match (self, acct) {
            (Self::Allowed, _) => Ok(()),
            (Self::Refused, Value::Null) => Err(NotPermitted::NoAcct),
            (Self::Refused, acct) if *acct == 0 => Ok(()),
            (Self::Refused, _) => Err(NotPermitted::Guest),
        }
    }
}

impl TryFrom<&str> for Guests {
    type Error = InvalidGate;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        match text {
            "allowed" => Ok(Self::Allowed),
            "refused" => Ok(Self::Refused),
            _ => Err(InvalidGate::Guests),
        }
    }
}

/// What an `id_token` says of the user's standing. A claim in an odd form permits nothing, and
/// does not matter where no rule asks for it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct GateClaims {
    /// The app roles that the user has.
    #[serde(default)]
    roles: Value,
    /// 0 for a member of the tenant, 1 for a guest.
    #[serde(default)]
    acct: Value,
}

/// Which rule keeps a user out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotPermitted {
    /// The account is in another directory.
    #[error("the user is a guest of the tenant, and GUESTS is refused")]
    Guest,
    /// Nothing tells whether the user is a guest.
    #[error(
        "the id_token has no claim acct, and GUESTS is refused: add the optional claim acct to the \
         ID tokens of the application in Entra ID"
    )]
    NoAcct,
    /// The user has none of the roles.
    #[error("the user has none of the app roles in REQUIRED_ROLES (claim roles)")]
    NoRole,
}

/// What the settings of the gate must look like.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidGate {
    /// The word for guests is unknown.
    #[error("must be allowed or refused")]
    Guests,
    /// A role cannot be one of Entra ID.
    #[error("must be the values of app roles such as mcp.user, separated by commas")]
    Roles,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gate(roles: &str, guests: Guests) -> Gate {
        let required_roles = match roles {
            "" => RequiredRoles::default(),
            roles => RequiredRoles::try_from(roles).unwrap(),
        };
        Gate { required_roles, guests }
    }

    #[test]
    fn one_of_the_roles_suffices_and_is_compared_as_it_is() {
        use NotPermitted::NoRole;
        for (required, claims, expected) in [
            ("", json!({}), Ok(())),
            ("", json!({ "roles": 7 }), Ok(())),
            ("a", json!({ "roles": ["a"] }), Ok(())),
            ("a", json!({ "roles": ["b", "a"] }), Ok(())),
            ("a, b", json!({ "roles": ["b"] }), Ok(())),
            ("a", json!({}), Err(NoRole)),
            ("a", json!({ "roles": null }), Err(NoRole)),
            ("a", json!({ "roles": [] }), Err(NoRole)),
            ("a", json!({ "roles": ["A"] }), Err(NoRole)),
            ("a", json!({ "roles": ["ab", "b"] }), Err(NoRole)),
            ("a", json!({ "roles": "a" }), Err(NoRole)),
            ("a", json!({ "roles": [["a"]] }), Err(NoRole)),
            ("a", json!({ "roles": { "a": "a" } }), Err(NoRole)),
        ] {
            let given: GateClaims = serde_json::from_value(claims.clone()).unwrap();
            let checked = gate(required, Guests::Allowed).check(&given);
            assert_eq!(checked, expected, "{required} {claims}");
        }
    }

    #[test]
    fn where_guests_are_refused_only_a_member_is_let_in() {
        use NotPermitted::{Guest, NoAcct};
        for (claims, expected) in [
            (json!({ "acct": 0 }), Ok(())),
            (json!({ "acct": 1 }), Err(Guest)),
            (json!({ "acct": 2 }), Err(Guest)),
            (json!({ "acct": "0" }), Err(Guest)),
            (json!({ "acct": false }), Err(Guest)),
            (json!({ "acct": [] }), Err(Guest)),
            (json!({ "acct": null }), Err(NoAcct)),
            (json!({}), Err(NoAcct)),
        ] {
            let given: GateClaims = serde_json::from_value(claims.clone()).unwrap();
            assert_eq!(gate("", Guests::Refused).check(&given), expected, "{claims}");
            assert_eq!(gate("", Guests::Allowed).check(&given), Ok(()), "{claims}");
        }
    }

    #[test]
    fn the_log_says_which_claim_is_to_be_configured() {
        let text = NotPermitted::NoAcct.to_string();

        assert!(text.contains("add the optional claim acct to the ID tokens"), "{text}");
        assert!(NotPermitted::NoRole.to_string().contains("REQUIRED_ROLES"));
    }

    #[test]
    fn both_rules_hold_at_once() {
        let gate = gate("a", Guests::Refused);
        let check = |claims: Value| gate.check(&serde_json::from_value(claims).unwrap());

        assert_eq!(check(json!({ "roles": ["a"], "acct": 0 })), Ok(()));
        assert_eq!(check(json!({ "roles": ["a"], "acct": 1 })), Err(NotPermitted::Guest));
        assert_eq!(check(json!({ "acct": 0 })), Err(NotPermitted::NoRole));
    }

    #[test]
    fn a_gate_is_open_where_nothing_is_set() {
        assert!(Gate::default().is_open());
        assert!(!gate("a", Guests::Allowed).is_open());
        assert!(!gate("", Guests::Refused).is_open());
    }

    #[test]
    fn a_setting_that_would_open_the_gate_by_mistake_is_refused() {
        let long = "r".repeat(LONGEST_ROLE + 1);
        for text in [",", " ", "a,", ",a", "a,,b", "a b", "r\u{f4}le", long.as_str()] {
            assert_eq!(RequiredRoles::try_from(text), Err(InvalidGate::Roles), "{text:?}");
        }
        for text in ["Refused", "refuse", "no", ""] {
            assert_eq!(Guests::try_from(text), Err(InvalidGate::Guests), "{text:?}");
        }
        assert_eq!(Guests::try_from("refused"), Ok(Guests::Refused));
        assert_eq!(Guests::try_from("allowed"), Ok(Guests::Allowed));
    }
}

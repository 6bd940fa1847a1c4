//! The people who can sign in, and the two directories that they belong to.

use serde::{Deserialize, Serialize};

/// The directory (tenant) that this system serves.
pub const TENANT: &str = "5f1c9a52-6c1e-4b7d-9d3a-0a4c3f8e2b10";

/// A directory that this system does not serve.
pub const OTHER_TENANT: &str = "c0ffee00-1d2e-4f3a-8b4c-5d6e7f8091a2";

/// Somebody who can sign in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Person {
    /// A user of the directory.
    Alice,
    /// Another user of the directory.
    Bob,
    /// A user of another directory, whom the tenant allow-list keeps out.
    Mallory,
}

impl Person {
    /// Everybody, in the order of the page.
    pub const ALL: [Self; 3] = [Self::Alice, Self::Bob, Self::Mallory];

    /// The short name, as in `--sign-in-as`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Mallory => "mallory",
        }
    }

    /// The claim `name`.
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Alice => "Alice Example",
            Self::Bob => "Bob Example",
            Self::Mallory => "Mallory Elsewhere",
        }
    }

    /// The claim `preferred_username`.
    pub const fn user_name(self) -> &'static str {
        match self {
            Self::Alice => "alice@example.com",
            Self::Bob => "bob@example.com",
            Self::Mallory => "mallory@elsewhere.example",
        }
    }

    /// The claim `oid`.
    pub const fn object_id(self) -> &'static str {
        match self {
            Self::Alice => "a11ce000-3b5d-4c8e-9f01-2a3b4c5d6e7f",
            Self::Bob => "b0b00000-7e6d-4c5b-8a39-281706f5e4d3",
            Self::Mallory => "3a110700-9c8b-4a7d-b6e5-f4031221304f",
        }
    }

    /// The claim `roles`: the app roles that an administrator gave.
    pub const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Alice => &["mcp.user", "mcp.admin"],
            Self::Bob => &["mcp.user"],
            Self::Mallory => &[],
        }
    }

    /// The claim `tid`.
    pub const fn tenant(self) -> &'static str {
        match self {
            Self::Alice | Self::Bob => TENANT,
            Self::Mallory => OTHER_TENANT,
        }
    }
}

impl TryFrom<&str> for Person {
    type Error = UnknownPerson;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::ALL.into_iter().find(|person| person.as_str() == text).ok_or(UnknownPerson)
    }
}

/// Nobody has that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("nobody has that name; known are alice, bob and mallory")]
pub struct UnknownPerson;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_found_by_name_and_named_where_nobody_is_found() {
        for person in Person::ALL {
            assert_eq!(Person::try_from(person.as_str()), Ok(person));
            assert!(UnknownPerson.to_string().contains(person.as_str()));
        }
        assert_eq!(Person::try_from("Alice"), Err(UnknownPerson));
    }
}

//! What a session may do (RFC 6749 section 3.3).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One permission that a user can give to an MCP client.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Scope {
    /// List and read the user's snippets.
    #[serde(rename = "snippets:read")]
    SnippetsRead,
    /// Save and delete the user's snippets.
    #[serde(rename = "snippets:write")]
    SnippetsWrite,
}

impl Scope {
    /// Every scope there is, in the order in which documents list them.
    pub const ALL: [Self; 2] = [Self::SnippetsRead, Self::SnippetsWrite];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SnippetsRead => "snippets:read",
            Self::SnippetsWrite => "snippets:write",
        }
    }

    /// What it lets a client do, in words for the user.
    pub const fn description(self) -> &'static str {
        match self {
            Self::SnippetsRead => "List and read your saved snippets",
            Self::SnippetsWrite => "Save, change and delete your snippets",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl TryFrom<&str> for Scope {
    type Error = UnknownScope;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or(UnknownScope)
    }
}

/// A scope that this server does not have (RFC 6749 section 4.1.2.1, `invalid_scope`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no such scope: known are snippets:read and snippets:write")]
pub struct UnknownScope;

/// A set of scopes; on the wire, names separated by spaces.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// All scopes.
    pub fn all() -> Self {
        Self(Scope::ALL.into_iter().collect())
    }

    /// Whether `scope` is among them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether every one of `other` is among them.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These scopes and `scope`.
    #[must_use]
    pub fn with(mut self, scope: Scope) -> Self {
        self.0.insert(scope);
        self
    }

    /// Each scope, in order.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(formatter, "{space}{scope}")?;
        }
        Ok(())
    }
}

impl TryFrom<&str> for Scopes {
    type Error = UnknownScope;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let names = text.split(' ').filter(|name| !name.is_empty());
        names.map(Scope::try_from).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_written_in_one_order_whatever_order_they_came_in() {
        let scopes = Scopes::try_from("snippets:write  snippets:read").unwrap();

        assert_eq!(scopes.to_string(), "snippets:read snippets:write");
    }

    #[test]
    fn an_unknown_scope_is_refused() {
        assert!(Scopes::try_from("snippets:read admin").is_err());
    }

    #[test]
    fn a_wider_set_covers_a_narrower_one_and_not_the_reverse() {
        let read = Scopes::try_from("snippets:read").unwrap();

        assert!(Scopes::all().covers(&read));
        assert!(!read.covers(&Scopes::all()));
    }
}

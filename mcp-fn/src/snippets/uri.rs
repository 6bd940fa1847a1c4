//! The address of a snippet as a resource, `snippet://NAME`.
//!
//! A name has unreserved characters only (RFC 3986 section 2.3), so it stands in the address as it
//! is, and the template of RFC 6570 needs no rules of its own. What clients write is read as that
//! section wants: the scheme in any case, and an escaped character as the character. Names that
//! differ in case are two snippets, although the place of a host is where they stand.

use std::fmt;

use super::SnippetName;

const SCHEME: &str = "snippet";

/// The address of the snippet with a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnippetUri(SnippetName);

impl SnippetUri {
    /// The template that every address of a snippet follows (RFC 6570).
    pub const TEMPLATE: &str = "snippet://{name}";

    /// The variable of the template.
    pub const VARIABLE: &str = "name";

    /// The name of the snippet.
    pub fn name(&self) -> &SnippetName {
        &self.0
    }
}

impl From<SnippetName> for SnippetUri {
    fn from(name: SnippetName) -> Self {
        Self(name)
    }
}

impl fmt::Display for SnippetUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}://{}", self.0)
    }
}

impl TryFrom<&str> for SnippetUri {
    type Error = InvalidSnippetUri;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let (scheme, name) = text.split_once("://").ok_or(InvalidSnippetUri)?;
        let name = scheme.eq_ignore_ascii_case(SCHEME).then(|| unescaped(name)).flatten();
        let name = name.and_then(|name| SnippetName::try_from(name.as_str()).ok());
        name.map(Self).ok_or(InvalidSnippetUri)
    }
}

/// The text is not the address of a snippet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the address of a snippet is snippet:// and its name")]
pub struct InvalidSnippetUri;

/// `text` with its percent escapes undone, once, if each stands for an ASCII character.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|byte| is_hex && byte.is_ascii())?;
        plain.push(char::from(byte));
        plain.push_str(rest);
    }
    Some(plain)
}

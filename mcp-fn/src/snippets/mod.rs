//! Snippets: named texts of one user, and the port to where they are kept.

pub mod azure;
pub mod owned;
pub mod uri;

use std::error::Error;
use std::fmt::{self, Debug};

use async_trait::async_trait;
use shared::storage::{Key, Version};

/// Where snippets are kept. Each call is about one owner; nobody reaches another's.
#[async_trait]
pub trait SnippetStore: Debug + Send + Sync {
    /// What kind of store this is, as spans and metrics call it.
    fn system(&self) -> &'static str {
        "memory"
    }

    /// Writes `text` under `name` if what is there fulfils `condition`, and tells whether it did. A
    /// store may send a write again whose answer was lost, and then meet its own text.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn put(
        &self,
        owner: &Key,
        name: &SnippetName,
        text: &SnippetText,
        condition: &Condition,
    ) -> Result<Saving, SnippetStoreError>;

    /// What is under `name`; absence is an answer.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn get(
        &self,
        owner: &Key,
        name: &SnippetName,
    ) -> Result<Option<Snippet>, SnippetStoreError>;

    /// One page of the owner's snippets in the order of their names, at most 100, from the place
    /// that the page before it named.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn list(
        &self,
        owner: &Key,
        from: Option<&SnippetName>,
    ) -> Result<SnippetPage, SnippetStoreError>;

    /// Removes what is under `name`, whatever it is or at one version alone, and tells whether
    /// something was.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    async fn delete(
        &self,
        owner: &Key,
        name: &SnippetName,
        version: Option<&Version>,
    ) -> Result<Deletion, SnippetStoreError>;
}

/// A snippet as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snippet {
    /// Its text.
    pub text: SnippetText,
    /// What it is at; every write gives it another.
    pub version: Version,
}

/// What must be under a name for a text to be written there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// Whatever it is, it may be replaced.
    Anything,
    /// Nothing.
    Nothing,
    /// A snippet at this version.
    Version(Version),
}

/// What became of a wish to save.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Saving {
    /// Something else is there than the condition says; nothing was written.
    Conflict,
    /// It is written.
    Saved,
}

/// Some of an owner's snippets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SnippetPage {
    /// The snippets, in the order of their names.
    pub snippets: Vec<SnippetEntry>,
    /// The first name of the next page, if there is one.
    pub next: Option<SnippetName>,
}

/// A snippet without its text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnippetEntry {
    /// Its name.
    pub name: SnippetName,
    /// The length of its text, in bytes of UTF-8.
    pub bytes: u64,
}

/// What became of a wish to delete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Deletion {
    /// What is there is not at that version, and stays; or there is nothing.
    Conflict,
    /// It is gone.
    Deleted,
    /// There was nothing under that name.
    NotFound,
}

/// 1 to 128 of letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SnippetName(String);

impl SnippetName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SnippetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<&str> for SnippetName {
    type Error = InvalidSnippetName;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidSnippetName) }
    }
}

/// The text is not a snippet name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a snippet name is 1 to 128 letters, digits, '.', '_' or '-'")]
pub struct InvalidSnippetName;

/// The text of a snippet: at most 1 MiB of UTF-8. It is never logged.
#[derive(Clone, Eq, PartialEq)]
pub struct SnippetText(String);

impl SnippetText {
    /// The longest text, in bytes.
    pub const LONGEST: usize = 1024 * 1024;

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Debug for SnippetText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SnippetText({} bytes)", self.0.len())
    }
}

impl TryFrom<String> for SnippetText {
    type Error = SnippetTooLong;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() <= Self::LONGEST { Ok(Self(text)) } else { Err(SnippetTooLong) }
    }
}

/// The text does not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a snippet is at most 1 MiB (1048576 bytes)")]
pub struct SnippetTooLong;

/// The store of snippets cannot be reached or refuses; the caller may try again later.
#[derive(Debug, thiserror::Error)]
#[error("the store of snippets failed")]
pub struct SnippetStoreError(#[source] Box<dyn Error + Send + Sync>);

impl SnippetStoreError {
    /// A failure with its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }

    /// What went wrong, in one word.
    pub fn kind(&self) -> &'static str {
        shared::azure::kind_of(&*self.0)
    }
}

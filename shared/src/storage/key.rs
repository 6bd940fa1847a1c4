//! Names in storage. Nothing from outside reaches one: keys are digests or words of ours.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Fingerprint;

/// A partition or row key. It is read back from stores and from seals of ours only.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Key(Cow<'static, str>);

impl Key {
    /// A word of ours, of `a-z` and `0-9`.
    pub const fn word(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// The digest of `parts` under a label: 32 characters of `0-9a-v`.
    pub fn digest(label: &str, parts: &[&[u8]]) -> Self {
        Self(Cow::Owned(Fingerprint::of(label, parts).to_key()))
    }

    /// The digest that `text` is the whole of, if it can be one: such a key may be compared.
    pub fn parse_digest(text: &str) -> Option<Self> {
        let digest =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'));
        digest.then(|| Self(Cow::Owned(text.to_owned())))
    }

    /// A key that an implementation read back from its store.
    pub fn from_store(text: String) -> Self {
        Self(Cow::Owned(text))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a table: a letter and then letters or digits, 3 to 63 in all.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TableName(Cow<'static, str>);

impl TableName {
    /// A table with a name of ours.
    pub const fn word(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// The table `g<year>w<week>` for grants that end in this ISO week.
    pub fn of_week(year: i32, week: u8) -> Self {
        Self(Cow::Owned(format!("g{year:04}w{week:02}")))
    }

    /// The table `u<year>w<week>`, which tells the users of the grants that end in this ISO week.
    pub fn of_users(year: i32, week: u8) -> Self {
        Self(Cow::Owned(format!("u{year:04}w{week:02}")))
    }

    /// The table `c<year>q<quarter>` for clients that were in use in this quarter of a year.
    pub fn of_quarter(year: i32, quarter: u8) -> Self {
        Self(Cow::Owned(format!("c{year:04}q{quarter}")))
    }

    /// The table `r<days since 1970>` for answers to streams that end on this day.
    pub fn of_relay_day(day: u64) -> Self {
        Self(Cow::Owned(format!("r{day:05}")))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where one record lies.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Address {
    /// The table.
    pub table: TableName,
    /// The partition, which the store may move about.
    pub partition: Key,
    /// The row within the partition.
    pub row: Key,
}

impl Address {
    /// The place of a record that is alone in its partition. Its row is named like that: stores that
    /// keep an index of row names, as Azurite does, then find it by either.
    pub fn alone(table: TableName, key: Key) -> Self {
        Self { table, partition: key.clone(), row: key }
    }

    /// What binds sealed columns to this place.
    pub fn place<'a>(&'a self, column: &'a str) -> [&'a [u8]; 5] {
        let parts = [self.table.as_str(), self.partition.as_str(), self.row.as_str(), column, "v1"];
        parts.map(str::as_bytes)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, partition, row } = self;
        write!(formatter, "{}/{}/{}", table.as_str(), partition.as_str(), row.as_str())
    }
}

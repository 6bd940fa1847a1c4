//! The store of snippets on the embedded database.

use async_trait::async_trait;
use mcp_fn::snippets::{
    Condition, Deletion, Saving, Snippet, SnippetEntry, SnippetName, SnippetPage, SnippetStore,
    SnippetStoreError, SnippetText,
};
use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError};
use shared::storage::{Key, Version};

use super::records::{StoredVersion, tag};
use super::{EmbeddedStore, Fault, Outcome};

type SnippetKey = (&'static str, &'static str);

const SNIPPETS: TableDefinition<'_, SnippetKey, &str> = TableDefinition::new("snippets");
const VERSIONS: TableDefinition<'_, SnippetKey, StoredVersion> =
    TableDefinition::new("snippet_versions");

/// Of a text that was saved when texts had no versions; no write gives it.
const BEFORE_VERSIONS: StoredVersion = (0, 0);

const PAGE: usize = 100;

#[async_trait]
impl SnippetStore for EmbeddedStore {
    fn system(&self) -> &'static str {
        "redb"
    }

    async fn put(
        &self,
        owner: &Key,
        name: &SnippetName,
        text: &SnippetText,
        condition: &Condition,
    ) -> Result<Saving, SnippetStoreError> {
        let (owner, name, text) = (owner.clone(), name.clone(), text.clone());
        let condition = condition.clone();
        let put = self.run(move |inner| {
            inner.write(|change| {
                let mut texts = change.writing.open_table(SNIPPETS)?;
                let mut versions = change.writing.open_table(VERSIONS)?;
                let key = (owner.as_str(), name.as_str());
                let present = look_up(&texts, Some(&versions), key)?.map(|(_, version)| version);
                let fulfilled = match condition {
                    Condition::Anything => true,
                    Condition::Nothing => present.is_none(),
                    Condition::Version(version) => present.as_ref() == Some(&version),
                };
                if !fulfilled {
                    return Ok(Outcome::Leave(Saving::Conflict));
                }
                texts.insert(key, text.as_str())?;
                versions.insert(key, change.next_version())?;
                Ok(Outcome::Commit(Saving::Saved))
            })
        });
        Ok(put.await?)
    }

    async fn get(
        &self,
        owner: &Key,
        name: &SnippetName,
    ) -> Result<Option<Snippet>, SnippetStoreError> {
        let (owner, name) = (owner.clone(), name.clone());
        let found = self.run(move |inner| {
            inner.read(|transaction| {
                let Some(texts) = look_into(transaction, SNIPPETS)? else {
                    return Ok(None);
                };
                let versions = look_into(transaction, VERSIONS)?;
                look_up(&texts, versions.as_ref(), (owner.as_str(), name.as_str()))
            })
        });
        let Some((text, version)) = found.await? else {
            return Ok(None);
        };
        let text = SnippetText::try_from(text).map_err(SnippetStoreError::new)?;
        Ok(Some(Snippet { text, version }))
    }

    async fn list(
        &self,
        owner: &Key,
        from: Option<&SnippetName>,
    ) -> Result<SnippetPage, SnippetStoreError> {
        let (owner, from) = (owner.clone(), from.cloned());
        let listed = self.run(move |inner| {
            inner.read(|transaction| {
                let first = from.as_ref().map_or("", SnippetName::as_str);
                look_into(transaction, SNIPPETS)?
                    .map_or_else(|| Ok(Vec::new()), |table| entries(&table, &owner, first))
            })
        });
        page(listed.await?).map_err(SnippetStoreError::new)
    }

    async fn delete(
        &self,
        owner: &Key,
        name: &SnippetName,
        version: Option<&Version>,
    ) -> Result<Deletion, SnippetStoreError> {
        let (owner, name, version) = (owner.clone(), name.clone(), version.cloned());
        let deleted = self.run(move |inner| {
            inner.write(|change| {
                let mut texts = change.writing.open_table(SNIPPETS)?;
                let mut versions = change.writing.open_table(VERSIONS)?;
                let key = (owner.as_str(), name.as_str());
                let Some((_, present)) = look_up(&texts, Some(&versions), key)? else {
                    return Ok(Outcome::Leave(Deletion::NotFound));
                };
                if version.is_some_and(|version| version != present) {
                    return Ok(Outcome::Leave(Deletion::Conflict));
                }
                texts.remove(key)?;
                versions.remove(key)?;
                Ok(Outcome::Commit(Deletion::Deleted))
            })
        });
        Ok(deleted.await?)
    }
}

type ReadTable<V> = redb::ReadOnlyTable<SnippetKey, V>;

/// The table, once there has been a snippet.
fn look_into<V: redb::Value + 'static>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, SnippetKey, V>,
) -> Result<Option<ReadTable<V>>, redb::Error> {
    match transaction.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The text under `key` with its version, if there is one.
fn look_up(
    texts: &impl ReadableTable<SnippetKey, &'static str>,
    versions: Option<&impl ReadableTable<SnippetKey, StoredVersion>>,
    key: (&str, &str),
) -> Result<Option<(String, Version)>, redb::Error> {
    let Some(text) = texts.get(key)? else {
        return Ok(None);
    };
    let version = versions.map(|versions| versions.get(key)).transpose()?.flatten();
    let version = version.map_or(BEFORE_VERSIONS, |version| version.value());
    Ok(Some((text.value().to_owned(), tag(version))))
}

/// The owner's names from `first` on with their lengths: a page and the first of the next.
fn entries(
    table: &ReadTable<&'static str>,
    owner: &Key,
    first: &str,
) -> Result<Vec<(String, u64)>, redb::Error> {
    let mut entries = Vec::new();
    for entry in table.range((owner.as_str(), first)..)?.take(PAGE + 1) {
        let (key, text) = entry?;
        let (found, name) = key.value();
        if found != owner.as_str() {
            break;
        }
        entries.push((name.to_owned(), text.value().len() as u64));
    }
    Ok(entries)
}

fn page(entries: Vec<(String, u64)>) -> Result<SnippetPage, mcp_fn::snippets::InvalidSnippetName> {
    let mut snippets = Vec::with_capacity(entries.len());
    for (name, bytes) in entries {
        snippets.push(SnippetEntry { name: SnippetName::try_from(name.as_str())?, bytes });
    }
    let next = (snippets.len() > PAGE).then(|| snippets.pop()).flatten();
    Ok(SnippetPage { snippets, next: next.map(|entry| entry.name) })
}

impl From<Fault> for SnippetStoreError {
    fn from(fault: Fault) -> Self {
        Self::new(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_text_that_was_saved_before_there_were_versions_has_one_too() {
        let store = EmbeddedStore::in_memory().unwrap();
        let (owner, name) = (Key::word("ann"), SnippetName::try_from("n").unwrap());
        let old = store.inner.write(|change| {
            let mut texts = change.writing.open_table(SNIPPETS)?;
            texts.insert((owner.as_str(), name.as_str()), "old")?;
            Ok(Outcome::Commit(()))
        });
        old.unwrap();

        let found = store.get(&owner, &name).await.unwrap().unwrap();
        let text = SnippetText::try_from("new".to_owned()).unwrap();
        let condition = Condition::Version(found.version);
        let first = store.put(&owner, &name, &text, &condition).await.unwrap();
        let second = store.put(&owner, &name, &text, &condition).await.unwrap();

        assert_eq!(found.text.as_str(), "old");
        assert_eq!((first, second), (Saving::Saved, Saving::Conflict));
    }
}

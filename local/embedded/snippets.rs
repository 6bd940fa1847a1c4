//! The store of snippets on the embedded database.

use async_trait::async_trait;
use mcp_fn::snippets::{
    Deletion, SnippetEntry, SnippetName, SnippetPage, SnippetStore, SnippetStoreError, SnippetText,
};
use redb::{ReadTransaction, TableDefinition, TableError};
use shared::storage::Key;

use super::{EmbeddedStore, Fault, Outcome};

type SnippetKey = (&'static str, &'static str);

const SNIPPETS: TableDefinition<'_, SnippetKey, &str> = TableDefinition::new("snippets");
const PAGE: usize = 100;

#[async_trait]
impl SnippetStore for EmbeddedStore {
    async fn put(
        &self,
        owner: &Key,
        name: &SnippetName,
        text: &SnippetText,
    ) -> Result<(), SnippetStoreError> {
        let (owner, name, text) = (owner.clone(), name.clone(), text.clone());
        let put = self.run(move |inner| {
            inner.write(|change| {
                let mut table = change.writing.open_table(SNIPPETS)?;
                table.insert((owner.as_str(), name.as_str()), text.as_str())?;
                Ok(Outcome::Commit(()))
            })
        });
        Ok(put.await?)
    }

    async fn get(
        &self,
        owner: &Key,
        name: &SnippetName,
    ) -> Result<Option<SnippetText>, SnippetStoreError> {
        let (owner, name) = (owner.clone(), name.clone());
        let found = self.run(move |inner| {
            inner.read(|transaction| {
                let Some(table) = look_into(transaction)? else {
                    return Ok(None);
                };
                let found = table.get((owner.as_str(), name.as_str()))?;
                Ok(found.map(|text| text.value().to_owned()))
            })
        });
        found.await?.map(SnippetText::try_from).transpose().map_err(SnippetStoreError::new)
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
                look_into(transaction)?
                    .map_or_else(|| Ok(Vec::new()), |table| entries(&table, &owner, first))
            })
        });
        page(listed.await?).map_err(SnippetStoreError::new)
    }

    async fn delete(&self, owner: &Key, name: &SnippetName) -> Result<Deletion, SnippetStoreError> {
        let (owner, name) = (owner.clone(), name.clone());
        let deleted = self.run(move |inner| {
            inner.write(|change| {
                let mut table = change.writing.open_table(SNIPPETS)?;
                let removed = table.remove((owner.as_str(), name.as_str()))?;
                Ok(match removed {
                    Some(_) => Outcome::Commit(Deletion::Deleted),
                    None => Outcome::Leave(Deletion::NotFound),
                })
            })
        });
        Ok(deleted.await?)
    }
}

type Table = redb::ReadOnlyTable<SnippetKey, &'static str>;

/// The table, once there has been a snippet.
fn look_into(transaction: &ReadTransaction) -> Result<Option<Table>, redb::Error> {
    match transaction.open_table(SNIPPETS) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The owner's names from `first` on with their lengths: a page and the first of the next.
fn entries(table: &Table, owner: &Key, first: &str) -> Result<Vec<(String, u64)>, redb::Error> {
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

    const ANN: Key = Key::word("ann");
    const BEN: Key = Key::word("ben");

    fn name(text: &str) -> SnippetName {
        SnippetName::try_from(text).unwrap()
    }

    fn text(text: &str) -> SnippetText {
        SnippetText::try_from(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn a_snippet_is_its_owners_alone() {
        let store = EmbeddedStore::in_memory().unwrap();
        store.put(&ANN, &name("n"), &text("of ann")).await.unwrap();
        store.put(&BEN, &name("n"), &text("of ben")).await.unwrap();

        let deleted = store.delete(&BEN, &name("n")).await.unwrap();

        assert_eq!(deleted, Deletion::Deleted);
        assert_eq!(store.get(&ANN, &name("n")).await.unwrap(), Some(text("of ann")));
        assert_eq!(store.get(&BEN, &name("n")).await.unwrap(), None);
        assert_eq!(store.list(&BEN, None).await.unwrap(), SnippetPage::default());
    }

    #[tokio::test]
    async fn a_new_text_takes_the_place_of_the_one_before() {
        let store = EmbeddedStore::in_memory().unwrap();
        store.put(&ANN, &name("n"), &text("one")).await.unwrap();

        store.put(&ANN, &name("n"), &text("two: \u{e9}\u{0}")).await.unwrap();

        assert_eq!(store.get(&ANN, &name("n")).await.unwrap(), Some(text("two: \u{e9}\u{0}")));
        assert_eq!(store.list(&ANN, None).await.unwrap().snippets[0].bytes, 8);
    }

    #[tokio::test]
    async fn absence_is_an_answer() {
        let store = EmbeddedStore::in_memory().unwrap();

        assert_eq!(store.get(&ANN, &name("n")).await.unwrap(), None);
        assert_eq!(store.delete(&ANN, &name("n")).await.unwrap(), Deletion::NotFound);
        assert_eq!(store.list(&ANN, None).await.unwrap(), SnippetPage::default());
    }

    #[tokio::test]
    async fn a_list_comes_in_pages_of_100_in_the_order_of_names() {
        let store = EmbeddedStore::in_memory().unwrap();
        for number in (0..201).rev() {
            store.put(&ANN, &name(&format!("n{number:03}")), &text("t")).await.unwrap();
        }

        let mut names = Vec::new();
        let mut from = None;
        let mut pages = 0;
        loop {
            let page = store.list(&ANN, from.as_ref()).await.unwrap();
            names.extend(page.snippets.into_iter().map(|entry| entry.name));
            pages += 1;
            from = page.next;
            if from.is_none() {
                break;
            }
        }

        assert_eq!(pages, 3);
        assert_eq!(
            names,
            (0..201).map(|number| name(&format!("n{number:03}"))).collect::<Vec<_>>()
        );
    }
}

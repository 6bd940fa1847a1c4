//! What the port of snippets promises, on Azure's blobs.

use std::collections::BTreeSet;

use mcp_fn::snippets::azure::AzureBlobs;
use mcp_fn::snippets::{Deletion, SnippetName, SnippetPage, SnippetStore, SnippetText};
use shared::azure::StorageService;
use shared::secret::random_bytes;
use shared::storage::Key;

async fn open() -> AzureBlobs {
    let endpoint = crate::azurite("AZURITE_BLOBS", StorageService::Blob);
    let blobs = AzureBlobs::new(&crate::azure(), endpoint).unwrap();
    blobs.make_container().await.unwrap();
    blobs
}

/// Somebody who has no snippet yet.
fn somebody() -> Key {
    Key::digest("user", &[&random_bytes::<16>()])
}

fn name(text: &str) -> SnippetName {
    SnippetName::try_from(text).unwrap()
}

fn text(text: impl Into<String>) -> SnippetText {
    SnippetText::try_from(text.into()).unwrap()
}

fn names(page: &SnippetPage) -> Vec<&str> {
    page.snippets.iter().map(|entry| entry.name.as_str()).collect()
}

#[tokio::test]
async fn a_snippet_comes_back_as_it_was_saved() {
    let (store, owner) = (open().await, somebody());
    for saved in [String::new(), "l\u{ee}ne\r\n\u{1f980}\0".to_owned(), "x".repeat(1024 * 1024)] {
        store.put(&owner, &name("n"), &text(&saved)).await.unwrap();

        let found = store.get(&owner, &name("n")).await.unwrap().unwrap();

        assert_eq!(found.as_str(), saved);
    }
}

#[tokio::test]
async fn every_name_is_a_snippet_of_its_own() {
    let (store, owner) = (open().await, somebody());
    let all = ["a", "A", "a.", ".a", "a..b", "...", "-", "_", "a-b", "a_b", &"z".repeat(128)];
    for one in all {
        store.put(&owner, &name(one), &text(one)).await.unwrap();
    }

    let page = store.list(&owner, None).await.unwrap();

    assert_eq!(names(&page).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(all));
    for one in all {
        assert_eq!(store.get(&owner, &name(one)).await.unwrap().unwrap().as_str(), one);
    }
}

#[tokio::test]
async fn absence_is_an_answer() {
    let (store, owner) = (open().await, somebody());

    assert_eq!(store.get(&owner, &name("n")).await.unwrap(), None);
    assert_eq!(store.list(&owner, None).await.unwrap(), SnippetPage::default());
    assert_eq!(store.delete(&owner, &name("n")).await.unwrap(), Deletion::NotFound);
}

#[tokio::test]
async fn a_deleted_snippet_is_gone() {
    let (store, owner) = (open().await, somebody());
    store.put(&owner, &name("n"), &text("one")).await.unwrap();

    assert_eq!(store.delete(&owner, &name("n")).await.unwrap(), Deletion::Deleted);

    assert_eq!(store.get(&owner, &name("n")).await.unwrap(), None);
    assert_eq!(store.delete(&owner, &name("n")).await.unwrap(), Deletion::NotFound);
}

#[tokio::test]
async fn nobody_reaches_the_snippets_of_another() {
    let (store, alice, bob) = (open().await, somebody(), somebody());
    store.put(&alice, &name("n"), &text("of alice")).await.unwrap();

    assert_eq!(store.get(&bob, &name("n")).await.unwrap(), None);
    assert_eq!(store.list(&bob, None).await.unwrap(), SnippetPage::default());
    assert_eq!(store.delete(&bob, &name("n")).await.unwrap(), Deletion::NotFound);
    assert_eq!(store.get(&alice, &name("n")).await.unwrap(), Some(text("of alice")));
}

#[tokio::test]
async fn pages_of_100_follow_each_other_in_the_order_of_names() {
    let (store, owner) = (open().await, somebody());
    let all: Vec<_> = (0..250).map(|number| format!("n{number:03}")).collect();
    for one in &all {
        store.put(&owner, &name(one), &text(one)).await.unwrap();
    }

    let first = store.list(&owner, None).await.unwrap();
    let second = store.list(&owner, first.next.as_ref()).await.unwrap();
    let third = store.list(&owner, second.next.as_ref()).await.unwrap();

    assert_eq!(names(&first), all[..100]);
    assert_eq!(names(&second), all[100..200]);
    assert_eq!(names(&third), all[200..]);
    assert_eq!(third.next, None);
    assert!(first.snippets.iter().all(|entry| entry.bytes == 4));
}

#[tokio::test]
async fn a_full_page_without_more_has_no_next() {
    let (store, owner) = (open().await, somebody());
    let all: Vec<_> = (0..100).map(|number| format!("n{number:03}")).collect();
    for one in &all {
        store.put(&owner, &name(one), &text(one)).await.unwrap();
    }

    let page = store.list(&owner, None).await.unwrap();

    assert_eq!((page.snippets.len(), page.next), (100, None));
}

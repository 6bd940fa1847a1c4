//! What every implementation of the port of snippets must do. Each case takes owners of its own, so
//! that one store can serve them all at once and again.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use mcp_fn::snippets::{
    Condition, Deletion, Saving, SnippetName, SnippetPage, SnippetStore, SnippetText,
};
use shared::secret::random_bytes;
use shared::storage::{Key, Version};

/// Makes a test of each case. `$open` gives a store, and what must live as long as it.
macro_rules! snippet_contract_tests {
    ($open:expr) => {
        snippet_contract_tests! { $open =>
            a_snippet_comes_back_as_it_was_saved
            a_new_text_takes_the_place_of_the_one_before
            every_name_is_a_snippet_of_its_own
            absence_is_an_answer
            a_deleted_snippet_is_gone
            nobody_reaches_the_snippets_of_another
            pages_of_100_follow_each_other_in_the_order_of_names
            a_full_page_without_more_has_no_next
            a_text_for_a_new_name_is_written_where_nothing_is
            a_text_for_a_version_is_written_over_that_version_alone
            a_deletion_at_a_version_removes_that_version_alone
            every_write_changes_the_version
            a_version_does_not_outlive_its_snippet
            of_eight_texts_for_a_new_name_one_is_written
            of_eight_texts_for_one_version_one_is_written
        }
    };
    ($open:expr => $($case:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let (store, _kept) = $open.await;
                crate::snippets::$case(store).await;
            }
        )+
    };
}

type Store = Arc<dyn SnippetStore>;

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

async fn put(store: &Store, owner: &Key, under: &str, saved: &str) {
    let condition = Condition::Anything;
    let saving = store.put(owner, &name(under), &text(saved), &condition).await.unwrap();
    assert_eq!(saving, Saving::Saved);
}

async fn get(store: &Store, owner: &Key, under: &str) -> Option<String> {
    let found = store.get(owner, &name(under)).await.unwrap();
    found.map(|snippet| snippet.text.as_str().to_owned())
}

async fn version(store: &Store, owner: &Key, under: &str) -> Version {
    store.get(owner, &name(under)).await.unwrap().unwrap().version
}

/// How many of eight texts, written at once under the name `n`, are there afterwards: the one.
async fn race(store: &Store, owner: &Key, condition: &Condition) {
    let (name, texts) = (name("n"), (0..8).map(|number| text(number.to_string())));
    let savings = texts.map(|text| {
        let (store, owner, name) = (Arc::clone(store), owner.clone(), name.clone());
        let condition = condition.clone();
        tokio::spawn(async move { store.put(&owner, &name, &text, &condition).await.unwrap() })
    });
    let savings = join_all(savings).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();

    let saved = savings.iter().position(|saving| *saving == Saving::Saved).unwrap();
    assert_eq!(savings.iter().filter(|saving| **saving == Saving::Saved).count(), 1);
    assert_eq!(get(store, owner, "n").await, Some(saved.to_string()));
}

pub(crate) async fn a_snippet_comes_back_as_it_was_saved(store: Store) {
    let owner = somebody();
    for saved in [String::new(), "l\u{ee}ne\r\n\u{1f980}\0".to_owned(), "x".repeat(1024 * 1024)] {
        put(&store, &owner, "n", &saved).await;

        assert_eq!(get(&store, &owner, "n").await, Some(saved));
    }
}

pub(crate) async fn a_new_text_takes_the_place_of_the_one_before(store: Store) {
    let owner = somebody();
    put(&store, &owner, "n", "one").await;

    put(&store, &owner, "n", "two: \u{e9}\u{0}").await;

    assert_eq!(get(&store, &owner, "n").await.unwrap(), "two: \u{e9}\u{0}");
    assert_eq!(store.list(&owner, None).await.unwrap().snippets[0].bytes, 8);
}

pub(crate) async fn every_name_is_a_snippet_of_its_own(store: Store) {
    let owner = somebody();
    let all = ["a", "A", "a.", ".a", "a..b", "...", "-", "_", "a-b", "a_b", &"z".repeat(128)];
    for one in all {
        put(&store, &owner, one, one).await;
    }

    let page = store.list(&owner, None).await.unwrap();

    assert_eq!(names(&page).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(all));
    for one in all {
        assert_eq!(get(&store, &owner, one).await.unwrap(), one);
    }
}

pub(crate) async fn absence_is_an_answer(store: Store) {
    let owner = somebody();

    assert_eq!(store.get(&owner, &name("n")).await.unwrap(), None);
    assert_eq!(store.list(&owner, None).await.unwrap(), SnippetPage::default());
    assert_eq!(store.delete(&owner, &name("n"), None).await.unwrap(), Deletion::NotFound);
}

pub(crate) async fn a_deleted_snippet_is_gone(store: Store) {
    let owner = somebody();
    put(&store, &owner, "n", "one").await;

    assert_eq!(store.delete(&owner, &name("n"), None).await.unwrap(), Deletion::Deleted);

    assert_eq!(store.get(&owner, &name("n")).await.unwrap(), None);
    assert_eq!(store.list(&owner, None).await.unwrap(), SnippetPage::default());
    assert_eq!(store.delete(&owner, &name("n"), None).await.unwrap(), Deletion::NotFound);
}

pub(crate) async fn nobody_reaches_the_snippets_of_another(store: Store) {
    let (alice, bob) = (somebody(), somebody());
    put(&store, &alice, "n", "of alice").await;

    assert_eq!(store.get(&bob, &name("n")).await.unwrap(), None);
    assert_eq!(store.list(&bob, None).await.unwrap(), SnippetPage::default());
    assert_eq!(store.delete(&bob, &name("n"), None).await.unwrap(), Deletion::NotFound);
    put(&store, &bob, "n", "of bob").await;
    assert_eq!(store.delete(&bob, &name("n"), None).await.unwrap(), Deletion::Deleted);
    assert_eq!(get(&store, &alice, "n").await.unwrap(), "of alice");
}

pub(crate) async fn pages_of_100_follow_each_other_in_the_order_of_names(store: Store) {
    let owner = somebody();
    let all: Vec<_> = (0..250).map(|number| format!("n{number:03}")).collect();
    for one in all.iter().rev() {
        put(&store, &owner, one, one).await;
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

pub(crate) async fn a_full_page_without_more_has_no_next(store: Store) {
    let owner = somebody();
    for number in 0..100 {
        put(&store, &owner, &format!("n{number:03}"), "text").await;
    }

    let page = store.list(&owner, None).await.unwrap();

    assert_eq!((page.snippets.len(), page.next), (100, None));
}

pub(crate) async fn a_text_for_a_new_name_is_written_where_nothing_is(store: Store) {
    let owner = somebody();
    let new = Condition::Nothing;

    let first = store.put(&owner, &name("n"), &text("one"), &new).await.unwrap();
    let second = store.put(&owner, &name("n"), &text("two"), &new).await.unwrap();

    assert_eq!((first, second), (Saving::Saved, Saving::Conflict));
    assert_eq!(get(&store, &owner, "n").await.unwrap(), "one");
}

pub(crate) async fn a_text_for_a_version_is_written_over_that_version_alone(store: Store) {
    let owner = somebody();
    put(&store, &owner, "n", "one").await;
    let one = Condition::Version(version(&store, &owner, "n").await);

    let first = store.put(&owner, &name("n"), &text("two"), &one).await.unwrap();
    let second = store.put(&owner, &name("n"), &text("three"), &one).await.unwrap();
    let elsewhere = store.put(&owner, &name("m"), &text("four"), &one).await.unwrap();

    assert_eq!((first, second), (Saving::Saved, Saving::Conflict));
    assert_eq!(elsewhere, Saving::Conflict);
    assert_eq!(get(&store, &owner, "n").await.unwrap(), "two");
    assert_eq!(get(&store, &owner, "m").await, None);
}

pub(crate) async fn a_deletion_at_a_version_removes_that_version_alone(store: Store) {
    let owner = somebody();
    put(&store, &owner, "n", "one").await;
    let one = version(&store, &owner, "n").await;
    put(&store, &owner, "n", "two").await;
    let two = version(&store, &owner, "n").await;

    let late = store.delete(&owner, &name("n"), Some(&one)).await.unwrap();
    let kept = get(&store, &owner, "n").await;
    let right = store.delete(&owner, &name("n"), Some(&two)).await.unwrap();
    let again = store.delete(&owner, &name("n"), Some(&two)).await.unwrap();

    assert_eq!((late, kept.as_deref()), (Deletion::Conflict, Some("two")));
    assert_eq!(right, Deletion::Deleted);
    // Azurite calls it a conflict when nothing is there.
    assert_ne!(again, Deletion::Deleted);
}

pub(crate) async fn every_write_changes_the_version(store: Store) {
    let owner = somebody();
    put(&store, &owner, "n", "text").await;
    let first = version(&store, &owner, "n").await;

    assert_eq!(version(&store, &owner, "n").await, first);
    put(&store, &owner, "n", "text").await;

    assert_ne!(version(&store, &owner, "n").await, first);
}

pub(crate) async fn a_version_does_not_outlive_its_snippet(store: Store) {
    let owner = somebody();
    put(&store, &owner, "n", "text").await;
    let gone = version(&store, &owner, "n").await;
    assert_eq!(store.delete(&owner, &name("n"), None).await.unwrap(), Deletion::Deleted);

    put(&store, &owner, "n", "text").await;

    let late = store.delete(&owner, &name("n"), Some(&gone)).await.unwrap();
    assert_eq!(late, Deletion::Conflict);
}

pub(crate) async fn of_eight_texts_for_a_new_name_one_is_written(store: Store) {
    race(&store, &somebody(), &Condition::Nothing).await;
}

pub(crate) async fn of_eight_texts_for_one_version_one_is_written(store: Store) {
    let owner = somebody();
    put(&store, &owner, "n", "before").await;

    race(&store, &owner, &Condition::Version(version(&store, &owner, "n").await)).await;
}

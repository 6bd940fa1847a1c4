//! Each verb of Blob Storage under each fault.

use futures::future::join_all;
use mcp_fn::snippets::azure::AzureBlobs;
use mcp_fn::snippets::{Condition, Deletion, Saving, SnippetName, SnippetStore, SnippetText};
use shared::azure::Patience;
use shared::deadline::Deadline;
use shared::storage::Key;
use std::time::Duration;
use tokio::time::Instant;

use crate::account::{Account, Fault, PASSING, PATIENT, Work, azure, patience};
use crate::blobs::Blobs;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Delete,
    Get,
    List,
    Put,
}

/// Those that do the same twice as once.
const REPEATING: [Verb; 3] = [Verb::Get, Verb::List, Verb::Put];

/// An account with the snippet `there`, and the door to it.
struct Snippets {
    account: Account<Blobs>,
    blobs: AzureBlobs,
}

impl Snippets {
    async fn open(patience: Patience) -> Self {
        let account = Account::<Blobs>::open().await;
        account.service().0.insert("owner/there".to_owned(), b"old text".to_vec());
        let blobs = AzureBlobs::new(&azure(patience), account.endpoint()).unwrap();
        Self { account, blobs }
    }

    /// What a caller is told: nothing went wrong, or what did.
    async fn call(&self, verb: Verb) -> Result<(), String> {
        let (owner, there) = (Key::word("owner"), SnippetName::try_from("there").unwrap());
        let blobs = &self.blobs;
        let outcome = match verb {
            Verb::Delete => blobs.delete(&owner, &there, None).await.map(|deletion| {
                assert_eq!(deletion, Deletion::Deleted);
            }),
            Verb::Get => blobs.get(&owner, &there).await.map(|found| {
                assert_eq!(found.unwrap().text.as_str(), "old text");
            }),
            Verb::List => blobs.list(&owner, None).await.map(|page| {
                assert_eq!(page.snippets.len(), 1);
            }),
            Verb::Put => {
                let text = SnippetText::try_from("new text".to_owned()).unwrap();
                let put = blobs.put(&owner, &there, &text, &Condition::Anything).await;
                put.map(|saving| assert_eq!(saving, Saving::Saved))
            }
        };
        outcome.map_err(|error| std::error::Error::source(&error).unwrap().to_string())
    }

    fn text(&self) -> Option<Vec<u8>> {
        self.account.service().0.get("owner/there").cloned()
    }

    fn sent(&self) -> usize {
        self.account.calls().len()
    }
}

#[tokio::test]
async fn one_fault_is_bettered_by_a_second_try_where_twice_is_as_once() {
    let cases = REPEATING
        .into_iter()
        .flat_map(|verb| PASSING.map(|fault| (verb, fault)))
        .flat_map(|(verb, fault)| [(verb, fault, Work::Done), (verb, fault, Work::Undone)])
        // What has begun to arrive is not begun again: a blob that is too long is never read.
        .filter(|(verb, fault, work)| {
            (*verb, *fault, *work) != (Verb::Get, Fault::Half, Work::Done)
        });

    join_all(cases.map(async |(verb, fault, work)| {
        let snippets = Snippets::open(patience(fault)).await;
        snippets.account.break_once(fault, work);

        let told = snippets.call(verb).await;

        let case = format!("{verb:?}, {fault:?}, {work:?}: {told:?}");
        assert!(told.is_ok(), "{case}");
        assert_eq!(snippets.sent(), 2, "{case}");
        let text: &[u8] = if verb == Verb::Put { b"new text" } else { b"old text" };
        assert_eq!(snippets.text().unwrap(), text, "{case}");
    }))
    .await;
}

#[tokio::test]
async fn a_new_text_whose_answer_was_lost_is_met_by_its_second_try() {
    join_all(PASSING.map(async |fault| {
        let snippets = Snippets::open(patience(fault)).await;
        snippets.account.break_once(fault, Work::Done);
        let (owner, new) = (Key::word("owner"), SnippetName::try_from("new").unwrap());
        let text = SnippetText::try_from("new text".to_owned()).unwrap();

        let saving = snippets.blobs.put(&owner, &new, &text, &Condition::Nothing).await;

        assert_eq!(saving.unwrap(), Saving::Conflict, "{fault:?}");
        assert_eq!(snippets.sent(), 2, "{fault:?}");
        let found = snippets.blobs.get(&owner, &new).await.unwrap().unwrap();
        assert_eq!(found.text, text, "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_deletion_is_sent_once_and_its_outcome_is_not_guessed() {
    let cases = PASSING.into_iter().flat_map(|fault| [(fault, Work::Done), (fault, Work::Undone)]);

    join_all(cases.map(async |(fault, work)| {
        let snippets = Snippets::open(patience(fault)).await;
        snippets.account.break_once(fault, work);

        let told = snippets.call(Verb::Delete).await;

        let case = format!("{fault:?}, {work:?}: {told:?}");
        assert!(told.is_err(), "{case}");
        assert_eq!(snippets.sent(), 1, "{case}");
        assert_eq!(snippets.text().is_none(), work == Work::Done, "{case}");
    }))
    .await;
}

#[tokio::test]
async fn a_fault_that_stays_is_met_three_times_and_told() {
    let cases = REPEATING.into_iter().flat_map(|verb| PASSING.map(|fault| (verb, fault)));

    join_all(cases.map(async |(verb, fault)| {
        let snippets = Snippets::open(patience(fault)).await;
        snippets.account.break_down(fault);

        let told = snippets.call(verb).await;

        let case = format!("{verb:?}, {fault:?}: {told:?}");
        assert!(told.unwrap_err().starts_with("BLOBS_ENDPOINT: cannot "), "{case}");
        assert_eq!(snippets.sent(), 3, "{case}");
        assert_eq!(snippets.text().unwrap(), b"old text", "{case}");
    }))
    .await;
}

#[tokio::test]
async fn a_text_that_breaks_off_is_no_text() {
    let snippets = Snippets::open(PATIENT).await;
    snippets.account.break_once(Fault::Half, Work::Done);

    let told = snippets.call(Verb::Get).await;

    let cause = told.unwrap_err();
    assert!(cause.starts_with("BLOBS_ENDPOINT: cannot read a snippet: no answer"), "{cause}");
    assert_eq!(snippets.sent(), 1);
    assert!(snippets.call(Verb::Get).await.is_ok());
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let patience = Patience { deadline: Duration::from_millis(300), ..PATIENT };
    join_all([Verb::Delete, Verb::Get, Verb::List, Verb::Put].map(async |verb| {
        let snippets = Snippets::open(patience).await;
        snippets.account.break_down(Fault::Silence);
        let began = Instant::now();

        let cause = snippets.call(verb).await.unwrap_err();

        assert!(cause.contains("no answer in time"), "{verb:?}: {cause}");
        assert!(began.elapsed() >= patience.deadline, "{verb:?}");
        assert!(began.elapsed() < PATIENT.each_try, "{verb:?}: {:?}", began.elapsed());
    }))
    .await;
}

#[tokio::test]
async fn nobody_waits_longer_than_the_time_of_the_request_and_no_setting_is_blamed() {
    let time = Duration::from_millis(300);
    join_all([Verb::Delete, Verb::Get, Verb::List, Verb::Put].map(async |verb| {
        let snippets = Snippets::open(PATIENT).await;
        snippets.account.break_down(Fault::Silence);
        let began = Instant::now();

        let told = Deadline::after(time).hold(snippets.call(verb)).await;

        let (cause, over) = (told.unwrap_err(), ": the time of the request was over before");
        assert!(cause.ends_with(over), "{verb:?}: {cause}");
        assert!(began.elapsed() >= time, "{verb:?}");
    }))
    .await;
}

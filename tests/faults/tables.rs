//! Each verb of Table Storage under each fault: how often it is sent, what is told, what is done.

use std::time::Duration;

use futures::future::join_all;
use shared::azure::Patience;
use shared::deadline::Deadline;
use shared::storage::{
    Address, AzureTables, InsertError, Key, Record, RecordStore, ReplaceError, StoreError,
    TableCreation, TableName, Version,
};
use tokio::time::Instant;

use crate::account::{Account, Fault, IMPATIENT, PASSING, PATIENT, Work, azure, patience};
use crate::records::Records;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    CreateTable,
    DropTable,
    Get,
    Insert,
    List,
    Page,
    Remove,
    Replace,
}

/// Those that do the same twice as once.
const REPEATING: [Verb; 6] =
    [Verb::CreateTable, Verb::DropTable, Verb::Get, Verb::List, Verb::Page, Verb::Remove];

/// Those whose second try would meet what the first one did.
const ONCE: [Verb; 2] = [Verb::Insert, Verb::Replace];

/// An account with the table `old` and one record in it, and the door to it.
struct Tables {
    account: Account<Records>,
    door: AzureTables,
    version: Version,
}

/// What a caller is told.
#[derive(Debug)]
enum Told {
    Answer,
    Lost,
    Unknown(String),
}

impl Tables {
    async fn open(patience: Patience) -> Self {
        let account = Account::<Records>::open().await;
        let door = AzureTables::new(&azure(PATIENT), account.endpoint());
        door.create_table(&table("old")).await.unwrap();
        door.insert(&address("there"), record(1)).await.unwrap();
        let version = door.get(&address("there")).await.unwrap().unwrap().version;
        let door = AzureTables::new(&azure(patience), account.endpoint());
        Self { account, door, version }
    }

    async fn call(&self, verb: Verb) -> Told {
        let Self { door, version, .. } = self;
        let there = address("there");
        match verb {
            Verb::CreateTable => told(door.create_table(&table("new")).await),
            Verb::DropTable => told(door.drop_table(&table("old")).await),
            Verb::Get => told(door.get(&there).await.map(|found| {
                assert_eq!(found.unwrap().record, record(1));
            })),
            Verb::Insert => match door.insert(&address("other"), record(2)).await {
                Err(InsertError::Store(error)) => told(Err::<(), _>(error)),
                Err(error) => panic!("{error}"),
                Ok(()) => Told::Answer,
            },
            Verb::List => told(door.list(&there.table, &there.partition).await.map(|found| {
                assert_eq!(found.len(), 1);
            })),
            Verb::Page => told(door.page(&there.table, None).await.map(|found| {
                assert_eq!(found.records.len(), 1);
            })),
            Verb::Remove => told(door.remove(&there).await),
            Verb::Replace => match door.replace(&there, record(2), version).await {
                Err(ReplaceError::Store(error)) => told(Err::<(), _>(error)),
                Err(ReplaceError::Lost) => Told::Lost,
                Ok(()) => Told::Answer,
            },
        }
    }

    /// Whether what `verb` changes is changed; nothing if it changes nothing.
    fn is_done(&self, verb: Verb) -> Option<bool> {
        let records = self.account.service();
        match verb {
            Verb::CreateTable => Some(records.has_table("new")),
            Verb::DropTable => Some(!records.has_table("old")),
            Verb::Insert => Some(records.row("other").is_some()),
            Verb::Remove => Some(records.row("there").is_none()),
            Verb::Replace => Some(records.row("there").unwrap()["c"] == "Ag=="),
            Verb::Get | Verb::List | Verb::Page => None,
        }
    }

    fn sent(&self) -> usize {
        self.account.calls().len()
    }
}

fn told<T>(outcome: Result<T, StoreError>) -> Told {
    match outcome {
        Ok(_) => Told::Answer,
        Err(error) => Told::Unknown(std::error::Error::source(&error).unwrap().to_string()),
    }
}

fn table(name: &'static str) -> TableName {
    TableName::word(name)
}

fn address(row: &'static str) -> Address {
    Address { table: table("old"), partition: Key::word("p"), row: Key::word(row) }
}

fn record(byte: u8) -> Record {
    Record::default().with("c", vec![byte])
}

/// Every pair of one of `verbs` and one of `faults`.
fn pairs<'a>(verbs: &'a [Verb], faults: &'a [Fault]) -> impl Iterator<Item = (Verb, Fault)> + 'a {
    verbs.iter().flat_map(|verb| faults.iter().map(|fault| (*verb, *fault)))
}

#[tokio::test]
async fn one_fault_is_bettered_by_a_second_try_where_twice_is_as_once() {
    let cases = pairs(&REPEATING, &PASSING)
        .flat_map(|(verb, fault)| [(verb, fault, Work::Done), (verb, fault, Work::Undone)]);

    join_all(cases.map(async |(verb, fault, work)| {
        let tables = Tables::open(patience(fault)).await;
        tables.account.break_once(fault, work);

        let told = tables.call(verb).await;

        let case = format!("{verb:?}, {fault:?}, {work:?}: {told:?}");
        assert!(matches!(told, Told::Answer), "{case}");
        assert_eq!(tables.sent(), 2, "{case}");
        assert_ne!(tables.is_done(verb), Some(false), "{case}");
    }))
    .await;
}

#[tokio::test]
async fn an_insertion_or_a_replacement_is_sent_once_whatever_becomes_of_it() {
    let cases = pairs(&ONCE, &PASSING)
        .flat_map(|(verb, fault)| [(verb, fault, Work::Done), (verb, fault, Work::Undone)]);

    join_all(cases.map(async |(verb, fault, work)| {
        let tables = Tables::open(patience(fault)).await;
        tables.account.break_once(fault, work);

        let told = tables.call(verb).await;

        let case = format!("{verb:?}, {fault:?}, {work:?}: {told:?}");
        assert!(matches!(told, Told::Unknown(_)), "{case}");
        assert_eq!(tables.sent(), 1, "{case}");
        assert_eq!(tables.is_done(verb), Some(work == Work::Done), "{case}");
    }))
    .await;
}

#[tokio::test]
async fn a_fault_that_stays_is_met_three_times_and_told() {
    join_all(pairs(&REPEATING, &PASSING).map(async |(verb, fault)| {
        let tables = Tables::open(patience(fault)).await;
        tables.account.break_down(fault);

        let told = tables.call(verb).await;

        let case = format!("{verb:?}, {fault:?}: {told:?}");
        let Told::Unknown(cause) = told else { panic!("{case}") };
        assert!(cause.starts_with("SESSION_TABLES_ENDPOINT: cannot "), "{case}");
        assert_eq!(tables.sent(), 3, "{case}");
        assert_ne!(tables.is_done(verb), Some(true), "{case}");
    }))
    .await;
}

#[tokio::test]
async fn what_another_try_cannot_better_is_sent_once() {
    let last_words = [
        Fault::Refused(400, "InvalidInput"),
        Fault::Refused(401, "InvalidAuthenticationInfo"),
        Fault::Refused(403, "AuthorizationPermissionMismatch"),
        Fault::Refused(405, "MethodNotAllowed"),
        Fault::Refused(501, "NotImplemented"),
    ];
    for (verb, fault) in pairs(&[&REPEATING[..], &ONCE].concat(), &last_words) {
        let tables = Tables::open(PATIENT).await;
        tables.account.break_down(fault);

        let told = tables.call(verb).await;

        let case = format!("{verb:?}, {fault:?}: {told:?}");
        assert!(matches!(told, Told::Unknown(_)), "{case}");
        assert_eq!(tables.sent(), 1, "{case}");
        assert_ne!(tables.is_done(verb), Some(true), "{case}");
    }
}

#[tokio::test]
async fn an_answer_that_is_late_but_in_time_is_waited_for() {
    let late = Fault::Late(Duration::from_millis(100));
    join_all([&REPEATING[..], &ONCE].concat().into_iter().map(async |verb| {
        let tables = Tables::open(PATIENT).await;
        tables.account.break_once(late, Work::Done);

        let told = tables.call(verb).await;

        assert!(matches!(told, Told::Answer), "{verb:?}: {told:?}");
        assert_eq!(tables.sent(), 1, "{verb:?}");
    }))
    .await;
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    // No try is given up before it: the deadline alone can end this.
    let patience = Patience { deadline: Duration::from_millis(300), ..PATIENT };
    join_all([&REPEATING[..], &ONCE].concat().into_iter().map(async |verb| {
        let tables = Tables::open(patience).await;
        tables.account.break_down(Fault::Silence);
        let began = Instant::now();

        let told = tables.call(verb).await;

        let Told::Unknown(cause) = told else { panic!("{verb:?}: {told:?}") };
        assert!(cause.contains("no answer in time"), "{verb:?}: {cause}");
        assert!(began.elapsed() >= patience.deadline, "{verb:?}");
        assert!(began.elapsed() < PATIENT.each_try, "{verb:?}: {:?}", began.elapsed());
    }))
    .await;
}

#[tokio::test]
async fn nobody_waits_longer_than_the_time_of_the_request_and_no_setting_is_blamed() {
    // By then neither a try ends nor the call itself.
    let time = Duration::from_millis(300);
    join_all([&REPEATING[..], &ONCE].concat().into_iter().map(async |verb| {
        let tables = Tables::open(PATIENT).await;
        tables.account.break_down(Fault::Silence);
        let began = Instant::now();

        let told = Deadline::after(time).hold(tables.call(verb)).await;

        let Told::Unknown(cause) = told else { panic!("{verb:?}: {told:?}") };
        let over = ": the time of the request was over before";
        assert!(cause.ends_with(over), "{verb:?}: {cause}");
        assert!(began.elapsed() >= time, "{verb:?}");
    }))
    .await;
}

#[tokio::test]
async fn what_would_begin_when_the_time_of_the_request_is_over_is_not_sent() {
    for verb in [&REPEATING[..], &ONCE].concat() {
        let tables = Tables::open(PATIENT).await;
        tables.account.mend();

        let told = Deadline::after(Duration::ZERO).hold(tables.call(verb)).await;

        let Told::Unknown(cause) = told else { panic!("{verb:?}: {told:?}") };
        let over = ": the time of the request was over before";
        assert!(cause.ends_with(over), "{verb:?}: {cause}");
        assert_eq!(tables.sent(), 0, "{verb:?}");
        assert_ne!(tables.is_done(verb), Some(true), "{verb:?}");
    }
}

#[tokio::test]
async fn who_would_have_to_wait_longer_than_the_time_of_the_request_is_told_at_once() {
    let tables = Tables::open(PATIENT).await;
    tables.account.break_down(Fault::RefusedFor(503, 20));

    let told = Deadline::after(Duration::from_secs(10)).hold(tables.call(Verb::Get)).await;

    let Told::Unknown(cause) = told else { panic!("{told:?}") };
    assert_eq!(cause, "SESSION_TABLES_ENDPOINT: cannot read a record: 503 ServerBusy");
    assert_eq!(tables.sent(), 1);
}

#[tokio::test]
async fn azure_is_left_alone_for_as_long_as_it_asks() {
    join_all([429, 503].map(async |status| {
        let tables = Tables::open(PATIENT).await;
        tables.account.break_once(Fault::RefusedFor(status, 1), Work::Undone);

        let told = tables.call(Verb::Get).await;

        assert!(matches!(told, Told::Answer), "{told:?}");
        let calls = tables.account.calls();
        assert_eq!(calls.len(), 2);
        assert!(calls[1] - calls[0] >= Duration::from_secs(1), "{:?}", calls[1] - calls[0]);
    }))
    .await;
}

#[tokio::test]
async fn who_would_have_to_wait_longer_than_the_deadline_is_told_at_once() {
    for status in [429, 503] {
        let tables = Tables::open(PATIENT).await;
        let seconds = PATIENT.deadline.as_secs();
        tables.account.break_down(Fault::RefusedFor(status, seconds));
        let began = Instant::now();

        let told = tables.call(Verb::Get).await;

        let Told::Unknown(cause) = told else { panic!("{told:?}") };
        assert_eq!(
            cause,
            format!("SESSION_TABLES_ENDPOINT: cannot read a record: {status} ServerBusy")
        );
        assert_eq!(tables.sent(), 1);
        assert!(began.elapsed() < PATIENT.deadline / 2);
    }
}

#[tokio::test]
async fn a_table_is_not_made_under_a_name_that_is_being_deleted() {
    let Tables { account, door, version } = Tables::open(IMPATIENT).await;
    let there = address("there");
    door.drop_table(&there.table).await.unwrap();

    let made = door.create_table(&there.table).await;

    assert!(made.is_err(), "{made:?}");
    let inserted = door.insert(&there, record(2)).await;
    assert!(matches!(inserted, Err(InsertError::Store(_))), "{inserted:?}");
    let replaced = door.replace(&there, record(2), &version).await;
    assert!(matches!(replaced, Err(ReplaceError::Store(_))), "{replaced:?}");
    assert!(door.drop_table(&there.table).await.is_ok());
    assert!(!account.service().has_table("old"));
}

#[tokio::test]
async fn a_table_whose_making_was_not_confirmed_counts_as_found() {
    let Tables { account, door, .. } = Tables::open(PATIENT).await;
    account.break_once(Fault::Reset, Work::Done);

    let made = door.create_table(&table("new")).await.unwrap();

    assert_eq!(made, TableCreation::Existed);
}

#[tokio::test]
async fn a_list_of_several_pages_goes_on_where_it_broke_off() {
    for fault in [Fault::Half, Fault::Reset, Fault::Refused(500, "OperationTimedOut")] {
        let Tables { account, door, .. } = Tables::open(PATIENT).await;
        for row in ["a", "b", "c", "d"] {
            door.insert(&address(row), record(2)).await.unwrap();
        }
        account.break_after(1, fault, Work::Done);

        let found = door.list(&table("old"), &Key::word("p")).await.unwrap();

        let rows: Vec<_> = found.iter().map(|(row, _)| row.as_str()).collect();
        assert_eq!(rows, ["a", "b", "c", "d", "there"], "{fault:?}");
        assert_eq!(account.calls().len(), 4, "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_whole_and_makes_no_sense_is_not_asked_for_again() {
    let tables = Tables::open(PATIENT).await;
    let html = Fault::Refused(200, "<html>");
    tables.account.break_down(html);

    for verb in [Verb::Get, Verb::List, Verb::Page] {
        let before = tables.sent();
        let told = tables.call(verb).await;

        let Told::Unknown(cause) = told else { panic!("{verb:?}: {told:?}") };
        assert!(cause.contains("the answer is not readable"), "{verb:?}: {cause}");
        assert_eq!(tables.sent() - before, 1, "{verb:?}");
    }
}

//! What each verb makes of each answer, and how often it asks, against a stand-in that answers
//! every request alike.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

use super::*;
use crate::azure::{AzureIdentity, StorageService, http_client};
use crate::config::Settings;

struct Account {
    tables: AzureTables,
    requests: Arc<AtomicUsize>,
}

impl Account {
    async fn answering(status: u16, code: &'static str) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let answer = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async move { (StatusCode::from_u16(status).unwrap(), [("x-ms-error-code", code)]) }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let tables = tables(listener.local_addr().unwrap().port());
        let service = Router::new().fallback(answer);
        tokio::spawn(async { axum::serve(listener, service).await });
        Self { tables, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn tables(port: u16) -> AzureTables {
    let url = format!("http://127.0.0.1:{port}/devstoreaccount1");
    let env = [("SESSION_TABLES_ENDPOINT", url.as_str())];
    let mut settings = Settings::new(&env);
    let service = StorageService::Table;
    let endpoint = StorageEndpoint::read(&mut settings, "SESSION_TABLES_ENDPOINT", service);
    let azure = Azure::new(&AzureIdentity::Developer, http_client().unwrap()).unwrap();
    AzureTables::new(&azure, endpoint.unwrap())
}

fn address() -> Address {
    Address { table: TableName::word("t"), partition: Key::word("p"), row: Key::word("r") }
}

async fn insert(status: u16, code: &'static str) -> Result<(), InsertError> {
    let account = Account::answering(status, code).await;
    account.tables.insert(&address(), Record::default()).await
}

async fn replace(status: u16, code: &'static str) -> Result<(), ReplaceError> {
    let account = Account::answering(status, code).await;
    account.tables.replace(&address(), Record::default(), &Version::new("1")).await
}

async fn get(status: u16, code: &'static str) -> Result<Option<Versioned>, StoreError> {
    Account::answering(status, code).await.tables.get(&address()).await
}

async fn drop_table(status: u16, code: &'static str) -> Result<(), StoreError> {
    Account::answering(status, code).await.tables.drop_table(&address().table).await
}

async fn create_table(status: u16, code: &'static str) -> Result<TableCreation, StoreError> {
    Account::answering(status, code).await.tables.create_table(&address().table).await
}

#[tokio::test]
async fn the_conflicts_of_an_insert_are_told_apart() {
    assert!(matches!(insert(409, "EntityAlreadyExists").await, Err(InsertError::Exists)));
    assert!(matches!(insert(404, "TableNotFound").await, Err(InsertError::NoTable)));
    assert!(matches!(insert(409, "TableBeingDeleted").await, Err(InsertError::Store(_))));
    assert!(matches!(insert(404, "").await, Err(InsertError::Store(_))));
}

#[tokio::test]
async fn a_replacement_is_never_written_twice_or_where_nothing_is() {
    assert!(matches!(replace(412, "UpdateConditionNotSatisfied").await, Err(ReplaceError::Lost)));
    assert!(matches!(replace(404, "ResourceNotFound").await, Err(ReplaceError::Lost)));
    assert!(matches!(replace(404, "TableNotFound").await, Err(ReplaceError::Lost)));
    assert!(matches!(replace(409, "TableBeingDeleted").await, Err(ReplaceError::Store(_))));
}

#[tokio::test]
async fn only_table_storage_says_that_a_record_is_absent() {
    assert_eq!(get(404, "ResourceNotFound").await.unwrap(), None);
    assert_eq!(get(404, "TableNotFound").await.unwrap(), None);
    assert!(get(404, "").await.is_err());
    assert!(get(403, "AuthorizationFailure").await.is_err());
}

#[tokio::test]
async fn a_table_that_is_being_dropped_is_dropped_and_not_yet_made_anew() {
    assert!(drop_table(409, "TableBeingDeleted").await.is_ok());
    assert!(create_table(409, "TableBeingDeleted").await.is_err());
    assert_eq!(create_table(409, "TableAlreadyExists").await.unwrap(), TableCreation::Existed);
}

#[tokio::test]
async fn what_a_second_try_would_answer_otherwise_is_sent_once() {
    let account = Account::answering(503, "ServerBusy").await;
    let version = Version::new("1");

    let inserted = account.tables.insert(&address(), Record::default()).await;
    let replaced = account.tables.replace(&address(), Record::default(), &version).await;

    assert!(matches!(inserted, Err(InsertError::Store(_))), "{inserted:?}");
    assert!(matches!(replaced, Err(ReplaceError::Store(_))), "{replaced:?}");
    assert_eq!(account.requests(), 2);
}

#[tokio::test]
async fn what_does_the_same_twice_is_tried_three_times() {
    let account = Account::answering(503, "ServerBusy").await;
    let (tables, address) = (&account.tables, address());

    let (got, listed, removed, created, dropped) = tokio::join!(
        tables.get(&address),
        tables.list(&address.table, &address.partition),
        tables.remove(&address),
        tables.create_table(&address.table),
        tables.drop_table(&address.table),
    );

    assert!(got.is_err() && listed.is_err() && removed.is_err());
    assert!(created.is_err() && dropped.is_err());
    assert_eq!(account.requests(), 15);
}

#[tokio::test]
async fn an_account_that_does_not_answer_is_reported_by_its_setting() {
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);

    let error = tables(port).insert(&address(), Record::default()).await.unwrap_err();

    let InsertError::Store(error) = error else { panic!("{error:?}") };
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("SESSION_TABLES_ENDPOINT: cannot insert a record: no answer ("));
    assert!(!cause.contains("http"), "{cause}");
}

#[tokio::test]
async fn over_plain_http_the_key_that_everybody_knows_is_sent_and_never_a_token() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let answer = move |headers: HeaderMap| {
        kept.lock().unwrap().extend(headers.get("authorization").cloned());
        async { StatusCode::NO_CONTENT }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let tables = tables(listener.local_addr().unwrap().port());
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });

    tables.remove(&address()).await.unwrap();
    tables.insert(&address(), Record::default()).await.unwrap();

    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|value| value.as_bytes().starts_with(b"SharedKey devstoreaccount1:")));
}

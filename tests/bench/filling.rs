//! Sessions and snippets of other users, as large as real ones.

use std::time::Duration;

use futures::future::join_all;
use local::azure::AzureAccount;
use local::say;
use mcp_fn::snippets::azure::AzureBlobs;
use mcp_fn::snippets::{Condition, Saving, SnippetName, SnippetStore, SnippetText};
use shared::azure::{Azure, AzureIdentity, http_client};
use shared::clock::Clock;
use shared::secret::random_bytes;
use shared::session::{ExpiryWeek, SessionId};
use shared::storage::{Address, InsertError, Key, Record, RecordStore, TableName};

use crate::system::System;

/// How many snippets each of the other users has; a page of them and more.
const SNIPPETS_OF_EACH: usize = 200;

/// So much is written at once.
const AT_ONCE: usize = 32;

/// After so many a line tells how far it is.
const SHOWN: usize = 10_000;

/// What was filled in, and copies of a real session to fill in more.
pub(crate) struct Filling {
    snippets: AzureBlobs,
    week: ExpiryWeek,
    session: Record,
    user: Record,
    size: usize,
}

impl Filling {
    /// Fills in `size` of each; the session that is there is the pattern.
    pub(crate) async fn of(system: &System, account: &AzureAccount, size: usize) -> Self {
        let records: &dyn RecordStore = system.stack.oauth_records().as_ref();
        let week = ExpiryWeek::of(system.clock.now().plus(Duration::from_hours(30 * 24)));
        let azure = Azure::new(&AzureIdentity::Developer, http_client().unwrap()).unwrap();
        let filling = Self {
            session: any(records, &week.table()).await,
            user: any(records, &week.users_table()).await,
            snippets: AzureBlobs::new(&azure, account.blobs().clone()).unwrap(),
            week,
            size,
        };
        for begin in (0..size).step_by(AT_ONCE) {
            let end = size.min(begin + AT_ONCE);
            join_all((begin..end).map(|number| filling.add(records, number))).await;
            if end / SHOWN > begin / SHOWN {
                say::line(format_args!("{end} of {size} are there"));
            }
        }
        filling
    }

    /// How many there are of each.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Reads a session that is there.
    pub(crate) async fn read(&self, system: &System) {
        let address = self.session(self.size / 2);
        assert!(system.stack.oauth_records().get(&address).await.unwrap().is_some());
    }

    /// Writes one session more.
    pub(crate) async fn insert(&self, system: &System) {
        let address = SessionId::derived_from(&random_bytes::<16>()).address(self.week);
        system.stack.oauth_records().insert(&address, self.session.clone()).await.unwrap();
    }

    /// Lists the first page of a user who has more.
    pub(crate) async fn page(&self) {
        let page = self.snippets.list(&owner(0), None).await.unwrap();
        assert_eq!(page.snippets.len(), 100);
    }

    async fn add(&self, records: &dyn RecordStore, number: usize) {
        let key = Key::digest("user", &[&number.to_be_bytes()]);
        let user = Address::alone(self.week.users_table(), key);
        fill_in(records, &self.session(number), &self.session).await;
        fill_in(records, &user, &self.user).await;
        let name = format!("n{:03}", number % SNIPPETS_OF_EACH);
        let name = SnippetName::try_from(name.as_str()).unwrap();
        let text = SnippetText::try_from("text ".repeat(40)).unwrap();
        let owner = owner(number / SNIPPETS_OF_EACH);
        let saving = self.snippets.put(&owner, &name, &text, &Condition::Anything).await.unwrap();
        assert_eq!(saving, Saving::Saved);
    }

    fn session(&self, number: usize) -> Address {
        SessionId::derived_from(&number.to_be_bytes()).address(self.week)
    }
}

/// Azurite closes connections that were idle for some seconds, now and then under a request.
async fn fill_in(records: &dyn RecordStore, address: &Address, record: &Record) {
    for tries_left in (0..3).rev() {
        match records.insert(address, record.clone()).await {
            Ok(()) | Err(InsertError::Exists) => return,
            Err(error) => assert!(tries_left > 0, "{error:?}"),
        }
    }
}

fn owner(number: usize) -> Key {
    Key::digest("owner", &[&number.to_be_bytes()])
}

async fn any(records: &dyn RecordStore, table: &TableName) -> Record {
    let page = records.page(table, None).await.unwrap();
    page.records.into_iter().next().unwrap().1.record
}

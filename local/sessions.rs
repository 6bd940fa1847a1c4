//! The administrator's command: lists and ends sessions, of a local system or of a deployed one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oauth_fn::administration::{Administration, Selection};
use oauth_fn::grant::Connection;
use oauth_fn::pages::DisplayName;
use shared::azure::{self, Azure, AzureIdentity, SetUpError, StorageEndpoint, StorageService};
use shared::clock::SystemClock;
use shared::config::{Env, InvalidSettings, Settings};
use shared::seal::KeyRing;
use shared::storage::{AzureTables, RecordStore, ReplaceError, StoreError};

use crate::azure::{AzureAccount, TABLES};
use crate::command_line::{SessionSelection, Sessions};
use crate::embedded::{EmbeddedStore, OpenError};
use crate::keys::{KeyFileError, Keys};
use crate::say;

/// Does what `command` says.
///
/// # Errors
/// The system cannot be reached, or nothing was selected to be ended.
pub async fn run(command: Sessions, env: &(dyn Env + Sync)) -> Result<(), SessionsError> {
    let (flags, wish) = match command {
        Sessions::List(flags) => (flags, Wish::List),
        Sessions::Revoke(flags) => {
            let named = flags.selection.user.is_some() || flags.selection.client.is_some();
            if !named && !flags.all {
                return Err(SessionsError::Everybody);
            }
            (flags.selection, Wish::Revoke)
        }
    };
    let administration = open(&flags, env)?;
    let SessionSelection { user, client, .. } = flags;
    let mut search = administration.search(Selection { user, client });
    let mut count = 0;
    while let Some(connections) = search.next().await? {
        count += match wish {
            Wish::List => list(&administration, connections).await?,
            Wish::Revoke => revoke(&administration, connections).await?,
        };
    }
    let found = match wish {
        Wish::Revoke if count == 0 => return Err(SessionsError::NothingMeant),
        Wish::Revoke => "ended",
        Wish::List => "found",
    };
    say::line(format_args!("{count} connections {found}."));
    Ok(())
}

/// What an administrator wants with the connections that are found.
#[derive(Clone, Copy)]
enum Wish {
    List,
    Revoke,
}

/// Tells of each connection whether its session lives; gives how many there are.
async fn list(
    administration: &Administration,
    connections: Vec<Connection>,
) -> Result<usize, SessionsError> {
    for connection in &connections {
        let state = if administration.lives(connection).await? { "alive" } else { "over" };
        say::line(told(connection, state));
    }
    Ok(connections.len())
}

/// Ends each connection and tells of it; gives how many there are. Those that were ended are told
/// even where another one was not.
async fn revoke(
    administration: &Administration,
    connections: Vec<Connection>,
) -> Result<usize, SessionsError> {
    let (mut count, mut failed) = (0, None);
    for (connection, ended) in administration.revoke(connections).await {
        match ended {
            Ok(()) => {
                say::line(told(&connection, "ended"));
                count += 1;
            }
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(count), |error| Err(error.into()))
}

/// One line: state, day, user, client. What others chose to be called is shown without anything
/// that a terminal would act on.
fn told(connection: &Connection, state: &str) -> String {
    let Connection { user, client_name, client_id, scopes, since, .. } = connection;
    let (user_name, client_name) =
        (DisplayName::from(user.name.as_str()), DisplayName::from(client_name.as_str()));
    let (tenant, object) = (user.tenant_id.as_str(), user.object_id.as_str());
    let day = since.to_date();
    format!(
        "{state}  {day}  {user_name} ({tenant}/{object})  {client_name} ({client_id})  {scopes}"
    )
}

fn open(flags: &SessionSelection, env: &dyn Env) -> Result<Administration, SessionsError> {
    let data = flags.data.as_path();
    let (keys, records) = if flags.azure {
        in_account(data, env)?
    } else if env.get(TABLES).is_some() {
        deployed(env)?
    } else {
        stopped(data)?
    };
    Ok(Administration::new(&keys, records, Arc::new(SystemClock)))
}

type Opened = (KeyRing, Arc<dyn RecordStore>);

/// The tables that the environment names.
fn deployed(env: &dyn Env) -> Result<Opened, SessionsError> {
    let mut settings = Settings::new(env);
    let keys = settings.required("GRANT_KEYS", |text| KeyRing::try_from(text));
    let identity = AzureIdentity::read(&mut settings);
    let tables = StorageEndpoint::read(&mut settings, TABLES, StorageService::Table);
    let read = keys.zip(identity).zip(tables);
    let ((keys, identity), tables) = settings.finish(read)?;
    let azure = Azure::new(&identity, azure::http_client()?)?;
    Ok((keys, Arc::new(AzureTables::new(&azure, tables))))
}

/// The tables that a local system uses, with the keys that it keeps in its directory.
fn in_account(data: &Path, env: &dyn Env) -> Result<Opened, SessionsError> {
    let keys = data.join("keys.json");
    if !keys.exists() {
        return Err(SessionsError::NoData(data.to_owned()));
    }
    let tables = AzureAccount::read(env)?.open_tables()?;
    Ok((Keys::in_file(&keys)?.grant_keys, Arc::new(tables)))
}

/// What a local system left in its directory.
fn stopped(data: &Path) -> Result<Opened, SessionsError> {
    let (store, keys) = (data.join("store.redb"), data.join("keys.json"));
    if !store.exists() || !keys.exists() {
        return Err(SessionsError::NoData(data.to_owned()));
    }
    let store = EmbeddedStore::in_file(&store)?;
    Ok((Keys::in_file(&keys)?.grant_keys, Arc::new(store)))
}

/// Why there are no sessions to be seen.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// The Azure client cannot be made.
    #[error("Azure cannot be reached")]
    Azure(#[from] SetUpError),
    /// Nothing was ended, where something was to be.
    #[error("no connection is of this user and client: `list` shows what there is")]
    NothingMeant,
    /// A session was not ended.
    #[error(transparent)]
    NotEnded(#[from] ReplaceError),
    /// Nothing was selected, which would mean everybody.
    #[error("name a user or a client, or say --all to end the sessions of everybody")]
    Everybody,
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// No system has been there.
    #[error(
        "there is no data of a system in {}: name its directory with --data, or set \
         SESSION_TABLES_ENDPOINT and GRANT_KEYS for a deployed system", .0.display()
    )]
    NoData(PathBuf),
    /// The settings are not good.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// Storage failed on the way.
    #[error(transparent)]
    Storage(#[from] StoreError),
    /// The data cannot be opened: a system that runs keeps them to itself.
    #[error(transparent)]
    Store(#[from] OpenError),
}

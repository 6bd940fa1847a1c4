//! Registered clients. A short registration travels in the client's own identifier, authenticated,
//! so that it needs no row, survives restarts and is known to every instance; a longer one has a
//! row. The same metadata gives the same identifier for as long as the same key signs.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use shared::clock::Clock;
use shared::seal::{KeyRing, Purpose, Sealer};
use shared::secret::Fingerprint;
use shared::storage::{Address, InsertError, Key, Record, RecordStore, StoreError, TableName};

use crate::protocol::client_metadata::{ClientMetadata, RefreshTokens};
use crate::protocol::redirect_uri::RedirectUri;

/// Longest identifier, in characters: what clients and gateways store without complaint.
const LONGEST_ID: usize = 255;
const PREFIX: &str = "mcp_client_";
const METADATA: &str = "metadata";
const IN_ID: u8 = 1;
const IN_ROW: u8 = 2;

/// The store of clients.
#[derive(Debug)]
pub struct Clients {
    ids: Sealer,
    rows: Sealer,
    records: Arc<dyn RecordStore>,
    clock: Arc<dyn Clock>,
}

/// What we keep of a client, in the shortest form that is still readable.
#[derive(Deserialize, Serialize)]
struct Compact(String, Vec<RedirectUri>, RefreshTokens);

impl Clients {
    /// Clients under the keys of `ring`, the long ones in `records`.
    pub fn new(ring: &KeyRing, records: Arc<dyn RecordStore>, clock: Arc<dyn Clock>) -> Self {
        let ids = ring.sealer(Purpose::ClientId);
        Self { ids, rows: ring.sealer(Purpose::ClientRow), records, clock }
    }

    /// Registers a client, and gives its `client_id`.
    ///
    /// # Errors
    /// Storage failed, for a registration that needs a row.
    pub async fn register(&self, metadata: &ClientMetadata) -> Result<String, StoreError> {
        let ClientMetadata { name, redirect_uris, refresh_tokens } = metadata.clone();
        let compact = Compact(name, redirect_uris, refresh_tokens);
        let text = serde_json::to_vec(&compact).map_err(StoreError::new)?;
        let id = self.id(IN_ID, &text);
        if id.len() <= LONGEST_ID {
            return Ok(id);
        }
        let id = self.id(IN_ROW, Fingerprint::of("client", &[&text]).as_bytes());
        let address = address(&id);
        let today = self.clock.now().day();
        let sealed = self.rows.seal(today, &address.place(METADATA), &text);
        self.insert(&address, Record::default().with(METADATA, sealed)).await?;
        Ok(id)
    }

    /// The client that `id` names, if we registered it and its key is still in the ring.
    ///
    /// # Errors
    /// Storage failed, for a client that has a row.
    pub async fn find(&self, id: &str) -> Result<Option<ClientMetadata>, StoreError> {
        let Some(text) = self.verified(id) else {
            return Ok(None);
        };
        match text.split_first() {
            Some((&IN_ID, metadata)) => Ok(read(metadata)),
            Some((&IN_ROW, _)) => self.read_row(&address(id)).await,
            _ => Ok(None),
        }
    }

    /// Whether we registered a client as `id`. Storage is not asked.
    pub fn recognise(&self, id: &str) -> bool {
        self.verified(id).is_some()
    }

    fn id(&self, kind: u8, text: &[u8]) -> String {
        let signed = self.ids.sign(&[&[kind], text].concat());
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&signed))
    }

    fn verified(&self, id: &str) -> Option<Vec<u8>> {
        let encoded = id.strip_prefix(PREFIX).filter(|_| id.len() <= LONGEST_ID)?;
        let signed = BASE64URL_NOPAD.decode(encoded.as_bytes()).ok()?;
        self.ids.verify(&signed).ok().map(<[u8]>::to_vec)
    }

    async fn insert(&self, address: &Address, record: Record) -> Result<(), StoreError> {
        let mut inserted = self.records.insert(address, record.clone()).await;
        if matches!(inserted, Err(InsertError::NoTable)) {
            self.records.create_table(&address.table).await?;
            inserted = self.records.insert(address, record).await;
        }
        match inserted {
            Ok(()) | Err(InsertError::Exists) => Ok(()),
            Err(InsertError::Store(error)) => Err(error),
            Err(error @ InsertError::NoTable) => Err(StoreError::new(error)),
        }
    }

    async fn read_row(&self, address: &Address) -> Result<Option<ClientMetadata>, StoreError> {
        let Some(found) = self.records.get(address).await? else {
            return Ok(None);
        };
        let sealed = found.record.column(METADATA).unwrap_or_default();
        let Ok(opened) = self.rows.open(&address.place(METADATA), sealed) else {
            tracing::warn!(%address, audit = "integrity", "the row of a client does not open");
            return Ok(None);
        };
        Ok(read(&opened.plaintext))
    }
}

fn read(text: &[u8]) -> Option<ClientMetadata> {
    let Compact(name, redirect_uris, refresh_tokens) = serde_json::from_slice(text).ok()?;
    Some(ClientMetadata { name, redirect_uris, refresh_tokens })
}

fn address(id: &str) -> Address {
    Address {
        table: TableName::word("clients"),
        partition: Key::digest("client-id", &[id.as_bytes()]),
        row: Key::word("m"),
    }
}

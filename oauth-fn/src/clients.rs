//! Registered clients. A short registration travels in the client's own identifier, authenticated,
//! so that it needs no row, survives restarts and is known to every instance; a longer one has a
//! row. The same metadata always gives the same identifier.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use shared::seal::{KeyRing, Purpose, Sealer};
use shared::secret::Fingerprint;
use shared::storage::{Address, InsertError, Key, Record, RecordStore, StoreError, TableName};

use crate::protocol::client_metadata::ClientMetadata;

/// Longest identifier, in characters: what clients and gateways store without complaint.
const LONGEST_ID: usize = 255;
const PREFIX: &str = "mcp_client_";
const METADATA: &str = "metadata";
const IN_ID: u8 = 1;
const IN_ROW: u8 = 2;

/// The store of clients.
#[derive(Debug)]
pub struct Clients {
    sealer: Sealer,
    records: Arc<dyn RecordStore>,
}

impl Clients {
    /// Clients under the keys of `ring`, the long ones in `records`.
    pub fn new(ring: &KeyRing, records: Arc<dyn RecordStore>) -> Self {
        Self { sealer: ring.sealer(Purpose::Client), records }
    }

    /// Registers a client, and gives its `client_id`.
    ///
    /// # Errors
    /// Storage failed, for a registration that needs a row.
    pub async fn register(&self, metadata: &ClientMetadata) -> Result<String, StoreError> {
        let text = serde_json::to_vec(metadata).map_err(StoreError::new)?;
        let id = self.id(IN_ID, &text);
        if id.len() <= LONGEST_ID {
            return Ok(id);
        }
        let id = self.id(IN_ROW, Fingerprint::of("client", &[&text]).as_bytes());
        let address = address(&id);
        let sealed = self.sealer.seal(0, &address.place(METADATA), &text);
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
            Some((&IN_ID, metadata)) => Ok(serde_json::from_slice(metadata).ok()),
            Some((&IN_ROW, _)) => self.read(&address(id)).await,
            _ => Ok(None),
        }
    }

    /// Whether we registered a client as `id`. Storage is not asked.
    pub fn recognise(&self, id: &str) -> bool {
        self.verified(id).is_some()
    }

    fn id(&self, kind: u8, text: &[u8]) -> String {
        let signed = self.sealer.sign(&[&[kind], text].concat());
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&signed))
    }

    fn verified(&self, id: &str) -> Option<Vec<u8>> {
        let encoded = id.strip_prefix(PREFIX).filter(|_| id.len() <= LONGEST_ID)?;
        let signed = BASE64URL_NOPAD.decode(encoded.as_bytes()).ok()?;
        self.sealer.verify(&signed).ok().map(<[u8]>::to_vec)
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

    async fn read(&self, address: &Address) -> Result<Option<ClientMetadata>, StoreError> {
        let Some(found) = self.records.get(address).await? else {
            return Ok(None);
        };
        let sealed = found.record.column(METADATA).unwrap_or_default();
        let Ok(opened) = self.sealer.open(&address.place(METADATA), sealed) else {
            tracing::warn!(%address, audit = "integrity", "the row of a client does not open");
            return Ok(None);
        };
        Ok(serde_json::from_slice(&opened.plaintext).ok())
    }
}

fn address(id: &str) -> Address {
    Address {
        table: TableName::word("clients"),
        partition: Key::digest("client-id", &[id.as_bytes()]),
        row: Key::word("m"),
    }
}

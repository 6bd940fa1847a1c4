//! Registered clients. A short registration travels in the client's own identifier, authenticated,
//! so that it needs no row, survives restarts and is known to every instance; a longer one has a
//! row, which ends when it is not used for long. The same metadata gives the same identifier for
//! as long as the same key signs. A confidential client is registered once for each time that it
//! asks, in a row of its own. Those that the operator registered stand in the configuration, and
//! those whose identifier is a URL publish what they are.

mod quarter;
mod rows;

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use shared::clock::Clock;
use shared::seal::{KeyRing, Purpose, Sealer};
use shared::secret::{Fingerprint, random_bytes};
use shared::storage::{RecordStore, StoreError};

use crate::documents::{ClientDocuments, DocumentError};
use crate::grants::IssuedTokens;
use crate::limits::{FetchPermit, RowPermit, TooMany};
use crate::protocol::client_authentication::{
    ClientSecret, RegisteredAuthentication, SecretMethod,
};
use crate::protocol::client_id_url::{ClientIdUrl, DocumentPolicy};
use crate::protocol::client_metadata::{ClientMetadata, RefreshTokens};
use crate::protocol::preregistration::PreregisteredClients;
use crate::protocol::redirect_uri::RedirectUri;

use rows::{Found, Rows};

pub use rows::AgeingRow;

/// Longest identifier, in characters: what clients and gateways store without complaint.
const LONGEST_ID: usize = 255;
const PREFIX: &str = "mcp_client_";
const IN_ID: u8 = 1;
const IN_ROW: u8 = 2;
const CONFIDENTIAL: u8 = 3;

/// The store of clients.
#[derive(Debug)]
pub struct Clients {
    preregistered: PreregisteredClients,
    documents: ClientDocuments,
    ids: Sealer,
    rows: Rows,
}

/// What we keep of a client, in the shortest form that is still readable.
#[derive(Deserialize, Serialize)]
struct Compact(String, Vec<RedirectUri>, RefreshTokens);

/// What we keep of a client that has a secret: of the secret itself, the fingerprint.
#[derive(Deserialize, Serialize)]
struct Confidential(Compact, SecretMethod, [u8; 32]);

impl Clients {
    /// Those that are `preregistered`, those with `documents`, and those under the keys of `ring`,
    /// some with a row in `records`.
    pub fn new(
        ring: &KeyRing,
        preregistered: PreregisteredClients,
        documents: ClientDocuments,
        records: Arc<dyn RecordStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let rows = Rows::new(ring.sealer(Purpose::ClientRow), records, clock);
        Self { preregistered, documents, ids: ring.sealer(Purpose::ClientId), rows }
    }

    /// Registers a public client, and gives its `client_id`. A permit is asked for if the
    /// registration needs a row.
    ///
    /// # Errors
    /// There is no permit, or storage failed.
    pub async fn register(
        &self,
        metadata: &ClientMetadata,
        permit: impl FnOnce() -> Result<RowPermit, TooMany> + Send,
    ) -> Result<String, RegisterError> {
        let text = to_json(&Compact::from(metadata))?;
        let id = self.id(IN_ID, &text);
        if id.len() <= LONGEST_ID {
            return Ok(id);
        }
        let id = self.id(IN_ROW, Fingerprint::of("client", &[&text]).as_bytes());
        self.rows.write(&id, &text, permit()?).await?;
        Ok(id)
    }

    /// Registers a confidential client, and gives its `client_id` and its secret.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn register_confidential(
        &self,
        metadata: &ClientMetadata,
        method: SecretMethod,
        permit: RowPermit,
    ) -> Result<(String, ClientSecret), StoreError> {
        let id = self.id(CONFIDENTIAL, &random_bytes::<16>());
        let secret = ClientSecret::generate();
        let fingerprint = *secret.fingerprint(&id).as_bytes();
        let row = Confidential(Compact::from(metadata), method, fingerprint);
        self.rows.write(&id, &to_json(&row)?, permit).await?;
        Ok((id, secret))
    }

    /// Whose metadata documents are read.
    pub fn document_policy(&self) -> &DocumentPolicy {
        self.documents.policy()
    }

    /// The client that `id` names, if it is known. A permit is asked for if its document must be
    /// fetched.
    ///
    /// # Errors
    /// Storage failed, for a client that has a row; or the document of one that has a document
    /// cannot be used.
    pub async fn find(
        &self,
        id: &str,
        permit: impl FnOnce() -> Result<FetchPermit, TooMany> + Send,
    ) -> Result<Option<ClientMetadata>, FindError> {
        if self.has_document(id) {
            return Ok(Some(self.documents.find(&self.documents.url(id)?, permit).await?));
        }
        if let Some(client) = self.preregistered.find(id) {
            return Ok(Some(client.metadata.clone()));
        }
        let Some(text) = self.verified(id) else {
            return Ok(None);
        };
        let compact = match text.split_first() {
            Some((&IN_ID, metadata)) => serde_json::from_slice(metadata).ok(),
            Some((&IN_ROW, _)) => self.rows.read(id).await?.map(|row| row.value),
            Some((&CONFIDENTIAL, _)) => {
                let row: Option<Found<Confidential>> = self.rows.read(id).await?;
                row.map(|Found { value: Confidential(compact, ..), .. }| compact)
            }
            _ => None,
        };
        Ok(compact.map(ClientMetadata::from))
    }

    /// How the client that `id` names registered to prove itself. Storage is asked for clients
    /// with a row alone. No document is fetched: whoever publishes one is public, and what it
    /// brings is bound to its identifier.
    ///
    /// # Errors
    /// Storage failed.
    pub async fn authentication(&self, id: &str) -> Result<Option<KnownClient>, StoreError> {
        if self.has_document(id) {
            let url = self.documents.url(id).ok();
            return Ok(url.map(|_| RegisteredAuthentication::Public.into()));
        }
        if let Some(client) = self.preregistered.find(id) {
            return Ok(Some(client.authentication.clone().into()));
        }
        match self.verified(id).as_deref().and_then(<[u8]>::first) {
            Some(&IN_ID) => Ok(Some(RegisteredAuthentication::Public.into())),
            Some(&IN_ROW) => {
                let row: Option<Found<Compact>> = self.rows.read(id).await?;
                let authentication = RegisteredAuthentication::Public;
                Ok(row.map(|Found { ageing, .. }| KnownClient { authentication, ageing }))
            }
            Some(&CONFIDENTIAL) => {
                let row: Option<Found<Confidential>> = self.rows.read(id).await?;
                Ok(row.map(|Found { value: Confidential(_, method, fingerprint), ageing }| {
                    let fingerprint = Fingerprint::from_bytes(fingerprint);
                    let authentication = RegisteredAuthentication::Secret { method, fingerprint };
                    KnownClient { authentication, ageing }
                }))
            }
            _ => Ok(None),
        }
    }

    /// Lets the row of a client live on. The tokens that it just got prove that it is in use: by
    /// a user who has signed in, through a client that has proved itself.
    ///
    /// # Errors
    /// Storage failed; the row can be renewed another time.
    pub async fn renew(&self, row: &AgeingRow, _: &IssuedTokens) -> Result<(), StoreError> {
        self.rows.renew(row).await
    }

    fn has_document(&self, id: &str) -> bool {
        self.document_policy().is_on() && ClientIdUrl::is_meant_by(id)
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
}

/// A client that asks for something with no user beside it.
#[derive(Debug)]
pub struct KnownClient {
    /// How it registered to prove itself.
    pub authentication: RegisteredAuthentication,
    /// Its row, if that ends unless it is renewed.
    pub ageing: Option<AgeingRow>,
}

impl From<RegisteredAuthentication> for KnownClient {
    fn from(authentication: RegisteredAuthentication) -> Self {
        Self { authentication, ageing: None }
    }
}

impl From<&ClientMetadata> for Compact {
    fn from(metadata: &ClientMetadata) -> Self {
        let ClientMetadata { name, redirect_uris, refresh_tokens } = metadata.clone();
        Self(name, redirect_uris, refresh_tokens)
    }
}

impl From<Compact> for ClientMetadata {
    fn from(Compact(name, redirect_uris, refresh_tokens): Compact) -> Self {
        Self { name, redirect_uris, refresh_tokens }
    }
}

/// Why it is not known whether there is such a client, and which.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Its document cannot be used.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a client was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many rows were written for its neighbourhood.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(StoreError::new)
}

//! Snippets as tools reach them: with a permit, which also says whose they are.

use std::sync::Arc;

use shared::storage::Version;
use shared::telemetry::calls::StorageCall;

use super::{
    Condition, Deletion, Saving, Snippet, SnippetName, SnippetPage, SnippetStore,
    SnippetStoreError, SnippetText,
};
use crate::caller::{MayRead, MayWrite};

/// Everybody's snippets, each user's behind a permit of that user.
#[derive(Clone, Debug)]
pub struct Snippets(Arc<dyn SnippetStore>);

impl Snippets {
    /// The snippets in `store`.
    pub fn new(store: Arc<dyn SnippetStore>) -> Self {
        Self(store)
    }

    async fn observed<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, SnippetStoreError>> + Send,
    ) -> Result<T, SnippetStoreError> {
        let (system, namespace) = (self.0.system(), "snippets");
        let call = StorageCall { system, namespace, operation, collection: namespace };
        call.observe(work, SnippetStoreError::kind).await
    }

    /// Writes `text` under `name` if what is there fulfils `condition`.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn save(
        &self,
        permit: &MayWrite,
        name: &SnippetName,
        text: &SnippetText,
        condition: &Condition,
    ) -> Result<Saving, SnippetStoreError> {
        permit
            .in_time(self.observed("put", self.0.put(permit.owner(), name, text, condition)))
            .await
    }

    /// What is under `name`, if there is something.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn find(
        &self,
        permit: &MayRead,
        name: &SnippetName,
    ) -> Result<Option<Snippet>, SnippetStoreError> {
        permit.in_time(self.observed("get", self.0.get(permit.owner(), name))).await
    }

    /// What a change of `name` would take away. It is not for the eyes of who may only write.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn at_stake(
        &self,
        permit: &MayWrite,
        name: &SnippetName,
    ) -> Result<Option<Snippet>, SnippetStoreError> {
        permit.in_time(self.observed("get", self.0.get(permit.owner(), name))).await
    }

    /// One page of the snippets, from the place that the page before it named.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn list(
        &self,
        permit: &MayRead,
        from: Option<&SnippetName>,
    ) -> Result<SnippetPage, SnippetStoreError> {
        permit.in_time(self.observed("list", self.0.list(permit.owner(), from))).await
    }

    /// Removes what is under `name`, whatever it is or at one version alone.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn delete(
        &self,
        permit: &MayWrite,
        name: &SnippetName,
        version: Option<&Version>,
    ) -> Result<Deletion, SnippetStoreError> {
        permit.in_time(self.observed("delete", self.0.delete(permit.owner(), name, version))).await
    }
}

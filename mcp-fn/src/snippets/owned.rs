//! Snippets as tools reach them: with a permit, which also says whose they are.

use std::sync::Arc;

use super::{Deletion, SnippetName, SnippetPage, SnippetStore, SnippetStoreError, SnippetText};
use crate::caller::{MayRead, MayWrite};

/// Everybody's snippets, each user's behind a permit of that user.
#[derive(Clone, Debug)]
pub struct Snippets(Arc<dyn SnippetStore>);

impl Snippets {
    /// The snippets in `store`.
    pub fn new(store: Arc<dyn SnippetStore>) -> Self {
        Self(store)
    }

    /// Writes `text` under `name`, over what may be there.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn save(
        &self,
        permit: &MayWrite,
        name: &SnippetName,
        text: &SnippetText,
    ) -> Result<(), SnippetStoreError> {
        permit.in_time(self.0.put(permit.owner(), name, text)).await
    }

    /// The text under `name`, if there is one.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn find(
        &self,
        permit: &MayRead,
        name: &SnippetName,
    ) -> Result<Option<SnippetText>, SnippetStoreError> {
        permit.in_time(self.0.get(permit.owner(), name)).await
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
        permit.in_time(self.0.list(permit.owner(), from)).await
    }

    /// Removes what is under `name`, and tells whether something was.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn delete(
        &self,
        permit: &MayWrite,
        name: &SnippetName,
    ) -> Result<Deletion, SnippetStoreError> {
        permit.in_time(self.0.delete(permit.owner(), name)).await
    }
}

//! Snippets as resources: listed, read, and completed from the beginning of their names.

mod fault;
#[cfg(test)]
mod tests;

use rmcp::model::{
    ArgumentInfo, CompleteRequestParams, CompleteResult, CompletionInfo,
    ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};

use crate::caller::Caller;
use crate::icons::Picture;
use crate::snippets::owned::Snippets;
use crate::snippets::uri::SnippetUri;
use crate::snippets::{SnippetEntry, SnippetName, SnippetPage};

pub(crate) use fault::ResourceFault;

/// JSON is UTF-8, so there is no charset to tell.
const MEDIA_TYPE: &str = "text/plain";

/// The snippets of each caller as resources.
#[derive(Debug)]
pub(crate) struct SnippetResources(Snippets);

impl SnippetResources {
    /// Resources over `snippets`.
    pub(crate) fn new(snippets: Snippets) -> Self {
        Self(snippets)
    }

    /// One page of the caller's snippets, from `cursor` on.
    ///
    /// # Errors
    /// The scope is missing; the cursor is none of ours; the store failed.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
    ) -> Result<ListResourcesResult, ResourceFault> {
        let permit = caller.permit_read()?;
        let from = cursor.map(SnippetName::try_from).transpose();
        let from = from.map_err(|_| ResourceFault::Cursor)?;
        let SnippetPage { snippets, next } = self.0.list(&permit, from.as_ref()).await?;
        let resources = snippets.into_iter().map(resource).collect();
        let next_cursor = next.map(|next| next.to_string());
        Ok(ListResourcesResult { next_cursor, ..ListResourcesResult::with_all_items(resources) })
    }

    /// The one template, which is the same for everybody.
    pub(crate) fn templates() -> ListResourceTemplatesResult {
        let template = ResourceTemplate::new(SnippetUri::TEMPLATE, "snippet")
            .with_title("Snippet by name")
            .with_description("The text of the snippet with this name, as it was saved.")
            .with_mime_type(MEDIA_TYPE)
            .with_icons(Picture::Snippet.icons());
        ListResourceTemplatesResult::with_all_items(vec![template])
    }

    /// The text of the snippet at `uri`.
    ///
    /// # Errors
    /// The scope is missing; the caller has no such snippet; the store failed.
    pub(crate) async fn read(
        &self,
        caller: &Caller,
        uri: &str,
    ) -> Result<ReadResourceResult, ResourceFault> {
        let permit = caller.permit_read()?;
        let address = SnippetUri::try_from(uri).map_err(|_| ResourceFault::NotFound)?;
        let found = self.0.find(&permit, address.name()).await?;
        let snippet = found.ok_or(ResourceFault::NotFound)?;
        let text = ResourceContents::text(snippet.text.as_str(), address.to_string());
        Ok(ReadResourceResult::new(vec![text.with_mime_type(MEDIA_TYPE)]))
    }

    /// The caller's names that begin as the argument does.
    ///
    /// # Errors
    /// The scope is missing; it is not the name of the template that is asked for; the store
    /// failed.
    pub(crate) async fn complete(
        &self,
        caller: &Caller,
        request: CompleteRequestParams,
    ) -> Result<CompleteResult, ResourceFault> {
        let permit = caller.permit_read()?;
        let prefix = prefix(request).ok_or(ResourceFault::NotCompletable)?;
        let from = match prefix.as_str() {
            "" => None,
            _ => match SnippetName::try_from(prefix.as_str()) {
                Ok(from) => Some(from),
                // What is no name begins none.
                Err(_) => return completion(Vec::new(), false),
            },
        };
        let SnippetPage { snippets, next } = self.0.list(&permit, from.as_ref()).await?;
        let begins = |name: &SnippetName| name.as_str().starts_with(&prefix);
        let names = snippets.into_iter().map(|entry| entry.name).filter(begins);
        completion(names.map(|name| name.to_string()).collect(), next.as_ref().is_some_and(begins))
    }
}

fn resource(entry: SnippetEntry) -> Resource {
    let SnippetEntry { name, bytes } = entry;
    Resource::new(SnippetUri::from(name.clone()).to_string(), name.as_str())
        .with_title(format!("Snippet {name}"))
        .with_mime_type(MEDIA_TYPE)
        .with_size(bytes)
        .with_icons(Picture::Snippet.icons())
}

/// What the wanted name begins with, if it is the variable of our template.
fn prefix(request: CompleteRequestParams) -> Option<String> {
    let CompleteRequestParams { r#ref, argument: ArgumentInfo { name, value, .. }, .. } = request;
    let is_template = r#ref.as_resource_uri() == Some(SnippetUri::TEMPLATE);
    (is_template && name == SnippetUri::VARIABLE).then_some(value)
}

fn completion(names: Vec<String>, has_more: bool) -> Result<CompleteResult, ResourceFault> {
    let total = if has_more { None } else { u32::try_from(names.len()).ok() };
    let found = CompletionInfo::with_pagination(names, total, has_more);
    found.map(CompleteResult::new).map_err(ResourceFault::TooMany)
}

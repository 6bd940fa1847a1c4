//! What a call is about to take away, in words for the user and for the model.

use std::fmt;

use rmcp::model::{BooleanSchema, PrimitiveSchemaDefinition};

use crate::snippets::{Snippet, SnippetName, SnippetText};

/// What is lost if a call is carried out.
#[derive(Debug)]
pub(in crate::tools) struct Loss {
    name: SnippetName,
    bytes: usize,
    way: Way,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Deletion,
    /// By a text of this length, in bytes.
    Replacement(usize),
}

impl Loss {
    /// That of `snippet`, which is called `name`.
    pub(in crate::tools) fn by_deletion(name: &SnippetName, snippet: &Snippet) -> Self {
        Self { name: name.clone(), bytes: snippet.text.as_str().len(), way: Way::Deletion }
    }

    /// That of the text of `snippet`, which is called `name`, in favour of `text`.
    pub(in crate::tools) fn by_replacement(
        name: &SnippetName,
        snippet: &Snippet,
        text: &SnippetText,
    ) -> Self {
        let way = Way::Replacement(text.as_str().len());
        Self { way, ..Self::by_deletion(name, snippet) }
    }

    /// What the user is asked.
    pub(super) fn question(&self) -> String {
        let Self { name, bytes, way } = self;
        match way {
            Way::Deletion => format!(
                "Delete the snippet '{name}' ({bytes} bytes)? There is no way to get it back."
            ),
            Way::Replacement(new_bytes) => format!(
                "Replace the snippet '{name}' ({bytes} bytes) by another text ({new_bytes} \
                 bytes)? The text that it has now is lost."
            ),
        }
    }

    /// What the user ticks to agree.
    pub(super) fn checkbox(&self) -> PrimitiveSchemaDefinition {
        let (title, description) = match self.way {
            Way::Deletion => ("Delete it", "Deletes the snippet for good."),
            Way::Replacement(_) => ("Replace it", "Replaces the text of the snippet."),
        };
        let checkbox = BooleanSchema::new().title(title).description(description);
        PrimitiveSchemaDefinition::Boolean(checkbox)
    }
}

/// What a model reads whose client cannot ask.
impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, bytes, way } = self;
        match way {
            Way::Deletion => {
                write!(formatter, "deleting the snippet named '{name}' ({bytes} bytes) is for good")
            }
            Way::Replacement(_) => write!(
                formatter,
                "there is a snippet named '{name}' already ({bytes} bytes), and saving replaces \
                 its text"
            ),
        }
    }
}

//! The pictures that clients may show beside our server, tools and resources. They are drawn for
//! this project and travel as `data:` URIs, so that showing them loads nothing from anywhere.

use data_encoding::BASE64;
use rmcp::model::Icon;

/// A picture, one colour that is seen on light and on dark ground.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Picture {
    /// A dustbin.
    Delete,
    /// A speech bubble.
    Greeting,
    /// Lines of a list.
    List,
    /// A head and shoulders.
    Person,
    /// An arrow down to a line.
    Save,
    /// What this server is shown as.
    Server,
    /// A sheet of paper with code on it.
    Snippet,
}

impl Picture {
    /// The picture, in the one form that it has.
    pub(crate) fn icons(self) -> Vec<Icon> {
        let source = format!("data:image/svg+xml;base64,{}", BASE64.encode(self.svg().as_bytes()));
        let icon = Icon::new(source).with_mime_type("image/svg+xml");
        vec![icon.with_sizes(vec!["any".to_owned()])]
    }

    fn svg(self) -> &'static str {
        let svg = match self {
            Self::Delete => include_str!("delete.svg"),
            Self::Greeting => include_str!("greeting.svg"),
            Self::List => include_str!("list.svg"),
            Self::Person => include_str!("person.svg"),
            Self::Save => include_str!("save.svg"),
            Self::Server => include_str!("server.svg"),
            Self::Snippet => include_str!("snippet.svg"),
        };
        svg.trim_end()
    }
}

//! The page at `/`: what this is, and how to connect a client.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use shared::base_url::PublicBaseUrl;

use super::client_setup::ClientSetup;
use super::{Page, STYLE};

/// Tells a visitor how to connect a client. It is the same for every request.
#[derive(Debug)]
pub struct LandingPage<'a> {
    /// The origin that the system is reached under.
    pub base_url: &'a PublicBaseUrl,
}

impl IntoResponse for LandingPage<'_> {
    fn into_response(self) -> Response {
        let content = Content {
            style: STYLE,
            mcp_url: self.base_url.resource(),
            setups: ClientSetup::all(self.base_url),
            tools: &TOOLS,
            documents: &DOCUMENTS,
        };
        Page {
            status: StatusCode::OK,
            cache_control: "public, max-age=300",
            referrer_policy: "no-referrer",
            content,
        }
        .into_response()
    }
}

#[derive(Template)]
#[template(path = "landing.html")]
struct Content {
    style: &'static str,
    mcp_url: String,
    setups: [ClientSetup; 5],
    tools: &'static [(&'static str, &'static str)],
    documents: &'static [(&'static str, &'static str)],
}

/// The tools that mcp-fn serves, and what each is for.
const TOOLS: [(&str, &str); 6] = [
    ("hello_mcp", "Says hello: a first sign that everything is connected."),
    ("save_snippet", "Saves a text under a name."),
    ("get_snippet", "Reads the text under a name."),
    ("list_snippets", "Lists the names of your snippets."),
    ("delete_snippet", "Deletes a snippet."),
    ("whoami", "Tells who is signed in, through which client, and until when."),
];

/// The documents that a client discovers everything else from. Paths, so that links stay here.
const DOCUMENTS: [(&str, &str); 2] = [
    ("/.well-known/oauth-protected-resource/mcp", "Protected resource metadata (RFC 9728)"),
    ("/.well-known/oauth-authorization-server", "Authorization server metadata (RFC 8414)"),
];

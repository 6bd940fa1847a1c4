//! The page that asks a user whether a client may act for them.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use shared::base_url::is_loopback;
use shared::scope::Scopes;
use url::{Position, Url};

use super::display_name::DisplayName;
use super::{Page, STYLE};

/// Asks for consent: a form that posts `request` and `decision` (`allow` or `deny`) to `/consent`.
#[derive(Debug)]
pub struct ConsentPage<'a> {
    /// What the client calls itself; any text.
    pub client_name: &'a str,
    /// Whether it is a website, to which a consent may be remembered.
    pub of_website: bool,
    /// The host that publishes the client's metadata, if its identifier is a URL.
    pub client_host: Option<&'a str>,
    /// Where the answer goes, already proved to be the client's.
    pub redirect_uri: &'a Url,
    /// What the client asks for; may be empty.
    pub scopes: &'a Scopes,
    /// The sealed authorization request, which comes back with the decision.
    pub sealed_request: &'a str,
}

impl IntoResponse for ConsentPage<'_> {
    fn into_response(self) -> Response {
        let content = Content {
            style: STYLE,
            client_name: DisplayName::from(self.client_name),
            of_website: self.of_website,
            client_host: self.client_host,
            destination: Destination::of(self.redirect_uri),
            redirect_uri: self.redirect_uri.as_str(),
            scopes: self.scopes,
            sealed_request: self.sealed_request,
        };
        Page {
            status: StatusCode::OK,
            cache_control: "no-store",
            // Under no-referrer a browser sends `Origin: null` with the form, and `POST /consent`
            // takes none but our own origin. Nothing else on this page leads anywhere.
            referrer_policy: "same-origin",
            content,
        }
        .into_response()
    }
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Content<'a> {
    style: &'static str,
    client_name: DisplayName,
    of_website: bool,
    client_host: Option<&'a str>,
    destination: Destination<'a>,
    redirect_uri: &'a str,
    scopes: &'a Scopes,
    sealed_request: &'a str,
}

/// Who receives the answer, in the words that a user can judge.
#[derive(Debug, Eq, PartialEq)]
enum Destination<'a> {
    /// An app that this device opens for a scheme of its own, such as `cursor://`.
    App(&'a str),
    /// A program that listens on this computer: host and port.
    ThisMachine(&'a str),
    /// A site: host, and port if it is not the usual one.
    Website(&'a str),
}

impl<'a> Destination<'a> {
    fn of(redirect_uri: &'a Url) -> Self {
        let authority = &redirect_uri[Position::BeforeHost..Position::AfterPort];
        match redirect_uri.scheme() {
            "http" | "https" if is_loopback(redirect_uri) => Self::ThisMachine(authority),
            "http" | "https" => Self::Website(authority),
            _ => Self::App(&redirect_uri[..Position::BeforeUsername]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_shown_as_what_will_receive_the_answer() {
        for (redirect_uri, destination) in [
            ("https://claude.ai/api/callback", Destination::Website("claude.ai")),
            ("https://example.com:8443/", Destination::Website("example.com:8443")),
            ("https://claude.ai.evil.example/", Destination::Website("claude.ai.evil.example")),
            ("http://127.0.0.1:53122/callback", Destination::ThisMachine("127.0.0.1:53122")),
            ("http://[::1]:53122/callback", Destination::ThisMachine("[::1]:53122")),
            ("http://localhost/callback", Destination::ThisMachine("localhost")),
            ("cursor://anysphere.mcp/callback", Destination::App("cursor://")),
            ("com.example.app:/callback", Destination::App("com.example.app:")),
        ] {
            let redirect_uri = Url::parse(redirect_uri).unwrap();

            assert_eq!(Destination::of(&redirect_uri), destination);
        }
    }
}

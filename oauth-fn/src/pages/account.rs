//! The page on which a user looks after their own connections.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use shared::scope::Scopes;
use shared::storage::Key;

use super::display_name::DisplayName;
use super::{Page, STYLE};
use crate::grant::Connection;

/// Lists what is connected, with a button to revoke each; or asks a stranger to sign in. Its forms
/// post an `action` to `/account`.
#[derive(Debug)]
pub enum AccountPage<'a> {
    /// Nobody is signed in here.
    Stranger,
    /// A user is.
    Visitor {
        /// What Entra ID calls the user.
        name: &'a str,
        /// What is connected, the latest first.
        clients: Vec<ConnectedClient>,
    },
}

/// A client that a user is connected through.
#[derive(Debug)]
pub struct ConnectedClient {
    key: Key,
    name: DisplayName,
    scopes: Scopes,
    since: String,
    sessions: usize,
}

impl ConnectedClient {
    /// The client of `connection`.
    pub fn of(connection: &Connection) -> Self {
        Self {
            key: connection.client_key(),
            name: DisplayName::from(connection.client_name.as_str()),
            scopes: connection.scopes.clone(),
            since: connection.since.to_date(),
            sessions: 1,
        }
    }

    /// Whether `connection` is through this client.
    pub fn is_of(&self, connection: &Connection) -> bool {
        self.key == connection.client_key()
    }

    /// An earlier connection through the same client.
    pub fn add(&mut self, connection: &Connection) {
        self.sessions += 1;
        let scopes = std::mem::take(&mut self.scopes);
        self.scopes = connection.scopes.iter().fold(scopes, Scopes::with);
    }
}

impl IntoResponse for AccountPage<'_> {
    fn into_response(self) -> Response {
        let visitor = match self {
            Self::Stranger => None,
            Self::Visitor { name, clients } => Some((DisplayName::from(name), clients)),
        };
        Page {
            status: StatusCode::OK,
            cache_control: "no-store",
            // As on the consent page: a form without referrer would come without an origin.
            referrer_policy: "same-origin",
            content: Content { style: STYLE, visitor },
        }
        .into_response()
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct Content {
    style: &'static str,
    visitor: Option<(DisplayName, Vec<ConnectedClient>)>,
}

//! Consents that a browser remembers, and when one of them spares its user the question.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::scope::Scopes;
use shared::storage::Key;

use super::ConnectionPlace;
use crate::protocol::authorization_request::AuthorizationRequest;
use crate::protocol::consent::OwnNavigation;
use crate::protocol::prompt::Prompt;

/// How long a consent is remembered, counted from the moment that it was given.
pub const REMEMBERED_FOR: Duration = Duration::from_hours(30 * 24);
/// So many fit into a cookie with room to spare; of more, the oldest are forgotten.
const MOST: usize = 10;

/// What a browser remembers, the newest first.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct RememberedConsents(Vec<RememberedConsent>);

/// A consent that was given in this browser. It stands on the session that it was given for: when
/// that is ended, it is worth nothing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct RememberedConsent {
    question: Key,
    scopes: Scopes,
    given_at: UnixTime,
    connection: ConnectionPlace,
}

impl RememberedConsents {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The consent that covers `request`, if there is one, the user came here by themselves, and
    /// the client does not want them to be asked anew.
    pub fn approval(
        &self,
        request: &AuthorizationRequest,
        resource: &str,
        _: &OwnNavigation,
        now: UnixTime,
    ) -> Option<RememberedApproval> {
        if request.prompts.contains(Prompt::Consent) || !request.of_website {
            return None;
        }
        let question = question(request, resource);
        let covers = |consent: &&RememberedConsent| {
            consent.question == question
                && consent.scopes.covers(&request.scopes)
                && now < consent.given_at.plus(REMEMBERED_FOR)
        };
        let found = self.0.iter().find(covers)?;
        Some(RememberedApproval(found.connection.clone()))
    }

    /// These consents and the one that `connection` was made by, if the client is a website.
    #[must_use]
    pub fn remember(
        self,
        request: &AuthorizationRequest,
        resource: &str,
        connection: ConnectionPlace,
        given_at: UnixTime,
    ) -> Self {
        if !request.of_website {
            return self;
        }
        let (question, scopes) = (question(request, resource), request.scopes.clone());
        let new = RememberedConsent { question, scopes, given_at, connection };
        // Whoever decided last is who is remembered, of several users of one browser.
        let Self(others) = self.forget(request, resource);
        Self(std::iter::once(new).chain(others).take(MOST).collect())
    }

    /// These consents without any to what `request` asks.
    #[must_use]
    pub fn forget(mut self, request: &AuthorizationRequest, resource: &str) -> Self {
        let question = question(request, resource);
        self.0.retain(|consent| consent.question != question);
        self
    }
}

/// Proof that this browser remembers a consent to what is asked, given at this connection. Only
/// [`RememberedConsents::approval`] makes one. Whether its user is the one who signs in, and
/// whether the connection was revoked meanwhile, is seen after the sign-in.
#[derive(Debug)]
#[must_use]
pub struct RememberedApproval(pub(super) ConnectionPlace);

/// Which client asks, where the answer goes, and for which resource.
fn question(request: &AuthorizationRequest, resource: &str) -> Key {
    let redirect_uri = request.destination.redirect_uri();
    let parts = [request.client_id.as_str(), redirect_uri.as_str(), resource];
    Key::digest("consent", &parts.map(str::as_bytes))
}

//! Who calls: the session behind one request, the permits that its scopes give, and how long the
//! storage of each may take.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use rmcp::ErrorData;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use rmcp::model::Extensions;
use shared::deadline::{Deadline, REQUEST};
use shared::scope::{Scope, Scopes};
use shared::session::Session;
use shared::storage::Key;

/// The session that a request was let in with. Only [`crate::auth`] makes one.
#[derive(Clone, Debug)]
pub struct Caller {
    session: Arc<Session>,
    missing: Arc<OnceLock<Scope>>,
}

impl Caller {
    /// The caller behind `session`, who has not asked for anything yet.
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session, missing: Arc::default() }
    }

    /// The caller of the request with these extensions.
    ///
    /// # Errors
    /// The request did not come through the bearer layer.
    pub fn of(extensions: &Extensions) -> Result<Self, ErrorData> {
        let parts = extensions.get::<Parts>();
        let caller = parts.and_then(|parts| parts.extensions.get::<Self>());
        caller.cloned().ok_or_else(|| ErrorData::internal_error("nobody signed in", None))
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Leave to list and read the caller's snippets.
    ///
    /// # Errors
    /// The session lacks the scope; the whole request then ends in `insufficient_scope`.
    pub fn permit_read(&self) -> Result<MayRead, MissingScope> {
        self.require(Scope::SnippetsRead).map(MayRead)
    }

    /// Leave to save and delete the caller's snippets.
    ///
    /// # Errors
    /// The session lacks the scope; the whole request then ends in `insufficient_scope`.
    pub fn permit_write(&self) -> Result<MayWrite, MissingScope> {
        self.require(Scope::SnippetsWrite).map(MayWrite)
    }

    /// What a new token would need, if something was asked for that this one does not cover: the
    /// scopes that it has and the missing one, since a client asks for all of them at once.
    pub(crate) fn scopes_to_ask_for(&self) -> Option<Scopes> {
        self.missing.get().map(|scope| self.session.scopes.clone().with(*scope))
    }

    fn require(&self, scope: Scope) -> Result<Permit, MissingScope> {
        if self.session.scopes.contains(scope) {
            let owner = self.session.identity.user_key();
            // The tool begins now: how long its message took to come is no fault of storage's.
            return Ok(Permit { owner, deadline: Deadline::after(REQUEST) });
        }
        // The bearer layer reads this after the request was served: no body is parsed twice.
        Err(MissingScope(*self.missing.get_or_init(|| scope)))
    }
}

impl<C: AsRequestContext> FromContextPart<C> for Caller {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Self::of(&context.as_request_context().extensions)
    }
}

/// Whose snippets a request may reach, and until when.
#[derive(Debug)]
pub struct Permit {
    owner: Key,
    deadline: Deadline,
}

impl Permit {
    /// The user whose snippets they are.
    pub fn owner(&self) -> &Key {
        &self.owner
    }

    /// Does `work` under the deadline of the permit: tools run in a task of their own, where that of
    /// the request does not hold.
    pub async fn in_time<T>(&self, work: impl Future<Output = T>) -> T {
        self.deadline.hold(work).await
    }
}

/// Proof that the caller may read snippets, and whose. Only [`Caller::permit_read`] makes one.
#[derive(Debug)]
#[must_use]
pub struct MayRead(Permit);

impl Deref for MayRead {
    type Target = Permit;

    fn deref(&self) -> &Permit {
        &self.0
    }
}

impl<C: AsRequestContext> FromContextPart<C> for MayRead {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Ok(Caller::from_context_part(context)?.permit_read()?)
    }
}

/// Proof that the caller may change snippets, and whose. Only [`Caller::permit_write`] makes one.
#[derive(Debug)]
#[must_use]
pub struct MayWrite(Permit);

impl Deref for MayWrite {
    type Target = Permit;

    fn deref(&self) -> &Permit {
        &self.0
    }
}

impl<C: AsRequestContext> FromContextPart<C> for MayWrite {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Ok(Caller::from_context_part(context)?.permit_write()?)
    }
}

/// The user did not allow this to the client (RFC 6750 section 3.1, `insufficient_scope`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this needs the scope {0}, which the user has not allowed")]
pub struct MissingScope(Scope);

impl From<MissingScope> for ErrorData {
    fn from(missing: MissingScope) -> Self {
        Self::invalid_request(missing.to_string(), None)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use axum::body::{Body, Bytes};
    use futures::stream;
    use serde_json::json;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::testing::{TestServer, post};

    #[tokio::test(start_paused = true)]
    async fn a_message_that_comes_slowly_takes_nothing_of_the_time_for_storage() {
        let server = TestServer::new();
        let token = server.sign_in("ann", "snippets:read").await;
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "get_snippet", "arguments": { "snippetname": "a" } },
        });
        let upload = REQUEST + Duration::from_secs(5);
        server.snippets.silent.store(true, Ordering::Relaxed);
        let began = Instant::now();

        let body = Body::from_stream(stream::once(async move {
            sleep(upload).await;
            Ok::<_, Infallible>(Bytes::from(message.to_string()))
        }));
        let reply = server.send(post(&token).body(body).unwrap()).await;

        assert_eq!(reply.json()["result"]["isError"], true);
        assert_eq!(began.elapsed(), upload + REQUEST);
    }
}

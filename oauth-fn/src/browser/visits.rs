//! The visit of a user who looks after their own connections: one cookie, for a quarter of an hour.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use shared::clock::UnixTime;
use shared::session::Identity;

use super::{Browsers, opened, sealed};

const VISIT_COOKIE: &str = "mcp-account";
/// How long a visit lasts after the sign-in.
const VISIT_LIFETIME: Duration = Duration::from_mins(15);

/// A user who has signed in to look after their own connections.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Visit {
    /// Who it is.
    pub user: Identity,
    ends_at: UnixTime,
}

impl Visit {
    /// The visit of a user who signed in at `now`.
    pub fn new(user: Identity, now: UnixTime) -> Self {
        Self { user, ends_at: now.plus(VISIT_LIFETIME) }
    }
}

impl Browsers {
    /// The cookie that lets the user of `visit` in.
    pub fn seal_visit(&self, visit: &Visit, now: UnixTime) -> Option<HeaderValue> {
        let value = sealed(&self.visits, VISIT_COOKIE.as_bytes(), visit, now);
        self.jar.set(VISIT_COOKIE, &value, Some(VISIT_LIFETIME))
    }

    /// The visit that this browser is on, if it is not over.
    pub fn open_visit(&self, headers: &HeaderMap, now: UnixTime) -> Option<Visit> {
        let value = self.jar.get(headers, VISIT_COOKIE)?;
        let visit: Visit = opened(&self.visits, VISIT_COOKIE.as_bytes(), value)?;
        (now < visit.ends_at).then_some(visit)
    }
}

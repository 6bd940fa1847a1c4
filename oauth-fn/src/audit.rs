//! What was done and what was refused, as events of their own that can be queried apart: one for
//! each step in the life of a grant, without any text from outside.

use std::fmt;

use shared::session::{DirectoryId, Identity};
use shared::storage::{Address, Key};
use shared::telemetry::metrics;

use crate::correlation;
use crate::grant::client_key;
use crate::protocol::client_authentication::InvalidClient;

/// Declares the events: what each is called, how it ended, how loud it is, and what it carries.
macro_rules! events {
    ($(
        $(#[$what:meta])*
        $event:ident = $name:literal, $outcome:literal, $level:ident { $($field:ident: $type:ty),* };
    )*) => {
        /// Something that happened.
        #[derive(Debug)]
        pub(crate) enum Event {
            $($(#[$what])* $event { $($field: $type),* },)*
        }

        impl Event {
            /// Writes it down, under the name of the request that is being answered, and counts it.
            pub(crate) fn record(self) {
                let correlation_id = correlation::current();
                match self {
                    $(Self::$event { $($field),* } => {
                        tracing::event!(
                            target: "audit",
                            tracing::Level::$level,
                            audit = $name,
                            outcome = $outcome,
                            $($field = %$field,)*
                            %correlation_id,
                        );
                        let words = [$((concat!("oauth.", stringify!($field)), $field.word())),*];
                        metrics::audited($name, words.into_iter().filter_map(word_of));
                    })*
                }
            }
        }

        /// Every event by its name, with its outcome and its fields: what `docs/audit.md` tells.
        pub const EVENTS: &[(&str, &str, &[&str])] = &[
            $(($name, $outcome, &[$(stringify!($field)),*]),)*
        ];
    };
}

events! {
    /// A client introduced itself.
    ClientRegistered = "client_registered", "success", INFO
        { client: Client, kind: &'static str };
    /// The user is asked.
    AuthorizationRequested = "authorization_requested", "success", INFO { client: Client };
    /// An authorization request did not come as far as the user.
    AuthorizationRefused = "authorization_refused", "failure", INFO
        { client: Client, reason: &'static str };
    /// The user allowed access.
    ConsentAllowed = "consent_allowed", "success", INFO { client: Client };
    /// The user had allowed it before, and is not asked again.
    ConsentRemembered = "consent_remembered", "success", INFO { client: Client };
    /// What was remembered is another user's or was revoked: the user is asked after all.
    ConsentOutdated = "consent_outdated", "failure", INFO { client: Client, user: User };
    /// The user did not.
    ConsentDenied = "consent_denied", "failure", INFO { client: Client };
    /// Entra ID said who it is, and the client got a code.
    SignedIn = "signed_in", "success", INFO { client: Client, user: User };
    /// It came to no code.
    SignInFailed = "sign_in_failed", "failure", WARN { client: Client, reason: &'static str };
    /// A client did not prove that it is the one that it says.
    ClientRefused = "client_refused", "failure", INFO { client: Client, reason: InvalidClient };
    /// A code was traded for a session.
    CodeRedeemed = "code_redeemed", "success", INFO { client: Client, user: User };
    /// A code was not.
    CodeRefused = "code_refused", "failure", INFO { client: Client, reason: &'static str };
    /// A code came again, which ended the session.
    CodeReplayed = "code_replayed", "failure", WARN { client: Client };
    /// A session was renewed.
    Refreshed = "refreshed", "success", INFO { client: Client, user: User };
    /// The answer to a refresh was given again.
    RefreshRepeated = "refresh_repeated", "success", INFO { client: Client };
    /// A session was not renewed, and stays as it is.
    RefreshRefused = "refresh_refused", "failure", INFO { client: Client, reason: &'static str };
    /// A refresh token came again, which ended the session.
    RefreshReused = "refresh_token_reused", "failure", WARN { client: Client };
    /// The user may no longer sign in, which ended the session.
    SignInWithdrawn = "sign_in_withdrawn", "failure", WARN { client: Client, user: User };
    /// A client gave an access token back.
    TokenRevoked = "token_revoked", "success", INFO { client: Client, user: User };
    /// A client gave a session back.
    SessionRevoked = "session_revoked", "success", INFO { client: Client, user: User };
    /// A user came to look after their own connections.
    AccountVisited = "account_visited", "success", INFO { user: User };
    /// A user wanted to, and could not be signed in.
    AccountRefused = "account_refused", "failure", WARN { reason: &'static str };
    /// A user ended the sessions of one client.
    ClientRevokedByUser = "client_revoked_by_user", "success", INFO
        { client: Client, user: User, connections: usize };
    /// A user ended all of their sessions.
    AllRevokedByUser = "all_revoked_by_user", "success", INFO { user: User, connections: usize };
    /// An administrator ended a session from outside.
    RevokedByAdministrator = "revoked_by_administrator", "success", INFO
        { client: Client, user: User };
    /// A user signed out.
    SignedOut = "signed_out", "success", INFO { user: User };
    /// What lies in storage is not what we put there.
    Integrity = "integrity", "failure", WARN { address: Address };
    /// An address had its share. Told once a minute.
    Limited = "limited", "failure", WARN { limit: &'static str };
}

/// What a field of an event says to whoever counts: a word of ours, or nothing.
trait Counted {
    fn word(&self) -> Option<&'static str> {
        None
    }
}

impl Counted for &'static str {
    fn word(&self) -> Option<&'static str> {
        Some(self)
    }
}

impl Counted for Address {}
impl Counted for Client {}
impl Counted for InvalidClient {}
impl Counted for User {}
impl Counted for usize {}

fn word_of(
    (name, word): (&'static str, Option<&'static str>),
) -> Option<(&'static str, &'static str)> {
    word.map(|word| (name, word))
}

/// A client, by the digest of its `client_id`, which is also the key of its row; or unknown.
#[derive(Clone, Debug)]
pub(crate) struct Client(Option<Key>);

impl Client {
    /// A request that names no client.
    pub(crate) const UNKNOWN: Self = Self(None);

    /// The client that says it is `client_id`.
    pub(crate) fn named(client_id: &str) -> Self {
        Self(Some(client_key(client_id)))
    }
}

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_ref().map_or("unknown", Key::as_str))
    }
}

impl From<Key> for Client {
    fn from(key: Key) -> Self {
        Self(Some(key))
    }
}

/// A user, by tenant and key; or unknown, where the token that came opens nothing that tells.
#[derive(Clone, Debug)]
pub(crate) struct User(Option<(DirectoryId, Key)>);

impl User {
    /// Somebody.
    pub(crate) const UNKNOWN: Self = Self(None);
}

impl From<&Identity> for User {
    fn from(identity: &Identity) -> Self {
        Self(Some((identity.tenant_id.clone(), identity.user_key())))
    }
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((tenant, key)) => write!(formatter, "{}/{}", tenant.as_str(), key.as_str()),
            None => formatter.write_str("unknown"),
        }
    }
}

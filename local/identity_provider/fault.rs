//! What tests can make go wrong at the token endpoint.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Something that goes wrong with one call of the token endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The `id_token` has another signature than its contents.
    BadSignature,
    /// The `id_token` says that the user is a guest.
    Guest,
    /// The grant is refused as `invalid_grant`.
    InvalidGrant,
    /// The `id_token` is over.
    IdTokenExpired,
    /// The `id_token` is an HMAC under the public key, as in the confusion of RS256 and HS256.
    IdTokenHs256,
    /// There is no `id_token`.
    IdTokenMissing,
    /// The `id_token` is valid from tomorrow on.
    IdTokenNotYetValid,
    /// The `id_token` has the algorithm `none`, and no signature.
    IdTokenUnsigned,
    /// The `id_token` does not say whether the user is a guest.
    NoAcct,
    /// The user has no app roles.
    NoRoles,
    /// The answer is a page with status 200.
    NotJson,
    /// There is no refresh token.
    RefreshTokenMissing,
    /// The answer takes this long.
    Slow(Duration),
    /// The endpoint answers 503 `temporarily_unavailable`.
    Unavailable,
    /// The `id_token` names a key that is not published.
    UnknownKey,
    /// The `id_token` is for another application.
    WrongAudience,
    /// The `id_token` is from another issuer.
    WrongIssuer,
    /// The `id_token` answers another request.
    WrongNonce,
    /// The `id_token` is from our issuer, about a user of another directory.
    WrongTenant,
    /// The `id_token` is about another user of the same directory.
    WrongUser,
}

/// Faults that wait for their calls, the first for the next one.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<VecDeque<Fault>>);

impl Faults {
    pub(super) fn push(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault);
    }

    pub(super) fn take(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

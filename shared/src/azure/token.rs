//! Tokens of the identity for whomever it talks to, and why there is none.

use std::fmt;
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential};

use super::fault::without_token;

/// A token of `credential` for `audience`, if it comes within `time`. Who waits for another one's attempt does not wait forever.
pub(super) async fn token_for(
    credential: &dyn TokenCredential,
    audience: &str,
    time: Duration,
) -> Result<AccessToken, NoToken> {
    let no_token = |cause| NoToken { audience: audience.to_owned(), cause };
    let scope = format!("{audience}/.default");
    let scopes = [scope.as_str()];
    let asked = tokio::time::timeout(time, credential.get_token(&scopes, None)).await;
    let token = asked.map_err(|_| no_token(Cause::TimedOut))?;
    token.map_err(|error| no_token(Cause::Refused(without_token(&error))))
}

/// The identity gets no token.
#[derive(Debug, thiserror::Error)]
#[error(
    "no token for {audience} of the identity AZURE_CLIENT_ID, or of `az login` on a laptop ({cause})"
)]
pub struct NoToken {
    audience: String,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Refused(String),
    TimedOut,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(cause) => formatter.write_str(cause),
            Self::TimedOut => formatter.write_str("no answer in time"),
        }
    }
}

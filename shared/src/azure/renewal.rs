//! Tokens of our identity, renewed in a moment or not at all while the old one holds.
//!
//! Whoever keeps a token asks for the next one five minutes before its end, and goes on with the old
//! one if there is none. The library does so under a lock: all others wait, and a caller whose own
//! time ends first leaves it as wise as before. So where there is an old token, an attempt to renew
//! it ends before the calls that wait for it do, and for a while nobody makes another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use tokio::time::{Instant, timeout};

use super::fault::without_token;
use crate::clock::{Clock, SystemClock};

/// How long an attempt may take while the old token holds: much less than a call to storage.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How long nobody makes another attempt after one that failed.
const PAUSE: Duration = Duration::from_secs(15);

/// How many seconds a token must have left to be of use: Entra ID and storage are asked within them.
pub(super) const LEAST_LEFT: i64 = 60;

/// Whether `token` is of use still.
pub(super) fn holds(token: &AccessToken) -> bool {
    ends_later(token.expires_on.unix_timestamp())
}

/// A credential whose tokens are renewed in a moment or not at all.
#[derive(Debug)]
pub(super) struct SoonRenewed {
    credential: Arc<dyn TokenCredential>,
    given: Mutex<BTreeMap<String, Given>>,
}

/// What is known of the tokens for one scope.
#[derive(Debug)]
struct Given {
    /// When the newest one ends, in seconds since 1970.
    end: i64,
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    at: Instant,
    cause: String,
}

impl SoonRenewed {
    pub(super) fn new(credential: Arc<dyn TokenCredential>) -> Self {
        Self { credential, given: Mutex::default() }
    }

    /// What is known for `scope` if the newest token for it holds: nothing failed, or why the last
    /// attempt did, if that was just now.
    fn old(&self, scope: &str) -> Option<Result<(), Error>> {
        let given = self.lock();
        let Given { failed, .. } = given.get(scope).filter(|given| ends_later(given.end))?;
        let just_now = failed.as_ref().filter(|failed| failed.at.elapsed() < PAUSE);
        Some(just_now.map_or(Ok(()), |failed| Err(no_token(failed.cause.clone()))))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenCredential for SoonRenewed {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let scope = scopes.join(" ");
        let asked = self.credential.get_token(scopes, options);
        let outcome = match self.old(&scope) {
            // Nothing goes on without a token: it is waited for as long as the caller can.
            None => asked.await,
            Some(old) => {
                old?;
                let late = |_| Err(no_token("no answer in time".to_owned()));
                timeout(ATTEMPT, asked).await.unwrap_or_else(late)
            }
        };
        match &outcome {
            Ok(token) => {
                let end = token.expires_on.unix_timestamp();
                self.lock().insert(scope, Given { end, failed: None });
            }
            Err(error) => {
                let failed = Some(Failed { at: Instant::now(), cause: without_token(error) });
                self.lock().entry(scope).and_modify(|given| given.failed = failed);
            }
        }
        outcome
    }
}

fn ends_later(end: i64) -> bool {
    let now = i64::try_from(SystemClock.now().as_secs()).unwrap_or(i64::MAX);
    end >= now.saturating_add(LEAST_LEFT)
}

fn no_token(cause: String) -> Error {
    Error::with_message(ErrorKind::Credential, cause)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

    use azure_core::time::OffsetDateTime;

    use super::*;

    /// How long one waits who waits for nothing else.
    const CALLER: Duration = Duration::from_secs(5);

    /// An identity endpoint: how long its tokens live, whether it hangs, and how often it was asked.
    #[derive(Debug, Default)]
    struct Endpoint {
        lifetime: AtomicI64,
        hangs: AtomicBool,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl TokenCredential for Endpoint {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let now = i64::try_from(SystemClock.now().as_secs()).unwrap();
            let end = now + self.lifetime.load(Ordering::Relaxed);
            Ok(AccessToken::new("token", OffsetDateTime::from_unix_timestamp(end).unwrap()))
        }
    }

    /// A credential that was given one token with so many seconds left, when its endpoint hangs.
    async fn left_with(seconds: i64) -> (Arc<Endpoint>, SoonRenewed) {
        let endpoint = Arc::new(Endpoint::default());
        endpoint.lifetime.store(seconds, Ordering::Relaxed);
        let credential = SoonRenewed::new(Arc::clone(&endpoint) as _);
        credential.get_token(&["scope"], None).await.unwrap();
        endpoint.hangs.store(true, Ordering::Relaxed);
        (endpoint, credential)
    }

    /// How long a caller waits until there is a token, or until it hears that there is none.
    async fn waits(credential: &SoonRenewed) -> (Duration, Option<bool>) {
        let began = Instant::now();
        let outcome = timeout(CALLER, credential.get_token(&["scope"], None)).await;
        (began.elapsed(), outcome.ok().map(|outcome| outcome.is_ok()))
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_old_token_holds_one_caller_waits_a_moment_and_the_others_do_not() {
        let (endpoint, credential) = left_with(240).await;

        let waited = [waits(&credential).await, waits(&credential).await, waits(&credential).await];

        let no_token = Some(false);
        let none = Duration::ZERO;
        assert_eq!(waited, [(ATTEMPT, no_token), (none, no_token), (none, no_token)]);
        assert_eq!(endpoint.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_there_is_another_attempt_and_a_new_token_ends_the_matter() {
        let (endpoint, credential) = left_with(240).await;
        waits(&credential).await;
        endpoint.hangs.store(false, Ordering::Relaxed);

        let soon = waits(&credential).await;
        tokio::time::advance(PAUSE).await;
        let later = [waits(&credential).await, waits(&credential).await];

        assert_eq!(soon, (Duration::ZERO, Some(false)));
        assert_eq!(later, [(Duration::ZERO, Some(true)); 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_token_that_holds_one_is_waited_for() {
        let (_, credential) = left_with(LEAST_LEFT - 1).await;

        assert_eq!(waits(&credential).await, (CALLER, None));
        assert_eq!(waits(&credential).await, (CALLER, None));
    }
}

//! What our identity in Azure states of us for an application in Entra ID: its token for the
//! audience of such exchanges. The application trusts it by a federated identity credential.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential};

use super::renewal::holds;
use super::token::token_for;
use crate::client_assertion::{ClientAssertion, ClientAssertions, NoAssertion};
use crate::config::Settings;
use crate::deadline;

/// Whom an assertion is for. Each cloud has its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AssertionAudience(String);

impl AssertionAudience {
    /// The audience in `UPSTREAM_ASSERTION_AUDIENCE`, or that of the public cloud.
    pub fn read(settings: &mut Settings<'_>) -> Option<Self> {
        settings.optional("UPSTREAM_ASSERTION_AUDIENCE", Self::default(), |text| {
            let name = text.strip_prefix("api://").unwrap_or_default();
            let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if named { Ok(Self(text.to_owned())) } else { Err(InvalidAudience) }
        })
    }
}

impl Default for AssertionAudience {
    fn default() -> Self {
        Self("api://AzureADTokenExchange".to_owned())
    }
}

impl fmt::Display for AssertionAudience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The text is not an audience of assertions.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be as in the federated identity credential, such as api://AzureADTokenExchangeUSGov")]
pub struct InvalidAudience;

/// Assertions by the identity that a process has in Azure. The credential keeps a token and asks
/// for the next one five minutes before its end; in these, the old one serves if none is given.
#[derive(Debug)]
pub(super) struct IdentityAssertions {
    credential: Arc<dyn TokenCredential>,
    audience: AssertionAudience,
    deadline: Duration,
    newest: Mutex<Option<AccessToken>>,
}

impl IdentityAssertions {
    pub(super) fn new(
        credential: Arc<dyn TokenCredential>,
        audience: AssertionAudience,
        deadline: Duration,
    ) -> Self {
        Self { credential, audience, deadline, newest: Mutex::default() }
    }

    fn keep(&self, token: &AccessToken) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
    }

    fn kept(&self) -> Option<AccessToken> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        newest.filter(holds)
    }
}

#[async_trait]
impl ClientAssertions for IdentityAssertions {
    async fn client_assertion(&self) -> Result<ClientAssertion, NoAssertion> {
        let time = deadline::at_most_keeping(self.deadline, deadline::FOR_STORAGE);
        let token = match token_for(&*self.credential, &self.audience.0, time).await {
            Ok(token) => {
                self.keep(&token);
                token
            }
            Err(error) => self.kept().ok_or_else(|| NoAssertion::new(error))?,
        };
        Ok(ClientAssertion::new(token.token.secret().into()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use azure_core::credentials::TokenRequestOptions;
    use azure_core::error::ErrorKind;
    use azure_core::time::{Duration, OffsetDateTime};

    use super::super::renewal::LEAST_LEFT;
    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::deadline::{Deadline, FOR_STORAGE};
    use crate::telemetry::ErrorChain;

    /// Gives tokens with so many seconds left, one after the other, and then no more.
    #[derive(Debug)]
    struct Scripted(Mutex<VecDeque<i64>>);

    #[async_trait]
    impl TokenCredential for Scripted {
        async fn get_token(
            &self,
            scopes: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            let left = self.0.lock().unwrap().pop_front();
            let left = left.ok_or_else(|| {
                azure_core::Error::with_message(ErrorKind::Credential, "away".to_owned())
            })?;
            let now = i64::try_from(SystemClock.now().as_secs()).unwrap();
            let expires_on = OffsetDateTime::from_unix_timestamp(now).unwrap();
            let text = format!("{} for {left}", scopes[0]);
            Ok(AccessToken::new(text, expires_on + Duration::seconds(left)))
        }
    }

    fn assertions(left: &[i64]) -> IdentityAssertions {
        let credential = Scripted(Mutex::new(left.iter().copied().collect()));
        let deadline = std::time::Duration::from_secs(5);
        IdentityAssertions::new(Arc::new(credential), AssertionAudience::default(), deadline)
    }

    fn audience(text: &str) -> Option<String> {
        let env = [("UPSTREAM_ASSERTION_AUDIENCE", text)];
        AssertionAudience::read(&mut Settings::new(&env)).map(|audience| audience.to_string())
    }

    #[tokio::test]
    async fn while_no_new_token_is_given_the_old_one_serves_to_its_last_minute() {
        for (left, serves) in [(200, true), (LEAST_LEFT + 5, true), (LEAST_LEFT - 1, false)] {
            let assertions = assertions(&[left]);

            let (first, second) =
                (assertions.client_assertion().await, assertions.client_assertion().await);

            assert_eq!(
                first.unwrap().expose(),
                format!("api://AzureADTokenExchange/.default for {left}")
            );
            assert_eq!(second.is_ok(), serves, "{left}");
        }
    }

    #[tokio::test]
    async fn the_newest_token_is_the_one_that_is_sent() {
        let assertions = assertions(&[200, 300]);

        let texts = [
            assertions.client_assertion().await.unwrap(),
            assertions.client_assertion().await.unwrap(),
            assertions.client_assertion().await.unwrap(),
        ];

        let ends = texts.map(|text| text.expose().rsplit_once(' ').unwrap().1.to_owned());
        assert_eq!(ends, ["200", "300", "300"]);
    }

    /// Gives no token, and no answer.
    #[derive(Debug)]
    struct Hanging;

    #[async_trait]
    impl TokenCredential for Hanging {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_time_of_the_request_allows() {
        let left = std::time::Duration::from_millis(300);
        let minute = std::time::Duration::from_mins(1);
        let assertions =
            IdentityAssertions::new(Arc::new(Hanging), AssertionAudience::default(), minute);
        let began = tokio::time::Instant::now();

        let deadline = Deadline::after(FOR_STORAGE + left);
        let assertion = deadline.hold(assertions.client_assertion()).await;

        assert!(assertion.is_err());
        assert_eq!(began.elapsed(), left);
    }

    #[tokio::test]
    async fn the_log_hears_which_identity_has_no_token_for_whom() {
        let error = assertions(&[]).client_assertion().await.unwrap_err();

        assert_eq!(
            ErrorChain(&error).to_string(),
            "there is no client assertion: no token for api://AzureADTokenExchange of the identity \
             AZURE_CLIENT_ID, or of `az login` on a laptop (away)"
        );
    }

    #[test]
    fn each_cloud_has_its_audience_and_the_public_one_is_taken_where_none_is_set() {
        assert_eq!(audience("").as_deref(), Some("api://AzureADTokenExchange"));
        for cloud in ["api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"] {
            assert_eq!(audience(cloud).as_deref(), Some(cloud));
        }
        for text in ["AzureADTokenExchange", "api://", "api://a/.default", "api://a b", "https://a"]
        {
            assert_eq!(audience(text), None, "{text}");
        }
    }

    #[test]
    fn an_assertion_does_not_show_itself() {
        let assertion = ClientAssertion::new("header.claims.signature".into());

        assert!(!format!("{assertion:?}").contains("claims"));
    }
}

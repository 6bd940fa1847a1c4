//! `POST /token`: trades a code for a session, and renews sessions (RFC 6749 sections 4.1.3, 6).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::Serialize;
use shared::clock::UnixTime;
use shared::serve::Interrupted;
use shared::storage::ReplaceError;
use shared::telemetry::ErrorChain;

use super::answer::{ClientError, log_failure};
use super::form::OAuthForm;
use crate::App;
use crate::audit::{Client, Event, User};
use crate::clients::{AgeingRow, KnownClient};
use crate::correlation::to_completion;
use crate::grant::{Connection, NotTheOwner, SessionGrant};
use crate::grants::{CodeState, FoundRefresh, IssuedToken, IssuedTokens, Renewal, Row};
use crate::protocol::client_authentication::{AuthenticatedClient, InvalidClient, PresentedClient};
use crate::protocol::parameters::Parameters;
use crate::protocol::token_request::{CodeExchange, InvalidTokenRequest, Refresh, TokenRequest};

/// `POST /token`. What it began it finishes, even if the client goes away.
pub(super) async fn issue(
    State(app): State<App>,
    headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, ClientError> {
    let (client, ageing) = authenticate(&app, &headers, &form).await?;
    let request = TokenRequest::read(&form, client.id(), &app.base_url)?;
    let now = app.clock.now();
    let issued = to_completion(async move {
        let issued = match request {
            TokenRequest::Code(exchange) => app.exchange(exchange).await,
            TokenRequest::Refresh(refresh) => app.refresh(refresh).await,
        };
        if let (Ok(tokens), Some(row)) = (&issued, &ageing) {
            app.renew_client(row, tokens).await;
        }
        issued
    });
    Ok(Json(TokenAnswer::new(issued.await??, now)).into_response())
}

/// The client that a form of the back channel comes from, proved in the way that it registered.
/// This comes before anything else is looked at, so that nobody else uses up a code. With it comes
/// the client's row, if that has to be renewed.
///
/// # Errors
/// The client is not registered here, or does not prove that it is the one; or storage failed.
pub(super) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<(AuthenticatedClient, Option<AgeingRow>), ClientError> {
    form.each_once().map_err(|error| ClientError::invalid_request(&error.to_string()))?;
    let authorization: Vec<_> =
        headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes).collect();
    let presented = PresentedClient::read(&authorization, form);
    let presented = presented.map_err(|error| refused(Client::UNKNOWN, error))?;
    let client = Client::named(presented.id());
    let known = app.clients.authentication(presented.id()).await?;
    let verified = known.ok_or(InvalidClient::Unknown).and_then(|known| {
        let KnownClient { authentication, ageing } = known;
        Ok((authentication.verify(presented)?, ageing))
    });
    verified.map_err(|error| refused(client, error))
}

fn refused(client: Client, reason: InvalidClient) -> ClientError {
    Event::ClientRefused { client, reason }.record();
    ClientError::InvalidClient(reason)
}

impl App {
    /// A code is claimed by replacing its row at the version that was read. What is wrong with
    /// the one who presents it does not use it up; its second use by its owner ends the session.
    async fn exchange(&self, exchange: CodeExchange) -> Result<IssuedTokens, ClientError> {
        let client = Client::named(&exchange.client_id);
        let refused = |reason| {
            Event::CodeRefused { client: client.clone(), reason }.record();
            ClientError::invalid_grant()
        };
        let found = self.grants.find_by_code(exchange.code.expose_secret()).await?;
        let found = found.ok_or_else(|| refused("unknown"))?;
        let verified = found.binding.verify(&exchange);
        let verified = verified.map_err(|NotTheOwner| refused("not_the_owner"))?;
        let CodeState::Fulfilled(fulfilled) = found.state else {
            return Err(self.end_session(&found.row, Event::CodeReplayed { client }).await);
        };
        let user = User::from(&fulfilled.signed_in.identity);
        let exchanged = fulfilled.exchange(verified);
        let opened = self.grants.open_session(found.token, found.row, exchanged).await;
        let issued = opened.map_err(|error| match error {
            ReplaceError::Lost => refused("already_redeemed"),
            failure @ ReplaceError::Store(_) => failure.into(),
        })?;
        Event::CodeRedeemed { client, user }.record();
        Ok(issued)
    }

    /// A token that was replaced a moment ago gets the answer of then again. One that was
    /// replaced longer ago is a copy in somebody's hands, and ends the session.
    async fn refresh(&self, refresh: Refresh) -> Result<IssuedTokens, ClientError> {
        match self.find(&refresh).await? {
            FoundRefresh::LostAnswer { answer, .. } => repeated(&refresh, answer),
            FoundRefresh::Reused { row, .. } => {
                let client = Client::named(&refresh.client_id);
                Err(self.end_session(&row, Event::RefreshReused { client }).await)
            }
            FoundRefresh::Renewable { renewal, grant } => {
                let older = self.grants.is_of_older_key(refresh.refresh_token.expose_secret());
                let connection = older.then(|| grant.connection(renewal.session()));
                if let Some(connection) = connection {
                    self.note_again(&connection).await?;
                }
                self.renew(&refresh, renewal, grant).await
            }
        }
    }

    async fn find(&self, refresh: &Refresh) -> Result<FoundRefresh, ClientError> {
        let presented = refresh.refresh_token.expose_secret();
        let found = self.grants.find_by_refresh_token(presented).await?;
        // A token from long ago opens nothing that tells its client; nobody but a client of ours,
        // or a thief, has one.
        let of_client = |found: &FoundRefresh| {
            found.client_id().is_none_or(|client_id| client_id == refresh.client_id)
        };
        found.filter(of_client).ok_or_else(|| {
            refresh_refused(refresh, "unknown");
            ClientError::invalid_grant()
        })
    }

    /// Renews our tokens by renewing Entra ID's: a user who may no longer sign in there loses
    /// access here.
    async fn renew(
        &self,
        refresh: &Refresh,
        renewal: Renewal,
        grant: SessionGrant,
    ) -> Result<IssuedTokens, ClientError> {
        let scopes = grant.narrowed(refresh.scopes.clone()).ok_or_else(|| {
            refresh_refused(refresh, "invalid_scope");
            ClientError::refused("invalid_scope", "the user did not allow that much")
        })?;
        let (client, user) = (Client::named(&grant.client_id), User::from(&grant.identity));
        let entra = grant.entra_refresh_token.clone().ok_or_else(ClientError::invalid_grant)?;
        let renewed = match self.upstream.renew(&entra, &grant.identity).await {
            Ok(tokens) => self.grants.renew(renewal, grant.renew(tokens, scopes)).await.map(Some),
            Err(error) if error.ends_sessions() => {
                log_failure(&error);
                self.grants.end_unchanged(renewal.row()).await.map(|()| None)
            }
            Err(error) => {
                log_failure(&error);
                return Err(ClientError::Unavailable);
            }
        };
        match renewed {
            Ok(Some(issued)) => {
                Event::Refreshed { client, user }.record();
                Ok(issued)
            }
            Ok(None) => {
                Event::SignInWithdrawn { client, user }.record();
                Err(ClientError::invalid_grant())
            }
            Err(ReplaceError::Lost) => self.answer_of_the_winner(refresh).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Another request with the same token was faster. Both get the same answer: whichever the
    /// client keeps is good.
    async fn answer_of_the_winner(&self, refresh: &Refresh) -> Result<IssuedTokens, ClientError> {
        match self.find(refresh).await? {
            FoundRefresh::LostAnswer { answer, .. } => repeated(refresh, answer),
            FoundRefresh::Renewable { .. } | FoundRefresh::Reused { .. } => {
                Err(ClientError::Unavailable)
            }
        }
    }

    /// The client has its tokens, whatever becomes of its row: there will be another time.
    async fn renew_client(&self, row: &AgeingRow, tokens: &IssuedTokens) {
        if let Err(error) = self.clients.renew(row, tokens).await {
            tracing::warn!(error = %ErrorChain(&error), "the row of a client was not renewed");
        }
    }

    /// The key under which the connection was noted may go soon, and the session lives on: its user
    /// has to find it still. It comes before the token is used up, so that it is tried again.
    async fn note_again(&self, connection: &Connection) -> Result<(), ClientError> {
        Ok(self.connections.note_again(connection).await?)
    }

    async fn end_session(&self, row: &Row, event: Event) -> ClientError {
        match self.grants.end(row).await {
            Ok(()) => {
                event.record();
                ClientError::invalid_grant()
            }
            Err(error) => error.into(),
        }
    }
}

/// The answer of then, to the same question.
fn repeated(refresh: &Refresh, answer: IssuedTokens) -> Result<IssuedTokens, ClientError> {
    if refresh.scopes.as_ref().is_some_and(|wanted| *wanted != answer.scopes) {
        refresh_refused(refresh, "invalid_scope");
        return Err(ClientError::refused("invalid_scope", "the same token asked for other scopes"));
    }
    Event::RefreshRepeated { client: Client::named(&refresh.client_id) }.record();
    Ok(answer)
}

fn refresh_refused(refresh: &Refresh, reason: &'static str) {
    Event::RefreshRefused { client: Client::named(&refresh.client_id), reason }.record();
}

/// A successful answer (RFC 6749 section 5.1).
#[derive(Serialize)]
struct TokenAnswer {
    access_token: IssuedToken,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<IssuedToken>,
    scope: String,
}

impl TokenAnswer {
    fn new(issued: IssuedTokens, now: UnixTime) -> Self {
        Self {
            access_token: issued.access_token,
            token_type: "Bearer",
            expires_in: issued.expires_at.since(now).as_secs(),
            refresh_token: issued.refresh_token,
            scope: issued.scopes.to_string(),
        }
    }
}

impl From<InvalidTokenRequest> for ClientError {
    fn from(error: InvalidTokenRequest) -> Self {
        Self::refused(error.code(), &error.to_string())
    }
}

impl From<Interrupted> for ClientError {
    fn from(error: Interrupted) -> Self {
        log_failure(&error);
        Self::Unavailable
    }
}

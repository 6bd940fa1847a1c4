//! `POST /token`: trades a code for a session, and renews sessions (RFC 6749 sections 4.1.3, 6).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::ExposeSecret;
use serde::Serialize;
use shared::scope::Scopes;
use shared::serve::{Interrupted, to_completion};
use shared::storage::{ReplaceError, StoreError};

use super::answer::{ClientError, OAuthForm, log_failure};
use crate::App;
use crate::grant::SessionGrant;
use crate::grants::{CodeState, FoundRefresh, IssuedTokens, Renewal, Row};
use crate::protocol::parameters::Parameters;
use crate::protocol::token_request::{CodeExchange, InvalidTokenRequest, Refresh, TokenRequest};
use crate::upstream::UpstreamError;

/// `POST /token`. What it began it finishes, even if the client goes away.
pub(super) async fn issue(
    State(app): State<App>,
    headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, ClientError> {
    let client_id = authenticate(&app, &headers, &form)?;
    let request = TokenRequest::read(&form, client_id, &app.base_url)?;
    let issued = to_completion(async move {
        match request {
            TokenRequest::Code(exchange) => app.exchange(exchange).await,
            TokenRequest::Refresh(refresh) => app.refresh(refresh).await,
        }
    });
    let issued = issued.await??;
    Ok(Json(TokenAnswer::from(&issued)).into_response())
}

/// The client that a form of the back channel comes from. All clients are public: they are known
/// by their id, and a client that brings a secret is not the one that registered.
///
/// # Errors
/// The client is not registered here, or no longer.
pub(super) fn authenticate<'a>(
    app: &App,
    headers: &HeaderMap,
    form: &'a Parameters,
) -> Result<&'a str, ClientError> {
    form.each_once().map_err(|error| ClientError::invalid_request(&error.to_string()))?;
    let secret = headers.contains_key(AUTHORIZATION)
        || form.get("client_secret").is_some()
        || form.get("client_assertion").is_some();
    let client_id = form.get("client_id").filter(|id| !secret && app.clients.recognise(id));
    client_id.ok_or(ClientError::InvalidClient)
}

impl App {
    /// A code is claimed by replacing its row at the version that was read. What is wrong with
    /// the one who presents it does not use it up; its second use by its owner ends the session.
    async fn exchange(&self, exchange: CodeExchange) -> Result<IssuedTokens, ClientError> {
        let found = self.grants.find_by_code(exchange.code.expose_secret()).await?;
        let found = found.ok_or_else(ClientError::invalid_grant)?;
        let verified = found.binding.verify(&exchange).map_err(|error| {
            tracing::info!(audit = "code_refused", %error, "a code was refused");
            ClientError::invalid_grant()
        })?;
        match found.state {
            CodeState::Fulfilled(fulfilled) => {
                let exchanged = fulfilled.exchange(verified);
                let opened = self.grants.open_session(found.token, found.row, exchanged).await;
                opened.map_err(|error| match error {
                    ReplaceError::Lost => ClientError::invalid_grant(),
                    ReplaceError::Store(error) => error.into(),
                })
            }
            CodeState::Exchanged => Err(self.end_session(&found.row, "code_replayed").await),
        }
    }

    /// Renews our tokens by renewing Entra ID's: a user who may no longer sign in there loses
    /// access here.
    async fn refresh(&self, refresh: Refresh) -> Result<IssuedTokens, ClientError> {
        let found = self
            .grants
            .find_by_refresh_token(refresh.refresh_token.expose_secret())
            .await?
            // A token from long ago opens nothing that tells its client; nobody but a client of
            // ours, or a thief, has one.
            .filter(|found| found.grant().is_none_or(|grant| grant.client_id == refresh.client_id))
            .ok_or_else(ClientError::invalid_grant)?;
        match found {
            FoundRefresh::Reused { row, .. } => {
                Err(self.end_session(&row, "refresh_token_reused").await)
            }
            FoundRefresh::Renewable { renewal, grant } => {
                self.renew(renewal, grant, refresh.scopes).await
            }
        }
    }

    async fn renew(
        &self,
        renewal: Renewal,
        grant: SessionGrant,
        scopes: Option<Scopes>,
    ) -> Result<IssuedTokens, ClientError> {
        let scopes = scopes.unwrap_or_else(|| grant.scopes.clone());
        if !grant.scopes.covers(&scopes) {
            return Err(ClientError::refused("invalid_scope", "the user did not allow that much"));
        }
        let entra = grant.entra_refresh_token.clone().ok_or_else(ClientError::invalid_grant)?;
        let tokens = match self.upstream.renew(&entra).await {
            Ok(tokens) => tokens,
            Err(error) => {
                log_failure(&error);
                let withdrawn = matches!(error, UpstreamError::Refused(_));
                return Err(if withdrawn {
                    self.end_session(renewal.row(), "sign_in_withdrawn").await
                } else {
                    ClientError::Unavailable
                });
            }
        };
        let renewed = self.grants.renew(renewal, grant.renew(tokens, scopes)).await;
        renewed.map_err(|error| match error {
            // Another request of the same client was faster: its tokens are good, and the answer
            // to this one must not make the client throw them away.
            ReplaceError::Lost => ClientError::Unavailable,
            ReplaceError::Store(error) => error.into(),
        })
    }

    async fn end_session(&self, row: &Row, audit: &'static str) -> ClientError {
        tracing::warn!(audit, "a session was ended");
        match self.grants.end(row).await {
            Ok(()) => ClientError::invalid_grant(),
            Err(error) => StoreError::into(error),
        }
    }
}

/// A successful answer (RFC 6749 section 5.1).
#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    scope: &'a str,
}

impl<'a> From<&'a IssuedTokens> for TokenAnswer<'a> {
    fn from(issued: &'a IssuedTokens) -> Self {
        Self {
            access_token: issued.access_token(),
            token_type: "Bearer",
            expires_in: issued.expires_in,
            refresh_token: issued.refresh_token(),
            scope: &issued.scopes,
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

//! `POST /revoke`: a client gives a token back (RFC 7009).

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use shared::session::{Access, TokenKind};

use super::answer::ClientError;
use super::form::OAuthForm;
use super::token::authenticate;
use crate::App;
use crate::audit::{Client, Event, User};

/// `POST /revoke`. A token that is unknown, or another client's, is answered like one that was
/// revoked, and stays as it is (RFC 7009 section 2.2). One that is good but has no row where we look
/// may live elsewhere, so it is not said to be revoked: the client comes again (section 2.2.1).
pub(super) async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<StatusCode, ClientError> {
    let (client, _) = authenticate(&app, &headers, &form).await?;
    let presented =
        form.required("token").map_err(|error| ClientError::invalid_request(&error.to_string()))?;
    if presented.starts_with(Access::PREFIX) {
        app.revoke_access_token(presented, client.id()).await?;
    } else {
        app.revoke_refresh_token(presented, client.id()).await?;
    }
    Ok(StatusCode::OK)
}

impl App {
    async fn revoke_access_token(&self, token: &str, client_id: &str) -> Result<(), ClientError> {
        if let Some(identity) = self.grants.revoke_access_token(token, client_id).await? {
            let (client, user) = (Client::named(client_id), User::from(&identity));
            Event::TokenRevoked { client, user }.record();
        }
        Ok(())
    }

    /// The refresh token is the session: with it goes everything.
    async fn revoke_refresh_token(&self, token: &str, client_id: &str) -> Result<(), ClientError> {
        let found = self.grants.find_by_refresh_token(token).await?;
        let owned = found.filter(|found| found.client_id() == Some(client_id));
        if let Some(found) = owned {
            self.grants.end(found.row()).await?;
            let user = found.identity().map_or(User::UNKNOWN, User::from);
            Event::SessionRevoked { client: Client::named(client_id), user }.record();
        }
        Ok(())
    }
}

//! `GET` and `POST /account`: a user looks after their own connections.
//!
//! A visit begins with a sign-in at Entra ID and lasts a quarter of an hour. It gives no token and
//! opens no session: it can look, revoke and end.

use std::pin::pin;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, StatusCode};
use shared::session::Identity;
use shared::storage::{Key, ReplaceError, StoreError};

use super::answer::redirect;
use super::form::{check_origin, read_form};
use super::page_error::PageError;
use super::sign_in::begin;
use super::sign_in_error::SignInError;
use crate::App;
use crate::audit::{Event, User};
use crate::browser::Visit;
use crate::correlation::to_completion;
use crate::grant::{Connection, Flow, SignInAttempt};
use crate::pages::{AccountPage, ConnectedClient};
use crate::protocol::account::AccountAction;
use crate::upstream::UpstreamError;

const PATH: &str = "/account";
/// How many rows are read at once for one page.
const QUESTIONS_AT_ONCE: usize = 16;

/// `GET /account`: the user's connections, or the way to sign in.
pub(super) async fn show(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let Some(visit) = app.browsers.open_visit(&headers, app.clock.now()) else {
        return Ok(AccountPage::Stranger.into_response());
    };
    let live = app.live_connections(&visit.user).await;
    let connections = live.map_err(|error| PageError::unavailable(&error))?;
    let clients = by_client(&connections);
    Ok(AccountPage::Visitor { name: &visit.user.name, clients }.into_response())
}

/// `POST /account`: a button of the page was pressed.
pub(super) async fn act(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    let headers = request.headers().clone();
    let same_origin = check_origin(&app, &headers)?;
    let form = read_form(request).await?;
    let action = AccountAction::read(&form, &same_origin)
        .map_err(|_| PageError::unusable("The page was sent without anything to do."))?;
    let visit = app.browsers.open_visit(&headers, app.clock.now());
    let client = match action {
        AccountAction::SignIn => {
            let flow = Flow::Account(SignInAttempt::new(app.clock.now()));
            let begun = begin(&app, &flow, &headers, StatusCode::SEE_OTHER).await;
            return begun.map_err(|error| PageError::sign_in_unreachable(&error));
        }
        // Nobody has to be signed in to leave.
        AccountAction::SignOut => return Ok(sign_out(&app, visit.as_ref(), &headers).await),
        AccountAction::Revoke(client) => Some(client),
        AccountAction::RevokeAll => None,
    };
    let visit = visit.ok_or_else(|| {
        PageError::forbidden("You are not signed in here, or not for the last quarter of an hour.")
    })?;
    // It ends what it began to end, even if the browser goes away.
    let revoked = to_completion(revoke(app.clone(), visit.user, client)).await;
    revoked
        .map_err(|error| PageError::unavailable(&error))?
        .map_err(|error| PageError::unavailable(&error))?;
    Ok(redirect(StatusCode::SEE_OTHER, &app.base_url.at(PATH), None))
}

/// The sign-in that began here has come to its end: the visit begins.
pub(super) async fn arrive(
    app: &App,
    sign_in: &SignInAttempt,
    answer: Result<String, SignInError>,
) -> Result<Response, PageError> {
    let signed_in = match answer {
        Ok(code) => app.upstream.redeem(&code, sign_in).await.map_err(SignInError::from),
        Err(error) => Err(error),
    };
    if let Err(error) = &signed_in {
        Event::AccountRefused { reason: error.reason() }.record();
    }
    let signed_in = signed_in.map_err(|error| match error {
        SignInError::Upstream(
            error @ (UpstreamError::Unavailable(_) | UpstreamError::Unproved(_)),
        ) => PageError::sign_in_unreachable(&error),
        error => PageError::sign_in_failed(&error),
    })?;
    // The tokens of Entra ID end here: a visit needs none.
    let user = signed_in.identity;
    Event::AccountVisited { user: User::from(&user) }.record();
    let now = app.clock.now();
    let cookie = app.browsers.seal_visit(&Visit::new(user, now), now);
    Ok(redirect(StatusCode::FOUND, &app.base_url.at(PATH), cookie))
}

async fn sign_out(app: &App, visit: Option<&Visit>, headers: &HeaderMap) -> Response {
    let user = visit.map_or(User::UNKNOWN, |visit| User::from(&visit.user));
    Event::SignedOut { user }.record();
    let back = app.base_url.url_at(PATH);
    let location = app.upstream.sign_out_url(&back).await.unwrap_or(back);
    let cookies = app.browsers.forget_everything(headers);
    redirect(StatusCode::SEE_OTHER, location.as_str(), cookies)
}

/// Ends the sessions of `user`, those of one client or all, with the consents that stand on them.
async fn revoke(app: App, user: Identity, client: Option<Key>) -> Result<(), ReplaceError> {
    let mut connections = app.connections.of_user(&user.user_key()).await?;
    if let Some(client) = &client {
        connections.retain(|connection| connection.client_key() == *client);
    }
    let (mut connections_ended, mut outcome) = (0, Ok(()));
    let mut ending = pin!(app.connections.end_all(connections));
    while let Some((_, ended)) = ending.next().await {
        match ended {
            Ok(()) => connections_ended += 1,
            failed => outcome = failed,
        }
    }
    // What was ended is told even where something failed on the way.
    if outcome.is_ok() || connections_ended > 0 {
        revoked(&user, client, connections_ended).record();
    }
    outcome
}

fn revoked(user: &Identity, client: Option<Key>, connections: usize) -> Event {
    let user = User::from(user);
    match client {
        Some(client) => Event::ClientRevokedByUser { client: client.into(), user, connections },
        None => Event::AllRevokedByUser { user, connections },
    }
}

impl App {
    /// The connections of a user whose sessions live.
    async fn live_connections(&self, user: &Identity) -> Result<Vec<Connection>, StoreError> {
        let noted = self.connections.of_user(&user.user_key()).await?;
        let asked = stream::iter(noted).map(|connection| async {
            let lives = self.connections.lives(&connection.place()).await?;
            Ok::<_, StoreError>(lives.then_some(connection))
        });
        let live: Vec<_> = asked.buffered(QUESTIONS_AT_ONCE).try_collect().await?;
        Ok(live.into_iter().flatten().collect())
    }
}

/// One entry for each client, in the order of the latest sign-in.
fn by_client(connections: &[Connection]) -> Vec<ConnectedClient> {
    let mut clients: Vec<ConnectedClient> = Vec::new();
    for connection in connections {
        match clients.iter_mut().find(|client| client.is_of(connection)) {
            Some(client) => client.add(connection),
            None => clients.push(ConnectedClient::of(connection)),
        }
    }
    clients
}

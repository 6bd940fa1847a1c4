//! Users who are signed in: the rows of their sessions, and their access tokens.

use std::error::Error;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, SystemClock, UnixTime};
use shared::scope::Scopes;
use shared::seal::KeyRing;
use shared::secret::random_bytes;
use shared::session::{
    Claims, ClaimsSealer, EntraAccessToken, ExpiryWeek, Identity, Session, SessionId, SessionToken,
    TokenSealer,
};
use shared::storage::{Record, RecordStore};

/// Longer than a run takes.
const TOKEN_LIFETIME: Duration = Duration::from_hours(4);

/// As long as those of Entra ID are, about.
const ENTRA_TOKEN_LENGTH: usize = 1800;

/// When a session that begins now ends.
pub fn end() -> UnixTime {
    SystemClock.now().plus(TOKEN_LIFETIME)
}

/// Signs in `users` users at `base_url`: their rows go to `records`, under `keys`; what comes back are
/// their access tokens.
///
/// # Errors
/// The store does not take the rows.
pub async fn sign_in(
    users: usize,
    keys: &KeyRing,
    base_url: &PublicBaseUrl,
    records: &dyn RecordStore,
) -> Result<Vec<String>, Box<dyn Error>> {
    records.create_table(&ExpiryWeek::of(end()).table()).await?;
    let sealer = TokenSealer::new(keys, base_url.as_str());
    let mut tokens = Vec::new();
    for user in 0..users {
        let (token, row) = session(user, keys, base_url)?;
        records.insert(&token.session.address(token.week), row).await?;
        tokens.push(sealer.mint(&token).expose_secret().to_owned());
    }
    Ok(tokens)
}

/// A session of the user `user` as it lies at rest, and the token that opens it.
///
/// # Errors
/// Never: the names are good.
pub fn session(
    user: usize,
    keys: &KeyRing,
    base_url: &PublicBaseUrl,
) -> Result<(SessionToken, Record), Box<dyn Error>> {
    let id = SessionId::derived_from(&random_bytes::<32>());
    let expires_at = end();
    let token = SessionToken::new(id, ExpiryWeek::of(expires_at), 0, expires_at);
    let claims = claims(user, base_url, expires_at)?;
    let row = ClaimsSealer::new(keys).write(Record::default(), &token, &claims);
    Ok((token, row))
}

/// Who is signed in, through which client, with an Entra token of the usual length.
fn claims(
    user: usize,
    base_url: &PublicBaseUrl,
    expires_at: UnixTime,
) -> Result<Claims, Box<dyn Error>> {
    let session = Session {
        identity: Identity {
            tenant_id: "5f1c9a52-6c1e-4b7d-9d3a-0a4c3f8e2b10".to_owned().try_into()?,
            object_id: format!("0e7f2f6a-9a11-4f0c-8a55-{user:012x}").try_into()?,
            name: "Alice Example".to_owned(),
        },
        client_id: "mcp_client_of_the_bench".to_owned(),
        client_name: "MCP client".to_owned(),
        resource: base_url.resource(),
        scopes: Scopes::all(),
        expires_at,
    };
    let entra_access_token = SecretString::from("e".repeat(ENTRA_TOKEN_LENGTH));
    Ok(Claims { session, entra_access_token: EntraAccessToken::new(entra_access_token) })
}

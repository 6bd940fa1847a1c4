//! The development identity provider in a process of its own, so that what it costs is told apart
//! from what oauth-fn costs. It takes a port of this machine and the secret of its application, and
//! signs alice in without being asked.

use std::error::Error;
use std::sync::Arc;

use local::identity_provider::{IdentityProvider, Parts, Person};
use local::keys::Keys;
use shared::base_url::PublicBaseUrl;
use shared::clock::SystemClock;
use shared::serve;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().ok_or("which port?")?.parse::<u16>()?;
    let client_secret = arguments.next().ok_or("which secret?")?.into();
    let keys = Keys::in_memory()?;
    let identity_provider = IdentityProvider::new(Parts {
        base_url: PublicBaseUrl::try_from(format!("http://127.0.0.1:{port}").as_str())?,
        client_secret,
        signing_key: keys.signing_key,
        refresh_key: keys.refresh_key,
        sign_in_as: Some(Person::Alice),
        clock: Arc::new(SystemClock),
    });
    Ok(serve::serve(serve::listen(port).await?, identity_provider.router()).await?)
}

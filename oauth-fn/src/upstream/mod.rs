//! The door to Entra ID: sends users there to sign in, redeems what they bring back, and renews it.
//!
//! Of a client's request `prompt` and `login_hint` alone go there. `resource` is ours (Entra ID
//! refuses it), and so are the scopes of MCP.

mod discovery;
mod error;
mod gate;
mod http_client;
pub mod id_token;
mod keys;
mod proof;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::base_url::PublicBaseUrl;
use shared::client_assertion::ClientAssertions;
use shared::clock::Clock;
use shared::session::{EntraAccessToken, Identity};
use url::Url;

use self::discovery::Provider;
use self::http_client::HttpClient;
use self::id_token::{Expected, InvalidIdToken, Occasion};
use self::keys::SigningKeys;
use self::proof::Proof;
use crate::config::UpstreamConfig;
use crate::grant::{EntraRefreshToken, Flow, SignInAttempt, SignedIn, UpstreamTokens};

pub use self::error::UpstreamError;
pub use self::gate::{Gate, Guests, InvalidGate, NotPermitted, RequiredRoles};

/// How long Entra ID's tokens live if it does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(10);

/// Entra ID, as far as we talk to it.
#[derive(Debug)]
pub struct Upstream {
    config: UpstreamConfig,
    redirect_uri: RedirectUrl,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    provider: OnceLock<Provider>,
    keys: SigningKeys,
    assertions: Arc<dyn ClientAssertions>,
}

impl Upstream {
    /// Entra ID as `config` describes it. Nothing is asked before a user signs in.
    pub fn new(
        config: UpstreamConfig,
        base_url: &PublicBaseUrl,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
        assertions: Arc<dyn ClientAssertions>,
    ) -> Self {
        let http = HttpClient::new(http);
        Self {
            config,
            redirect_uri: RedirectUrl::from_url(base_url.url_at("/oauth-callback")),
            keys: SigningKeys::new(http.clone(), Arc::clone(&clock)),
            http,
            clock,
            provider: OnceLock::new(),
            assertions,
        }
    }

    /// Whether an answer that names `issuer` is from where we asked (RFC 9207 section 2.4).
    pub fn is_issuer(&self, issuer: &str) -> bool {
        self.config.issuer.as_str() == issuer
    }

    /// Where the browser goes to sign in. Of what a client asked, Entra ID hears how its user is
    /// to be asked and who is expected.
    ///
    /// # Errors
    /// Entra ID cannot be reached.
    pub async fn authorize_url(
        &self,
        flow: &Flow,
        upstream_state: &SecretString,
    ) -> Result<Url, UpstreamError> {
        let (client, sign_in) = (self.client(self.provider().await?), flow.sign_in());
        let verifier = PkceCodeVerifier::new(sign_in.verifier().expose_secret().into());
        let state = CsrfToken::new(upstream_state.expose_secret().to_owned());
        let mut request = client
            .authorize_url(move || state)
            .add_scopes(self.scopes())
            .add_extra_param("nonce", sign_in.nonce().expose_secret().to_owned())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if let Some(prompt) = flow.request().and_then(|request| request.prompts.upstream()) {
            request = request.add_extra_param("prompt", prompt.as_str());
        }
        if let Some(hint) = flow.request().and_then(|request| request.login_hint.as_ref()) {
            request = request.add_extra_param("login_hint", hint.as_str().to_owned());
        }
        Ok(request.url().0)
    }

    /// Where the browser goes to sign out, and from there to `back`; nothing if Entra ID does not
    /// say (`OpenID Connect` RP-Initiated Logout 1.0 section 2).
    pub async fn sign_out_url(&self, back: &Url) -> Option<Url> {
        let provider = self.provider().await.ok()?;
        let mut url = provider.end_session_endpoint.clone()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("post_logout_redirect_uri", back.as_str());
        Some(url)
    }

    /// Redeems the code that the browser brought back, and learns who signed in.
    ///
    /// # Errors
    /// Entra ID refused, cannot be reached, or says something that does not hold.
    pub async fn redeem(
        &self,
        upstream_code: &str,
        sign_in: &SignInAttempt,
    ) -> Result<SignedIn, UpstreamError> {
        let provider = self.provider().await?;
        let verifier = PkceCodeVerifier::new(sign_in.verifier().expose_secret().into());
        let (client, proof) = (self.client(provider), self.prove().await?);
        let mut request = client
            .exchange_code(AuthorizationCode::new(upstream_code.to_owned()))
            .set_pkce_verifier(verifier)
            // Entra ID wants to hear for which resource, though RFC 6749 does not.
            .add_extra_param("scope", self.config.scopes.join(" "));
        for (name, value) in proof.parameters() {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&self.http).await?;
        let id_token = answer.extra_fields().id_token.as_ref().ok_or(InvalidIdToken::Missing)?;
        let occasion = Occasion::SignIn(sign_in.nonce());
        let identity = self.identify(id_token, occasion, provider).await?;
        Ok(SignedIn { identity, tokens: self.tokens(&answer) })
    }

    /// Renews the tokens of `user`, who must still be let in.
    ///
    /// # Errors
    /// The user may no longer sign in (see [`UpstreamError::ends_sessions`]), or Entra ID cannot
    /// be reached or says something that does not hold.
    pub async fn renew(
        &self,
        token: &EntraRefreshToken,
        user: &Identity,
    ) -> Result<UpstreamTokens, UpstreamError> {
        if !self.config.allowed_tenants.contains(&user.tenant_id) {
            return Err(UpstreamError::ForeignTenant);
        }
        let provider = self.provider().await?;
        let refresh_token = RefreshToken::new(token.0.expose_secret().to_owned());
        let (client, proof) = (self.client(provider), self.prove().await?);
        let mut request = client.exchange_refresh_token(&refresh_token).add_scopes(self.scopes());
        for (name, value) in proof.parameters() {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&self.http).await?;
        match &answer.extra_fields().id_token {
            Some(id_token) => {
                self.identify(id_token, Occasion::Renewal(user), provider).await?;
            }
            // It need not be there (OpenID Connect Core section 12.2), unless it has to be read.
            None if self.config.gate.is_open() => {}
            None => return Err(InvalidIdToken::Missing.into()),
        }
        Ok(self.tokens(&answer))
    }

    async fn identify(
        &self,
        id_token: &SecretString,
        occasion: Occasion<'_>,
        provider: &Provider,
    ) -> Result<Identity, UpstreamError> {
        let key_id = id_token::key_id(id_token)?;
        let key = self.keys.find(&key_id, &provider.jwks_uri).await?;
        let expected = Expected {
            issuer: &provider.issuer,
            audience: &self.config.client_id,
            occasion,
            allowed_tenants: &self.config.allowed_tenants,
            gate: &self.config.gate,
            now: self.clock.now(),
        };
        Ok(id_token::verify(id_token, &key.ok_or(InvalidIdToken::Key)?, &expected)?)
    }

    /// Nobody waits for somebody else's attempt: while Entra ID hangs, they would queue up.
    async fn provider(&self) -> Result<&Provider, UpstreamError> {
        if let Some(provider) = self.provider.get() {
            return Ok(provider);
        }
        let provider = Provider::discover(&self.http, &self.config.issuer).await?;
        Ok(self.provider.get_or_init(|| provider))
    }

    async fn prove(&self) -> Result<Proof<'_>, UpstreamError> {
        Ok(Proof::of(&self.config.credential, &*self.assertions).await?)
    }

    fn client(&self, provider: &Provider) -> EntraClient {
        Client::new(ClientId::new(self.config.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_redirect_uri(self.redirect_uri.clone())
            .set_auth_uri(AuthUrl::from_url(provider.authorization_endpoint.clone()))
            .set_token_uri(TokenUrl::from_url(provider.token_endpoint.clone()))
    }

    fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.config.scopes.iter().cloned().map(Scope::new)
    }

    fn tokens(&self, answer: &EntraTokens) -> UpstreamTokens {
        let lifetime = answer.expires_in().unwrap_or(DEFAULT_LIFETIME);
        let refresh_token = answer.refresh_token().map(|token| token.secret().as_str().into());
        UpstreamTokens {
            access_token: EntraAccessToken::new(answer.access_token().secret().as_str().into()),
            expires_at: self.clock.now().plus(lifetime),
            refresh_token: refresh_token.map(EntraRefreshToken),
        }
    }
}

/// What Entra ID adds to a token response (`OpenID Connect` Core section 3.1.3.3).
#[derive(Clone, Debug, Deserialize, Serialize)]
struct IdTokenFields {
    #[serde(default, skip_serializing, deserialize_with = "optional_secret")]
    id_token: Option<SecretString>,
}

impl ExtraTokenFields for IdTokenFields {}

fn optional_secret<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(SecretString::from))
}

type EntraTokens = StandardTokenResponse<IdTokenFields, BasicTokenType>;

type EntraClient = Client<
    BasicErrorResponse,
    EntraTokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

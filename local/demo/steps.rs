//! The steps of the demo, in their order.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use oauth2::TokenResponse;
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthError, AuthorizationCallback, AuthorizationManager, AuthorizationMetadataSource,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;
use shared::secret::random_bytes;
use tokio::sync::Mutex;
use url::Url;

use super::browser::{Arrival, Browser};
use super::form::Page;
use super::{Cause, Seen, unexpected};

/// Where the client says that it listens. The browser hands over what comes there.
pub(super) const REDIRECT_URI: &str = "http://127.0.0.1:33418/callback";

const SCOPES: [&str; 2] = ["snippets:read", "snippets:write"];
const USER: &str = "alice";
const TEXT: &str = "Written by the demo.";

/// The challenge of the MCP endpoint leads to the authorization server (RFC 9728, RFC 8414).
pub(super) async fn discover(
    base_url: &PublicBaseUrl,
    http: &reqwest::Client,
) -> Seen<AuthorizationManager> {
    let refused = http.post(base_url.resource()).json(&json!({})).send().await?;
    let challenge = refused.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let (StatusCode::UNAUTHORIZED, Some(challenge)) = (refused.status(), challenge) else {
        return unexpected(format_args!("{} without a token: no challenge", refused.status()));
    };
    let mut manager = AuthorizationManager::new(base_url.resource()).await?;
    manager.with_client(http.clone())?;
    let found = manager.resolve_metadata_from_challenge(Some(challenge)).await?;
    if found.source != AuthorizationMetadataSource::ProtectedResourceMetadata {
        return unexpected("the challenge does not lead to metadata");
    }
    let issuer = found.metadata.issuer.clone().unwrap_or_default();
    manager.set_metadata(found.metadata);
    Ok((manager, format!("401 at /mcp leads to the authorization server {issuer}")))
}

/// The client registers itself (RFC 7591).
pub(super) async fn register(manager: &mut AuthorizationManager) -> Seen<()> {
    let client = manager.register_client("The demo", REDIRECT_URI, &SCOPES).await?;
    Ok(((), format!("client_id {}", shortened(&client.client_id))))
}

/// The browser follows the authorization URL to the consent page.
pub(super) async fn authorize(manager: &AuthorizationManager, browser: &Browser) -> Seen<Page> {
    let url = manager.get_authorization_url(&SCOPES).await?;
    match browser.open(Url::parse(&url)?).await? {
        Arrival::Page(page) => {
            let seen = format!("{} asks \"{}\"", page.url.path(), page.heading);
            Ok((page, seen))
        }
        Arrival::Client(url) => unexpected(format_args!("no consent was asked: {url}")),
    }
}

/// The user allows it.
pub(super) async fn consent(browser: &Browser, page: &Page) -> Seen<Arrival> {
    let arrival = browser.press(page, page.button("allow")?).await?;
    Ok((arrival, "allowed".to_owned()))
}

/// The user signs in, unless the identity provider was told not to ask.
pub(super) async fn sign_in(browser: &Browser, arrival: Arrival) -> Seen<Url> {
    let page = match arrival {
        Arrival::Client(callback) => return Ok((callback, "without being asked".to_owned())),
        Arrival::Page(page) => page,
    };
    match browser.press(&page, page.button(USER)?).await? {
        Arrival::Client(callback) => Ok((callback, format!("as {USER}, at {}", page.url.path()))),
        Arrival::Page(page) => unexpected(format_args!("not signed in: {}", page.heading)),
    }
}

/// The client trades the code for tokens.
pub(super) async fn token(manager: &AuthorizationManager, callback: &Url) -> Seen<()> {
    let AuthorizationCallback { code, csrf_token, issuer, .. } =
        AuthorizationCallback::from_redirect_url(callback.as_str())?;
    let tokens =
        manager.exchange_code_for_token_with_issuer(&code, &csrf_token, issuer.as_deref()).await?;
    let lifetime = tokens.expires_in().unwrap_or_default();
    let token = shortened(tokens.access_token().secret());
    Ok(((), format!("{token} for {} minutes", lifetime.as_secs() / 60)))
}

/// The client connects with its token and asks for the tools.
pub(super) async fn connect(
    base_url: &PublicBaseUrl,
    http: &reqwest::Client,
    manager: AuthorizationManager,
) -> Seen<Client> {
    let authorized = AuthClient::new(http.clone(), manager);
    let manager = Arc::clone(&authorized.auth_manager);
    let config = StreamableHttpClientTransportConfig::with_uri(base_url.resource());
    let transport = StreamableHttpClientTransport::with_client(authorized, config);
    let service = ().serve(transport).await?;
    let tools = service.list_all_tools().await?;
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    let seen = names.join(", ");
    Ok((Client { service, manager }, seen))
}

/// An MCP client that is connected.
pub(super) struct Client {
    service: RunningService<RoleClient, ()>,
    manager: Arc<Mutex<AuthorizationManager>>,
}

impl Client {
    /// Saves a snippet under a name that nobody uses.
    pub(super) async fn save(&self) -> Seen<String> {
        let name = format!("demo-{}", HEXLOWER.encode(&random_bytes::<4>()));
        self.call("save_snippet", json!({ "snippetname": name, "snippet": TEXT })).await?;
        let seen = format!("snippet {name}");
        Ok((name, seen))
    }

    /// Reads the snippet back.
    pub(super) async fn get(&self, name: &str) -> Seen<()> {
        let result = self.call("get_snippet", json!({ "snippetname": name })).await?;
        if text_of(&result).contains(TEXT) {
            Ok(((), format!("\"{TEXT}\"")))
        } else {
            unexpected(format_args!("another text came back: {}", text_of(&result)))
        }
    }

    /// Leaves no snippet behind.
    pub(super) async fn delete(&self, name: &str) -> Seen<()> {
        self.call("delete_snippet", json!({ "snippetname": name, "confirm": true })).await?;
        Ok(((), format!("snippet {name}")))
    }

    /// Gets new tokens for the old ones, and calls with the new one.
    pub(super) async fn refresh(&self) -> Seen<()> {
        let manager = self.manager.lock().await;
        let before = manager.get_access_token().await?;
        let after = manager.refresh_token().await?.access_token().secret().clone();
        drop(manager);
        if before == after {
            return unexpected("the access token stayed the same");
        }
        let me = self.call("whoami", json!({})).await?;
        Ok(((), format!("{} says: {}", shortened(&after), shortened(&text_of(&me)))))
    }

    /// Ends the session (RFC 7009): neither token is good any more.
    pub(super) async fn revoke(
        &self,
        base_url: &PublicBaseUrl,
        http: &reqwest::Client,
    ) -> Seen<()> {
        let manager = self.manager.lock().await;
        // mcp-fn may believe a session for some seconds after it was asked for; it has not been
        // asked for this one.
        let tokens = manager.refresh_token().await?;
        let (client_id, _) = manager.get_credentials().await?;
        let Some(refresh_token) = tokens.refresh_token() else {
            return unexpected("there is no refresh token");
        };
        let form = [("token", refresh_token.secret().as_str()), ("client_id", &client_id)];
        let revoked = http.post(base_url.at("/revoke")).form(&form).send().await?;
        if revoked.status() != StatusCode::OK {
            return unexpected(format_args!("/revoke answers {}", revoked.status()));
        }
        match manager.refresh_token().await {
            Err(AuthError::TokenRefreshRejected(_)) => {}
            other => return unexpected(format_args!("the refresh token is still good: {other:?}")),
        }
        let call = http.post(base_url.resource()).bearer_auth(tokens.access_token().secret());
        match call.json(&json!({})).send().await?.status() {
            StatusCode::UNAUTHORIZED => Ok(((), "both tokens are refused from now on".to_owned())),
            status => unexpected(format_args!("the access token still gets {status}")),
        }
    }

    /// Ends the connection.
    pub(super) async fn close(self) {
        if let Err(error) = self.service.cancel().await {
            tracing::debug!(%error, "the client did not end in order");
        }
    }

    async fn call(&self, tool: &'static str, arguments: Value) -> Result<CallToolResult, Cause> {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let request = CallToolRequestParams::new(tool).with_arguments(arguments);
        let result = self.service.call_tool(request).await?;
        if result.is_error == Some(true) {
            return unexpected(format_args!("{tool} says: {}", text_of(&result)));
        }
        Ok(result)
    }
}

fn text_of(result: &CallToolResult) -> String {
    let texts = result.content.iter().filter_map(|block| block.as_text());
    texts.map(|block| block.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Enough of a long text to recognise it, and too little of a token to use it.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 24;
    if text.chars().count() <= SHOWN * 4 && !text.starts_with("mcp_") {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['\u{2026}']).collect()
}

//! An authorization request (RFC 6749 section 4.1.1) of a known client with a proved destination.

use serde::{Deserialize, Serialize};
use shared::base_url::PublicBaseUrl;
use shared::scope::{Scopes, UnknownScope};

use super::client_metadata::{ClientMetadata, RefreshTokens};
use super::destination::Destination;
use super::error::{AuthorizationErrorCode, AuthorizationRefusal};
use super::parameters::{Parameters, RepeatedParameter};
use super::pkce::{CodeChallenge, InvalidCodeChallenge};
use super::prompt::{InvalidLoginHint, InvalidPrompt, LoginHint, Prompts};
use super::resource::{InvalidTarget, check_resource};

/// Largest request in its written form, in bytes: sealed, it must fit into a cookie of 4 KiB.
const LARGEST: usize = 2400;

/// A request that keeps every rule. It travels sealed through consent and sign-in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AuthorizationRequest {
    /// Whose request it is.
    pub client_id: String,
    /// What the client calls itself.
    pub client_name: String,
    /// Whether the client is a website, and nothing on the user's machine can be it.
    pub of_website: bool,
    /// Whether refresh tokens will be issued.
    pub refresh_tokens: RefreshTokens,
    /// Where the answer goes.
    pub destination: Destination,
    /// What the code will be bound to.
    pub code_challenge: CodeChallenge,
    /// What the client wants to do; all scopes if it did not say.
    pub scopes: Scopes,
    /// How the user is to be asked.
    #[serde(default, skip_serializing_if = "Prompts::is_empty")]
    pub prompts: Prompts,
    /// Whom the client expects to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<LoginHint>,
}

impl AuthorizationRequest {
    /// The request in `parameters`.
    ///
    /// # Errors
    /// The first rule that it breaks; it goes back to the client.
    pub fn read(
        parameters: &Parameters,
        client_id: &str,
        client: &ClientMetadata,
        destination: Destination,
        base_url: &PublicBaseUrl,
    ) -> Result<Self, InvalidAuthorizationRequest> {
        parameters.each_once()?;
        check_form(parameters)?;
        let challenge = parameters.get("code_challenge");
        let challenge = challenge.ok_or(InvalidAuthorizationRequest::NoChallenge)?;
        if parameters.get("code_challenge_method") != Some("S256") {
            return Err(InvalidAuthorizationRequest::ChallengeMethod);
        }
        let code_challenge = CodeChallenge::try_from(challenge)?;
        check_resource(parameters.get("resource"), base_url)?;
        let scopes = parameters.get("scope").map_or(Ok(Scopes::default()), Scopes::try_from)?;
        let scopes = if scopes.is_empty() { Scopes::all() } else { scopes };
        let prompts = parameters.get("prompt").map_or(Ok(Prompts::default()), Prompts::try_from)?;
        let login_hint = parameters.get("login_hint").map(LoginHint::try_from).transpose()?;
        let request = Self {
            client_id: client_id.to_owned(),
            client_name: client.name.clone(),
            of_website: client.is_website(),
            refresh_tokens: client.refresh_tokens,
            destination,
            code_challenge,
            scopes,
            prompts,
            login_hint,
        };
        let length = serde_json::to_vec(&request).map_or(usize::MAX, |text| text.len());
        if length > LARGEST { Err(InvalidAuthorizationRequest::TooLarge) } else { Ok(request) }
    }
}

fn check_form(parameters: &Parameters) -> Result<(), InvalidAuthorizationRequest> {
    if parameters.get("request").is_some() {
        return Err(InvalidAuthorizationRequest::RequestObject);
    }
    if parameters.get("request_uri").is_some() {
        return Err(InvalidAuthorizationRequest::RequestUri);
    }
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(InvalidAuthorizationRequest::ResponseType),
        None => return Err(InvalidAuthorizationRequest::NoResponseType),
    }
    match parameters.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(InvalidAuthorizationRequest::ResponseMode),
    }
}

/// Which rule an authorization request breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidAuthorizationRequest {
    /// The challenge is not of the form that S256 has.
    #[error(transparent)]
    Challenge(#[from] InvalidCodeChallenge),
    /// The method is missing or weaker than S256.
    #[error("code_challenge_method must be S256")]
    ChallengeMethod,
    /// The hint is too long or cannot be printed.
    #[error(transparent)]
    LoginHint(#[from] InvalidLoginHint),
    /// PKCE is left out.
    #[error("code_challenge is missing: PKCE with S256 is required")]
    NoChallenge,
    /// The response type is left out.
    #[error("response_type is missing: it must be code")]
    NoResponseType,
    /// The way to ask is unknown.
    #[error(transparent)]
    Prompt(#[from] InvalidPrompt),
    /// A parameter came twice.
    #[error(transparent)]
    Repeated(#[from] RepeatedParameter),
    /// It came as a signed object.
    #[error("request objects are not supported: send plain parameters")]
    RequestObject,
    /// It came by reference.
    #[error("request_uri is not supported: send plain parameters")]
    RequestUri,
    /// The answer is wanted elsewhere than in the query.
    #[error("response_mode must be query")]
    ResponseMode,
    /// The response type is not the code.
    #[error("response_type must be code")]
    ResponseType,
    /// A scope is unknown.
    #[error(transparent)]
    Scope(#[from] UnknownScope),
    /// The resource is not ours.
    #[error(transparent)]
    Target(#[from] InvalidTarget),
    /// All of it together is more than a browser will carry.
    #[error("the request is too large: use a shorter state, login_hint or client name")]
    TooLarge,
}

impl InvalidAuthorizationRequest {
    /// The error code on the wire.
    pub const fn code(&self) -> AuthorizationErrorCode {
        match self {
            Self::RequestObject => AuthorizationErrorCode::RequestNotSupported,
            Self::RequestUri => AuthorizationErrorCode::RequestUriNotSupported,
            Self::ResponseType => AuthorizationErrorCode::UnsupportedResponseType,
            Self::Scope(_) => AuthorizationErrorCode::InvalidScope,
            Self::Target(_) => AuthorizationErrorCode::InvalidTarget,
            Self::Challenge(_)
            | Self::ChallengeMethod
            | Self::LoginHint(_)
            | Self::NoChallenge
            | Self::NoResponseType
            | Self::Prompt(_)
            | Self::Repeated(_)
            | Self::ResponseMode
            | Self::TooLarge => AuthorizationErrorCode::InvalidRequest,
        }
    }
}

impl From<InvalidAuthorizationRequest> for AuthorizationRefusal {
    fn from(error: InvalidAuthorizationRequest) -> Self {
        Self::new(error.code(), &error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::redirect_uri::RedirectUri;
    use super::*;

    const GOOD: &str = "response_type=code&code_challenge_method=S256\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read(query: &str) -> Result<AuthorizationRequest, &'static str> {
        let client = ClientMetadata {
            name: "App".to_owned(),
            redirect_uris: vec![
                RedirectUri::try_from("https://app.example/cb".to_owned()).unwrap(),
            ],
            refresh_tokens: RefreshTokens::Issued,
        };
        let destination = Destination::new(&client, Some("https://app.example/cb"), None).unwrap();
        let base_url = PublicBaseUrl::try_from("https://gw.example.com").unwrap();
        let parameters = Parameters::parse(query.as_bytes()).unwrap();
        AuthorizationRequest::read(&parameters, "id", &client, destination, &base_url)
            .map_err(|error| error.code().as_str())
    }

    #[test]
    fn a_request_that_names_no_scope_asks_for_all() {
        assert_eq!(read(GOOD).unwrap().scopes, Scopes::all());
    }

    #[test]
    fn a_request_keeps_the_scopes_that_it_names() {
        let request = read(&format!("{GOOD}&scope=snippets%3Aread")).unwrap();

        assert_eq!(request.scopes.to_string(), "snippets:read");
    }

    #[test]
    fn every_rule_of_the_request_has_its_error_code() {
        for (change, code) in [
            (("response_type=code", ""), "invalid_request"),
            (("response_type=code", "response_type=token"), "unsupported_response_type"),
            (("response_type=code", "response_type=code%20token"), "unsupported_response_type"),
            (("_method=S256", "_method=plain"), "invalid_request"),
            (("_method=S256", "_method=s256"), "invalid_request"),
            (("_method=S256", "_method=S512"), "invalid_request"),
            (("code_challenge_method=S256", ""), "invalid_request"),
            (("code_challenge=", "x="), "invalid_request"),
            (("Sstw-cM", "Sstw-c"), "invalid_request"),
            (("Sstw-cM", "Sstw-cM="), "invalid_request"),
            (("Sstw-cM", "Sstw-cM&state=1&state=2"), "invalid_request"),
            (("Sstw-cM", "Sstw-cM&scope=admin"), "invalid_scope"),
            (("Sstw-cM", "Sstw-cM&resource=https://other.example"), "invalid_target"),
            (("Sstw-cM", "Sstw-cM&resource=https://gw.example.com/mcp?x"), "invalid_target"),
            (("Sstw-cM", "Sstw-cM&response_mode=fragment"), "invalid_request"),
            (("Sstw-cM", "Sstw-cM&prompt=create"), "invalid_request"),
            (("Sstw-cM", "Sstw-cM&prompt=login+none"), "invalid_request"),
            (("Sstw-cM", "Sstw-cM&login_hint=a%0Ab"), "invalid_request"),
            (("Sstw-cM", "Sstw-cM&request=x"), "request_not_supported"),
            (("Sstw-cM", "Sstw-cM&request_uri=x"), "request_uri_not_supported"),
        ] {
            let query = GOOD.replace(change.0, change.1);
            assert_eq!(read(&query).unwrap_err(), code, "{query}");
        }
    }
}

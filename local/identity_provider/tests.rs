//! The protocol of the identity provider, as a client of it sees it.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use tower::ServiceExt;
use url::{Url, form_urlencoded};

use super::*;
use crate::ManualClock;

const BASE: &str = "http://127.0.0.1:8787";
const CALLBACK: &str = "http://127.0.0.1:8787/oauth-callback";
// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

static KEY: LazyLock<Vec<u8>> =
    LazyLock::new(|| SigningKey::generate().unwrap().to_pkcs8().unwrap());

type Form<'a> = Vec<(&'a str, &'a str)>;

fn provider(sign_in_as: Option<Person>) -> (IdentityProvider, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let provider = IdentityProvider::new(Parts {
        base_url: PublicBaseUrl::try_from(BASE).unwrap(),
        client_secret: "secret".into(),
        signing_key: SigningKey::from_pkcs8(&KEY).unwrap(),
        refresh_key: "refresh".into(),
        sign_in_as,
        clock: clock.clone(),
    });
    (provider, clock)
}

fn request() -> Form<'static> {
    vec![
        ("client_id", CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile offline_access"),
        ("state", "s&t"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

fn redemption(code: &str) -> Form<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("client_secret", "secret"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

fn refresh(token: &str) -> Form<'_> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("client_secret", "secret"),
        ("refresh_token", token),
    ]
}

fn with<'a>(mut form: Form<'a>, name: &'a str, value: &'a str) -> Form<'a> {
    form.retain(|(known, _)| *known != name);
    form.push((name, value));
    form
}

fn without<'a>(mut form: Form<'a>, name: &str) -> Form<'a> {
    form.retain(|(known, _)| *known != name);
    form
}

fn encoded(form: &Form<'_>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

async fn send(
    provider: &IdentityProvider,
    request: http::request::Builder,
    body: String,
) -> Answer {
    let response = provider.router().oneshot(request.body(Body::from(body)).unwrap()).await;
    Answer::of(response.unwrap()).await
}

async fn get(provider: &IdentityProvider, path: &str) -> Answer {
    send(provider, Request::get(path), String::new()).await
}

async fn ask(provider: &IdentityProvider, form: &Form<'_>) -> Answer {
    get(provider, &format!("/dev-idp/authorize?{}", encoded(form))).await
}

async fn press(provider: &IdentityProvider, form: Form<'_>, choice: &str) -> Answer {
    let form = encoded(&with(form, "choice", choice));
    send(provider, Request::post("/dev-idp/authorize"), form).await
}

async fn token(provider: &IdentityProvider, form: &Form<'_>) -> Answer {
    send(provider, Request::post("/dev-idp/token"), encoded(form)).await
}

async fn code(provider: &IdentityProvider, person: &str) -> String {
    press(provider, request(), person).await.sent("code").unwrap()
}

async fn tokens(provider: &IdentityProvider, person: &str) -> Value {
    token(provider, &redemption(&code(provider, person).await)).await.json()
}

struct Answer {
    status: StatusCode,
    location: Option<Url>,
    cache_control: Option<String>,
    body: String,
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = |name| Some(parts.headers.get(name)?.to_str().unwrap().to_owned());
        let (location, cache_control) = (text(header::LOCATION), text(header::CACHE_CONTROL));
        Self {
            status: parts.status,
            location: location.map(|location| Url::parse(&location).unwrap()),
            cache_control,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// What the redirect to the callback carries under `name`.
    fn sent(&self, name: &str) -> Option<String> {
        let location = self.location.as_ref().unwrap();
        assert!(location.as_str().starts_with(CALLBACK), "{location}");
        let found = location.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }

    fn error(&self) -> (u16, String, u64) {
        let body = self.json();
        let number = body["error_codes"][0].as_u64().unwrap();
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
        for name in ["timestamp", "trace_id", "correlation_id"] {
            assert!(description.contains(body[name].as_str().unwrap()), "{name}");
        }
        assert_eq!(self.cache_control.as_deref(), Some("no-store"));
        (self.status.as_u16(), body["error"].as_str().unwrap().to_owned(), number)
    }
}

#[tokio::test]
async fn discovery_names_endpoints_that_answer() {
    let (provider, _) = provider(None);

    let path = format!("/dev-idp/{TENANT}/v2.0/.well-known/openid-configuration");
    let configuration = get(&provider, &path).await.json();

    assert_eq!(configuration["issuer"], format!("{BASE}/dev-idp/{TENANT}/v2.0"));
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let path = configuration[name].as_str().unwrap().strip_prefix(BASE).unwrap();
        assert_ne!(get(&provider, path).await.status, StatusCode::NOT_FOUND, "{name}");
    }
    let unknown = get(&provider, "/dev-idp/nobody/v2.0/.well-known/openid-configuration").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_page_has_a_button_for_everybody_and_carries_the_request() {
    let (provider, _) = provider(None);

    let page = ask(&provider, &with(request(), "state", "<script>\"'&")).await;

    assert_eq!(page.status, StatusCode::OK);
    for value in ["alice", "bob", "mallory", "access_denied", "server_error", "login_required"] {
        let button = format!("name=\"choice\" value=\"{value}\"");
        assert!(page.body.contains(&button), "{value}");
    }
    assert!(page.body.contains(CHALLENGE));
    assert!(!page.body.contains("<script"), "{}", page.body);
}

#[tokio::test]
async fn a_user_signs_in_and_the_id_token_says_who_it_is() {
    let (provider, clock) = provider(None);
    let answer = press(&provider, request(), "alice").await;

    let tokens = token(&provider, &redemption(&answer.sent("code").unwrap())).await.json();

    assert_eq!(answer.sent("state").as_deref(), Some("s&t"));
    assert_eq!(tokens["token_type"], "Bearer");
    assert!(tokens["expires_in"].as_u64().unwrap() >= 3600);
    assert!(tokens["access_token"].as_str().unwrap().len() >= 1200);
    let claims = verified(&provider, tokens["id_token"].as_str().unwrap()).await;
    let now = clock.now().as_secs();
    assert_eq!(
        without_subject(claims),
        json!({
            "iss": format!("{BASE}/dev-idp/{TENANT}/v2.0"),
            "aud": CLIENT_ID,
            "exp": now + 3600,
            "nbf": now,
            "iat": now,
            "tid": TENANT,
            "oid": Person::Alice.object_id(),
            "name": "Alice Example",
            "preferred_username": "alice@example.com",
            "roles": ["mcp.user", "mcp.admin"],
            "acct": 0,
            "nonce": "n",
            "ver": "2.0",
        })
    );
}

#[tokio::test]
async fn a_user_of_another_directory_comes_from_another_issuer() {
    let (provider, _) = provider(None);

    let tokens = tokens(&provider, "mallory").await;

    let claims = verified(&provider, tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(claims["tid"], OTHER_TENANT);
    assert_eq!(claims["iss"], format!("{BASE}/dev-idp/{OTHER_TENANT}/v2.0"));
}

#[tokio::test]
async fn whoever_was_named_at_the_start_signs_in_without_the_page() {
    let (provider, _) = provider(Some(Person::Bob));

    let code = ask(&provider, &request()).await.sent("code").unwrap();

    let tokens = token(&provider, &redemption(&code)).await.json();
    let claims = verified(&provider, tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(claims["name"], "Bob Example");
}

#[tokio::test]
async fn each_error_button_sends_its_error_back() {
    let (provider, _) = provider(None);
    for error in ["access_denied", "login_required", "server_error", "temporarily_unavailable"] {
        let answer = press(&provider, request(), error).await;

        assert_eq!(answer.sent("error").as_deref(), Some(error));
        assert_eq!(answer.sent("state").as_deref(), Some("s&t"));
        assert!(answer.sent("error_description").unwrap().starts_with("AADSTS"));
        assert_eq!(answer.sent("code"), None);
    }
}

#[tokio::test]
async fn the_button_for_an_expired_code_gives_a_code_that_is_refused() {
    let (provider, _) = provider(None);

    let code = press(&provider, request(), "expired_code").await.sent("code").unwrap();

    let refused = token(&provider, &redemption(&code)).await.error();
    assert_eq!(refused, (400, "invalid_grant".to_owned(), 70_008));
}

#[tokio::test]
async fn nobody_is_asked_where_the_prompt_is_none() {
    let (provider, _) = provider(None);

    let answer = ask(&provider, &with(request(), "prompt", "none")).await;

    assert_eq!(answer.sent("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn a_request_of_an_unknown_application_or_redirect_uri_is_not_redirected() {
    let (provider, _) = provider(Some(Person::Alice));
    for (name, value) in [
        ("client_id", "unknown"),
        ("redirect_uri", "http://127.0.0.1:8787/oauth-callback/"),
        ("redirect_uri", "https://evil.example/"),
    ] {
        let answer = ask(&provider, &with(request(), name, value)).await;

        assert_eq!((answer.status, answer.location), (StatusCode::BAD_REQUEST, None), "{value}");
    }
}

#[tokio::test]
async fn a_wrong_request_of_our_application_is_sent_back() {
    let (provider, _) = provider(Some(Person::Alice));
    for (form, error) in [
        (with(request(), "response_type", "token"), "unsupported_response_type"),
        (without(request(), "response_type"), "invalid_request"),
        (without(request(), "scope"), "invalid_request"),
        (without(request(), "code_challenge"), "invalid_request"),
        (with(request(), "code_challenge_method", "plain"), "invalid_request"),
        (with(request(), "resource", "http://127.0.0.1:8787/mcp"), "invalid_target"),
    ] {
        let answer = ask(&provider, &form).await;

        assert_eq!(answer.sent("error").as_deref(), Some(error), "{form:?}");
        assert_eq!(answer.sent("code"), None);
    }
}

#[tokio::test]
async fn a_code_needs_a_good_secret_and_every_parameter() {
    let (provider, _) = provider(None);
    let code = code(&provider, "alice").await;
    let form = redemption(&code);
    for (form, expected) in [
        (with(form.clone(), "client_secret", "wrong"), (401, "invalid_client", 7_000_215)),
        (without(form.clone(), "client_secret"), (401, "invalid_client", 7_000_215)),
        (with(form.clone(), "client_id", "unknown"), (400, "unauthorized_client", 700_016)),
        (without(form.clone(), "code_verifier"), (400, "invalid_request", 900_144)),
        (with(form.clone(), "grant_type", "password"), (400, "unsupported_grant_type", 70_003)),
        (with(form.clone(), "code_verifier", "wrong"), (400, "invalid_grant", 501_481)),
    ] {
        let (status, error, number) = token(&provider, &form).await.error();

        assert_eq!((status, error.as_str(), number), expected, "{form:?}");
    }
    assert_eq!(token(&provider, &form).await.status, StatusCode::OK);
    assert_eq!(token(&provider, &form).await.error().2, 54_005);
}

#[tokio::test]
async fn a_secret_may_come_in_the_authorization_header_but_not_from_a_page() {
    let (provider, _) = provider(None);
    let code = code(&provider, "alice").await;
    let form = encoded(&without(without(redemption(&code), "client_id"), "client_secret"));
    let basic = data_encoding::BASE64.encode(format!("{CLIENT_ID}:secret").as_bytes());
    let post =
        || Request::post("/dev-idp/token").header(header::AUTHORIZATION, format!("Basic {basic}"));

    let page = send(&provider, post().header(header::ORIGIN, BASE), form.clone()).await;
    let server = send(&provider, post(), form).await;

    assert_eq!(page.error().2, 9_002_326);
    assert_eq!(server.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_is_renewed_and_the_old_one_stays_valid() {
    let (provider, _) = provider(None);
    let tokens = tokens(&provider, "alice").await;
    let first = tokens["refresh_token"].as_str().unwrap();

    let renewed = token(&provider, &refresh(first)).await.json();

    assert_ne!(renewed["refresh_token"], first);
    assert_ne!(renewed["access_token"], tokens["access_token"]);
    let claims = verified(&provider, renewed["id_token"].as_str().unwrap()).await;
    assert_eq!(claims.get("nonce"), None);
    assert_eq!(token(&provider, &refresh(first)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_disabled_user_neither_refreshes_nor_signs_in() {
    let (provider, _) = provider(None);
    let tokens = tokens(&provider, "alice").await;
    let refresh = refresh(tokens["refresh_token"].as_str().unwrap());

    provider.disable(Person::Alice);

    let refused = token(&provider, &refresh).await.error();
    assert_eq!(refused, (400, "invalid_grant".to_owned(), 50_057));
    assert_eq!(press(&provider, request(), "alice").await.location, None);
    provider.enable(Person::Alice);
    assert_eq!(token(&provider, &refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_fault_happens_once() {
    let (provider, _) = provider(None);
    provider.fail_next(Fault::Unavailable);
    provider.fail_next(Fault::Slow(Duration::ZERO));
    let code = code(&provider, "alice").await;

    let first = token(&provider, &redemption(&code)).await;
    let second = token(&provider, &redemption(&code)).await;

    assert_eq!(first.error(), (503, "temporarily_unavailable".to_owned(), 90_033));
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(provider.token_calls(), 2);
}

#[tokio::test]
async fn each_fault_of_an_id_token_spoils_what_it_names() {
    let (provider, clock) = provider(None);
    let now = clock.now().as_secs();
    for (fault, claim, expected) in [
        (Fault::IdTokenExpired, "exp", json!(now - 86_400)),
        (Fault::IdTokenNotYetValid, "nbf", json!(now + 86_400)),
        (Fault::WrongAudience, "aud", json!("another-application")),
        (Fault::WrongIssuer, "iss", json!(format!("{BASE}/another-issuer"))),
        (Fault::WrongNonce, "nonce", json!("another-nonce")),
        (Fault::WrongTenant, "tid", json!(OTHER_TENANT)),
    ] {
        provider.fail_next(fault);

        let tokens = tokens(&provider, "alice").await;

        let claims = verified(&provider, tokens["id_token"].as_str().unwrap()).await;
        assert_eq!(claims[claim], expected, "{fault:?}");
    }
    for (fault, name) in
        [(Fault::IdTokenMissing, "id_token"), (Fault::RefreshTokenMissing, "refresh_token")]
    {
        provider.fail_next(fault);

        assert_eq!(tokens(&provider, "alice").await.get(name), None);
    }
}

/// The claims of an `id_token` whose signature a library of others has checked.
async fn verified(provider: &IdentityProvider, id_token: &str) -> Value {
    let set: JwkSet = serde_json::from_str(&get(provider, "/dev-idp/jwks").await.body).unwrap();
    let key = jsonwebtoken::decode_header(id_token).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(set.find(&key).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(id_token, &key, &validation).unwrap().claims
}

fn without_subject(mut claims: Value) -> Value {
    let subject = claims.as_object_mut().unwrap().remove("sub").unwrap();
    assert!(!subject.as_str().unwrap().is_empty());
    claims
}

#[tokio::test]
async fn a_form_with_an_assertion_needs_one_that_is_trusted_its_type_and_no_secret() {
    const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let (provider, clock) = provider(None);
    let key = Arc::new(SigningKey::from_pkcs8(&KEY).unwrap());
    let end = clock.now().plus(Duration::from_mins(5)).as_secs();
    let assertion = key.sign_claims(&json!({ "iss": "i", "sub": "s", "aud": "a", "exp": end }));
    let code = code(&provider, "alice").await;
    let form = with(without(redemption(&code), "client_secret"), "client_assertion", &assertion);
    let form = with(form, "client_assertion_type", TYPE);
    let [issuer, subject, audience] = ["i", "s", "a"].map(str::to_owned);

    let untrusted = token(&provider, &form).await;
    provider.trust(FederatedCredential { issuer, subject, audience, key });

    assert_eq!(untrusted.json()["error"], "invalid_client");
    for (form, error) in [
        (with(form.clone(), "client_secret", "secret"), "invalid_request"),
        (with(form.clone(), "client_assertion_type", "other"), "invalid_request"),
        (without(form.clone(), "client_assertion_type"), "invalid_request"),
        (without(form.clone(), "client_assertion"), "invalid_request"),
        (with(form.clone(), "client_assertion", "other"), "invalid_client"),
    ] {
        assert_eq!(token(&provider, &form).await.json()["error"], error);
    }
    assert_eq!(token(&provider, &form).await.status, StatusCode::OK);
}

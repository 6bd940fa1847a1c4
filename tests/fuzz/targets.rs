//! What holds for any bytes at all, one function for each place where strangers' bytes come in; it
//! says whether they were taken.
//! `fuzz/` lets a fuzzer look for bytes that break it; main.rs tries some on stable Rust.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::body::Body;
use data_encoding::BASE64URL_NOPAD;
use http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use jsonwebtoken::DecodingKey;
use local::ManualClock;
use oauth_fn::cookies::CookieJar;
use oauth_fn::grants::{Code, Refresh};
use oauth_fn::protocol::client_metadata::ClientRegistration;
use oauth_fn::protocol::redirect_uri::RedirectUri;
use oauth_fn::upstream::Gate;
use oauth_fn::upstream::id_token::{Expected, Occasion, key_id, verify};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::clock::UnixTime;
use shared::seal::KeyRing;
use shared::session::{Access, DirectoryId, ExpiryWeek, SessionId, Token, TokenKind, TokenSealer};
use url::Url;

use crate::apps::{App, FORM, post, post_from_own_page, post_mcp};

/// What is done with bytes, and whether they are taken.
pub(crate) type Target = fn(&[u8]) -> bool;

/// Every target, under the name that it has in `fuzz/`.
pub(crate) const TARGETS: [(&str, Target); 9] = [
    ("authorization_request", authorization_request),
    ("cookie", cookie),
    ("form", form),
    ("id_token", id_token),
    ("json_rpc", json_rpc),
    ("redirect_uri", redirect_uri),
    ("registration", registration),
    ("sse_message", sse_message),
    ("token", token),
];

const ORIGIN: &str = "http://127.0.0.1:8787";
const REDIRECT_URI: &str = "https://app.example/callback";
const NOW: UnixTime = ManualClock::START;

thread_local! {
    static OAUTH_FN: App = App::oauth_fn();
    static MCP_FN: (App, String) = App::mcp_fn();
    /// The stream of HTTP+SSE that messages may name. Nobody reads it.
    static STREAM: String = MCP_FN.with(|(app, token)| open_stream(app, token));
    /// A client of oauth-fn: the same one in each process, as its keys are.
    static CLIENT: String = OAUTH_FN.with(|app| register(app, REDIRECT_URI));
}

fn register(app: &App, redirect_uri: &str) -> String {
    let registration = json!({ "client_name": "App", "redirect_uris": [redirect_uri] });
    let (status, body) = read(app, post("/register", "application/json", registration.to_string()));
    assert_eq!(status, StatusCode::CREATED);
    body["client_id"].as_str().unwrap().to_owned()
}

fn read(app: &App, request: Request<Body>) -> (StatusCode, Value) {
    let (parts, body) = app.answer(request).into_parts();
    let body = futures::executor::block_on(body.collect()).unwrap().to_bytes();
    (parts.status, serde_json::from_slice(&body).unwrap_or_default())
}

/// `data` with the client's identifier wherever it says `{client}`.
fn with_client(data: &[u8]) -> Vec<u8> {
    CLIENT.with(|client| filled_in(data, b"{client}", client.as_bytes()))
}

/// `data` with `text` wherever it names the `place`.
fn filled_in(data: &[u8], place: &[u8], text: &[u8]) -> Vec<u8> {
    let Some(at) = data.windows(place.len()).position(|part| part == place) else {
        return data.to_vec();
    };
    let rest = filled_in(&data[at + place.len()..], place, text);
    [&data[..at], text, &rest].concat()
}

/// The name of a stream that was opened and let go.
fn open_stream(app: &App, token: &str) -> String {
    let request = Request::get("/mcp/sse").header(HOST, "127.0.0.1:8787");
    let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    let mut body = app.answer(request.body(Body::empty()).unwrap()).into_body();
    let first = futures::executor::block_on(body.frame()).unwrap().unwrap().into_data().unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    first.split("sessionId=").nth(1).unwrap().trim_end().to_owned()
}

/// The query of `GET /authorize`: it ends in a page, at the consent page or at the registered
/// client, and stores nothing.
fn authorization_request(data: &[u8]) -> bool {
    let query = String::from_utf8(with_client(data)).unwrap_or_default();
    let Ok(request) = Request::get(format!("/authorize?{query}")).body(Body::empty()) else {
        return false;
    };
    OAUTH_FN.with(|app| {
        let before = app.writes();
        let answer = app.answer(request);
        let location = answer.headers().get(LOCATION).map(|value| value.to_str().unwrap());
        assert_eq!(app.writes(), before);
        match (answer.status(), location) {
            (StatusCode::FOUND, Some(location)) => {
                let to_consent = location.starts_with(&format!("{ORIGIN}/consent?request="));
                assert!(to_consent || location.starts_with(&format!("{REDIRECT_URI}?error=")));
                to_consent
            }
            (status, location) => {
                assert_eq!((status, location), (StatusCode::BAD_REQUEST, None));
                false
            }
        }
    })
}

/// The `Cookie` header: ours are found under their whole names, and none that is made up opens.
fn cookie(data: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return false;
    };
    let headers = HeaderMap::from_iter([(COOKIE, value.clone())]);
    for (name, found) in CookieJar::Secure.all(&headers) {
        let whole = format!("__Host-{name}={found}");
        assert!(data.windows(whole.len()).any(|part| part == whole.as_bytes()));
        assert!(CookieJar::Secure.get(&headers, name).is_some());
    }
    OAUTH_FN.with(|app| {
        let before = app.writes();
        for path in ["/consent?request=x", "/oauth-callback?state=x&code=x"] {
            let request = Request::get(path).header(COOKIE, value.clone());
            let status = app.answer(request.body(Body::empty()).unwrap()).status();
            assert_eq!(status, StatusCode::FORBIDDEN);
        }
        let own = |path: &str| Request::get(path.to_owned()).header("sec-fetch-site", "none");
        let request = own("/account").header(COOKIE, value.clone()).body(Body::empty()).unwrap();
        let page = futures::executor::block_on(app.answer(request).into_body().collect()).unwrap();
        assert!(String::from_utf8_lossy(&page.to_bytes()).contains("value=\"sign-in\""));
        let request = own(&CLIENT.with(|client| authorization(client))).header(COOKIE, value);
        let answer = app.answer(request.body(Body::empty()).unwrap());
        let location = answer.headers()[LOCATION].to_str().unwrap();
        assert!(location.starts_with(&format!("{ORIGIN}/consent?request=")), "{location}");
        assert_eq!(app.writes(), before);
    });
    false
}

/// A good authorization request of `client`.
fn authorization(client: &str) -> String {
    let (client, redirect_uri) = (urlencode(client), urlencode(REDIRECT_URI));
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    format!(
        "/authorize?response_type=code&client_id={client}&redirect_uri={redirect_uri}\
         &code_challenge={challenge}&code_challenge_method=S256"
    )
}

fn urlencode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A form body: nothing that is made up is granted, revoked or stored, even if a page of ours sends
/// it.
fn form(data: &[u8]) -> bool {
    let body = with_client(data);
    OAUTH_FN.with(|app| {
        let before = app.writes();
        for path in ["/token", "/revoke"] {
            let (status, answer) = read(app, post(path, FORM, body.clone()));
            // What is unknown counts as revoked (RFC 7009 section 2.2).
            let nothing = path == "/revoke" && status == StatusCode::OK;
            assert!(nothing || status.is_client_error(), "{path} {status}");
            assert!(nothing || answer["error"].is_string(), "{answer}");
        }
        for path in ["/consent", "/account"] {
            let status = app.answer(post_from_own_page(path, body.clone())).status();
            // To leave is for everybody; to sign in is not possible here, where Entra ID is away.
            let button = path == "/account"
                && [StatusCode::SEE_OTHER, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
            assert!(button || status.is_client_error(), "{path} {status}");
        }
        assert_eq!(app.writes(), before);
    });
    false
}

/// A signer of identity tokens, and its public half.
struct Signer {
    pair: KeyPair,
    public: DecodingKey,
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let (modulus, exponent) = (pair.public_key().modulus(), pair.public_key().exponent());
    let [modulus, exponent] =
        [modulus, exponent].map(|number| number.big_endian_without_leading_zero());
    let [modulus, exponent] = [modulus, exponent].map(|bytes| BASE64URL_NOPAD.encode(bytes));
    let public = DecodingKey::from_rsa_components(&modulus, &exponent).unwrap();
    Signer { pair, public }
});

/// An `id_token`: nothing opens that the key did not sign, and signed claims name a user only if
/// they keep every rule.
fn id_token(data: &[u8]) -> bool {
    let nonce = SecretString::from("the-nonce");
    let tenants = [DirectoryId::try_from("tenant-1".to_owned()).unwrap()];
    let issuer = "https://login.example/{tenantid}/v2.0";
    let (audience, allowed_tenants) = ("our-app", tenants.as_slice());
    let (occasion, gate) = (Occasion::SignIn(&nonce), &Gate::default());
    let expected = Expected { issuer, audience, occasion, allowed_tenants, gate, now: NOW };
    let text = String::from_utf8_lossy(data).into_owned();
    let _key_id = key_id(&text.clone().into());
    assert!(verify(&text.into(), &SIGNER.public, &expected).is_err());

    let header = BASE64URL_NOPAD.encode(br#"{"alg":"RS256","kid":"k1"}"#);
    let message = format!("{header}.{}", BASE64URL_NOPAD.encode(data));
    let mut signature = vec![0; SIGNER.pair.public_modulus_len()];
    let random = SystemRandom::new();
    SIGNER.pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
    let signed = format!("{message}.{}", BASE64URL_NOPAD.encode(&signature)).into();
    let verified = verify(&signed, &SIGNER.public, &expected);
    if let Ok(identity) = &verified {
        let claims: Value = serde_json::from_slice(data).unwrap();
        assert_eq!(claims["iss"], "https://login.example/tenant-1/v2.0");
        assert_eq!(claims["aud"], audience);
        assert_eq!(claims["nonce"], "the-nonce");
        assert!(claims["exp"].as_u64().unwrap() + 60 > NOW.as_secs());
        assert!(claims["nbf"].as_u64().unwrap_or_default() <= NOW.as_secs() + 60);
        assert_eq!(identity.tenant_id.as_str(), claims["tid"].as_str().unwrap().to_lowercase());
        assert_eq!(identity.object_id.as_str(), claims["oid"].as_str().unwrap().to_lowercase());
    }
    verified.is_ok()
}

/// A message of a client that has signed in: whatever it says, it is not our fault, and the
/// session stays as it is.
fn json_rpc(data: &[u8]) -> bool {
    MCP_FN.with(|(app, token)| {
        let before = app.writes();
        let mut taken = false;
        for version in [None, Some(HeaderValue::from_static("2025-11-25"))] {
            let status = app.answer(post_mcp(token, version.as_ref(), data.to_vec())).status();
            assert!(!status.is_server_error(), "{status}");
            assert_ne!(status, StatusCode::UNAUTHORIZED);
            taken |= status == StatusCode::OK;
        }
        assert_eq!(app.writes(), before);
        taken
    })
}

/// Two redirect URIs, one a line: the first as registered, the second as requested.
fn redirect_uri(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut uris = text.split('\n').map(|line| RedirectUri::try_from(line.to_owned()));
    let Some(Ok(registered)) = uris.next() else {
        return false;
    };
    let url = Url::parse(registered.as_str()).unwrap();
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    assert!(registered.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(registered.permits(&registered));
    let json = serde_json::to_string(&registered).unwrap();
    assert_eq!(serde_json::from_str::<RedirectUri>(&json).unwrap(), registered);
    if let Some(Ok(requested)) = uris.next()
        && registered.permits(&requested)
    {
        let portless = |uri: &RedirectUri| uri.clone().without_loopback_port().as_str().to_owned();
        assert_eq!(portless(&requested), portless(&registered));
    }
    true
}

/// A registration: what is refused is not stored, and what is accepted is read back.
fn registration(data: &[u8]) -> bool {
    if let Ok(registration) = ClientRegistration::parse(data) {
        let written = serde_json::to_vec(&registration).unwrap();
        assert!(ClientRegistration::parse(&written).is_ok());
    }
    OAUTH_FN.with(|app| {
        let before = app.writes();
        let (status, answer) = read(app, post("/register", "application/json", data.to_vec()));
        if status == StatusCode::CREATED {
            let uris = answer["redirect_uris"].as_array().unwrap();
            let uris = uris.iter().map(|uri| uri.as_str().unwrap().to_owned());
            assert!(uris.map(RedirectUri::try_from).all(|uri| uri.is_ok()), "{answer}");
            assert!(answer["client_id"].as_str().unwrap().len() <= 255);
        } else {
            assert!(status.is_client_error(), "{status}");
            assert!(answer["error"].is_string(), "{answer}");
            assert_eq!(app.writes(), before);
        }
        status == StatusCode::CREATED
    })
}

/// The query of a message to a stream, and on the lines after it the message: whatever they say, it
/// is not our fault, and only a stream of the client's own takes it.
fn sse_message(data: &[u8]) -> bool {
    let data = STREAM.with(|stream| filled_in(data, b"{stream}", stream.as_bytes()));
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (query, message) = data.split_at(end);
    let uri = format!("/mcp/message?{}", String::from_utf8_lossy(query));
    let Ok(uri) = uri.parse::<Uri>() else { return false };
    MCP_FN.with(|(app, token)| {
        let mut request = post_mcp(token, None, message.to_vec());
        *request.uri_mut() = uri;
        let status = app.answer(request).status();
        assert!(!status.is_server_error(), "{status}");
        assert_ne!(status, StatusCode::UNAUTHORIZED);
        assert!(names_stream(query) || status == StatusCode::NOT_FOUND, "{status}");
        status == StatusCode::ACCEPTED
    })
}

fn names_stream(query: &[u8]) -> bool {
    STREAM.with(|stream| query.windows(stream.len()).any(|part| part == stream.as_bytes()))
}

/// A token: none opens but the one that was minted, and that one as what it is.
fn token(data: &[u8]) -> bool {
    thread_local! {
        static RING: KeyRing = KeyRing::generate();
    }
    let text = String::from_utf8_lossy(data);
    RING.with(|ring| {
        opens_for_itself::<Access>(ring, &text);
        opens_for_itself::<Code>(ring, &text);
        opens_for_itself::<Refresh>(ring, &text);
    });
    false
}

fn opens_for_itself<K: TokenKind>(ring: &KeyRing, text: &str) {
    let sealer = TokenSealer::<K>::new(ring, ORIGIN);
    assert!(sealer.open(text, NOW).is_err());
    let end = NOW.plus(std::time::Duration::from_mins(1));
    let minted =
        sealer.mint(&Token::new(SessionId::derived_from(b"x"), ExpiryWeek::of(end), 1, end));
    let minted = minted.expose_secret();
    assert!(sealer.open(minted, NOW).is_ok());
    // The bytes take the place of a part of it.
    let at = text.bytes().map(usize::from).sum::<usize>() % minted.len();
    let end = minted.len().min(at + text.len());
    let changed = format!("{}{text}{}", &minted[..at], &minted[end..]);
    assert_eq!(sealer.open(&changed, NOW).is_ok(), changed == minted);
}

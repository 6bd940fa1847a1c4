//! Whole sign-ins over HTTP: register, authorize, consent, identity provider, callback, token.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;
use url::Url;

use crate::connection::Connection;
use crate::process::Process;

/// How many users sign in at once.
const USERS: usize = 16;

const REDIRECT_URI: &str = "http://127.0.0.1:41000/callback";

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Where users sign in.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The public origin.
    pub(crate) base_url: Url,
    /// Who answers there.
    pub(crate) oauth_fn: SocketAddr,
    /// Who answers below `/dev-idp`.
    pub(crate) identity_provider: SocketAddr,
}

/// What was measured of sign-ins.
#[derive(Clone, Debug)]
pub(crate) struct SignIns {
    pub(crate) per_second: f64,
    /// Microseconds of processor time for each sign-in, of each process that was watched.
    pub(crate) processor: Vec<f64>,
}

/// Signs users in at `place` for `time`, and watches `processes` meanwhile.
pub(crate) async fn sign_ins(
    place: &Place,
    processes: &[&Process],
    warm_up: Duration,
    time: Duration,
) -> SignIns {
    let (done, is_over) = (Rc::<RefCell<u32>>::default(), Rc::new(RefCell::new(false)));
    let local = LocalSet::new();
    let measured = local.run_until(async {
        let mut users = JoinSet::new();
        for _ in 0..USERS {
            let (place, done, is_over) = (place.clone(), Rc::clone(&done), Rc::clone(&is_over));
            users.spawn_local(async move {
                let mut user = User::new(place).await;
                while !*is_over.borrow() {
                    user.sign_in().await;
                    *done.borrow_mut() += 1;
                }
            });
        }
        sleep(warm_up).await;
        let before: Vec<_> = processes.iter().map(|process| process.processor_time()).collect();
        let (began, done_before) = (Instant::now(), *done.borrow());
        sleep(time).await;
        let (time, done) = (began.elapsed(), f64::from(*done.borrow() - done_before));
        let after = processes.iter().map(|process| process.processor_time());
        let taken = after.zip(before).map(|(after, before)| after.saturating_sub(before));
        *is_over.borrow_mut() = true;
        let processor = taken.map(|taken| taken.as_secs_f64() * 1e6 / done).collect();
        users.join_all().await;
        SignIns { per_second: done / time.as_secs_f64(), processor }
    });
    measured.await
}

/// A user with a browser and an MCP client.
struct User {
    place: Place,
    oauth_fn: Connection,
    identity_provider: Connection,
    cookies: BTreeMap<String, String>,
}

/// An answer, as far as it matters here.
struct Reply {
    status: u16,
    location: Option<Url>,
    body: String,
}

impl User {
    async fn new(place: Place) -> Self {
        let oauth_fn = Connection::open(place.oauth_fn).await.unwrap();
        let identity_provider = Connection::open(place.identity_provider).await.unwrap();
        Self { place, oauth_fn, identity_provider, cookies: BTreeMap::new() }
    }

    /// The whole way to an access token, in a new browser.
    async fn sign_in(&mut self) {
        self.cookies.clear();
        let client_id = self.register().await;
        let consent = self.get(self.authorization(&client_id), 302).await;
        let page = self.get(consent.location.unwrap(), 200).await.body;
        let (_, request) = page.split_once("name=\"request\" value=\"").unwrap();
        let (request, _) = request.split_once('"').unwrap();
        let upstream = self.consent(request).await;
        let callback = self.get(upstream, 302).await.location.unwrap();
        let back = self.get(callback, 302).await.location.unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code");
        let (_, code) = code.unwrap_or_else(|| panic!("no code: {back}"));
        self.redeem(&client_id, &code).await;
    }

    async fn register(&mut self) -> String {
        let client = json!({ "client_name": "MCP client", "redirect_uris": [REDIRECT_URI] });
        let headers = "content-type: application/json\r\n";
        let reply = self.post("/register", headers, &client.to_string()).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        let registered = serde_json::from_str::<Value>(&reply.body).unwrap();
        registered["client_id"].as_str().unwrap().to_owned()
    }

    fn authorization(&self, client_id: &str) -> Url {
        let mut url = self.place.base_url.join("/authorize").unwrap();
        let resource = self.place.base_url.join("/mcp").unwrap();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", REDIRECT_URI),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "state-of-the-client"),
            ("resource", resource.as_str()),
        ]);
        url
    }

    async fn consent(&mut self, request: &str) -> Url {
        let form = form(&[("request", request), ("decision", "allow")]);
        let origin = self.place.base_url.origin().ascii_serialization();
        let headers = format!(
            "content-type: application/x-www-form-urlencoded\r\norigin: {origin}\r\n\
             sec-fetch-site: same-origin\r\n"
        );
        let reply = self.post("/consent", &headers, &form).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        reply.location.unwrap()
    }

    async fn redeem(&mut self, client_id: &str, code: &str) {
        let form = form(&[
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ]);
        let headers = "content-type: application/x-www-form-urlencoded\r\n";
        let reply = self.post("/token", headers, &form).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let tokens = serde_json::from_str::<Value>(&reply.body).unwrap();
        assert!(tokens["access_token"].as_str().unwrap().starts_with("mcp_at_"), "{tokens}");
    }

    async fn get(&mut self, url: Url, expected: u16) -> Reply {
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let cookies = self.cookies();
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{cookies}\r\n");
        let reply = self.send(&path, request).await;
        assert_eq!(reply.status, expected, "{url}: {}", reply.body);
        reply
    }

    async fn post(&mut self, path: &str, headers: &str, body: &str) -> Reply {
        let (cookies, length) = (self.cookies(), body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}{cookies}\
             content-length: {length}\r\n\r\n{body}"
        );
        self.send(path, request).await
    }

    async fn send(&mut self, path: &str, request: String) -> Reply {
        let is_upstream = path.starts_with("/dev-idp/");
        let connection = if is_upstream { &mut self.identity_provider } else { &mut self.oauth_fn };
        let answer = connection.exchange(request.as_bytes()).await.unwrap();
        for cookie in answer.headers("set-cookie") {
            let (pair, _attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers("location").pop();
        Reply {
            status: answer.status,
            location: location.map(|location| self.place.base_url.join(&location).unwrap()),
            body: String::from_utf8_lossy(answer.body).into_owned(),
        }
    }

    fn cookies(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let pairs = pairs.collect::<Vec<_>>().join("; ");
        if pairs.is_empty() { pairs } else { format!("cookie: {pairs}\r\n") }
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

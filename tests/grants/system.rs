//! Both apps in this process, called as clients and browsers would, on storage that can break.
//! Each request meets an instance of its own: there is no state but what is stored.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use local::embedded::EmbeddedStore;
use local::identity_provider::{self, CLIENT_ID, IdentityProvider, Person, TENANT};
use local::keys::Keys;
use local::{ManualClock, NoAssertions};
use oauth_fn::browser::{Browsers, Visit};
use oauth_fn::cookies::CookieJar;
use oauth_fn::documents::DocumentFetcher;
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use oauth_fn::protocol::preregistration::PreregisteredClients;
use oauth_fn::protocol::registration_policy::RegistrationPolicy;
use oauth_fn::upstream::Gate;
use oauth_fn::{UpstreamConfig, UpstreamCredential};
use serde_json::{Value, json};
use shared::base_url::PublicBaseUrl;
use shared::clock::Clock;
use shared::session::{Identity, Sessions};
use shared::storage::RecordStore;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::memory::MemoryStore;
use crate::model::{Operation, Purpose};
use crate::store::{Break, Job, Turns, Watch, Wire};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const WRONG_VERIFIER: &str = "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww";
const STATE: &str = "client-state";
const FORM: &str = "application/x-www-form-urlencoded";
const USERS: [Person; 2] = [Person::Alice, Person::Bob];
/// For how long one of the two session readers believes what it has read.
pub(crate) const CACHE: Duration = Duration::from_secs(30);

/// What outlives a case: the identity provider, the keys, and two registered clients.
pub(crate) struct Site {
    base_url: PublicBaseUrl,
    keys: Keys,
    pub(crate) clock: Arc<ManualClock>,
    identity_provider: IdentityProvider,
    http: reqwest::Client,
    snippets: Arc<EmbeddedStore>,
    clients: Vec<String>,
    /// Instances that have nothing to do.
    idle: Mutex<Vec<Instance>>,
}

/// Both apps as one process runs them, on a wire of their own.
struct Instance {
    oauth_fn: Router,
    mcp_fn: Router,
    wire: Arc<Wire>,
}

impl Site {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let base_url = PublicBaseUrl::try_from(origin.as_str()).unwrap();
        let (keys, clock) = (Keys::in_memory().unwrap(), Arc::new(ManualClock::default()));
        let signing = Keys::in_memory().unwrap();
        let identity_provider = IdentityProvider::new(identity_provider::Parts {
            base_url: base_url.clone(),
            client_secret: keys.client_secret.clone(),
            signing_key: signing.signing_key,
            refresh_key: signing.refresh_key,
            sign_in_as: None,
            clock: Arc::clone(&clock) as _,
        });
        // The apps reach the identity provider by HTTP, as they reach Entra ID.
        let server = axum::serve(listener, identity_provider.router());
        tokio::spawn(server.into_future());
        let none = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().redirect(none).no_proxy().build().unwrap();
        let snippets = Arc::new(EmbeddedStore::in_memory().unwrap());
        let (clients, idle) = (Vec::new(), Mutex::default());
        let mut site =
            Self { base_url, keys, clock, identity_provider, http, snippets, clients, idle };
        for name in ["One", "Two"] {
            let id = site.register(name).await;
            site.clients.push(id);
        }
        site
    }

    fn new_instance(&self) -> Instance {
        let wire = Arc::new(Wire::default());
        let records = || Arc::clone(&wire) as Arc<dyn RecordStore>;
        let (oauth_fn, mcp_fn) = (self.oauth_fn(records()), self.mcp_fn(records()));
        Instance { oauth_fn, mcp_fn, wire }
    }

    fn idle_instance(&self) -> Instance {
        let idle = self.idle.lock().unwrap().pop();
        idle.unwrap_or_else(|| self.new_instance())
    }

    async fn register(&self, name: &str) -> String {
        let registration = json!({ "client_name": name, "redirect_uris": [redirect_uri()] });
        let request = Request::post("/register").body(registration.to_string().into()).unwrap();
        let answer = Reply::of(self.oauth_fn(Arc::new(MemoryStore::default())), request).await;
        answer.json()["client_id"].as_str().unwrap().to_owned()
    }

    fn oauth_fn(&self, records: Arc<dyn RecordStore>) -> Router {
        let config = oauth_fn::Config {
            base_url: self.base_url.clone(),
            session_keys: self.keys.session_keys.clone(),
            grant_keys: self.keys.grant_keys.clone(),
            upstream: UpstreamConfig {
                issuer: IdentityProvider::issuer_at(&self.base_url, TENANT).parse().unwrap(),
                client_id: CLIENT_ID.to_owned(),
                credential: UpstreamCredential::Secret(self.keys.client_secret.clone()),
                scopes: ["openid", "profile", "offline_access"].map(str::to_owned).to_vec(),
                allowed_tenants: vec![TENANT.to_owned().try_into().unwrap()],
                gate: Gate::default(),
            },
            registration: RegistrationPolicy::default(),
            preregistered: PreregisteredClients::default(),
            documents: DocumentPolicy::default(),
            requests_per_minute: None,
        };
        let (clock, http) = (Arc::clone(&self.clock) as _, self.http.clone());
        let documents = DocumentFetcher::public();
        let assertions = Arc::new(NoAssertions);
        oauth_fn::router(config, oauth_fn::Doors { records, clock, http, documents, assertions })
    }

    fn mcp_fn(&self, records: Arc<dyn RecordStore>) -> Router {
        let (base_url, keys) = (self.base_url.clone(), self.keys.session_keys.clone());
        let config = mcp_fn::config::Config {
            session_cache: Duration::ZERO,
            ..mcp_fn::config::Config::new(base_url, keys)
        };
        let (relay, clock) = (Arc::clone(&records), Arc::clone(&self.clock) as _);
        let doors = mcp_fn::Doors { records, relay, clock };
        mcp_fn::router(&config, doors, Arc::clone(&self.snippets) as _)
    }

    fn sessions(&self, records: &Arc<MemoryStore>, cache_for: Duration) -> Sessions {
        let (records, clock) = (Arc::clone(records), Arc::clone(&self.clock));
        Sessions::new(&self.keys.session_keys, &self.base_url, records, clock, cache_for)
    }
}

fn redirect_uri() -> &'static str {
    "http://127.0.0.1:41000/callback"
}

/// One case: storage that is empty at first, browsers without cookies, and all that clients and
/// browsers learn.
pub(crate) struct System<'a> {
    site: &'a Site,
    store: Arc<MemoryStore>,
    world: Arc<Semaphore>,
    sessions: [Sessions; 2],
    cookies: [BTreeMap<String, String>; 2],
    pub(crate) requests: Vec<SeenRequest>,
    pub(crate) sign_ins: Vec<SeenSignIn>,
}

/// A request for authorization, as its browser has it.
pub(crate) struct SeenRequest {
    sealed: String,
    pub(crate) client: usize,
    pub(crate) browser: usize,
}

/// A sign-in, as its browser and its client have it.
pub(crate) struct SeenSignIn {
    pub(crate) client: usize,
    pub(crate) browser: usize,
    at_identity_provider: Url,
    pub(crate) callback: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) pairs: BTreeMap<usize, SeenPair>,
}

/// The tokens of one answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SeenPair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Instance {
    fn app(&self, operation: Operation) -> Router {
        match operation {
            Operation::Call { .. } | Operation::Misuse { purpose: Purpose::Access } => {
                self.mcp_fn.clone()
            }
            _ => self.oauth_fn.clone(),
        }
    }
}

/// What came of a request.
pub(crate) struct Sent {
    /// The answer, if there was one.
    pub(crate) reply: Option<Reply>,
    pub(crate) watch: Arc<Watch>,
}

impl<'a> System<'a> {
    pub(crate) fn new(site: &'a Site) -> Self {
        let store = Arc::new(MemoryStore::default());
        site.clock.set(ManualClock::START);
        for person in USERS {
            site.identity_provider.enable(person);
        }
        Self {
            sessions: [Duration::ZERO, CACHE].map(|cache_for| site.sessions(&store, cache_for)),
            site,
            store,
            world: Arc::new(Semaphore::new(0)),
            cookies: Default::default(),
            requests: Vec::new(),
            sign_ins: Vec::new(),
        }
    }

    /// Does what is no request to our apps; says whether it was that.
    pub(crate) async fn arrange(&mut self, operation: Operation) -> bool {
        let (site, provider) = (self.site, &self.site.identity_provider);
        match operation {
            Operation::Wait { seconds } => site.clock.advance(Duration::from_secs(seconds)),
            Operation::Disable { user } => provider.disable(USERS[user]),
            Operation::Enable { user } => provider.enable(USERS[user]),
            Operation::SignIn { sign_in, user } => {
                let choice = user.map_or("access_denied", |user| USERS[user].as_str());
                let seen = &mut self.sign_ins[sign_in];
                let query = seen.at_identity_provider.query().unwrap_or_default();
                let form = format!("{query}&choice={choice}");
                let request = post("/dev-idp/authorize", FORM).body(form.into()).unwrap();
                let reply = Reply::of(provider.router(), request).await;
                // A disabled user sees a page and stays there.
                if let Some(location) = reply.location() {
                    seen.callback = Some(location.to_owned());
                }
            }
            _ => return false,
        }
        true
    }

    /// Sends the request of `operation` to an instance whose wire breaks as `broken` says.
    pub(crate) async fn send(
        &self,
        operation: Operation,
        token: Option<&str>,
        broken: Option<Break>,
    ) -> Sent {
        match broken {
            Some(broken) if broken.interrupts() => self.interrupted(operation, token, broken).await,
            _ => self.served(operation, token, broken, None).await,
        }
    }

    async fn served(
        &self,
        operation: Operation,
        token: Option<&str>,
        broken: Option<Break>,
        race: Option<(Arc<Turns>, usize)>,
    ) -> Sent {
        let (instance, watch) = (self.site.idle_instance(), Arc::default());
        instance.wire.serve(self.job(&watch, broken, race));
        let reply = Reply::of(instance.app(operation), self.request(operation, token)).await;
        // What it does behind the back of the request is done before it serves another.
        tokio::task::yield_now().await;
        self.site.idle.lock().unwrap().push(instance);
        Sent { reply: Some(reply), watch }
    }

    /// Sends a request that nobody waits for to the end. The handler's future is dropped then, as
    /// a server does, and the instance is not used again.
    async fn interrupted(&self, operation: Operation, token: Option<&str>, broken: Break) -> Sent {
        let (instance, watch) = (self.site.new_instance(), Arc::default());
        instance.wire.serve(self.job(&watch, Some(broken), None));
        let (app, alive) = (instance.app(operation), Arc::downgrade(&instance.wire));
        drop(instance);
        let mut answer = Box::pin(Reply::of(app, self.request(operation, token)));
        let reply = tokio::select! {
            biased;
            reply = &mut answer => Some(reply),
            () = watch.reached() => None,
        };
        drop(answer);
        watch.go_on();
        if !(broken.hangs() && watch.broke()) {
            ended(&alive).await;
        }
        Sent { reply, watch }
    }

    fn job(
        &self,
        watch: &Arc<Watch>,
        broken: Option<Break>,
        race: Option<(Arc<Turns>, usize)>,
    ) -> Job {
        let (store, world) = (Arc::clone(&self.store), Arc::clone(&self.world));
        Job { store, world, watch: Arc::clone(watch), broken, race }
    }

    /// Sends two requests at once, which reach storage in the order of `schedule`.
    pub(crate) async fn send_both(&self, operations: [Operation; 2], schedule: u32) -> [Sent; 2] {
        let turns = Arc::new(Turns::new(schedule));
        let racer = async |racer: usize| {
            let race = Some((Arc::clone(&turns), racer));
            let sent = self.served(operations[racer], None, None, race).await;
            turns.finish(racer);
            sent
        };
        let (one, two) = futures::join!(racer(0), racer(1));
        [one, two]
    }

    /// Makes the identity provider ask for patience at its next call.
    pub(crate) fn send_upstream_away(&self) -> u64 {
        self.site.identity_provider.fail_next(identity_provider::Fault::Unavailable);
        self.site.identity_provider.token_calls()
    }

    /// Takes that back if nobody has called since.
    pub(crate) async fn bring_upstream_back(&self, calls: u64) {
        if self.site.identity_provider.token_calls() == calls {
            let request = post("/dev-idp/token", FORM).body(Body::empty()).unwrap();
            Reply::of(self.site.identity_provider.router(), request).await;
        }
    }

    /// Whether an access token is taken by a reader that remembers nothing, and by one that
    /// remembers for [`CACHE`].
    pub(crate) async fn takes(&self, access: &str) -> [bool; 2] {
        let [fresh, cached] = &self.sessions;
        [fresh.find(access).await.is_ok(), cached.find(access).await.is_ok()]
    }

    /// The browser of a request keeps the cookies of its answer.
    pub(crate) fn keep_cookies(&mut self, operation: Operation, reply: &Reply) {
        let (Operation::Authorize { browser, .. }
        | Operation::Look { browser, .. }
        | Operation::Decide { browser, .. }
        | Operation::Callback { browser, .. }) = operation
        else {
            return;
        };
        for cookie in reply.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies[browser].remove(name);
            } else {
                self.cookies[browser].insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The sealed request of the consent page is known from now on.
    pub(crate) fn keep_request(&mut self, client: usize, browser: usize, sealed: String) {
        self.requests.push(SeenRequest { sealed, client, browser });
    }

    /// A sign-in was allowed.
    pub(crate) fn keep_sign_in(&mut self, request: usize, browser: usize, location: &str) {
        self.sign_ins.push(SeenSignIn {
            client: self.requests[request].client,
            browser,
            at_identity_provider: Url::parse(location).unwrap(),
            callback: None,
            code: None,
            pairs: BTreeMap::new(),
        });
    }

    /// Whether one more sign-in may begin in a browser: of more than five it forgets the oldest.
    pub(crate) fn has_room(&self, browser: usize) -> bool {
        self.sign_ins.iter().filter(|seen| seen.browser == browser).count() < 5
    }

    /// Whether there is what the request of `operation` would carry.
    pub(crate) fn can_send(&self, operation: Operation) -> bool {
        match operation {
            Operation::Callback { sign_in, .. } => self.sign_ins[sign_in].callback.is_some(),
            Operation::Redeem { sign_in, .. } => self.sign_ins[sign_in].code.is_some(),
            _ => true,
        }
    }

    /// Every access token that was ever seen, under the numbers of its sign-in and its pair.
    pub(crate) fn access_tokens(&self) -> Vec<((usize, usize), String)> {
        let sign_ins = self.sign_ins.iter().enumerate();
        let tokens = sign_ins.flat_map(|(sign_in, seen)| {
            let pairs = seen.pairs.iter();
            pairs.map(move |(pair, tokens)| ((sign_in, *pair), tokens.access.clone()))
        });
        tokens.collect()
    }

    /// The tokens of one answer are known from now on. They are nobody else's, and where the same
    /// answer came before, they are the same.
    pub(crate) fn keep_pair(
        &mut self,
        (sign_in, number): (usize, usize),
        pair: SeenPair,
    ) -> Result<(), String> {
        if let Some(known) = self.sign_ins[sign_in].pairs.get(&number) {
            let same = *known == pair;
            return if same { Ok(()) } else { Err("a repeated answer is another one".to_owned()) };
        }
        let mut known = self.sign_ins.iter().flat_map(|seen| seen.pairs.values());
        if known.any(|known| known.access == pair.access || known.refresh == pair.refresh) {
            return Err("a token was given out for two grants or twice for one".to_owned());
        }
        self.sign_ins[sign_in].pairs.insert(number, pair);
        Ok(())
    }

    pub(crate) fn origin(&self) -> &str {
        self.site.base_url.as_str()
    }

    fn request(&self, operation: Operation, token: Option<&str>) -> Request<Body> {
        let token = token.unwrap_or_default();
        let seen = |sign_in: usize| &self.sign_ins[sign_in];
        let pair = |sign_in: usize, pair: usize| &seen(sign_in).pairs[&pair];
        match operation {
            Operation::Authorize { client, browser } => self.authorize(client, browser),
            Operation::Look { request, browser } => {
                let path = format!("/consent?request={}", self.requests[request].sealed);
                self.navigate(&path, browser)
            }
            Operation::Decide { request, browser, allow } => self.decide(request, browser, allow),
            Operation::Callback { sign_in, browser } => {
                let url = Url::parse(seen(sign_in).callback.as_ref().unwrap()).unwrap();
                self.navigate(&format!("{}?{}", url.path(), url.query().unwrap()), browser)
            }
            Operation::Redeem { sign_in, client, verifier_is_right } => {
                let verifier = if verifier_is_right { VERIFIER } else { WRONG_VERIFIER };
                self.redeem(client, seen(sign_in).code.as_ref().unwrap(), verifier)
            }
            Operation::Misuse { purpose: Purpose::Code } => self.redeem(0, token, VERIFIER),
            Operation::Refresh { sign_in, pair: number, client } => {
                self.refresh(client, &pair(sign_in, number).refresh)
            }
            Operation::Misuse { purpose: Purpose::Refresh } => self.refresh(0, token),
            Operation::RevokeRefresh { sign_in, pair: number, client } => {
                self.form("/revoke", client, &[("token", &pair(sign_in, number).refresh)])
            }
            Operation::RevokeAccess { sign_in, pair: number, client } => {
                self.form("/revoke", client, &[("token", &pair(sign_in, number).access)])
            }
            Operation::RevokeAll { user } => self.revoke_all(USERS[user]),
            Operation::Call { sign_in, pair: number } => call(&pair(sign_in, number).access),
            Operation::Misuse { purpose: Purpose::Access } => call(token),
            Operation::SignIn { .. }
            | Operation::Wait { .. }
            | Operation::Disable { .. }
            | Operation::Enable { .. } => panic!("{operation:?} is no request"),
        }
    }

    fn authorize(&self, client: usize, browser: usize) -> Request<Body> {
        let parameters = [
            ("response_type", "code"),
            ("client_id", &self.site.clients[client]),
            ("redirect_uri", redirect_uri()),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", STATE),
        ];
        let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.navigate(&format!("/authorize?{query}"), browser)
    }

    fn decide(&self, request: usize, browser: usize, allow: bool) -> Request<Body> {
        let decision = if allow { "allow" } else { "deny" };
        let form = [("request", self.requests[request].sealed.as_str()), ("decision", decision)];
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = post("/consent", FORM)
            .header("cookie", self.cookie_header(browser))
            .header("origin", self.origin())
            .header("sec-fetch-site", "same-origin");
        request.body(body.into()).unwrap()
    }

    /// The form of the account page, from a browser in which `person` is signed in there.
    fn revoke_all(&self, person: Person) -> Request<Body> {
        let now = self.site.clock.now();
        let id = |text: &str| text.to_owned().try_into().unwrap();
        let (tenant_id, object_id) = (id(TENANT), id(person.object_id()));
        let name = person.display_name().to_owned();
        let visit = Visit::new(Identity { tenant_id, object_id, name }, now);
        let jar = CookieJar::new(&self.site.base_url);
        let browsers = Browsers::new(&self.site.keys.grant_keys, jar);
        let cookie = browsers.seal_visit(&visit, now).unwrap();
        let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        let request = post("/account", FORM).header("cookie", cookie);
        let request = request.header("origin", self.origin());
        request.body("action=revoke-all".into()).unwrap()
    }

    fn navigate(&self, path: &str, browser: usize) -> Request<Body> {
        let request = Request::get(path).header("cookie", self.cookie_header(browser));
        request.body(Body::empty()).unwrap()
    }

    fn cookie_header(&self, browser: usize) -> String {
        let pairs = self.cookies[browser].iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn redeem(&self, client: usize, code: &str, verifier: &str) -> Request<Body> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri()),
            ("code_verifier", verifier),
        ];
        self.form("/token", client, &form)
    }

    fn refresh(&self, client: usize, token: &str) -> Request<Body> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.form("/token", client, &form)
    }

    fn form(&self, path: &str, client: usize, form: &[(&str, &str)]) -> Request<Body> {
        let mut body = Serializer::new(String::new());
        let body = body.append_pair("client_id", &self.site.clients[client]).extend_pairs(form);
        post(path, FORM).body(body.finish().into()).unwrap()
    }
}

impl Drop for System<'_> {
    /// Nobody comes back to what hangs.
    fn drop(&mut self) {
        self.world.close();
    }
}

fn post(path: &str, content_type: &str) -> http::request::Builder {
    Request::post(path).header("content-type", content_type)
}

fn call(token: &str) -> Request<Body> {
    let params = json!({ "name": "hello_mcp", "arguments": {} });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let request = post("/mcp", "application/json")
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {token}"))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    request.body(message.to_string().into()).unwrap()
}

/// Waits until the instance behind a request is gone, and with it all that it was doing.
async fn ended(wire: &Weak<Wire>) {
    for _ in 0..1_000_000 {
        if wire.strong_count() == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the work of a request does not end");
}

/// An answer, read whole.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    async fn of(app: Router, request: Request<Body>) -> Self {
        let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.header("location")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The parameters that a redirect to the client carries; nothing if it goes elsewhere.
    pub(crate) fn to_client(&self) -> Option<BTreeMap<String, String>> {
        let location = self.location()?.strip_prefix(redirect_uri())?.strip_prefix('?')?;
        Some(url::form_urlencoded::parse(location.as_bytes()).into_owned().collect())
    }
}

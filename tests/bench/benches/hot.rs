//! What we own of a request, alone: nanoseconds for tokens, rows, sessions, redirects, forms and
//! registrations. `cargo bench -p bench --bench hot` runs it.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first surprise")]

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bench::signed_in::{end, session, sign_in};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::FutureExt;
use http::HeaderMap;
use local::embedded::EmbeddedStore;
use oauth_fn::clients::Clients;
use oauth_fn::documents::{ClientDocuments, DocumentFetcher};
use oauth_fn::limits::{Limits, Neighbourhood};
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use oauth_fn::protocol::client_metadata::{ClientMetadata, ClientRegistration};
use oauth_fn::protocol::parameters::Parameters;
use oauth_fn::protocol::preregistration::PreregisteredClients;
use oauth_fn::protocol::redirect_uri::RedirectUri;
use oauth_fn::protocol::registration_policy::RegistrationPolicy;
use secrecy::ExposeSecret;
use shared::base_url::PublicBaseUrl;
use shared::clock::{Clock, SystemClock};
use shared::seal::KeyRing;
use shared::session::{Access, ClaimsSealer, ExpiryWeek, SessionId, Sessions, TokenSealer};
use shared::storage::{Record, RecordStore};

/// How many sessions there are.
const SESSIONS: [usize; 3] = [1_000, 100_000, 1_000_000];

/// How many of them are looked for, one after the other.
const LOOKED_FOR: usize = 1_000;

/// How long a session that was read is believed, as it is unless the settings say otherwise.
const CACHE: Duration = Duration::from_secs(30);

criterion_group! {
    name = hot;
    config = Criterion::default().sample_size(50).measurement_time(Duration::from_secs(3));
    targets = tokens_and_rows, sessions, protocol, registrations
}
criterion_main!(hot);

fn base_url() -> PublicBaseUrl {
    PublicBaseUrl::try_from("https://gw.example.com").unwrap()
}

/// Opening an access token, and the row that it opens.
fn tokens_and_rows(criterion: &mut Criterion) {
    let (keys, base_url, clock) = (KeyRing::generate(), base_url(), SystemClock);
    let (token, row) = session(0, &keys, &base_url).unwrap();
    let tokens = TokenSealer::<Access>::new(&keys, base_url.as_str());
    let claims = ClaimsSealer::new(&keys);
    let text = tokens.mint(&token).expose_secret().to_owned();
    let now = clock.now();

    criterion.bench_function("open a token", |bencher| {
        bencher.iter(|| tokens.open(black_box(&text), now).unwrap());
    });
    criterion.bench_function("open a row", |bencher| {
        bencher.iter(|| claims.read(black_box(&row), &token).unwrap());
    });
}

/// The whole check of a session, remembered and read from the embedded store in memory.
fn sessions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check a session");
    for number in SESSIONS {
        // Only what is measured is filled.
        let filled = LazyCell::new(|| filled(number));
        for (name, cache) in [("remembered, of", CACHE), ("read, of", Duration::ZERO)] {
            let sessions = LazyCell::new(|| finder(&filled.0, &filled.1, cache));
            group.bench_function(BenchmarkId::new(name, number), |bencher| {
                let mut tokens = filled.2.iter().cycle();
                bencher.iter(|| {
                    let token = tokens.next().unwrap();
                    // Nothing waits: the store is in memory.
                    sessions.find(black_box(token)).now_or_never().unwrap().unwrap()
                });
            });
        }
    }
    group.finish();
}

fn finder(store: &Arc<EmbeddedStore>, keys: &KeyRing, cache: Duration) -> Sessions {
    let (records, clock) = (Arc::clone(store) as _, Arc::new(SystemClock));
    Sessions::new(keys, &base_url(), records, clock, cache)
}

/// A store with `number` sessions, and the tokens of some of them.
fn filled(number: usize) -> (Arc<EmbeddedStore>, KeyRing, Vec<String>) {
    let (store, keys) = (EmbeddedStore::in_memory().unwrap(), KeyRing::generate());
    let base_url = base_url();
    let signing_in = sign_in(LOOKED_FOR, &keys, &base_url, &store);
    let tokens = signing_in.now_or_never().unwrap().unwrap();
    let other = Record::default().with("claims", vec![0; 256]);
    for index in LOOKED_FOR..number {
        let address = SessionId::derived_from(&index.to_be_bytes()).address(ExpiryWeek::of(end()));
        store.insert(&address, other.clone()).now_or_never().unwrap().unwrap();
    }
    (Arc::new(store), keys, tokens)
}

/// Whether a redirect URI is one of a client's, and reading a form.
fn protocol(criterion: &mut Criterion) {
    let client = client();
    let requested = ["https://app.example/callback", "http://127.0.0.1:41000/callback"]
        .map(|uri| RedirectUri::try_from(uri.to_owned()).unwrap());
    for requested in requested {
        criterion.bench_function(&format!("match {}", requested.as_str()), |bencher| {
            bencher.iter(|| assert!(client.permits(black_box(&requested))));
        });
    }
    let code = "x".repeat(180);
    let form = format!(
        "grant_type=authorization_code&client_id=mcp_client_{code}&code=mcp_ac_{code}\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A41000%2Fcallback\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\
         &resource=https%3A%2F%2Fgw.example.com%2Fmcp"
    );
    criterion.bench_function("parse a form", |bencher| {
        bencher.iter(|| Parameters::parse(black_box(form.as_bytes())).unwrap());
    });
}

/// The identifier of a client, which carries its metadata.
fn registrations(criterion: &mut Criterion) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records = Arc::new(EmbeddedStore::in_memory().unwrap());
    let (limits, from) = (Limits::new(&clock, None), Neighbourhood::of(&HeaderMap::new()));
    let documents = ClientDocuments::new(
        DocumentPolicy::Off,
        RegistrationPolicy::default(),
        DocumentFetcher::public(),
        Arc::clone(&clock),
    );
    let preregistered = PreregisteredClients::default();
    let clients = Clients::new(&KeyRing::generate(), preregistered, documents, records, clock);
    let client = client();
    let register = |client| {
        let registering = clients.register(client, || limits.permit_row(from));
        registering.now_or_never().unwrap().unwrap()
    };
    let id = register(&client);

    criterion.bench_function("make a registration", |bencher| {
        bencher.iter(|| register(black_box(&client)));
    });
    criterion.bench_function("open a registration", |bencher| {
        bencher.iter(|| {
            let finding = clients.find(black_box(&id), || limits.permit_fetch(from));
            finding.now_or_never().unwrap().unwrap().unwrap()
        });
    });
}

/// A client with two redirect URIs, as some register.
fn client() -> ClientMetadata {
    let json = br#"{
        "client_name": "MCP client",
        "redirect_uris": ["https://app.example/callback", "http://127.0.0.1/callback"]
    }"#;
    let registration = ClientRegistration::parse(json).unwrap();
    registration.accept(&RegistrationPolicy::default()).unwrap().metadata
}

//! The audit of a whole life: exactly one event for each step, with client, user and correlation
//! id (docs/audit.md).
//!
//! What is logged belongs to a process, so this is a process of its own.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

#[path = "../e2e/client.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod client;
mod heard;
#[path = "../e2e/packages.rs"]
mod packages;
#[path = "../e2e/running.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod running;
#[path = "../e2e/system.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod system;
#[path = "../e2e/traced.rs"]
mod traced;

use std::num::NonZeroU32;
use std::time::Duration;

use local::Options;
use local::identity_provider::{Fault, Person, TENANT};
use reqwest::StatusCode;
use serde_json::json;
use shared::session::Identity;
use shared::storage::{Address, Key, Record, RecordStore, TableName};
use url::Url;

use client::{Browser, Client};
use heard::{Fields, Heard};
use system::System;

/// The events are those of the whole process, so there is one test for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn each_step_of_a_grant_is_one_event_that_names_client_user_and_request() {
    let heard = Heard::begin();
    let system = System::start().await;
    let client = system.website("App").await;
    let audit = Audit { heard, system, client };

    audit.heard("client_registered success client=App kind=public");
    audit.accounts().await;
    audit.renewals().await;
    audit.codes().await;
    audit.denials().await;
    audit.revocations().await;
    audit.failures().await;
    audit.tampering().await;
    a_flood_is_one_event_a_minute(&audit.heard).await;
}

/// A system with one client, and what is heard of them.
struct Audit {
    heard: Heard,
    system: System,
    client: Client,
}

impl Audit {
    /// Asserts what was heard since the last time: `events`, one a line. Gives the names of the
    /// requests that they happened in.
    #[track_caller]
    fn heard(&self, events: &str) -> Vec<String> {
        let heard = self.heard.take();
        let told: Vec<_> = heard.iter().map(|event| self.told(event)).collect();
        let expected: Vec<_> = events.lines().map(str::trim).collect();
        assert_eq!(told, expected);
        heard.into_iter().map(|mut event| event.remove("correlation_id").unwrap()).collect()
    }

    /// An event as one line, with our client and alice by their names.
    fn told(&self, event: &Fields) -> String {
        let client = Key::digest("client-id", &[self.client.id.as_bytes()]);
        let alice = Identity {
            tenant_id: TENANT.to_owned().try_into().unwrap(),
            object_id: Person::Alice.object_id().to_owned().try_into().unwrap(),
            name: String::new(),
        };
        let alice = format!("{TENANT}/{}", alice.user_key().as_str());
        let rest = event
            .iter()
            .filter(|(name, _)| !["audit", "outcome", "correlation_id"].contains(*name));
        let rest = rest.map(|(name, value)| match value {
            value if value == client.as_str() => format!(" {name}=App"),
            value if *value == alice => format!(" {name}=alice"),
            value => format!(" {name}={value}"),
        });
        format!("{} {}{}", event["audit"], event["outcome"], rest.collect::<String>())
    }

    async fn sign_in(&self) -> client::Tokens {
        let tokens = self.system.sign_in(&self.client).await;
        self.heard(SIGN_IN);
        tokens
    }

    async fn renewals(&self) {
        let Self { system, client, .. } = self;
        let tokens = system.sign_in(client).await;
        let requests = self.heard(SIGN_IN);
        assert!(requests[0] != requests[1] && requests[1] != requests[2]);

        let renewed = system.refresh(client, &tokens.refresh_token).await.tokens();
        self.heard("refreshed success client=App user=alice");
        system.refresh(client, &tokens.refresh_token).await.tokens();
        self.heard("refresh_repeated success client=App");
        system.clock.advance(Duration::from_mins(1));
        system.refresh(client, &tokens.refresh_token).await.refused(400, "invalid_grant");
        self.heard("refresh_token_reused failure client=App");
        system.refresh(client, &renewed.refresh_token).await.refused(400, "invalid_grant");
        self.heard("refresh_refused failure client=App reason=unknown");

        let tokens = self.sign_in().await;
        system.stack.identity_provider().disable(Person::Alice);
        system.refresh(client, &tokens.refresh_token).await.refused(400, "invalid_grant");
        self.heard("sign_in_withdrawn failure client=App user=alice");
        system.stack.identity_provider().enable(Person::Alice);
    }

    async fn codes(&self) {
        let Self { system, client, .. } = self;
        let code = Browser::new().code(system, client).await;
        self.heard(&format!(
            "{ASKED}\nconsent_allowed success client=App\nsigned_in success client=App user=alice"
        ));
        let mut form = client.exchange(&code);
        form.retain(|(name, _)| *name != "code_verifier");
        let wrong = "x".repeat(43);
        form.push(("code_verifier", &wrong));
        system.token(&form).await.refused(400, "invalid_grant");
        self.heard("code_refused failure client=App reason=not_the_owner");
        system.redeem(client, &code).await.tokens();
        self.heard("code_redeemed success client=App user=alice");
        system.redeem(client, &code).await.refused(400, "invalid_grant");
        self.heard("code_replayed failure client=App");
        system.redeem(client, &code).await.refused(400, "invalid_grant");
        self.heard("code_refused failure client=App reason=unknown");
    }

    async fn denials(&self) {
        let Self { system, client, .. } = self;
        let browser = Browser::new();
        let request = browser.consent_page(&client.authorization(system)).await;
        self.heard(ASKED);
        browser.decide(system, &request, "deny").await;
        self.heard("consent_denied failure client=App");

        browser.open(client.authorization_with(system, &[("prompt", "none")])).await;
        self.heard("authorization_refused failure client=App reason=consent_required");
        let elsewhere = [("redirect_uri", "https://evil.example/")];
        browser.open(client.authorization_with(system, &elsewhere)).await.is_page(400);
        self.heard("authorization_refused failure client=App reason=no_destination");

        let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
        system.token(&form).await.refused(401, "invalid_client");
        self.heard("client_refused failure client=unknown reason=client_id is missing");
    }

    async fn revocations(&self) {
        let Self { system, client, .. } = self;
        let tokens = self.sign_in().await;

        system.revoke(client, &tokens.access_token).await;
        self.heard("token_revoked success client=App user=alice");
        system.revoke(client, &tokens.access_token).await;
        system.revoke(client, "mcp_rt_AAAA").await;
        self.heard("");
        system.revoke(client, &tokens.refresh_token).await;
        self.heard("session_revoked success client=App user=alice");
    }

    /// A consent that is remembered, until its user revokes what it stands on and signs out.
    async fn accounts(&self) {
        let Self { system, client, .. } = self;
        let browser = Browser::new();
        let request = browser.consent_page(&client.authorization(system)).await;
        let allowed = browser.allow_for_good(system, &request).await;
        let callback = browser.sign_in(&allowed.location()).await;
        let code = browser.open(callback).await.sent("code").unwrap();
        system.redeem(client, &code).await.tokens();
        self.heard(SIGN_IN);
        let silent = browser.navigate(client.authorization(system), "none").await;
        self.heard("consent_remembered success client=App");

        let page = browser.visit(system, "alice").await;
        self.heard("account_visited success user=alice");
        assert_eq!(page.status, StatusCode::OK);
        let key = Key::digest("client-id", &[client.id.as_bytes()]);
        browser.act(system, &[("action", "revoke"), ("client", key.as_str())]).await;
        self.heard("client_revoked_by_user success client=App connections=1 user=alice");
        let callback = browser.sign_in(&silent.location()).await;
        browser.open(callback).await;
        self.heard("consent_outdated failure client=App user=alice");
        browser.act(system, &[("action", "revoke-all")]).await;
        self.heard("all_revoked_by_user success connections=0 user=alice");
        browser.act(system, &[("action", "sign-out")]).await;
        self.heard("signed_out success user=alice");

        let to_sign_in = browser.act(system, &[("action", "sign-in")]).await;
        let callback = browser.sign_in(&to_sign_in.location()).await;
        system.stack.identity_provider().fail_next(Fault::WrongNonce);
        browser.open(callback).await.is_page(403);
        self.heard("account_refused failure reason=invalid_answer");
    }

    /// A sign-in that fails: the client is told the name under which the audit knows it.
    async fn failures(&self) {
        let Self { system, client, .. } = self;
        for (fault, reason) in [
            (Fault::BadSignature, "invalid_answer"),
            (Fault::WrongTenant, "foreign_tenant"),
            (Fault::InvalidGrant, "code_refused"),
            (Fault::Unavailable, "unavailable"),
        ] {
            let browser = Browser::new();
            let identity_provider = browser.allow(system, &client.authorization(system)).await;
            let callback: Url = browser.sign_in(&identity_provider).await;
            self.heard(&format!("{ASKED}\nconsent_allowed success client=App"));
            system.stack.identity_provider().fail_next(fault);

            let answer = browser.open(callback).await;

            let requests =
                self.heard(&format!("sign_in_failed failure client=App reason={reason}"));
            let told = answer.sent("error_description").unwrap();
            assert!(told.ends_with(&format!("Correlation id: {}", requests[0])), "{told}");
        }
    }

    /// A row that was changed is noticed, and what comes of it bears the same name.
    async fn tampering(&self) {
        let registration = json!({
            "redirect_uris": ["https://app.example/cb"],
            "token_endpoint_auth_method": "client_secret_post",
        });
        let answer = self.system.register(&registration).await.json();
        let id = answer["client_id"].as_str().unwrap();
        let digest = Key::digest("client-id", &[id.as_bytes()]);
        let name = digest.as_str().to_owned();
        self.heard(&format!("client_registered success client={name} kind=confidential"));
        let records = self.system.stack.oauth_records();
        let address = Address::alone(TableName::of_quarter(2026, 4), digest);
        records.remove(&address).await.unwrap();
        let changed = Record::default().with("metadata", vec![7; 100]);
        records.insert(&address, changed).await.unwrap();

        let forged = Client::new(id, "https://app.example/cb");
        let page = Browser::new().open(forged.authorization(&self.system)).await;

        page.is_page(400);
        let requests = self.heard(&format!(
            "integrity failure address=c2026q4/{name}/{name}
            authorization_refused failure client={name} reason=unknown_client"
        ));
        assert_eq!(requests[0], requests[1]);
        assert!(page.body.contains(&requests[0]), "{}", page.body);
    }
}

const ASKED: &str = "authorization_requested success client=App";
const SIGN_IN: &str = "authorization_requested success client=App
    consent_allowed success client=App
    signed_in success client=App user=alice
    code_redeemed success client=App user=alice";

async fn a_flood_is_one_event_a_minute(heard: &Heard) {
    let requests_per_minute = Some(NonZeroU32::MIN);
    let system = System::start_with(Options { requests_per_minute, ..Options::default() }).await;
    for _ in 0..2 {
        system.get("/consent").await.is_page(403);
        let refused = system.get("/consent").await;
        for _ in 0..20 {
            let status = system.get("/consent").await.status;
            assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        }

        let events = heard.take();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["audit"], "limited");
        assert_eq!(events[0]["limit"], "front_channel");
        assert!(refused.body.contains(&events[0]["correlation_id"]), "{}", refused.body);
        system.clock.advance(Duration::from_mins(1));
    }
}

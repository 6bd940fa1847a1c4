//! The `id_token` (OpenID Connect Core 1.0 section 2) with the claims that Entra ID puts in.

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::UnixTime;
use shared::secret::Fingerprint;

use super::fault::Fault;
use super::people::{OTHER_TENANT, Person};
use super::signing::Flaw;
use super::{CLIENT_ID, IdentityProvider};

const LIFETIME: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl IdentityProvider {
    /// The signed statement that `person` signed in, with what `fault` makes wrong of it.
    pub(super) fn id_token(
        &self,
        person: Person,
        nonce: Option<&str>,
        fault: Option<Fault>,
    ) -> String {
        let mut claims = self.claims(person, self.now());
        if let Some(nonce) = nonce {
            set(&mut claims, "nonce", nonce);
        }
        if let Some(fault) = fault {
            self.spoil(&mut claims, fault);
        }
        self.0.signing_key.sign(&claims, fault.and_then(flaw))
    }

    fn claims(&self, person: Person, now: UnixTime) -> Value {
        let subject =
            Fingerprint::of("sub", &[CLIENT_ID.as_bytes(), person.object_id().as_bytes()]);
        json!({
            "iss": self.issuer(person.tenant()),
            "aud": CLIENT_ID,
            "exp": now.plus(LIFETIME),
            "nbf": now,
            "iat": now,
            "sub": subject.to_key(),
            "tid": person.tenant(),
            "oid": person.object_id(),
            "name": person.display_name(),
            "preferred_username": person.user_name(),
            "roles": person.roles(),
            "acct": 0,
            "ver": "2.0",
        })
    }

    fn spoil(&self, claims: &mut Value, fault: Fault) {
        let now = self.now();
        match fault {
            Fault::IdTokenExpired => {
                set(claims, "exp", now.as_secs().saturating_sub(DAY.as_secs()));
            }
            Fault::IdTokenNotYetValid => set(claims, "nbf", now.plus(DAY).as_secs()),
            Fault::WrongAudience => set(claims, "aud", "another-application"),
            Fault::WrongIssuer => set(claims, "iss", self.0.base_url.at("/another-issuer")),
            Fault::WrongNonce => set(claims, "nonce", "another-nonce"),
            Fault::WrongTenant => set(claims, "tid", OTHER_TENANT),
            Fault::WrongUser => set(claims, "oid", "0ddba110-5a4b-4c3d-8e2f-1a0b9c8d7e6f"),
            Fault::Guest => set(claims, "acct", 1),
            Fault::NoAcct => remove(claims, "acct"),
            Fault::NoRoles => remove(claims, "roles"),
            _ => {}
        }
    }
}

fn flaw(fault: Fault) -> Option<Flaw> {
    match fault {
        Fault::BadSignature => Some(Flaw::BadSignature),
        Fault::IdTokenHs256 => Some(Flaw::Hs256),
        Fault::IdTokenUnsigned => Some(Flaw::Unsigned),
        Fault::UnknownKey => Some(Flaw::UnknownKey),
        _ => None,
    }
}

fn set(claims: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(claims) = claims.as_object_mut() {
        claims.insert(name.to_owned(), value.into());
    }
}

fn remove(claims: &mut Value, name: &str) {
    if let Some(claims) = claims.as_object_mut() {
        claims.remove(name);
    }
}

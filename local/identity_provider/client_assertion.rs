//! Assertions of the application in the place of its secret, as a federated identity credential of
//! Entra ID takes them (RFC 7523 section 3).

use std::sync::Arc;

use serde_json::Value;
use shared::clock::UnixTime;

use super::IdentityProvider;
use super::entra_error::EntraError;
use super::parameters::Parameters;
use super::signing::SigningKey;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Whom an application trusts to be itself. Every text is compared as it is.
#[derive(Clone, Debug)]
pub struct FederatedCredential {
    /// Who makes the assertions.
    pub issuer: String,
    /// Whom they have to be about.
    pub subject: String,
    /// Whom they have to be for.
    pub audience: String,
    /// What they are signed with.
    pub key: Arc<SigningKey>,
}

impl FederatedCredential {
    fn check(&self, assertion: &str, now: UnixTime) -> Result<(), EntraError> {
        let Some(claims) = self.key.verify(assertion) else {
            return Err(refused(700_027, "The client assertion contains an invalid signature."));
        };
        let is = |name: &str, expected: &str| claims.get(name).is_some_and(|is| is == expected);
        let time = |name: &str| claims.get(name).and_then(Value::as_u64);
        let begun = time("nbf").is_none_or(|begin| begin <= now.as_secs());
        if !begun || time("exp").is_none_or(|end| end <= now.as_secs()) {
            return Err(refused(
                700_024,
                "The client assertion is not within its valid time range.",
            ));
        }
        for (number, name, part, expected) in [
            (700_211, "iss", "issuer", &self.issuer),
            (700_212, "aud", "audience", &self.audience),
            (700_213, "sub", "subject", &self.subject),
        ] {
            if !is(name, expected) {
                return Err(unmatched(number, part, &claims, name));
            }
        }
        Ok(())
    }
}

impl IdentityProvider {
    /// Whether the form comes from the application, by the assertion in it.
    pub(super) fn check_assertion(&self, parameters: &Parameters) -> Result<(), EntraError> {
        let required = |name| parameters.get(name).ok_or_else(|| EntraError::missing(name));
        if required("client_assertion_type")? != JWT_BEARER {
            let message = "The value of 'client_assertion_type' is not supported.";
            return Err(EntraError::new("invalid_request", 900_021, message));
        }
        let assertion = required("client_assertion")?;
        let Some(trusted) = self.trusted() else {
            return Err(refused(
                70_025,
                "The client has no configured federated identity credentials.",
            ));
        };
        trusted.check(assertion, self.now())
    }
}

fn unmatched(number: u32, part: &str, claims: &Value, name: &str) -> EntraError {
    let presented = claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = format!(
        "No matching federated identity record found for presented assertion {part} '{presented}'."
    );
    EntraError::new("invalid_client", number, message)
}

fn refused(number: u32, message: &str) -> EntraError {
    EntraError::new("invalid_client", number, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_797_206_400);

    fn credential(key: &Arc<SigningKey>) -> FederatedCredential {
        FederatedCredential {
            issuer: "https://issuer.example/v2.0".to_owned(),
            subject: "Principal".to_owned(),
            audience: "api://Audience".to_owned(),
            key: Arc::clone(key),
        }
    }

    fn claims() -> Value {
        let now = NOW.as_secs();
        json!({
            "iss": "https://issuer.example/v2.0", "sub": "Principal", "aud": "api://Audience",
            "nbf": now, "exp": now + 1,
        })
    }

    #[test]
    fn an_assertion_keeps_every_rule_or_is_refused_with_its_number() {
        let key = Arc::new(SigningKey::generate().unwrap());
        let credential = credential(&key);
        let number = |assertion: &str| credential.check(assertion, NOW).map_err(|e| e.number);

        assert_eq!(number(&key.sign_claims(&claims())), Ok(()));
        for (name, value, expected) in [
            ("iss", json!("https://issuer.example/v2.0/"), 700_211),
            ("iss", Value::Null, 700_211),
            ("aud", json!("api://audience"), 700_212),
            ("aud", json!(["api://Audience"]), 700_212),
            ("sub", json!("principal"), 700_213),
            ("sub", Value::Null, 700_213),
            ("exp", json!(NOW.as_secs()), 700_024),
            ("exp", Value::Null, 700_024),
            ("exp", json!("later"), 700_024),
            ("nbf", json!(NOW.as_secs() + 1), 700_024),
        ] {
            let mut changed = claims();
            changed[name] = value.clone();
            assert_eq!(number(&key.sign_claims(&changed)), Err(expected), "{name} {value}");
        }
    }

    #[test]
    fn an_assertion_of_another_key_or_a_changed_one_is_refused() {
        let key = Arc::new(SigningKey::generate().unwrap());
        let credential = credential(&key);
        let good = key.sign_claims(&claims());
        let other = SigningKey::generate().unwrap().sign_claims(&claims());
        let (message, _) = good.rsplit_once('.').unwrap();

        for assertion in ["", "a.b.c", message, &format!("{message}."), &other] {
            assert_eq!(credential.check(assertion, NOW).unwrap_err().number, 700_027);
        }
    }
}

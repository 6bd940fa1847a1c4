//! The `id_token`: what has to hold before we believe who signed in.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use shared::clock::UnixTime;
use shared::secret::Fingerprint;
use shared::session::{DirectoryId, Identity};

use super::gate::{Gate, GateClaims, NotPermitted};

/// How far Entra ID's clock may be off.
const SKEW: Duration = Duration::from_mins(1);
/// Longest name that is kept, in characters.
const LONGEST_NAME: usize = 100;

/// What a good token says.
#[derive(Debug)]
pub struct Expected<'a> {
    /// Who must have made it; `{tenantid}` in it stands for the user's tenant.
    pub issuer: &'a str,
    /// Our application.
    pub audience: &'a str,
    /// What the token answers.
    pub occasion: Occasion<'a>,
    /// The tenants whose users may sign in.
    pub allowed_tenants: &'a [DirectoryId],
    /// Which of their users.
    pub gate: &'a Gate,
    /// The present moment.
    pub now: UnixTime,
}

/// Why there is a token.
#[derive(Clone, Copy, Debug)]
pub enum Occasion<'a> {
    /// A session of this user was renewed. A nonce need not be there (`OpenID Connect` Core section
    /// 12.2).
    Renewal(&'a Identity),
    /// Somebody signed in, and the token repeats this nonce.
    SignIn(&'a SecretString),
}

#[derive(Deserialize)]
struct UnverifiedClaims {
    iss: String,
    aud: String,
    exp: u64,
    nbf: Option<u64>,
    nonce: Option<String>,
    oid: String,
    tid: String,
    ver: String,
    name: Option<String>,
    preferred_username: Option<String>,
    #[serde(flatten)]
    standing: GateClaims,
}

/// The id of the key that claims to have signed. Nothing else of the header is believed.
///
/// # Errors
/// It is no JWT, or names another algorithm than RS256, or no key.
pub fn key_id(id_token: &SecretString) -> Result<String, InvalidIdToken> {
    let header = decode_header(id_token.expose_secret()).map_err(|_| InvalidIdToken::Form)?;
    if header.alg != Algorithm::RS256 {
        return Err(InvalidIdToken::Algorithm);
    }
    header.kid.ok_or(InvalidIdToken::Key)
}

/// Who signed in, if every rule holds (`OpenID Connect` Core section 3.1.3.7, and Entra ID's own).
///
/// # Errors
/// The first rule that it breaks.
pub fn verify(
    id_token: &SecretString,
    key: &DecodingKey,
    expected: &Expected<'_>,
) -> Result<Identity, InvalidIdToken> {
    // Signature and algorithm by the library; every claim by us, with our clock.
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims = decode::<UnverifiedClaims>(id_token.expose_secret(), key, &validation)
        .map_err(|_| InvalidIdToken::Signature)?
        .claims;
    claims.check(expected)?;
    let identity = claims.identity()?;
    expected.check_user(&identity)?;
    expected.check_issuer(&identity.tenant_id, &claims.iss)?;
    expected.gate.check(&claims.standing)?;
    Ok(identity)
}

impl UnverifiedClaims {
    fn check(&self, expected: &Expected<'_>) -> Result<(), InvalidIdToken> {
        if self.aud != expected.audience {
            return Err(InvalidIdToken::Audience);
        }
        if UnixTime::from_secs(self.exp).plus(SKEW) <= expected.now {
            return Err(InvalidIdToken::Expired);
        }
        let not_before = UnixTime::from_secs(self.nbf.unwrap_or_default());
        if not_before > expected.now.plus(SKEW) {
            return Err(InvalidIdToken::Early);
        }
        if self.ver != "2.0" {
            return Err(InvalidIdToken::Version);
        }
        expected.check_nonce(self.nonce.as_deref())
    }

    fn identity(&self) -> Result<Identity, InvalidIdToken> {
        let name = self.name.as_ref().or(self.preferred_username.as_ref());
        let name = name.map(String::as_str).unwrap_or_default().chars();
        Ok(Identity {
            tenant_id: self.tid.clone().try_into().map_err(|_| InvalidIdToken::Tenant)?,
            object_id: self.oid.clone().try_into().map_err(|_| InvalidIdToken::User)?,
            name: name.filter(|char| !char.is_control()).take(LONGEST_NAME).collect(),
        })
    }
}

impl Expected<'_> {
    fn check_nonce(&self, nonce: Option<&str>) -> Result<(), InvalidIdToken> {
        let Occasion::SignIn(expected) = self.occasion else {
            return Ok(());
        };
        let fingerprint = |text: &str| Fingerprint::of("nonce", &[text.as_bytes()]);
        let expected = fingerprint(expected.expose_secret());
        let same = nonce.is_some_and(|nonce| fingerprint(nonce).matches(&expected));
        if same { Ok(()) } else { Err(InvalidIdToken::Nonce) }
    }

    fn check_user(&self, identity: &Identity) -> Result<(), InvalidIdToken> {
        match self.occasion {
            Occasion::Renewal(user) if user.user_key() != identity.user_key() => {
                Err(InvalidIdToken::OtherUser)
            }
            Occasion::Renewal(_) | Occasion::SignIn(_) => Ok(()),
        }
    }

    fn check_issuer(&self, tenant: &DirectoryId, issuer: &str) -> Result<(), InvalidIdToken> {
        if !self.allowed_tenants.contains(tenant) {
            return Err(InvalidIdToken::Tenant);
        }
        // Only now may the tenant complete the issuer: it is one that we chose.
        let own = issuer == self.issuer.replace("{tenantid}", tenant.as_str());
        if own { Ok(()) } else { Err(InvalidIdToken::Issuer) }
    }
}

/// Which rule an `id_token` breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidIdToken {
    /// It is not signed with RS256.
    #[error("the id_token is not signed with RS256")]
    Algorithm,
    /// It is for another application.
    #[error("the id_token is for another application")]
    Audience,
    /// It is not valid yet.
    #[error("the id_token is not valid yet")]
    Early,
    /// Its time is over.
    #[error("the id_token has expired")]
    Expired,
    /// It is not a signed JWT.
    #[error("the id_token is not a signed JWT")]
    Form,
    /// It is of another issuer.
    #[error("the id_token is of another issuer")]
    Issuer,
    /// It names no key that is known.
    #[error("the id_token is signed with an unknown key")]
    Key,
    /// There is none.
    #[error("there is no id_token")]
    Missing,
    /// It answers another sign-in.
    #[error("the id_token answers another sign-in")]
    Nonce,
    /// Its user may not use this server.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// It is about another user than the session.
    #[error("the id_token is of another user than the session")]
    OtherUser,
    /// Signature or claims do not hold.
    #[error("the id_token's signature or claims do not hold")]
    Signature,
    /// Its tenant is not allowed.
    #[error("the id_token is of a tenant that is not allowed")]
    Tenant,
    /// It does not name the user.
    #[error("the id_token does not name the user")]
    User,
    /// It is not of version 2.0.
    #[error("the id_token is not of version 2.0")]
    Version,
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
    use data_encoding::BASE64URL_NOPAD;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::super::gate::RequiredRoles;
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_797_206_400);
    const ISSUER: &str = "https://login.example/{tenantid}/v2.0";

    struct Signer {
        pair: KeyPair,
        public: DecodingKey,
        modulus: Vec<u8>,
    }

    static SIGNER: LazyLock<Signer> = LazyLock::new(Signer::generate);

    impl Signer {
        fn generate() -> Self {
            let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
            let modulus = pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
            let exponent = pair.public_key().exponent().big_endian_without_leading_zero().to_vec();
            let (n, e) = (BASE64URL_NOPAD.encode(&modulus), BASE64URL_NOPAD.encode(&exponent));
            let public = DecodingKey::from_rsa_components(&n, &e).unwrap();
            Self { pair, public, modulus }
        }

        fn sign(&self, header: &Value, claims: &Value) -> SecretString {
            let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
            let text = format!("{}.{}", part(header), part(claims));
            let mut signature = vec![0; self.pair.public_modulus_len()];
            self.pair
                .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
                .unwrap();
            format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)).into()
        }
    }

    fn good() -> Value {
        json!({
            "iss": "https://login.example/tenant-1/v2.0", "aud": "our-app",
            "exp": NOW.as_secs() + 3600, "nbf": NOW.as_secs(), "iat": NOW.as_secs(),
            "nonce": "the-nonce", "oid": "OBJECT-1", "tid": "tenant-1", "ver": "2.0",
            "name": "Alice",
        })
    }

    fn with(change: (&str, Value)) -> Value {
        let mut claims = good();
        claims[change.0] = change.1;
        claims
    }

    fn signed(claims: &Value) -> SecretString {
        SIGNER.sign(&json!({ "alg": "RS256", "kid": "k1", "typ": "JWT" }), claims)
    }

    fn check(token: &SecretString) -> Result<Identity, InvalidIdToken> {
        check_for(token, ISSUER)
    }

    fn check_for(token: &SecretString, issuer: &str) -> Result<Identity, InvalidIdToken> {
        let nonce = "the-nonce".into();
        check_on(token, issuer, Occasion::SignIn(&nonce), &Gate::default())
    }

    fn renewal(claims: &Value) -> Result<Identity, InvalidIdToken> {
        let user = check(&signed(&good())).unwrap();
        check_on(&signed(claims), ISSUER, Occasion::Renewal(&user), &Gate::default())
    }

    fn check_on(
        token: &SecretString,
        issuer: &str,
        occasion: Occasion<'_>,
        gate: &Gate,
    ) -> Result<Identity, InvalidIdToken> {
        let tenants = [DirectoryId::try_from("tenant-1".to_owned()).unwrap()];
        let expected = Expected {
            issuer,
            audience: "our-app",
            occasion,
            allowed_tenants: &tenants,
            gate,
            now: NOW,
        };
        assert_eq!(key_id(token)?, "k1");
        verify(token, &SIGNER.public, &expected)
    }

    #[test]
    fn a_good_token_says_who_signed_in() {
        let identity = check(&signed(&good())).unwrap();

        assert_eq!(identity.tenant_id.as_str(), "tenant-1");
        assert_eq!(identity.object_id.as_str(), "object-1");
        assert_eq!(identity.name, "Alice");
    }

    #[test]
    fn every_claim_has_its_rule() {
        use InvalidIdToken as Rule;
        let now = NOW.as_secs();
        for (change, rule) in [
            (("iss", json!("https://login.example/tenant-2/v2.0")), Rule::Issuer),
            (("iss", json!("https://evil.example/tenant-1/v2.0")), Rule::Issuer),
            (("iss", json!("https://login.example/tenant-1/v2.0/")), Rule::Issuer),
            (("iss", Value::Null), Rule::Signature),
            (("aud", json!("another-app")), Rule::Audience),
            (("aud", json!(["our-app", "another-app"])), Rule::Signature),
            (("aud", Value::Null), Rule::Signature),
            (("exp", json!(now - 60)), Rule::Expired),
            (("exp", json!("soon")), Rule::Signature),
            (("exp", Value::Null), Rule::Signature),
            (("nbf", json!(now + 61)), Rule::Early),
            (("nonce", json!("another-nonce")), Rule::Nonce),
            (("nonce", json!("")), Rule::Nonce),
            (("nonce", Value::Null), Rule::Nonce),
            (("nonce", json!(7)), Rule::Signature),
            (("ver", json!("1.0")), Rule::Version),
            (("tid", json!("tenant-2")), Rule::Tenant),
            (("tid", json!("../tenant-1")), Rule::Tenant),
            (("tid", Value::Null), Rule::Signature),
            (("oid", json!("")), Rule::User),
            (("oid", json!("a/b")), Rule::User),
            (("oid", Value::Null), Rule::Signature),
        ] {
            let token = signed(&with(change.clone()));
            assert_eq!(check(&token).unwrap_err(), rule, "{change:?}");
        }
    }

    #[test]
    fn at_a_renewal_the_nonce_does_not_count_and_the_user_must_be_the_same() {
        use InvalidIdToken as Rule;
        for nonce in [Value::Null, json!("another-nonce"), json!("the-nonce")] {
            assert!(renewal(&with(("nonce", nonce))).is_ok());
        }
        for (change, rule) in [
            (("oid", json!("object-2")), Rule::OtherUser),
            (("tid", json!("tenant-2")), Rule::OtherUser),
            (("aud", json!("another-app")), Rule::Audience),
            (("exp", json!(NOW.as_secs() - 60)), Rule::Expired),
            (("iss", json!("https://evil.example/tenant-1/v2.0")), Rule::Issuer),
        ] {
            assert_eq!(renewal(&with(change.clone())).unwrap_err(), rule, "{change:?}");
        }
        let mut moved = check(&signed(&good())).unwrap();
        moved.tenant_id = "tenant-2".to_owned().try_into().unwrap();
        let token = signed(&with(("tid", json!("tenant-2"))));
        let no_longer_allowed =
            check_on(&token, ISSUER, Occasion::Renewal(&moved), &Gate::default());
        assert_eq!(no_longer_allowed.unwrap_err(), Rule::Tenant);
        let renamed = renewal(&with(("name", json!("Alice Other")))).unwrap();
        assert_eq!(renamed.name, "Alice Other");
    }

    #[test]
    fn the_gate_is_checked_once_everything_else_holds() {
        let role = RequiredRoles::try_from("mcp.user").unwrap();
        let gate = Gate { required_roles: role, ..Gate::default() };
        let nonce = "the-nonce".into();
        let check =
            |claims| check_on(&signed(&claims), ISSUER, Occasion::SignIn(&nonce), &gate).err();

        assert_eq!(check(with(("roles", json!(["mcp.user"])))), None);
        assert_eq!(check(good()), Some(NotPermitted::NoRole.into()));
        assert_eq!(check(with(("aud", json!("another")))), Some(InvalidIdToken::Audience));
        let user = check_for(&signed(&good()), ISSUER).unwrap();
        let renewed = check_on(&signed(&good()), ISSUER, Occasion::Renewal(&user), &gate);
        assert_eq!(renewed.unwrap_err(), NotPermitted::NoRole.into());
    }

    #[test]
    fn entra_ids_clock_may_be_a_minute_off() {
        let now = NOW.as_secs();

        assert!(check(&signed(&with(("exp", json!(now - 59))))).is_ok());
        assert!(check(&signed(&with(("nbf", json!(now + 60))))).is_ok());
    }

    #[test]
    fn a_token_without_a_display_name_falls_back_to_the_user_name() {
        let mut claims = with(("preferred_username", json!("alice@example.com")));
        claims.as_object_mut().unwrap().remove("name");

        assert_eq!(check(&signed(&claims)).unwrap().name, "alice@example.com");
    }

    #[test]
    fn an_issuer_without_a_template_is_compared_as_it_is() {
        let issuer = "https://login.example/tenant-1/v2.0";

        assert!(check_for(&signed(&good()), issuer).is_ok());
        assert_eq!(
            check_for(&signed(&good()), "https://login.example/tenant-3/v2.0").unwrap_err(),
            InvalidIdToken::Issuer
        );
    }

    #[test]
    fn only_rs256_is_an_algorithm() {
        let hs256 = encode(
            &Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) },
            &good(),
            &EncodingKey::from_secret(&SIGNER.modulus),
        );
        assert_eq!(check(&hs256.unwrap().into()).unwrap_err(), InvalidIdToken::Algorithm);
        for algorithm in ["RS384", "RS512", "PS256", "ES256"] {
            assert_eq!(check(&forged(algorithm)).unwrap_err(), InvalidIdToken::Algorithm);
        }
        for algorithm in ["none", "None", ""] {
            assert_eq!(check(&forged(algorithm)).unwrap_err(), InvalidIdToken::Form);
        }
    }

    /// The signature of a good token under a header with another algorithm.
    fn forged(algorithm: &str) -> SecretString {
        let token = signed(&good());
        let (_, rest) = token.expose_secret().split_once('.').unwrap();
        let header = json!({ "alg": algorithm, "kid": "k1", "typ": "JWT" }).to_string();
        format!("{}.{rest}", BASE64URL_NOPAD.encode(header.as_bytes())).into()
    }

    #[test]
    fn keys_that_the_token_brings_along_are_not_believed() {
        let other = Signer::generate();
        let header = json!({
            "alg": "RS256", "kid": "k1", "jku": "https://evil.example/keys",
            "jwk": { "kty": "RSA", "n": BASE64URL_NOPAD.encode(&other.modulus), "e": "AQAB" },
        });

        let token = other.sign(&header, &good());

        assert_eq!(check(&token).unwrap_err(), InvalidIdToken::Signature);
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let token = signed(&good());
        let text = token.expose_secret();

        for index in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let checked = key_id(&changed.clone().into()).and_then(|id| {
                if id == "k1" { check(&changed.into()) } else { Err(InvalidIdToken::Key) }
            });
            assert!(checked.is_err(), "character {index}");
        }
    }

    #[test]
    fn what_is_no_signed_token_is_refused() {
        let token = signed(&good());
        let two = format!("{0}.{0}", token.expose_secret());
        for text in ["", "a.b.c", "a.b", two.as_str(), r#"{"payload":"x","signatures":[]}"#] {
            assert!(check(&text.to_owned().into()).is_err(), "{text}");
        }
    }
}

//! The key that signs each `id_token` (RS256, RFC 7518 section 3.3), and its public half.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use shared::secret::Fingerprint;

/// An RSA key of 2048 bits.
pub struct SigningKey {
    pair: KeyPair,
    id: String,
}

impl SigningKey {
    /// A new key. This takes some tenths of a second.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn generate() -> Result<Self, UnusableKey> {
        Ok(Self::new(KeyPair::generate(KeySize::Rsa2048).map_err(|_| UnusableKey)?))
    }

    /// The key that [`Self::to_pkcs8`] wrote.
    ///
    /// # Errors
    /// The bytes are not an RSA key.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, UnusableKey> {
        Ok(Self::new(KeyPair::from_pkcs8(bytes).map_err(|_| UnusableKey)?))
    }

    /// The key as PKCS #8 (RFC 5208).
    ///
    /// # Errors
    /// The key does not let itself be written.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, UnusableKey> {
        let written = AsDer::as_der(&self.pair).map_err(|_| UnusableKey)?;
        Ok(written.as_ref().to_vec())
    }

    /// The set of public keys (RFC 7517 section 5). Like Entra's, it leaves `alg` out.
    pub(super) fn key_set(&self) -> Value {
        let public = self.pair.public_key();
        json!({ "keys": [{
            "kty": "RSA",
            "use": "sig",
            "kid": self.id,
            "n": BASE64URL_NOPAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": BASE64URL_NOPAD.encode(public.exponent().big_endian_without_leading_zero()),
        }] })
    }

    /// `claims` as a signed token (RFC 7519).
    pub fn sign_claims(&self, claims: &Value) -> String {
        self.sign(claims, None)
    }

    /// The claims of `token`, if this key signed it with RS256.
    pub(super) fn verify(&self, token: &str) -> Option<Value> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).ok();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key());
        public.verify(message.as_bytes(), &decode(signature)?).ok()?;
        (json(header)?.get("alg")? == "RS256").then(|| json(claims)).flatten()
    }

    /// `claims` as a signed token (RFC 7519), with the flaw that `flaw` names.
    pub(super) fn sign(&self, claims: &Value, flaw: Option<Flaw>) -> String {
        let (algorithm, id) = match flaw {
            Some(Flaw::Hs256) => ("HS256", self.id.as_str()),
            Some(Flaw::Unsigned) => ("none", self.id.as_str()),
            Some(Flaw::UnknownKey) => ("RS256", "a-key-that-is-not-published"),
            Some(Flaw::BadSignature) | None => ("RS256", self.id.as_str()),
        };
        let header = json!({ "typ": "JWT", "alg": algorithm, "kid": id });
        let [header, claims] = [header.to_string(), claims.to_string()]
            .map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
        let message = format!("{header}.{claims}");
        let signature = match flaw {
            Some(Flaw::Unsigned) => Vec::new(),
            Some(Flaw::Hs256) => self.confused_signature(&message),
            Some(Flaw::BadSignature) => self.signature(&format!("{message} ")),
            Some(Flaw::UnknownKey) | None => self.signature(&message),
        };
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    fn new(pair: KeyPair) -> Self {
        let modulus = pair.public_key().modulus();
        let id = Fingerprint::of("signing-key", &[modulus.big_endian_without_leading_zero()]);
        Self { pair, id: id.to_key() }
    }

    fn signature(&self, message: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signature,
        );
        // A token without a signature is refused by everybody, which is what a failure must lead to.
        signed.map_or_else(|_| Vec::new(), |()| signature)
    }

    fn confused_signature(&self, message: &str) -> Vec<u8> {
        let public = self.pair.public_key().as_ref();
        let key = hmac::Key::new(hmac::HMAC_SHA256, public);
        hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SigningKey").field(&self.id).finish()
    }
}

/// What can be wrong with a signature.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flaw {
    BadSignature,
    Hs256,
    UnknownKey,
    Unsigned,
}

/// There is no RSA key in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the RSA key cannot be made, read or written")]
pub struct UnusableKey;

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    use super::*;

    fn read_back(key: &SigningKey, token: &str) -> jsonwebtoken::errors::Result<Value> {
        let set: JwkSet = serde_json::from_value(key.key_set()).unwrap();
        let kid = jsonwebtoken::decode_header(token)?.kid.unwrap();
        let Some(jwk) = set.find(&kid) else {
            return Err(jsonwebtoken::errors::ErrorKind::InvalidToken.into());
        };
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["app"]);
        Ok(decode::<Value>(token, &DecodingKey::from_jwk(jwk)?, &validation)?.claims)
    }

    #[test]
    fn a_token_is_verified_with_the_published_key_and_a_flawed_one_is_not() {
        let key = SigningKey::generate().unwrap();
        let claims = json!({ "aud": "app", "exp": 4_102_444_800_u64, "name": "Ann" });

        assert_eq!(read_back(&key, &key.sign(&claims, None)).unwrap(), claims);
        for flaw in [Flaw::BadSignature, Flaw::Hs256, Flaw::UnknownKey, Flaw::Unsigned] {
            assert!(read_back(&key, &key.sign(&claims, Some(flaw))).is_err(), "{flaw:?}");
        }
        assert_eq!(key.verify(&key.sign(&claims, None)), Some(claims.clone()));
        for flaw in [Flaw::BadSignature, Flaw::Hs256, Flaw::Unsigned] {
            assert_eq!(key.verify(&key.sign(&claims, Some(flaw))), None, "{flaw:?}");
        }
    }

    #[test]
    fn a_key_survives_its_written_form() {
        let key = SigningKey::generate().unwrap();

        let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();

        assert_eq!(again.key_set(), key.key_set());
    }
}

//! Keys whose signatures count. A key is for one algorithm: what a token says of its algorithm decides
//! nothing, it only has to be that one.

use super::jws::Token;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use std::fmt;

/// A key, and the algorithm that it is for.
pub struct TokenKey {
    /// Its name, by which tokens may ask for it.
    id: Option<String>,
    verifier: Verifier,
    /// SHA-256 of it.
    digest: [u8; 32],
}

enum Verifier {
    Hmac(hmac::Key),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(UnparsedPublicKey<Vec<u8>>),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
}

impl TokenKey {
    /// A key for `HS256` (its secret), `RS256` (modulus and exponent), `ES256` (two coordinates) or
    /// `EdDSA` (the public key), of parts in base64url as in a JWK; tokens may ask for it by `id`. If it
    /// is none, what it should be.
    pub fn new(
        algorithm: &str,
        id: Option<String>,
        parts: &[String],
    ) -> Result<Self, &'static str> {
        let decoded = parts.iter().map(|part| BASE64_URL_SAFE_NO_PAD.decode(part));
        let decoded = decoded.collect::<Result<Vec<_>, _>>().map_err(|_| "parts in base64url")?;
        let verifier = match (algorithm, &decoded[..]) {
            ("HS256", [secret]) if secret.len() >= 32 => {
                Verifier::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret))
            }
            ("HS256", [_]) => return Err("a secret of 32 bytes or more"),
            ("RS256", [n, e]) if (256..=1024).contains(&n.len()) => {
                Verifier::Rsa(RsaPublicKeyComponents { n: n.to_vec(), e: e.to_vec() })
            }
            ("RS256", [_, _]) => return Err("an RSA key of 2048 to 8192 bits"),
            ("ES256", [x, y]) if x.len() == 32 && y.len() == 32 => {
                // Uncompressed, as SEC 1 has it.
                let point = [&[4][..], x, y].concat();
                Verifier::P256(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
            }
            ("EdDSA", [key]) if key.len() == 32 => {
                Verifier::Ed25519(UnparsedPublicKey::new(&ED25519, key.to_vec()))
            }
            _ => return Err("a key for HS256, RS256, ES256 or EdDSA"),
        };
        let whole = [algorithm.as_bytes(), b"\0", &decoded.concat()].concat();
        let digest = digest(&SHA256, &whole).as_ref().try_into().expect("it has 32 bytes");
        Ok(Self { id, verifier, digest })
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether a token is signed with it.
    pub(super) fn signed(&self, token: &Token<'_>) -> bool {
        let Token { algorithm, key, signed, signature, .. } = token;
        // A key without a name is tried for any.
        let named = self.id.is_none() || key.is_none() || self.id == *key;
        named
            && match &self.verifier {
                Verifier::Hmac(key) => {
                    algorithm == "HS256" && hmac::verify(key, signed, signature).is_ok()
                }
                Verifier::Rsa(key) => {
                    let scheme = &RSA_PKCS1_2048_8192_SHA256;
                    algorithm == "RS256" && key.verify(scheme, signed, signature).is_ok()
                }
                Verifier::P256(key) => {
                    algorithm == "ES256" && key.verify(signed, signature).is_ok()
                }
                Verifier::Ed25519(key) => {
                    algorithm == "EdDSA" && key.verify(signed, signature).is_ok()
                }
            }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({:?})", self.id)
    }
}

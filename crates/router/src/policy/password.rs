//! What a password is held against: its SHA-256 as in Redis, or a hash that is slow on purpose.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use parking_lot::RwLock;
use password_hash::SaltString;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;

type Digest256 = [u8; 32];

/// One of a user's passwords.
#[derive(Clone)]
pub(crate) enum Secret {
    /// SHA-256 of it.
    Digest(Digest256),
    /// Its Argon2id hash.
    Slow(Arc<SlowHash>),
}

/// A hash that takes some 30 ms to check. Once a password was right, it is known by a quick one: so
/// thousands of clients that connect again cost a hash, not seconds.
pub(crate) struct SlowHash {
    text: String,
    /// SHA-256 of the salted text and the password that was right.
    proven: RwLock<Option<Digest256>>,
}

impl SlowHash {
    fn quick(&self, password: &[u8]) -> Digest256 {
        Sha256::new_with_prefix(&self.text)
            .chain_update([0])
            .chain_update(password)
            .finalize()
            .into()
    }

    /// Whether it was right before.
    fn is_proven(&self, quick: &Digest256) -> bool {
        self.proven.read().is_some_and(|proven| proven.ct_eq(quick).into())
    }

    fn verify(&self, password: &[u8]) -> bool {
        let quick = self.quick(password);
        if self.is_proven(&quick) {
            return true;
        }
        let hash = PasswordHash::new(&self.text);
        let right =
            hash.is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
        if right {
            *self.proven.write() = Some(quick);
        }
        right
    }
}

impl Secret {
    /// The SHA-256 of a password.
    pub(super) fn of(password: &[u8]) -> Self {
        Self::Digest(Sha256::digest(password).into())
    }

    /// A hash: `$argon2id$...`, or 64 hexadecimal digits of a SHA-256; `None` if it is neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.starts_with("$argon2id$") {
            let hash = PasswordHash::new(text).ok()?;
            let params = argon2::Params::try_from(&hash).ok()?;
            let bounded = params.m_cost() <= 1024 * 1024 && params.t_cost() <= 64;
            (bounded && hash.salt.is_some() && hash.hash.is_some()).then_some(())?;
            let proven = RwLock::new(None);
            return Some(Self::Slow(Arc::new(SlowHash { text: text.to_owned(), proven })));
        }
        let digit = |at: usize| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok();
        let plain = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            *byte = digit(at).filter(|_| plain)?;
        }
        Some(Self::Digest(digest))
    }

    /// Whether this is the password, in a time that depends on it in no way.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Digest(expected) => Sha256::digest(password).as_slice().ct_eq(expected).into(),
            Self::Slow(hash) => hash.verify(password),
        }
    }

    pub(super) fn slow(&self) -> Option<&Arc<SlowHash>> {
        match self {
            Self::Digest(_) => None,
            Self::Slow(hash) => Some(hash),
        }
    }

    /// Takes over what was proven of the same hash before.
    pub(super) fn inherit<'a>(&mut self, mut before: impl Iterator<Item = &'a Self>) {
        if let Self::Slow(hash) = self
            && let Some(same) =
                before.find_map(|other| other.slow().filter(|old| old.text == hash.text))
        {
            *hash = same.clone();
        }
    }
}

/// The Argon2id hash of a password with 19 MiB of memory and two passes, by 16 random bytes.
///
/// ```
/// let hash = breakwater_router::hash_password(b"secret", [7; 16]);
/// assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
/// ```
pub fn hash_password(password: &[u8], salt: [u8; 16]) -> String {
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
    let hash = Argon2::default().hash_password(password, &salt);
    hash.expect("the usual parameters are valid").to_string()
}

//! What a password is held against: its SHA-256 as in Redis, or a hash that is slow on purpose.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use parking_lot::RwLock;
use password_hash::SaltString;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;

pub(super) type Digest256 = [u8; 32];

/// The SHA-256 of a password.
pub(super) fn digest_of(password: &[u8]) -> Digest256 {
    work::digest(password.len());
    Sha256::digest(password).into()
}

/// Whether two are the same, in a time that depends on neither.
pub(super) fn is_digest(one: &Digest256, other: &Digest256) -> bool {
    work::compare(one.len());
    one.ct_eq(other).into()
}

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
        work::digest(self.text.len() + password.len());
        Sha256::new_with_prefix(&self.text)
            .chain_update([0])
            .chain_update(password)
            .finalize()
            .into()
    }

    /// Whether this password was right before.
    pub(super) fn is_proven(&self, password: &[u8]) -> bool {
        let (quick, proven) = (self.quick(password), *self.proven.read());
        is_digest(&quick, &proven.unwrap_or_default()) & proven.is_some()
    }

    /// Whether this is the password: takes its time.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        work::slow();
        let hash = PasswordHash::new(&self.text);
        let right =
            hash.is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
        if right {
            *self.proven.write() = Some(self.quick(password));
        }
        right
    }
}

impl Secret {
    /// The SHA-256 of a password.
    pub(super) fn of(password: &[u8]) -> Self {
        Self::Digest(digest_of(password))
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

    pub(super) fn digest(&self) -> Option<&Digest256> {
        match self {
            Self::Digest(digest) => Some(digest),
            Self::Slow(_) => None,
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

/// The slow checks that a node does at once, at the most, and how many milliseconds earn another: so
/// wrong passwords take a third of one thread, however many there are.
const BURST: i64 = 20;
const EACH: i64 = 100;

/// How many slow checks may be done.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// How many were done that are not earned yet, as of a time in milliseconds.
    owed: i64,
    at: i64,
}

impl Allowance {
    /// Whether one more may be done now.
    pub(super) fn take(&mut self, now: i64) -> bool {
        let earned = now.saturating_sub(self.at).max(0) / EACH;
        if earned > 0 {
            self.owed = self.owed.saturating_sub(earned).max(0);
            self.at = now;
        }
        let may = self.owed < BURST;
        self.owed += i64::from(may);
        may
    }

    /// The last one found a password right.
    pub(super) fn give_back(&mut self) {
        self.owed = (self.owed - 1).max(0);
    }
}

/// What is done for passwords, counted where tests ask for it, and nowhere else.
#[cfg(not(test))]
mod work {
    pub(super) fn digest(_bytes: usize) {}
    pub(super) fn compare(_bytes: usize) {}
    pub(super) fn slow() {}
}

#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    /// What was done.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(in crate::policy) struct Work {
        pub(in crate::policy) digests: usize,
        /// Bytes that went into them.
        digested: usize,
        pub(in crate::policy) compared: usize,
        pub(in crate::policy) slow: usize,
    }

    thread_local!(static WORK: Cell<Work> = Cell::default());

    fn add(change: impl FnOnce(&mut Work)) {
        let mut work = WORK.get();
        change(&mut work);
        WORK.set(work);
    }

    pub(super) fn digest(bytes: usize) {
        add(|work| (work.digests, work.digested) = (work.digests + 1, work.digested + bytes));
    }

    pub(super) fn compare(bytes: usize) {
        add(|work| work.compared += bytes);
    }

    pub(super) fn slow() {
        add(|work| work.slow += 1);
    }

    /// What was done since this was called last.
    pub(in crate::policy) fn done() -> Work {
        WORK.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_passwords_may_be_wrong_at_once_and_one_more_each_tenth_of_a_second() {
        let mut allowance = Allowance::default();
        let mut take = |now| allowance.take(now);
        assert_eq!((0..100).filter(|_| take(1_000_000)).count(), BURST as usize);
        assert!(!take(1_000_000 + EACH - 1));
        assert!(take(1_000_000 + EACH));
        assert!(!take(1_000_000 + EACH));
        assert!(!take(5));
        assert_eq!((0..100).filter(|_| take(i64::MAX)).count(), BURST as usize);
        allowance.give_back();
        assert!(allowance.take(i64::MAX));
    }
}

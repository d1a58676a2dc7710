//! Signed tokens as passwords: JSON Web Tokens, checked here once each and known from then on, until
//! they expire or are revoked.
//!
//! From the bottom up: `json` (JSON in which nothing is said twice), `jws` (the three parts of a token),
//! `keys` (whose signatures count), `claims` (what a token says, and whether that counts now),
//! `template` (rules made of what it says), `verdicts` (tokens that were checked before).

mod claims;
mod json;
mod jws;
mod keys;
mod template;
mod verdicts;

use super::meter::Meters;
use super::pass::{Pass, SignedClaims};
use super::quota::Quota;
use super::user::User;
pub use keys::TokenKey;
use std::collections::HashSet;
use std::sync::Arc;
pub use template::Template;
use verdicts::Verdicts;

/// Which tokens a node takes, and whose they are.
#[derive(Debug, Default)]
pub struct TokenRules {
    /// Whose signatures count.
    pub keys: Vec<TokenKey>,
    /// What `iss` has to be, if anything.
    pub issuer: Option<String>,
    /// What `aud` has to have one of, if any are given.
    pub audience: Vec<String>,
    /// The claim that names the user.
    pub claim: String,
    /// By how many seconds clocks may differ.
    pub skew: u64,
    /// What those may do whom a token names and who are no users.
    pub template: Option<Template>,
    /// How much each of those may use.
    pub quota: Quota,
    /// The `jti` of those that do not count any more. Where there is such a list, a token needs a `jti`.
    pub revoked: Option<HashSet<String>>,
}

/// Tokens of a node.
#[derive(Debug)]
pub(super) struct Tokens {
    rules: TokenRules,
    verdicts: Verdicts,
    /// What those have used who are no users.
    meters: Arc<Meters>,
}

impl Tokens {
    pub(super) fn new(rules: TokenRules) -> Self {
        Self { rules, verdicts: Verdicts::default(), meters: Arc::default() }
    }

    /// Takes over what was used before.
    pub(super) fn inherit(&mut self, before: &Self) {
        self.meters = before.meters.clone();
    }

    /// Whom a token names that counts at `now`, in Unix milliseconds; `find` finds users by their names.
    pub(super) fn check<'a>(
        &self,
        token: &[u8],
        now: i64,
        find: impl FnOnce(&str) -> Option<&'a Arc<User>>,
    ) -> Option<Arc<User>> {
        let digest = self.verdicts.digest(token);
        let verdict = self.verdicts.find(&digest).unwrap_or_else(|| {
            let user = self.verify(token, find);
            self.verdicts.add(digest, user.clone());
            user
        });
        verdict.filter(|user| user.counts(now))
    }

    /// Whom a token names that is signed, at whatever time it counts.
    fn verify<'a>(
        &self,
        token: &[u8],
        find: impl FnOnce(&str) -> Option<&'a Arc<User>>,
    ) -> Option<Arc<User>> {
        let token = jws::Token::parse(token)?;
        let key = self.rules.keys.iter().find(|key| key.signed(&token))?;
        self.admit(key, token.payload, find)
    }

    /// As who somebody goes on who came by a token under other rules; `None` if it does not count under
    /// these, or not at `now`.
    pub(super) fn again<'a>(
        &self,
        before: &SignedClaims,
        now: i64,
        find: impl FnOnce(&str) -> Option<&'a Arc<User>>,
    ) -> Option<Arc<User>> {
        let key = self.rules.keys.iter().find(|key| key.digest() == before.key)?;
        self.admit(key, before.payload.to_vec(), find).filter(|user| user.counts(now))
    }

    /// Whom a token names, by what it says.
    fn admit<'a>(
        &self,
        key: &TokenKey,
        payload: Vec<u8>,
        find: impl FnOnce(&str) -> Option<&'a Arc<User>>,
    ) -> Option<Arc<User>> {
        let claims = json::object(&payload)?;
        let (from, until) = claims::accept(&claims, &self.rules)?;
        let name = claims.get(&self.rules.claim)?.as_str()?;
        let user = match find(name) {
            Some(user) => user.by_token.then(|| User::clone(user))?,
            None => {
                let user = self.rules.template.as_ref()?.user(name, &claims)?;
                user.metered(self.rules.quota, || self.meters.of(name))
            }
        };
        if !user.on {
            return None;
        }
        let claims = SignedClaims { from, until, key: key.digest(), payload: payload.into() };
        Some(Arc::new(user.by(Pass::Signed(claims))))
    }
}

/// Whether a password has the form of a token.
pub(super) fn is_like_token(password: &[u8]) -> bool {
    password.starts_with(b"ey") && memchr::memchr_iter(b'.', password).nth(1).is_some()
}

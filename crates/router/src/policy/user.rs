//! Somebody who may connect: by what, and what may be done then.

use super::grant::{Denial, Grant};
use super::meter::{Meter, Metered};
use super::pass::Pass;
use super::password::{Secret, SlowHash};
use super::quota::Quota;
use crate::cache::Concern;
use crate::catalog::{Known, Permissions};
use breakwater_resp::Args;
use std::fmt;
use std::sync::Arc;

/// Somebody who may connect.
#[derive(Clone)]
pub struct User {
    pub(crate) name: String,
    /// Any of them will do.
    pub(super) secrets: Vec<Secret>,
    /// Whether any password will do.
    pub(super) open: bool,
    /// Whether it may authenticate.
    pub(super) on: bool,
    /// Kinds of commands that it may run.
    pub(crate) permissions: Permissions,
    /// What it may do beside that; anything, without.
    pub(crate) grant: Option<Grant>,
    /// Where its reads are answered from, if it has a say in that.
    pub(crate) concern: Option<Concern>,
    /// Whether a token may name it.
    pub(super) by_token: bool,
    /// How much it may use, and what it has used; nobody asks, without.
    pub(crate) metered: Option<Metered>,
    /// By what somebody came who is this user, if not by a password.
    pub(crate) pass: Option<Arc<Pass>>,
}

impl User {
    /// A user, who must give `password` if there is one.
    pub fn new(name: impl Into<String>, password: Option<&[u8]>, permissions: Permissions) -> Self {
        Self {
            name: name.into(),
            secrets: password.map(Secret::of).into_iter().collect(),
            open: password.is_none(),
            on: true,
            permissions,
            grant: None,
            concern: None,
            by_token: false,
            metered: None,
            pass: None,
        }
    }

    /// Its reads are answered from there, whatever the routes say.
    pub fn reads(self, concern: Option<Concern>) -> Self {
        Self { concern, ..self }
    }

    /// All its connections together may use so much.
    pub fn limited(self, quota: Quota) -> Self {
        self.metered(quota, Arc::default)
    }

    /// The same; what it has used already, this meter tells.
    pub(super) fn metered(self, quota: Quota, meter: impl FnOnce() -> Arc<Meter>) -> Self {
        Self { metered: quota.binds().then(|| Metered { quota, meter: meter() }), ..self }
    }

    /// A token may name it, or may not. Of one that a token may name, not any password will do.
    pub fn named_by_tokens(self, by_token: bool) -> Self {
        Self { by_token, open: self.open && !by_token, ..self }
    }

    /// Until when its token counts, in Unix milliseconds; for ever, without one.
    #[inline]
    pub(crate) fn until(&self) -> i64 {
        self.pass.as_ref().map_or(i64::MAX, |pass| pass.until())
    }

    /// Whether that by which it came counts at this time, in Unix milliseconds.
    pub(super) fn counts(&self, now: i64) -> bool {
        self.pass.as_ref().is_none_or(|pass| pass.counts(now))
    }

    /// Somebody who is this user, and came by this.
    pub(super) fn by(self, pass: Pass) -> Self {
        Self { pass: Some(Arc::new(pass)), ..self }
    }

    /// Another password that will do, by its hash: `$argon2id$...`, or the SHA-256 in hexadecimal
    /// digits. `false` if it is neither.
    pub fn add_hash(&mut self, hash: &str) -> bool {
        let secret = Secret::parse(hash);
        let valid = secret.is_some();
        self.secrets.extend(secret);
        self.open &= !valid;
        valid
    }

    /// Another password that will do.
    pub fn add_password(&mut self, password: &[u8]) {
        self.secrets.push(Secret::of(password));
        self.open = false;
    }

    /// Its hashes that take time to check.
    pub(super) fn slow(&self) -> impl Iterator<Item = &Arc<SlowHash>> {
        self.secrets.iter().filter_map(Secret::slow)
    }

    /// Whether it may make a request.
    #[inline]
    pub(crate) fn judge(&self, known: &Known, args: Args<'_>) -> Result<(), Denial> {
        if !self.permissions.contains(known.permissions) {
            return Err(Denial::Command);
        }
        self.grant.as_ref().map_or(Ok(()), |grant| grant.judge(known, args))
    }

    /// Whether it may read this key by `GET`.
    #[inline]
    pub(crate) fn gets(&self, key: &[u8]) -> bool {
        self.permissions.contains(Permissions::READ)
            && self.grant.as_ref().is_none_or(|grant| grant.gets(key))
    }

    /// Whether it may do everything.
    #[inline]
    pub(crate) fn may_all(&self) -> bool {
        self.permissions == Permissions::all() && self.grant.is_none()
    }

    /// What one who was `before` may do no longer.
    pub(crate) fn lost(&self, before: &Self) -> Permissions {
        let less = match (&self.grant, &before.grant) {
            (None, _) => false,
            (Some(grant), None) => !grant.is_all(),
            (Some(grant), Some(before)) => !grant.covers(before),
        };
        (before.permissions - self.permissions)
            | if less { Permissions::all() } else { Permissions::empty() }
    }

    /// Whether it may authenticate, and whether any password will do.
    pub(crate) fn flags(&self) -> (bool, bool) {
        (self.on, self.open)
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({}, {:?})", self.name, self.permissions)
    }
}

//! Who may connect, and what each may do.

use super::grant::{Denial, Grant};
use super::password::{Allowance, Secret, SlowHash};
use crate::cache::Concern;
use crate::catalog::{Known, Permissions};
use breakwater_resp::Args;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;

/// The name that a client has which gives none.
pub(crate) const DEFAULT: &str = "default";

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
        }
    }

    /// Its reads are answered from there, whatever the routes say.
    pub fn reads(self, concern: Option<Concern>) -> Self {
        Self { concern, ..self }
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

    /// Whether this is known at once to be one of its passwords.
    fn accepts_at_once(&self, password: &[u8]) -> bool {
        let secrets = self.secrets.iter();
        let right = secrets.fold(false, |right, secret| right | secret.verify_at_once(password));
        self.on && (self.open || right)
    }

    /// Its hashes that take time to check.
    fn slow(&self) -> impl Iterator<Item = &SlowHash> {
        self.secrets.iter().filter_map(|secret| secret.slow().map(|hash| &**hash))
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

/// Too many passwords were wrong lately: nobody looks at this one.
pub(crate) struct TooMany;

/// All users.
#[derive(Debug)]
pub struct Users {
    all: Vec<Arc<User>>,
    /// Whether they were given: `ACL` speaks of them then.
    pub(crate) given: bool,
    allowance: Mutex<Allowance>,
}

impl Users {
    /// These users and nobody else. Without one named `default`, every client must authenticate
    /// by name.
    pub fn new(users: Vec<User>) -> Self {
        let all = users.into_iter().map(Arc::new).collect();
        Self { all, given: true, allowance: Mutex::default() }
    }

    /// Everybody may do everything.
    pub fn open() -> Self {
        let all = vec![Arc::new(User::new(DEFAULT, None, Permissions::all()))];
        Self { all, given: false, allowance: Mutex::default() }
    }

    /// Everybody who knows the password may do everything.
    pub fn with_password(password: &[u8]) -> Self {
        Self::new(vec![User::new(DEFAULT, Some(password), Permissions::all())])
    }

    /// Who a client is that has not authenticated: the default user, if it needs no password.
    pub(crate) fn anonymous(&self) -> Option<Arc<User>> {
        self.find(DEFAULT.as_bytes()).filter(|user| user.on && user.open).cloned()
    }

    /// What a user, as it was, may do no longer.
    pub(crate) fn lost(&self, user: &User) -> Permissions {
        let found = self.find(user.name.as_bytes());
        found.map_or(user.permissions, |found| found.lost(user))
    }

    /// Who gives this name and password; `now` in Unix milliseconds. One who is not known is refused as
    /// late as one who is.
    pub(crate) fn authenticate(
        &self,
        name: &[u8],
        password: &[u8],
        now: i64,
    ) -> Result<Option<Arc<User>>, TooMany> {
        let user = self.find(name);
        if let Some(user) = user.filter(|user| user.accepts_at_once(password)) {
            return Ok(Some(user.clone()));
        }
        let Some(any) = self.all.iter().find_map(|user| user.slow().next()) else {
            return Ok(None);
        };
        if !self.allowance.lock().take(now) {
            return Err(TooMany);
        }
        let own = user.filter(|user| user.on && user.slow().next().is_some());
        let Some(user) = own else {
            // What comes of it is of no account.
            let _ = any.verify(&[password, b"\0", name].concat());
            return Ok(None);
        };
        let right = user.slow().fold(false, |right, hash| right | hash.verify(password));
        if right {
            self.allowance.lock().give_back();
        }
        Ok(right.then(|| user.clone()))
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.all.iter().find(|user| user.name.as_bytes() == name)
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.all.iter()
    }

    /// Takes over from those before what was proven of their passwords.
    pub(crate) fn inherit(&mut self, before: &Self) {
        *self.allowance.get_mut() = std::mem::take(&mut *before.allowance.lock());
        for user in &mut self.all {
            let mut own = (**user).clone();
            for secret in &mut own.secrets {
                secret.inherit(before.all.iter().flat_map(|user| &user.secrets));
            }
            *user = Arc::new(own);
        }
    }
}

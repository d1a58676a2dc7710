//! Who may do what: static users with passwords and permissions.

use crate::cache::Concern;
use bitflags::bitflags;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

bitflags! {
    /// What a user may do.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Permissions: u8 {
        /// Commands that read keys.
        const READ = 1;
        /// Commands that write keys.
        const WRITE = 2;
        /// `CONFIG`, `CLIENT LIST`, `CLIENT KILL`, and together with `WRITE` the flushes.
        const ADMIN = 4;
    }
}

impl Permissions {
    /// Reads names separated by commas: `read`, `write`, `admin` and `all`; `None` for another.
    ///
    /// ```
    /// use breakwater_router::Permissions;
    /// assert_eq!(Permissions::parse("read,write"), Some(Permissions::READ | Permissions::WRITE));
    /// assert_eq!(Permissions::parse("reed"), None);
    /// ```
    pub fn parse(names: &str) -> Option<Self> {
        names.split(',').try_fold(Self::empty(), |all, name| {
            Some(all.union(match name {
                "read" => Self::READ,
                "write" => Self::WRITE,
                "admin" => Self::ADMIN,
                "all" => Self::all(),
                _ => return None,
            }))
        })
    }
}

/// The name that a client has which gives none.
pub(crate) const DEFAULT: &str = "default";

/// Somebody who may connect.
pub struct User {
    pub(crate) name: String,
    /// SHA-256 of the password; `None` takes any.
    password: Option<[u8; 32]>,
    pub(crate) permissions: Permissions,
    /// Where its reads are answered from, if it has a say in that.
    pub(crate) concern: Option<Concern>,
}

impl User {
    /// A user, who must give `password` if there is one.
    pub fn new(name: impl Into<String>, password: Option<&[u8]>, permissions: Permissions) -> Self {
        Self {
            name: name.into(),
            password: password.map(|password| Sha256::digest(password).into()),
            permissions,
            concern: None,
        }
    }

    /// Its reads are answered from there, whatever the routes say.
    pub fn reads(self, concern: Option<Concern>) -> Self {
        Self { concern, ..self }
    }

    fn accepts(&self, password: &[u8]) -> bool {
        match &self.password {
            None => true,
            // Digests of one length in constant time: the answer's time tells nothing.
            Some(expected) => Sha256::digest(password).as_slice().ct_eq(expected).into(),
        }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({}, {:?})", self.name, self.permissions)
    }
}

/// All users.
#[derive(Debug)]
pub struct Users(Vec<Arc<User>>);

impl Users {
    /// These users and nobody else. Without one named `default`, every client must authenticate
    /// by name.
    pub fn new(users: Vec<User>) -> Self {
        Self(users.into_iter().map(Arc::new).collect())
    }

    /// Everybody may do everything.
    pub fn open() -> Self {
        Self::new(vec![User::new(DEFAULT, None, Permissions::all())])
    }

    /// Everybody who knows the password may do everything.
    pub fn with_password(password: &[u8]) -> Self {
        Self::new(vec![User::new(DEFAULT, Some(password), Permissions::all())])
    }

    /// Who a client is that has not authenticated: the default user, if it needs no password.
    pub(crate) fn anonymous(&self) -> Option<Arc<User>> {
        self.find(DEFAULT.as_bytes()).filter(|user| user.password.is_none()).cloned()
    }

    /// What a user of this name, who had these permissions, may do no longer.
    pub(crate) fn lost(&self, name: &str, had: Permissions) -> Permissions {
        let has = self.find(name.as_bytes()).map_or(Permissions::empty(), |user| user.permissions);
        had - has
    }

    pub(crate) fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Arc<User>> {
        self.find(name).filter(|user| user.accepts(password)).cloned()
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.0.iter().find(|user| user.name.as_bytes() == name)
    }
}

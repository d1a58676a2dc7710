//! A password that somebody gives, held against what a user has. A wrong one takes the same work whoever
//! it is given for: a user with few passwords or many, one that is off or has none, or nobody.

use super::password::{Digest256, Secret, SlowHash, digest_of, is_digest};
use super::user::User;
use std::fmt;
use std::sync::Arc;

/// How much each password is held against: as much as the user has that has the most.
#[derive(Default)]
pub(super) struct Effort {
    digests: usize,
    /// Stand for the hashes that others have less of.
    slow: Vec<Arc<SlowHash>>,
}

impl fmt::Debug for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Effort({}, {})", self.digests, self.slow.len())
    }
}

impl Effort {
    /// What these users need.
    pub(super) fn of<'a>(users: impl Iterator<Item = &'a Arc<User>>) -> Self {
        let mut most = Self::default();
        for user in users {
            let digests = user.secrets.iter().filter_map(Secret::digest).count();
            most.digests = most.digests.max(digests);
            if user.slow().count() > most.slow.len() {
                most.slow = user.slow().cloned().collect();
            }
        }
        most
    }

    /// Whether a password may have to be held against hashes that take time.
    pub(super) fn is_slow(&self) -> bool {
        !self.slow.is_empty()
    }

    /// Whether this is known at once to be a password of the user.
    pub(super) fn accepts_at_once(&self, user: Option<&User>, password: &[u8]) -> bool {
        let digest = digest_of(password);
        let mut digests = secrets(user).iter().filter_map(Secret::digest);
        let mut right = false;
        for _ in 0..self.digests {
            let own = digests.next();
            right |= is_digest(&digest, own.unwrap_or(&Digest256::default())) & own.is_some();
        }
        for (own, hash) in self.pairs(user) {
            right |= hash.is_proven(password) & own;
        }
        user.is_some_and(|user| user.on && (user.open || right))
    }

    /// The same, of the hashes that take time.
    pub(super) fn accepts(&self, name: &[u8], user: Option<&User>, password: &[u8]) -> bool {
        // What comes of it is of no account.
        let other = [password, b"\0", name].concat();
        let user = user.filter(|user| user.on);
        self.pairs(user).fold(false, |right, (own, hash)| {
            right | (hash.verify(if own { password } else { &other }) & own)
        })
    }

    /// The user's own slow hashes, and others up to as many as anybody has.
    fn pairs<'a>(
        &'a self,
        user: Option<&'a User>,
    ) -> impl Iterator<Item = (bool, &'a Arc<SlowHash>)> {
        let own = secrets(user).iter().filter_map(Secret::slow);
        let count = own.clone().count();
        own.map(|hash| (true, hash)).chain(self.slow.iter().skip(count).map(|hash| (false, hash)))
    }
}

fn secrets(user: Option<&User>) -> &[Secret] {
    user.map_or(&[], |user| &user.secrets)
}

#[cfg(test)]
mod tests {
    use crate::catalog::Permissions;
    use crate::policy::password::work::{Work, done};
    use crate::policy::{User, Users};
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    use password_hash::SaltString;
    use std::cell::Cell;

    /// A hash that is slow in name alone.
    fn hash(password: &str) -> String {
        let params = Params::new(8, 1, 1, None).unwrap();
        let salt = SaltString::encode_b64(format!("{password:>16}").as_bytes()).unwrap();
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password(password.as_bytes(), &salt).unwrap().to_string()
    }

    fn user(name: &str, digests: &[&str], slow: &[&str]) -> User {
        let mut user = User::new(name, Some(b"to be left"), Permissions::all());
        user.secrets.clear();
        digests.iter().for_each(|password| user.add_password(password.as_bytes()));
        slow.iter().for_each(|password| assert!(user.add_hash(&hash(password))));
        user
    }

    fn off(user: User) -> User {
        User { on: false, ..user }
    }

    thread_local!(static NOW: Cell<i64> = const { Cell::new(1_000) });

    /// The work that a password costs which somebody gives.
    fn work(users: &Users, name: &str, password: &str) -> (bool, Work) {
        done();
        // So long after the last one that it may be wrong.
        let now = NOW.replace(NOW.get() + 1_000);
        let who = users.authenticate(name.as_bytes(), password.as_bytes(), now);
        (who.is_ok_and(|who| who.is_some()), done())
    }

    const NAMES: [&str; 8] =
        ["one", "two", "slow:1", "slow:2", "both", "off", "slow:off", "nothing"];

    fn users(slow: bool) -> Users {
        let (hash1, hash2): (&[_], &[_]) =
            if slow { (&["slow:pass"], &["slow:pass1", "slow:pass2"]) } else { (&[], &[]) };
        Users::new(vec![
            user("one", &["password"], &[]),
            user("two", &["password", "password2"], &[]),
            user("slow:1", &[], hash1),
            user("slow:2", &[], hash2),
            user("both", &["password"], hash1),
            off(user("off", &["password"], &[])),
            off(user("slow:off", &[], hash1)),
            user("nothing", &[], &[]),
        ])
    }

    #[test]
    fn a_wrong_password_takes_the_same_work_whoever_it_is_given_for() {
        for slow in [false, true] {
            let users = users(slow);
            let (_, nobody) = work(&users, "nobody", "wrong");
            assert!(nobody.digests > 0 && nobody.compared > 0 && (nobody.slow > 0) == slow);
            for name in NAMES {
                assert_eq!(work(&users, name, "wrong"), (false, nobody), "{name}");
            }
            // The right one of one that is off, too.
            assert!(!work(&users, "off", "password").0);
        }
    }

    #[test]
    fn a_right_password_is_taken_and_that_of_another_is_not() {
        let users = users(true);
        for (name, password) in [
            ("one", "password"),
            ("two", "password2"),
            ("slow:1", "slow:pass"),
            ("slow:2", "slow:pass2"),
            ("both", "slow:pass"),
            ("both", "password"),
        ] {
            for other in NAMES.into_iter().chain(["nobody"]) {
                let own = users.find(other.as_bytes()).is_some_and(|user| {
                    user.on && other == name
                        || password == "password" && ["one", "two", "both"].contains(&other)
                        || password == "slow:pass" && ["slow:1", "both"].contains(&other)
                });
                for _ in 0..2 {
                    assert_eq!(work(&users, other, password).0, own, "{other}: {password}");
                }
            }
        }
    }
}

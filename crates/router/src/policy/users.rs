//! Who may connect, and who somebody is.

use super::attempt::Effort;
use super::certificates::CertificateRules;
use super::pass::{Pass, ShownCertificate};
use super::password::Allowance;
use super::tokens::{TokenRules, Tokens, is_like_token};
use super::user::User;
use crate::catalog::Permissions;
use parking_lot::Mutex;
use std::sync::Arc;

/// The name that a client has which gives none.
pub(crate) const DEFAULT: &str = "default";

/// Too many passwords were wrong lately: nobody looks at this one.
pub(crate) struct TooMany;

/// All users.
#[derive(Debug)]
pub struct Users {
    all: Vec<Arc<User>>,
    /// What each password is held against.
    effort: Effort,
    /// Whether they were given: `ACL` speaks of them then.
    pub(crate) given: bool,
    allowance: Mutex<Allowance>,
    /// The tokens that are taken, if any are.
    tokens: Option<Tokens>,
    /// What certificates of clients say, if anything.
    certificates: Option<CertificateRules>,
}

impl Users {
    /// These users and nobody else. Without one named `default`, every client must authenticate
    /// by name.
    pub fn new(users: Vec<User>) -> Self {
        let all: Vec<_> = users.into_iter().map(Arc::new).collect();
        let (effort, allowance) = (Effort::of(all.iter()), Mutex::default());
        Self { all, effort, given: true, allowance, tokens: None, certificates: None }
    }

    /// Everybody may do everything.
    pub fn open() -> Self {
        Self { given: false, ..Self::new(vec![User::new(DEFAULT, None, Permissions::all())]) }
    }

    /// Everybody who knows the password may do everything.
    pub fn with_password(password: &[u8]) -> Self {
        Self::new(vec![User::new(DEFAULT, Some(password), Permissions::all())])
    }

    /// Signed tokens are taken for passwords as well.
    pub fn with_tokens(self, rules: TokenRules) -> Self {
        Self { tokens: Some(Tokens::new(rules)), given: true, ..self }
    }

    /// The certificates of clients say who they are.
    pub fn with_certificates(self, rules: CertificateRules) -> Self {
        Self { certificates: Some(rules), given: true, ..self }
    }

    /// Who a client is that has sent nothing yet: the user of its certificate, where those count; else
    /// the default user, if it needs no password.
    pub(crate) fn at_first(&self, shown: Option<&ShownCertificate>) -> Option<Arc<User>> {
        let (Some(rules), Some(shown)) = (&self.certificates, shown) else {
            return self.anonymous();
        };
        let user = rules.user(shown, |name| self.find(name.as_bytes()))?;
        let user = User::clone(user).by(Pass::Shown(shown.clone()));
        user.flags().0.then(|| Arc::new(user))
    }

    /// Who a client is that has not authenticated: the default user, if it needs no password.
    pub(crate) fn anonymous(&self) -> Option<Arc<User>> {
        self.find(DEFAULT.as_bytes()).filter(|user| user.on && user.open).cloned()
    }

    /// Who a user of other rules is in these, at `now` in Unix milliseconds; nobody, if it is gone, or
    /// came by a token that does not count any more.
    pub(crate) fn again(&self, user: &User, now: i64) -> Option<Arc<User>> {
        match user.pass.as_deref() {
            None => self.find(user.name.as_bytes()).cloned(),
            Some(Pass::Signed(claims)) => {
                self.tokens.as_ref()?.again(claims, now, |name| self.find(name.as_bytes()))
            }
            Some(Pass::Shown(shown)) => {
                let again = self.certificates.as_ref().and_then(|_| self.at_first(Some(shown)));
                again.filter(|again| again.name == user.name)
            }
        }
    }

    /// Whether this is a token, to be held against the rules of tokens.
    pub(crate) fn takes_for_token(&self, password: &[u8]) -> bool {
        self.tokens.is_some() && is_like_token(password)
    }

    /// Whom a token names, if it is one that counts. The name that comes with it has to be that user's,
    /// or the one that clients send who have none to give.
    fn by_token(&self, name: &[u8], token: &[u8], now: i64) -> Option<Arc<User>> {
        let tokens = self.tokens.as_ref()?;
        let user = tokens.check(token, now, |name| self.find(name.as_bytes()))?;
        (name == DEFAULT.as_bytes() || name == user.name.as_bytes()).then_some(user)
    }

    /// Who gives this name and password; `now` in Unix milliseconds. One who is not known is refused as
    /// late as one who is.
    pub(crate) fn authenticate(
        &self,
        name: &[u8],
        password: &[u8],
        now: i64,
    ) -> Result<Option<Arc<User>>, TooMany> {
        let token = self.takes_for_token(password);
        if token && let Some(user) = self.by_token(name, password, now) {
            return Ok(Some(user));
        }
        let user = self.find(name);
        if self.effort.accepts_at_once(user.map(|user| &**user), password) {
            return Ok(user.cloned());
        }
        // What has the form of a token is not held against slow hashes: anybody can send many.
        if token || !self.effort.is_slow() {
            return Ok(None);
        }
        if !self.allowance.lock().take(now) {
            return Err(TooMany);
        }
        let right = self.effort.accepts(name, user.map(|user| &**user), password);
        if right {
            self.allowance.lock().give_back();
        }
        Ok(user.filter(|_| right).cloned())
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.all.iter().find(|user| user.name.as_bytes() == name)
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.all.iter()
    }

    /// Takes over from those before what was proven of their passwords, and what they have used.
    pub(crate) fn inherit(&mut self, before: &Self) {
        if let (Some(tokens), Some(before)) = (&mut self.tokens, &before.tokens) {
            tokens.inherit(before);
        }
        *self.allowance.get_mut() = std::mem::take(&mut *before.allowance.lock());
        for user in &mut self.all {
            let mut own = (**user).clone();
            for secret in &mut own.secrets {
                secret.inherit(before.all.iter().flat_map(|user| &user.secrets));
            }
            let same = before.find(user.name.as_bytes()).and_then(|user| user.metered.as_ref());
            if let (Some(own), Some(before)) = (&mut own.metered, same) {
                own.meter = before.meter.clone();
            }
            *user = Arc::new(own);
        }
        self.effort = Effort::of(self.all.iter());
    }
}

//! What became of tokens that were checked before. Tokens are known by a hash with a key of this
//! process: nobody can make two that have the same, and no token is kept.

use crate::policy::user::User;
use foldhash::fast::FixedState;
use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// The most tokens that are known to be good, and the most that are known to be bad.
const MOST_GOOD: usize = 16 * 1024;
const MOST_BAD: usize = 4 * 1024;

pub(super) type Digest = [u8; 32];

/// Who a token names; nobody, if it is bad.
type Verdict = Option<Arc<User>>;

/// Verdicts on tokens.
pub(super) struct Verdicts {
    /// Without one, as where the system has no random bytes, every token is checked each time.
    key: Option<hmac::Key>,
    good: Mutex<Recent>,
    bad: Mutex<Recent>,
}

/// The last verdicts.
struct Recent {
    most: usize,
    by_digest: HashMap<Digest, Verdict, FixedState>,
    /// In the order in which they came.
    order: VecDeque<Digest>,
}

impl Default for Verdicts {
    fn default() -> Self {
        let recent = |most| {
            Mutex::new(Recent { most, by_digest: HashMap::default(), order: VecDeque::new() })
        };
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok();
        Self { key, good: recent(MOST_GOOD), bad: recent(MOST_BAD) }
    }
}

impl Verdicts {
    /// What a token is known by.
    pub(super) fn digest(&self, token: &[u8]) -> Option<Digest> {
        let tag = hmac::sign(self.key.as_ref()?, token);
        tag.as_ref().try_into().ok()
    }

    /// What became of a token before.
    pub(super) fn find(&self, digest: &Option<Digest>) -> Option<Verdict> {
        let digest = digest.as_ref()?;
        let good = self.good.lock().by_digest.get(digest).cloned();
        good.or_else(|| self.bad.lock().by_digest.get(digest).cloned())
    }

    /// What has become of one. Bad ones push out bad ones only.
    pub(super) fn add(&self, digest: Option<Digest>, verdict: Verdict) {
        let Some(digest) = digest else { return };
        let recent = if verdict.is_some() { &self.good } else { &self.bad };
        recent.lock().add(digest, verdict);
    }
}

impl Recent {
    fn add(&mut self, digest: Digest, verdict: Verdict) {
        if self.by_digest.insert(digest, verdict).is_some() {
            return;
        }
        self.order.push_back(digest);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_digest.remove(&oldest);
        }
    }
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verdicts")
    }
}

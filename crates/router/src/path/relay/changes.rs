//! Invalidation: what a request changes, by itself or by the store's news, leaves the cache.

use super::Relay;
use crate::cache::KeyList;
use crate::path::class::Class;
use crate::path::course::Request;
use crate::path::pending::Scope;
use crate::path::table::Known;
use crate::shared::ClientId;
use breakwater_resp::{Reply, number};

/// What a request changes.
pub(super) enum Changes {
    Nothing,
    Keys(KeyList),
    Everything,
}

impl Changes {
    /// The keys that they concern.
    pub(super) fn scope(&self) -> Scope {
        match self {
            Self::Nothing => Scope::Nothing,
            Self::Keys(keys) => Scope::of(keys.iter()),
            Self::Everything => Scope::All,
        }
    }
}

impl Relay {
    pub(super) fn changes(
        &self,
        known: Option<&Known>,
        class: Class,
        request: &Request<'_>,
    ) -> Changes {
        let words = request.args;
        let key = |at: usize| words.word(at);
        match (class, known) {
            (Class::Write | Class::Pinned, Some(known)) => {
                let keys: KeyList = known.keys(words.len()).map(key).collect();
                if keys.is_empty() { Changes::Nothing } else { Changes::Keys(keys) }
            }
            (Class::Script(at), _) => match words.get(at).and_then(number::integer) {
                Some(count @ 0..) if (count as usize) < words.len() => {
                    let end = (at + 1 + count as usize).min(words.len());
                    Changes::Keys((at + 1..end).map(key).collect())
                }
                _ => Changes::Nothing,
            },
            (Class::Scope, _) => Changes::Everything,
            _ => Changes::Nothing,
        }
    }

    pub(super) fn invalidate(&self, changes: &Changes) {
        match changes {
            Changes::Nothing => {}
            Changes::Keys(keys) => {
                keys.iter().for_each(|key| self.router.replies.forget(key));
            }
            Changes::Everything => self.router.replies.flush(),
        }
    }

    /// What answers no request: news of changes, or what a client subscribed to.
    pub(super) fn pushed(&mut self, owner: Option<ClientId>, push: Vec<u8>) {
        if owner.is_some() {
            return self.pass_back(owner, push);
        }
        let Ok(Reply::Push(parts)) = Reply::decode(&push) else { return };
        let [what, keys] = &parts[..] else { return };
        if what.text() != Some(b"invalidate") {
            return;
        }
        match keys {
            Reply::Array(keys) => {
                // News name no database, and nor does what is remembered of a key.
                let keys = keys.iter().filter_map(Reply::text);
                keys.for_each(|key| self.router.replies.forget(key));
            }
            _ => self.router.replies.flush(),
        }
    }
}

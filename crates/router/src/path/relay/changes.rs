//! Invalidation: what a request changes, by itself or by the store's news, leaves the cache.

use super::Relay;
use crate::cache::KeyList;
use crate::catalog::{Effect, Known};
use crate::path::course::Request;
use crate::path::pending::Scope;
use crate::shared::ClientId;
use breakwater_resp::Reply;

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
    pub(super) fn changes(&self, known: Option<&Known>, request: &Request<'_>) -> Changes {
        // Of a command that it does not know, nobody knows what it changes.
        match known.map_or(Effect::Everything, |known| known.effect(request.args)) {
            Effect::Nothing => Changes::Nothing,
            Effect::Keys(places) => {
                Changes::Keys(places.into_iter().map(|at| request.args.word(at)).collect())
            }
            Effect::Everything => Changes::Everything,
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

//! Invalidation: what a request changes, by itself or by the store's news, leaves the cache.

use super::Relay;
use crate::catalog::{Effect, Known};
use crate::path::course::Request;
use crate::shared::ClientId;
use crate::store::DbKey;
use breakwater_resp::Reply;

/// What a request changes.
pub(super) enum Changes {
    Nothing,
    Keys(Vec<DbKey>),
    Everything,
}

impl Relay {
    pub(super) fn changes(&self, known: Option<&Known>, request: &Request<'_>) -> Changes {
        // Of a command that it does not know, nobody knows what it changes.
        match known.map_or(Effect::Everything, |known| known.effect(request.args)) {
            Effect::Nothing => Changes::Nothing,
            Effect::Keys(places) => {
                let key = |at: usize| DbKey::new(request.db, request.args.word(at));
                Changes::Keys(places.into_iter().map(key).collect())
            }
            Effect::Everything => Changes::Everything,
        }
    }

    pub(super) fn invalidate(&self, changes: &Changes) {
        match changes {
            Changes::Nothing => {}
            Changes::Keys(keys) => {
                for key in keys {
                    self.router.store.forget(key);
                }
            }
            Changes::Everything => self.router.store.flush_all(),
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
                for key in keys.iter().filter_map(Reply::text) {
                    // News name no database.
                    for db in (0..16).filter(|db| self.databases & 1 << db != 0) {
                        self.router.store.forget(&DbKey::new(db, key));
                    }
                }
            }
            _ => self.router.store.flush_all(),
        }
    }
}

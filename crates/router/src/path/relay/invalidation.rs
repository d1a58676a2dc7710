//! Invalidation: what a request changes, by itself or by the store's news, leaves the cache.

use super::Relay;
use crate::cache::KeyList;
use crate::catalog::{Effect, Known};
use crate::path::changes::Changes;
use crate::path::course::{Delivery, Payload, Request};
use crate::path::pending::{LinkId, hash};
use crate::shared::ClientId;
use crate::sight::Cause;
use breakwater_resp::Reply;

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
                // First: a read that begins a new generation has to see this change.
                self.raise(Some(keys));
                self.router.forget(keys, Cause::Write);
            }
            Changes::Everything => {
                self.raise(None);
                self.router.forget_all(Cause::Write);
            }
        }
    }

    /// Replicas are not read of these keys, or of any, until they have the change.
    fn raise(&self, keys: Option<&KeyList>) {
        let fences = &self.router.topology.fences;
        match keys {
            _ if !fences.are_kept() => {}
            Some(keys) => fences.raise(keys.iter().map(hash)),
            None => fences.raise_all(),
        }
    }

    /// What answers no request: news of changes, or what a client subscribed to.
    pub(super) fn pushed(&mut self, id: LinkId, owner: Option<ClientId>, push: Vec<u8>) {
        let is_feed = self.is_feed(id);
        if let Some(client) = owner {
            return self.deliveries.push(Delivery::push(client, Payload::Own(push)));
        }
        let Ok(Reply::Push(parts)) = Reply::decode(&push) else { return };
        let [what, keys] = &parts[..] else { return };
        if what.text() != Some(b"invalidate") {
            return;
        }
        match keys {
            Reply::Array(keys) => {
                // News name no database, and nor does what is remembered of a key.
                let keys: KeyList = keys.iter().filter_map(Reply::text).collect();
                // What one server has, another may not have yet.
                self.raise(Some(&keys));
                self.router.forget(&keys, Cause::News);
                if is_feed {
                    self.feed_changed(&keys);
                } else if !self.tell_lane_of(id, &keys) {
                    self.tell_changed(&keys);
                    self.tell_quiet(id, &keys);
                }
            }
            // The connection that all share tells of that.
            _ if self.is_lane(id) => {}
            _ => {
                self.raise(None);
                self.router.forget_all(Cause::News);
                self.tell_flushed();
            }
        }
    }
}

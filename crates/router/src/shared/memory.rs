//! What a node remembers, for those who run it: looked at, forgotten, and watched as it is forgotten.
//! None of it changes anything in a store.

use super::router::Router;
use crate::cache::{KeyList, Mode, Remembered};
use crate::sight::{Cause, Invalidated};

/// What is known of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownKey {
    /// The pattern of its route.
    pub route: String,
    /// What its route does.
    pub mode: Mode,
    /// The store that takes its writes; nothing while none is known.
    pub store: Option<String>,
    /// Its share of the reads that are not remembered, if it is hot.
    pub share: Option<f64>,
    /// Whether it is hot by the configuration.
    pub pinned: bool,
    /// What lies in memory.
    pub held: Option<Remembered>,
}

impl Router {
    /// What is known of a key. Counts nothing.
    pub fn known_key(&self, key: &[u8]) -> KnownKey {
        let (rules, map) = (self.rules(), self.topology.map());
        let route = &rules.routes.all()[rules.routes.of(key)];
        let hot = self.hot.list(self.replies.now(), &rules.pinned);
        let heated = hot.into_iter().find(|(hot, _)| hot == key).map(|(_, heated)| heated);
        let server = map.owner(map.partition(key)).and_then(|id| self.topology.servers.get(id));
        KnownKey {
            route: route.pattern(),
            mode: route.mode,
            store: server.map(|server| server.address.place()),
            share: heated.map(|heated| heated.share),
            pinned: rules.pinned.iter().any(|pinned| pinned == key),
            held: self.replies.held(key),
        }
    }

    /// The reads that memory answers most, about `most` of them in no more than so many bytes, for
    /// [`Relay::warm`](crate::Relay::warm) of another process. It looks at all of memory.
    pub fn hottest(&self, most: usize, most_bytes: usize) -> Vec<u8> {
        self.replies.hottest(most, most_bytes)
    }

    /// Somebody has nothing that was read of a key given any more; whether anything was there.
    pub fn forget_key(&self, key: &[u8]) -> bool {
        self.raise();
        self.forget(&[key].into_iter().collect(), Cause::Hand) > 0
    }

    /// As [`Self::forget_key`], of all keys that begin so, a slice of them: where the next one begins, 0
    /// if this was the last, and of how many keys something was there.
    pub fn forget_prefix(&self, prefix: &[u8], from: u64) -> (u64, usize) {
        self.raise();
        let (next, keys) = self.replies.keys_where(from, |key| key.starts_with(prefix));
        (next, self.forget(&keys, Cause::Hand))
    }

    /// Somebody has nothing that was read given any more, and its room given back.
    pub fn forget_everything(&self) {
        self.raise();
        self.forget_all(Cause::Hand);
        self.replies.clear();
    }

    /// What is forgotten is told from now on to whoever asks for it, or no more.
    pub fn watch_invalidations(&self, on: bool) {
        self.invalidations.watch(on);
    }

    /// What was forgotten since this was asked last, while that is watched.
    pub fn invalidated(&self) -> Invalidated {
        self.invalidations.take()
    }

    /// Nothing that was read of these keys counts any more; of how many anything did.
    pub(crate) fn forget(&self, keys: &KeyList, cause: Cause) -> usize {
        let forget = |key: &&[u8]| {
            let forgotten = self.replies.forget(key);
            if forgotten && self.invalidations.are_watched() {
                self.note(key, cause);
            }
            forgotten
        };
        keys.iter().filter(forget).count()
    }

    #[cold]
    fn note(&self, key: &[u8], cause: Cause) {
        let rules = self.rules();
        let route = rules.routes.all()[rules.routes.of(key)].pattern();
        self.invalidations.note(key, route, cause);
    }

    /// Nothing that was read counts any more.
    pub(crate) fn forget_all(&self, cause: Cause) {
        self.replies.flush();
        if self.invalidations.are_watched() {
            self.invalidations.note_all(cause);
        }
    }

    /// Who asks for what is so now gets it from the primary, until replicas surely have it.
    fn raise(&self) {
        if self.topology.fences.are_kept() {
            self.topology.fences.raise_all();
        }
    }
}

//! What changes while the node runs: rules, the routes that hooks choose, the stores of a ring.

use super::Router;
use crate::news::ClientId;
use crate::shared::clients::Client;
use crate::shared::rules::{Edition, Reloads, Rules};
use crate::topology::{Replaced, RingOptions};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Router {
    /// The rules in force.
    pub(crate) fn rules(&self) -> Arc<Edition> {
        self.rules.read().clone()
    }

    /// The number of the rules in force. Acquire: who has seen what came of them finds them.
    #[inline]
    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Puts other rules into force, at one moment for all threads: a request that a session begins
    /// after it is judged by them, and one that it began before by the old ones. `now` in Unix
    /// milliseconds.
    ///
    /// The clients whose connections must be closed now, whichever thread has them: those whose user
    /// is gone, and those who hear what their user may not hear any more. Anybody else goes on, with
    /// the permissions that its user has now, whatever password it gave, as in Redis.
    pub fn reload(&self, mut rules: Rules, now: u64) -> Vec<ClientId> {
        let limits = rules.limits;
        self.store.cache().set_grace(rules.routes.grace());
        self.buffers.bound(limits.buffers);
        self.news.bound(limits.tracked_keys);
        self.tracked.bound(limits.tracked_keys, limits.tracked_keys_by_client);
        self.replies.set_under_way(limits.longest_read());
        let mut current = self.rules.write();
        rules.users.inherit(&current.users);
        let next = Arc::new(current.next(rules));
        *current = next.clone();
        // Release: with the load of `edition`.
        self.edition.store(next.number, Ordering::Release);
        drop(current);
        next.begin(self.replies.now());
        let mut reloads = self.reloads.lock();
        (reloads.count, reloads.at) = (reloads.count + 1, Some(now));
        drop(reloads);
        let lost = |client: &Arc<Client>| client.profile.lock().is_lost(&next.users, now);
        let lost: Vec<_> = self.registry.all().into_iter().filter(lost).collect();
        lost.iter().for_each(|client| client.kill());
        lost.iter().map(|client| client.id).collect()
    }

    /// Hooks choose the routes of the keys that begin so, all if there are no beginnings; of none, without.
    /// What they have chosen before is forgotten.
    pub fn choose_routes(&self, prefixes: Option<&[Vec<u8>]>) {
        // Held, so that no other rules come into force meanwhile.
        let current = self.rules.read();
        if prefixes.is_some() || current.routes.choices().is_used() {
            current.choose(prefixes, || self.replies.now());
        }
    }

    /// Whether there is a route of this prefix.
    pub fn has_route(&self, prefix: &[u8]) -> bool {
        self.rules.read().routes.named(prefix).is_some()
    }

    /// Ends the clients whose tokens count no longer at `now`, in Unix milliseconds: their drivers are
    /// told by their mailboxes. To be called a few times a second.
    pub fn expire(&self, now: u64) {
        for client in self.registry.overdue(now as i64) {
            client.kill();
            client.recipient.expire();
        }
    }

    /// Another ring of stores: from now on keys are where it puts them. What was read of keys that have
    /// moved is forgotten, and nothing else. `false` if the node has known too many stores: then
    /// nothing has changed.
    pub fn set_ring(&self, options: &RingOptions) -> bool {
        let Ok(replaced) = self.topology.set_ring(options) else { return false };
        if let Some(Replaced { before, after, tags }) = replaced {
            self.replies.end(&tags);
            self.replies.forget_where(|key| before.partition(key) != after.partition(key));
        }
        true
    }

    /// Other rules were asked for and are refused, for this reason; `now` in Unix milliseconds.
    pub fn refuse_reload(&self, why: &str, now: u64) {
        let line = why.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
        self.reloads.lock().refused = Some((now, line));
    }

    /// How many connections are let in a second, and how many agree on keys at once; how many threads
    /// share that.
    pub fn entry(&self) -> (usize, usize, u32) {
        let rules = self.rules.read();
        (rules.limits.accepts, rules.limits.handshakes, rules.threads)
    }

    /// How often the rules were changed.
    pub fn reloads(&self) -> Reloads {
        self.reloads.lock().clone()
    }
}

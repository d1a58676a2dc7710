//! What becomes of what a thread has read when it ends. The store tells of its changes to the connections
//! of that thread: these go to another one, its *heir*, with their sockets, and are asked for nothing
//! more. What was read over them counts as before.
//!
//! ```text
//! a thread ends                     Legacy: its connections, to the heir; what was read over them does
//!                                   not count for now
//! the heir reads that               PING over each
//! that is answered                  all that the store had told has been heard: what was read over it
//!                                   counts again
//! all that was read over one has    it is closed
//! ended by itself
//! one is lost, or nobody reads the  what was read over it does not count any more
//! letter, or the thread was broken
//! ```
//! Whoever waited for a reply over one of them is gone with its thread; what another thread waits for,
//! that asks itself (`landing`).

use super::Relay;
use super::link::Link;
use super::reply::To;
use crate::cache::Source;
use crate::path::letter::{Letter, Word};
use crate::path::pending::LinkId;
use crate::path::transaction::command;
use crate::topology::{Flow, ServerId};
use std::any::Any;
use std::collections::BTreeSet;

/// A thread keeps so many connections of others to one server; beyond, the oldest is closed.
const MOST: usize = 4;
/// Why one is closed, for people.
const OVER: &str = "what was read over it has ended";
const LEFT: &str = "the server has left the cluster";
const TOO_MANY: &str = "too many connections of threads that have ended lead there";

/// Connections on their way to the heir, and until when each is kept.
struct Legacy(Vec<(u64, Link)>);

/// The connections of others that this thread has, the oldest first, and until when it keeps each.
#[derive(Default)]
pub(super) struct Legacies(Vec<(u64, LinkId)>);

impl Legacies {
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.0.iter().map(|(until, _)| *until).min()
    }

    fn has(&self, id: LinkId) -> bool {
        self.0.iter().any(|(_, legacy)| *legacy == id)
    }

    /// Until when one is kept, if it is one.
    fn until(&self, id: LinkId) -> Option<u64> {
        self.0.iter().find(|(_, legacy)| *legacy == id).map(|(until, _)| *until)
    }
}

impl Relay {
    /// This thread ends: what it has read is left to its heir. Without one, or if it is broken, that
    /// does not count any more.
    pub(super) fn leave_legacy(&mut self, broken: bool) {
        let lost = self.router.heirs.leave(self.number);
        let ids = self.readers();
        let heirs = &self.router.heirs;
        if let Some(to) = (!broken && !ids.is_empty()).then(|| heirs.name()).flatten() {
            let legacy = ids.iter().filter_map(|id| self.bequest(*id)).collect();
            let word = Word::Legacy { numbers: ids, legacy: Box::new(Legacy(legacy)) };
            self.letters.push(Letter { to, word });
        }
        let of_links = self.links.values_mut().filter(|link| link.is_serving());
        let servers: BTreeSet<ServerId> =
            of_links.filter_map(|link| link.source.take().map(|_| link.server)).collect();
        servers.into_iter().for_each(|server| self.tell_lost(server));
        if lost {
            // Of which servers it was, nobody knows.
            self.tell_flushed();
        }
    }

    /// The connections over which something may have been read that counts: first those of others, the
    /// oldest first.
    fn readers(&self) -> Vec<LinkId> {
        let others = self.legacies.0.iter().map(|(_, id)| *id);
        let own = self.shared.values().copied();
        let all = others.chain(own).filter(|id| {
            let link = self.links.get(id);
            link.is_some_and(|link| link.source.is_some() && link.is_serving())
        });
        all.collect()
    }

    /// A connection as it is left to an heir, and until when that is to keep it.
    fn bequest(&mut self, id: LinkId) -> Option<(u64, Link)> {
        let rules = self.router.rules();
        let lasts = rules.routes.all().iter().map(|route| route.ttl.unwrap_or(u64::MAX));
        let lasts = lasts.max().unwrap_or(0);
        let until = self.legacies.until(id).unwrap_or(self.now.saturating_add(lasts));
        let mut link = self.links.remove(&id)?;
        self.uncount(&link);
        link.to.forget();
        link.source.iter().for_each(Source::suspend);
        Some((until, link))
    }

    /// Another thread has ended, of which this one is the heir: the numbers that its connections have
    /// here.
    pub(super) fn take_legacy(&mut self, legacy: Box<dyn Any + Send>) -> Vec<LinkId> {
        // Relays send nothing else.
        let Ok(legacy) = legacy.downcast::<Legacy>() else { return vec![] };
        self.router.heirs.take(self.number);
        let mut now_here = vec![];
        for (until, link) in legacy.0 {
            let (server, id) = (link.server, self.settle_in(link));
            now_here.push(id);
            self.legacies.0.push((until, id));
            self.wake_by(Some(until));
            self.send_patiently(id, &command("PING"), To::Resumed(id));
            self.close_oldest(server);
        }
        // The servers may have changed since it was sent.
        self.retire_legacies();
        now_here
    }

    /// All that the store had told over a connection of another thread has been heard.
    pub(super) fn resumed(&mut self, id: LinkId) {
        let source = self.links.get(&id).and_then(|link| link.source.as_ref());
        source.into_iter().for_each(Source::resume);
    }

    /// Of too many connections to a server the oldest is closed.
    fn close_oldest(&mut self, server: ServerId) {
        let ids = self.legacies.0.iter().map(|(_, id)| *id);
        let leads = |id: &LinkId| self.links.get(id).is_some_and(|link| link.server == server);
        let mut its = ids.filter(leads);
        if let Some(oldest) = its.next()
            && its.count() >= MOST
        {
            self.close_legacy(oldest, TOO_MANY);
        }
    }

    /// A connection comes from another thread: the number that it has here.
    pub(super) fn settle_in(&mut self, link: Link) -> LinkId {
        self.last_link += 1;
        self.moved = true;
        self.count(link.server, Flow::Connections, i64::from(link.is_serving()));
        self.count(link.server, Flow::InFlight, link.to.count());
        self.wake_by(link.upstream.wake_at());
        self.touched.push(self.last_link);
        self.links.insert(self.last_link, link);
        self.last_link
    }

    /// Closes those over which nothing was read that has not ended.
    pub(super) fn wake_legacies(&mut self) {
        let due = self.legacies.0.iter().filter(|(until, _)| *until <= self.now);
        for id in due.map(|(_, id)| *id).collect::<Vec<_>>() {
            self.close_legacy(id, OVER);
        }
    }

    /// Closes those to servers that are not in the map any more.
    pub(super) fn retire_legacies(&mut self) {
        let map = &self.map;
        let serves = |server| map.leads(server) || map.replicas().any(|replica| replica == server);
        let server = |id: &LinkId| self.links.get(id).map(|link| link.server);
        let ids = self.legacies.0.iter().map(|(_, id)| *id);
        let gone: Vec<_> = ids.filter(|id| !server(id).is_some_and(serves)).collect();
        gone.into_iter().for_each(|id| self.close_legacy(id, LEFT));
    }

    /// A connection is lost: one of another thread does not come up again.
    pub(super) fn lose_legacy(&mut self, id: LinkId) {
        if self.legacies.has(id) {
            let why = self.reason(id);
            self.close_legacy(id, &why);
        }
    }

    fn close_legacy(&mut self, id: LinkId, why: &str) {
        self.legacies.0.retain(|(_, legacy)| *legacy != id);
        let server = self.links.get(&id).map(|link| link.server);
        if self.give_up(id, why)
            && let Some(server) = server
        {
            // What clients have read with it lasts longer.
            self.tell_lost(server);
        }
    }
}

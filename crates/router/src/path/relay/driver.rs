//! What the driver of its thread does with a relay: tells it the time and what sockets say, and asks what is to
//! be opened, written and closed.

use super::Relay;
use super::link::Link;
use crate::path::heat::Hot;
use crate::path::pending::LinkId;
use crate::shared::Heated;
use crate::topology::PRIMARY;
use crate::upstream::StoreAddress;
use std::mem;

impl Relay {
    /// The time that it was told last, in milliseconds of a clock that never goes back.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Its number, by which other threads write to it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Does what is due; `now` in milliseconds of a clock that never goes back.
    pub fn wake(&mut self, now: u64) {
        self.now = now;
        if self.due > now {
            return;
        }
        let due = |link: &Link| link.upstream.wake_at().is_some_and(|at| at <= now);
        let ids: Vec<_> =
            self.links.iter().filter(|(_, link)| due(link)).map(|(id, _)| *id).collect();
        for id in ids {
            self.tell(id, |upstream, heard| upstream.wake(now, heard));
        }
        self.wake_pins();
        self.wake_crowds();
        self.wake_breakers();
        self.wake_misses();
        self.wake_paused();
        self.give_up_waiting();
        self.wake_subscribers();
        self.wake_ears();
        self.wake_legacies();
        self.probe();
        self.survey();
        self.redo();
        self.go_on_warming();
        let looks = self.looks_at();
        if looks.is_some() {
            self.look();
        }
        self.due = self.next_due(looks).unwrap_or(u64::MAX);
    }

    /// When the first of all that has a time is due, if anything is.
    fn next_due(&self, looks: Option<u64>) -> Option<u64> {
        let links = self.links.values().filter_map(|link| link.upstream.wake_at());
        let others = [
            looks,
            self.waits.front().map(|(due, _)| *due),
            self.pins.wake_at(),
            self.subscribers.wake_at(),
            self.crowds.wake_at(),
            self.paused_until(),
            self.misses.wake_at(),
            self.breakers_due(),
            self.probes.wake_at(),
            self.survey.wake_at(),
            self.redo_at(),
            self.hearing.moving.wake_at(),
            self.legacies.wake_at(),
        ];
        links.chain(others.into_iter().flatten()).min()
    }

    /// When [`Relay::wake`] may have something to do again.
    pub fn wake_at(&self) -> Option<u64> {
        (self.due != u64::MAX).then_some(self.due)
    }

    /// Connections that are to be opened.
    pub fn opens(&mut self) -> Vec<LinkId> {
        mem::take(&mut self.opens)
    }

    /// Connections whose sockets are to be closed.
    pub fn closes(&mut self) -> Vec<LinkId> {
        mem::take(&mut self.closes)
    }

    /// Connections with something to write: see [`Relay::output`].
    pub fn touched(&mut self) -> Vec<LinkId> {
        mem::take(&mut self.touched)
    }

    /// What is to be written to a connection.
    pub fn output(&mut self, id: LinkId) -> Option<&mut Vec<u8>> {
        self.links.get_mut(&id).map(|link| link.upstream.output())
    }

    /// The socket of a connection is open.
    pub fn connected(&mut self, id: LinkId) {
        let now = self.now;
        self.tell(id, |upstream, heard| upstream.opened(upstream.attempt(), now, heard));
    }

    /// The socket of a connection is gone, or could not be opened.
    pub fn lost(&mut self, id: LinkId, why: &str) {
        let now = self.now;
        if let Some(link) = self.links.get_mut(&id) {
            link.why = why.to_owned();
        }
        self.tell(id, |upstream, heard| upstream.cut(upstream.attempt(), now, heard));
        self.admit_misses();
        self.go_on_warming();
    }

    /// Takes what the store sent.
    pub fn receive(&mut self, id: LinkId, chunk: &[u8]) {
        let now = self.now;
        self.tell(id, |upstream, heard| upstream.received(upstream.attempt(), chunk, now, heard));
        self.admit_misses();
        self.go_on_warming();
    }

    /// Where a connection leads.
    pub fn address(&self, id: LinkId) -> &StoreAddress {
        let server = self.links.get(&id).map_or(PRIMARY, |link| link.server);
        let server = self.router.topology.servers.get(server);
        &server.expect("what is connected to has an address").address
    }

    /// So many bytes wait for the sockets of its connections.
    pub fn charge(&mut self, outside: usize) {
        if mem::take(&mut self.moved) || outside > 0 {
            let links = self.links.values().map(|link| link.upstream.kept());
            self.buffers.set(outside + links.sum::<usize>());
            self.moved |= outside > 0;
        }
    }

    /// Adds what was counted to what all threads have counted.
    pub fn settle(&mut self) {
        if let Some(hot) = self.heat.review(self.now) {
            let heated = |hot: &Hot| Heated { share: hot.share, rate: hot.rate };
            let hot = hot.iter().map(|hot| (hot.key.to_vec(), heated(hot))).collect();
            self.router.hot.tell(self.number, self.router.replies.now(), hot);
        }
        self.tally.settle(&self.rules.totals);
        self.count_misses();
        for (tally, (_, server)) in self.flow.iter_mut().zip(self.router.topology.servers.iter()) {
            tally.settle(&server.totals);
        }
    }
}

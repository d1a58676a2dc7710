//! How many reads that memory does not answer a server is asked at once. Those beyond wait in the order
//! in which they came, and for no longer than they may; those who ask for the same meanwhile wait with
//! them.
//!
//! ```text
//! a read is to be asked, and             what becomes of it
//! there is room                          it is asked
//! there is none, and as many wait as may it fails: `BUSY`
//! there is none                          it waits
//! it waits, and there is room            it is asked
//! it has waited for as long as it may    it fails: `BUSY`
//! ```
//! A read that fails is answered by what memory has beyond its time, where the route allows that. Each
//! thread has its share of the bounds, at least one of each: nobody has to tell another thread that
//! there is room.

use super::Relay;
use super::place::TakenPlaces;
use super::read::{News, Read, Stage};
use crate::path::pending::LinkId;
use crate::topology::{Flow, PRIMARY, ServerId};
use breakwater_engine::Lease;
use std::collections::VecDeque;

/// How errors begin of what is not asked since there is too much to do: by a code that no client takes for
/// a reason to try again by itself, and by words that servers do not have.
const BUSY: &str = "BUSY the ";

/// Whether it is for this reason that a read fails.
pub(super) fn is_busy(why: &str) -> bool {
    why.starts_with(BUSY)
}

/// A read that waits.
struct QueuedMiss {
    flight: u64,
    since: u64,
    until: u64,
}

/// What a server is asked, and what waits.
#[derive(Default)]
struct OfServer {
    /// How many reads it is asked.
    asked: TakenPlaces,
    queue: VecDeque<QueuedMiss>,
    /// What of both is counted already.
    counted: (i64, i64),
}

impl OfServer {
    /// Whether the first that waits has waited for as long as it may.
    fn is_over(&self, now: u64) -> bool {
        self.queue.front().is_some_and(|first| first.until <= now)
    }

    fn has_room(&self, most: usize) -> bool {
        self.queue.is_empty() && self.asked.taken() < most
    }
}

/// The reads of a thread, by the servers that are asked.
#[derive(Default)]
pub(super) struct Misses {
    servers: Vec<OfServer>,
    /// How many wait, for whichever server.
    waiting: usize,
}

impl Misses {
    /// Whether none waits.
    pub(super) fn is_calm(&self) -> bool {
        self.waiting == 0
    }

    /// When somebody has waited for long enough.
    pub(super) fn wake_at(&self) -> Option<u64> {
        let first = |of: &OfServer| of.queue.front().map(|waiting| waiting.until);
        if self.is_calm() { None } else { self.servers.iter().filter_map(first).min() }
    }

    fn of(&mut self, server: ServerId) -> &mut OfServer {
        let at = usize::from(server);
        if at >= self.servers.len() {
            self.servers.resize_with(at + 1, OfServer::default);
        }
        &mut self.servers[at]
    }
}

impl Relay {
    /// This thread's share of a bound.
    pub(super) fn share_of(&self, most: usize) -> usize {
        most.div_ceil((self.rules.threads as usize).max(1)).max(1)
    }

    /// Whether a server may be asked for one read more.
    pub(super) fn has_room_for_miss(&mut self, server: ServerId) -> bool {
        let most = self.share_of(self.rules.limits.misses);
        self.misses.of(server).has_room(most)
    }

    /// Asks the store, or has the read wait until it may be asked; whether it is asked already.
    pub(super) fn begin(&mut self, mut read: Read, lease: Lease) -> bool {
        if read.place.is_some() {
            self.ask_store(read, lease);
            return true;
        }
        let server = self.server_of_link(read.link);
        let most = self.share_of(self.rules.limits.misses);
        let of = self.misses.of(server);
        if of.has_room(most) {
            read.place = Some(of.asked.take());
            self.for_all(|relay| relay.ask_store(read, lease));
            return true;
        }
        let flight = lease.ticket().flight;
        let room = of.queue.len() < self.share_of(self.rules.limits.waiting_misses);
        (read.stage, read.lease) = (Stage::Waiting, Some(lease));
        self.reads.insert(flight, read);
        if !room {
            let why = self.too_busy(server);
            self.turn_away(server, flight, &why);
            return false;
        }
        let since = self.now;
        let until = since.saturating_add(self.rules.limits.miss_wait());
        self.misses.of(server).queue.push_back(QueuedMiss { flight, since, until });
        self.misses.waiting += 1;
        self.wake_by(Some(until));
        false
    }

    fn server_of_link(&self, link: LinkId) -> ServerId {
        self.links.get(&link).map_or(PRIMARY, |link| link.server)
    }

    /// Asks for what waits, as far as there is room.
    pub(super) fn admit_misses(&mut self) {
        if self.misses.is_calm() {
            return;
        }
        let most = self.share_of(self.rules.limits.misses);
        for server in 0..self.misses.servers.len() as ServerId {
            loop {
                let of = self.misses.of(server);
                if of.asked.taken() >= most {
                    break;
                }
                let Some(QueuedMiss { flight, since, .. }) = of.queue.pop_front() else { break };
                let place = of.asked.take();
                self.misses.waiting -= 1;
                let Some(read) = self.reads.get_mut(&flight) else { continue };
                read.place = Some(place);
                let link = read.link;
                if self.refuses(link) {
                    let why = self.reason(link);
                    self.happen(flight, News::Lost, &why);
                    continue;
                }
                // Its time has begun already.
                read_since(self, since, flight);
            }
        }
    }

    /// Those who have waited for as long as they may are told so.
    pub(super) fn wake_misses(&mut self) {
        self.admit_misses();
        let now = self.now;
        for server in 0..self.misses.servers.len() as ServerId {
            while self.misses.of(server).is_over(now)
                && let Some(waiting) = self.misses.of(server).queue.pop_front()
            {
                self.misses.waiting -= 1;
                let why = self.waited_too_long(server);
                self.turn_away(server, waiting.flight, &why);
            }
        }
    }

    fn turn_away(&mut self, server: ServerId, flight: u64, why: &str) {
        self.count(server, Flow::TurnedAway, 1);
        self.happen(flight, News::Lost, why);
    }

    fn too_busy(&self, server: ServerId) -> String {
        let limits = &self.rules.limits;
        format!(
            "BUSY {} is asked for as many reads as it may be, and {} wait: this one was not sent",
            self.router.topology.name(server),
            self.share_of(limits.waiting_misses)
        )
    }

    fn waited_too_long(&self, server: ServerId) -> String {
        let (name, wait) = (self.router.topology.name(server), self.rules.limits.miss_wait());
        format!(
            "BUSY {name} is asked for as many reads as it may be: this one waited for {wait} ms and was not sent"
        )
    }

    /// Has it counted how many reads each server is asked, and how many wait.
    pub(super) fn count_misses(&mut self) {
        for server in 0..self.misses.servers.len() as ServerId {
            let of = self.misses.of(server);
            let asked = of.asked.taken() as i64;
            let waiting = of.queue.len() as i64;
            let (before, waited) = std::mem::replace(&mut of.counted, (asked, waiting));
            if asked != before {
                self.count(server, Flow::Misses, asked - before);
            }
            if waiting != waited {
                self.count(server, Flow::WaitingMisses, waiting - waited);
            }
        }
    }
}

/// A read that has waited since then is asked: for its reply is waited so much less.
fn read_since(relay: &mut Relay, since: u64, flight: u64) {
    let before = std::mem::replace(&mut relay.waited, relay.now.saturating_sub(since));
    relay.happen(flight, News::Admitted, "");
    relay.waited = before;
}

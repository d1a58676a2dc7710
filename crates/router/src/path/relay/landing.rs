//! Reads whose replies are remembered, on their way out: what came is kept, remembered, and given to
//! all who wait, in this thread and in others.

use super::Relay;
use super::misses::is_busy;
use super::placing::{is_unfit, said};
use super::read::{self, Deed, Life, News, Read, Stage};
use crate::cache::Count;
use crate::failure::error_line;
use crate::path::letter::{Letter, Word};
use crate::sight::{Cause, StaleReason};
use crate::topology::Tag;
use breakwater_engine::Lease;
use breakwater_resp::{Kind, Protocol, Reply};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

impl Relay {
    /// The store has, or has not, promised to tell of changes of what is read next.
    pub(super) fn promised(&mut self, flight: u64, kind: Kind) {
        if let Some(read) = self.reads.get_mut(&flight) {
            read.tracked &= !kind.is_error();
        }
    }

    /// The reply has come.
    pub(super) fn value(&mut self, flight: u64, kind: Kind, reply: Vec<u8>) {
        let unfit = is_unfit(kind, &reply);
        if unfit && self.read_elsewhere(flight, &said(&reply)) {
            return;
        }
        if let Some(read) = self.reads.get_mut(&flight) {
            read.reply = Some((kind, reply));
            let passing = read.passing;
            if passing && self.read_of_master(flight) {
                return;
            }
            self.happen(flight, News::Reply, "");
            if passing {
                self.happen(flight, News::Lives, "");
            }
        }
    }

    /// How long one of its keys lives has come.
    pub(super) fn life(&mut self, flight: u64, reply: &[u8]) {
        let Some(read) = self.reads.get_mut(&flight) else { return };
        let pttl = match Reply::decode(reply) {
            Ok(Reply::Integer(pttl)) => Some(pttl),
            _ => None,
        };
        read.life = read.life.zip(pttl).and_then(|(life, pttl)| life.with(pttl));
        read.missing |= pttl == Some(-2);
        read.lives -= 1;
        if read.lives == 0 && !self.read_of_master(flight) {
            self.happen(flight, News::Lives, "");
        }
    }

    /// The thread that asks the store has told what it said.
    pub(super) fn told(
        &mut self,
        flight: u64,
        (kind, bytes): (Kind, &[u8]),
        tracked: bool,
        crowd: Arc<AtomicU64>,
    ) {
        if let Some(read) = self.reads.get_mut(&flight) {
            read.crowd = Some(crowd);
            read.reply = Some((kind, bytes.to_vec()));
            read.tracked = tracked;
            self.happen(flight, News::Told, "");
        }
    }

    /// This thread is to ask in another one's place.
    pub(super) fn inherit(&mut self, lease: Lease) {
        let flight = lease.ticket().flight;
        match self.reads.get_mut(&flight) {
            Some(read) if read.stage == Stage::Elsewhere => {
                read.lease = Some(lease);
                self.happen(flight, News::Inherited, "");
            }
            // It waits no more: there is nothing to ask with.
            _ => self.tell_failed(&lease, vec![], "the thread that asked the store has ended"),
        }
    }

    /// Those who waited for another thread too long are told so.
    pub(super) fn give_up_waiting(&mut self) {
        while let Some((due, flight)) = self.waits.front().copied()
            && due <= self.now
        {
            self.waits.pop_front();
            if self.reads.get(&flight.flight).is_some_and(|read| read.stage == Stage::Elsewhere) {
                self.router.cache().flights().leave(flight, self.number);
                self.happen(flight.flight, News::Failed, "the store has not answered in time");
            }
        }
    }

    /// Goes from one stage to the next, as the table says.
    pub(super) fn happen(&mut self, flight: u64, news: News, why: &str) {
        let Some(held) = self.reads.get_mut(&flight) else { return };
        let Some((to, deed)) = read::next(held.stage, news) else { return };
        held.stage = to;
        if deed == Deed::Keep {
            return;
        }
        let Some(mut read) = self.reads.remove(&flight) else { return };
        match deed {
            Deed::Keep => {}
            Deed::Ask => {
                if let Some(lease) = read.lease.take() {
                    self.begin(read, lease);
                }
            }
            Deed::Land => {
                self.land(&read);
                self.give(read, true);
            }
            Deed::Give => self.give(read, true),
            Deed::GiveHere => self.give(read, false),
            Deed::Fail => self.fail_read(read, why),
            Deed::FailHere => self.give_error(read, why),
        }
    }

    /// Remembers a reply, if it is one to be remembered and nothing has changed since.
    fn land(&mut self, read: &Read) {
        if read.passing {
            return;
        }
        let Some((kind, reply)) = &read.reply else { return };
        let (at, life) = (self.route_of(read), self.life_of(read));
        let fits = self.fits(read, life);
        if read.copied {
            if fits && let Some(life) = life {
                self.make_copies(read, reply, life);
            }
            return;
        }
        let landed = fits
            && self.router.replies.land(
                &read.shelf,
                &read.generations,
                (*kind, reply, read.life == Some(Life::Absent)),
                (read.stamp, life),
                &read.protocols,
            );
        let landed = landed && self.still_serves(read);
        self.tally.add(at, if landed { Count::Stored } else { Count::Dropped });
    }

    /// How long a reply is remembered at most; not at all, if it is 0.
    fn life_of(&mut self, read: &Read) -> Option<u64> {
        let chance = self.chance();
        let route = &self.rules.routes.all()[self.route_of(read)];
        match read.life {
            Some(Life::Absent) => Some(route.negative_life(chance)),
            Some(Life::Endless) => route.life(None, chance),
            Some(Life::Ends(life)) => route.life(Some(life), chance),
            None => Some(0),
        }
    }

    /// Whether a reply is one to be remembered: the store tells of changes, and what was asked for
    /// under other rules is not remembered under these.
    fn fits(&self, read: &Read, life: Option<u64>) -> bool {
        let Some((kind, reply)) = &read.reply else { return false };
        let largest = self.rules.routes.all()[self.route_of(read)].largest;
        let fits = reply.len() <= largest && !kind.is_error() && life != Some(0);
        fits && read.tracked && read.edition == self.router.edition()
    }

    /// Whether the server that was asked still has the keys. If not, what has landed leaves: of their
    /// changes it would not tell. Whoever installs a map ends what has landed before.
    fn still_serves(&self, read: &Read) -> bool {
        let topology = &self.router.topology;
        if topology.epoch() == read.epoch {
            return true;
        }
        let (map, server) = (topology.map(), self.links.get(&read.link).map(|link| link.server));
        let partition = map.partition(read.shelf.keys.first());
        let tag = server.and_then(|server| map.tag(partition, server));
        let stays = tag.is_some() && tag == read.generations.first().map(|first| *first as Tag);
        if !stays {
            self.router.forget(&read.shelf.keys, Cause::Moved);
        }
        stays
    }

    /// Gives a reply to all who wait, in the bytes of the protocol of each.
    pub(super) fn give(&mut self, mut read: Read, everywhere: bool) {
        let Some((kind, reply)) = read.reply.take() else { return };
        let joined = self.wait_is_over(&read);
        if let (Some(lease), true) = (&read.lease, everywhere) {
            let mut others = self.router.cache().flights().fail(lease).unwrap_or_default();
            others.append(&mut read.others);
            if !others.is_empty() {
                let bytes: Arc<[u8]> = reply.as_slice().into();
                let (flight, tracked) = (lease.ticket().flight, read.tracked);
                let crowd = Arc::new(AtomicU64::new(joined));
                self.letters.extend(others.into_iter().map(|to| Letter {
                    to,
                    word: Word::Reply {
                        flight,
                        kind,
                        bytes: bytes.clone(),
                        tracked,
                        crowd: crowd.clone(),
                    },
                }));
            }
        }
        let resp2 = read.waiters.iter().any(|waiter| waiter.protocol == Protocol::Resp2);
        let converted = resp2.then(|| read.shelf.form.convert(kind, &reply, Protocol::Resp2));
        for waiter in &read.waiters {
            self.router.note_read(read.shelf.db, read.shelf.keys.iter(), reply.len());
            if !read.tracked {
                self.distrust(waiter.client, waiter.ticket);
            }
            let bytes = match (waiter.protocol, &converted) {
                (Protocol::Resp2, Some(converted)) => converted,
                _ => reply.as_slice(),
            };
            self.answer(waiter.client, waiter.ticket, bytes.to_vec());
        }
    }

    /// Counts how long reads have waited for this one's reply; how many did in this thread.
    fn wait_is_over(&self, read: &Read) -> u64 {
        let mut joined = 0;
        for since in read.waiters.iter().filter_map(|waiter| waiter.joined) {
            joined += 1;
            self.seat.wait(self.clock.saturating_sub(since));
        }
        if joined > 0 {
            // Relaxed: a count by itself.
            let before = read.crowd.as_ref().map(|crowd| crowd.fetch_add(joined, Relaxed));
            self.seat.crowd(before.unwrap_or(0), joined);
        }
        joined
    }

    /// Gives an error to all who wait, in all threads.
    pub(super) fn fail_read(&mut self, mut read: Read, why: &str) {
        if let Some(lease) = read.lease.take() {
            self.tell_failed(&lease, std::mem::take(&mut read.others), why);
        }
        self.give_error(read, why);
    }

    /// Gives those who wait in this thread an error, or what is kept for that case and counts still.
    fn give_error(&mut self, read: Read, why: &str) {
        let (error, route) = (error_line(why), self.route_of(&read));
        let busy = is_busy(why);
        let reason = if busy { StaleReason::Busy } else { StaleReason::Failed };
        let patience = self.rules.routes.all()[route].patience(reason);
        let allowed = patience > 0 && (!busy || read.stale_while_busy);
        let stale = read.stale.as_ref().filter(|_| {
            allowed && self.router.replies.stands_for(&read.shelf, &read.generations, patience)
        });
        for (at, waiter) in read.waiters.iter().enumerate() {
            // It was kept for the first, in its protocol.
            let same = at == 0 || waiter.protocol == read.waiters[0].protocol;
            let stale = stale.filter(|_| same);
            if stale.is_some() {
                self.tally.add(route, Count::StaleGiven);
                self.seat.give_stale(reason);
                self.distrust(waiter.client, waiter.ticket);
            }
            let bytes = stale.unwrap_or(&error).clone();
            self.failing(|relay| relay.answer(waiter.client, waiter.ticket, bytes));
        }
    }

    /// Ends a flight without a reply, and tells the threads that wait for it, and these others.
    fn tell_failed(&mut self, lease: &Lease, mut others: Vec<u64>, why: &str) {
        others.extend(self.router.cache().flights().fail(lease).unwrap_or_default());
        let (flight, why): (u64, Arc<str>) = (lease.ticket().flight, why.into());
        self.letters.extend(
            others
                .into_iter()
                .map(|to| Letter { to, word: Word::Failed { flight, why: why.clone() } }),
        );
    }

    /// The thread ends: those of other threads that waited for its reads are to ask themselves.
    pub(super) fn bequeath(&mut self) {
        let gone = self.router.cache().flights().owner_gone(self.number);
        let heirs = gone.heirs.into_iter();
        self.letters
            .extend(heirs.map(|lease| Letter { to: lease.owner(), word: Word::Lead(lease) }));
    }
}

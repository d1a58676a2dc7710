//! Hot reads of routes with copies: the reply also lies in stores behind the key's own on the ring, and
//! a read asks one of two that are drawn, the one with fewer requests in flight.
//!
//! A copy is known by the generation of its key and by the stamp of the reply (`shared/copies.rs`): it is
//! given as long as that reply could be given from memory, and no longer.

use super::Relay;
use super::read::{News, Read};
use super::reply::{Made, To};
use crate::cache::{Shelf, when_of};
use crate::shared::{pack, unpack};
use crate::topology::{ServerId, choose};
use breakwater_resp::{Kind, Protocol, Reply, write_request};

impl Relay {
    /// The store whose copy a hot read asks for, and the stamp of that; `None` if it asks the key's own
    /// store.
    pub(super) fn copy_for(
        &mut self,
        route: usize,
        shelf: &Shelf,
        generation: u64,
        own: ServerId,
    ) -> Option<(ServerId, u64)> {
        if self.rules.routes.all()[route].copies < 2 || self.map.first_of_ring().is_none() {
            return None;
        }
        let now = self.router.replies.now();
        let mut fit = vec![(own, self.in_flight(own, Protocol::Resp3, shelf.db))];
        let (stamp, stores) = self.router.copies.of(shelf, generation, now)?;
        if !self.router.replies.covers(stamp) {
            return None;
        }
        for store in stores {
            let link = self.shared_with(store, Protocol::Resp3, shelf.db);
            if self.map.is_up(store) && !self.refuses(link) {
                fit.push((store, self.in_flight(store, Protocol::Resp3, shelf.db)));
            }
        }
        let lot = self.lot();
        choose(&fit, lot).filter(|store| *store != own).map(|store| (store, stamp))
    }

    /// Whether copies of the reply to a read are to be made.
    pub(super) fn begins_copies(&self, read: &Read) -> bool {
        let replies = &self.router.replies;
        let counts = |stamp| replies.covers(stamp);
        let route = &self.rules.routes.all()[self.route_of(read)];
        route.copies > 1
            && route.ttl.is_some()
            && self.map.first_of_ring().is_some()
            && self.router.copies.begin(&read.shelf, read.generations[0], replies.now(), counts)
    }

    /// Has other stores take copies of a reply, which end `life` milliseconds after it was asked for.
    pub(super) fn make_copies(&mut self, read: &Read, reply: &[u8], life: u64) {
        let (shelf, generation) = (&read.shelf, read.generations[0]);
        let (replies, stamp) = (&self.router.replies, read.stamp);
        let (until, now) = (when_of(stamp).saturating_add(life), replies.now());
        if until <= now || !replies.stands(shelf, &read.generations) || !replies.covers(stamp) {
            return;
        }
        let others = self.rules.routes.all()[self.route_of(read)].copies - 1;
        let (name, packed) =
            (self.router.copies.name(shelf, generation, stamp), pack(shelf, reply));
        let (life, mut request) = ((until - now).to_string(), vec![]);
        let words = [b"SET", name.as_slice(), &packed, b"PX", life.as_bytes()];
        write_request(&mut request, &words);
        for store in self.map.stores_behind(shelf.keys.first(), others) {
            let link = self.shared_with(store, Protocol::Resp3, shelf.db);
            if !self.refuses(link) {
                let made = Made { shelf: shelf.clone(), generation, stamp, store, until };
                self.send(link, &request, To::Copied(Box::new(made)));
            }
        }
    }

    /// A store has taken a copy, or has not.
    pub(super) fn made_copy(&self, made: &Made, kind: Kind) {
        if kind == Kind::Simple {
            let Made { shelf, generation, stamp, store, until } = made;
            self.router.copies.add(shelf, (*generation, *stamp), *store, *until);
        }
    }

    /// Asks a store for its copy.
    pub(super) fn ask_copy(&mut self, flight: u64, read: Read, stamp: u64) {
        let name = self.router.copies.name(&read.shelf, read.generations[0], stamp);
        let (link, mut request) = (read.link, vec![]);
        write_request(&mut request, &[b"GET".as_slice(), &name]);
        self.reads.insert(flight, read);
        self.send(link, &request, To::Copy(flight));
    }

    /// A copy has come, or there is none.
    pub(super) fn replied_copy(&mut self, flight: u64, reply: &[u8]) {
        let Some(read) = self.reads.get(&flight) else { return };
        let decoded = Reply::decode(reply).ok();
        let packed = decoded.as_ref().and_then(Reply::text);
        match packed.and_then(|packed| unpack(&read.shelf, packed)) {
            Some(reply) => {
                let kind = if reply == b"_\r\n" { Kind::Null } else { Kind::Bulk };
                let reply = reply.to_vec();
                self.value(flight, kind, reply);
            }
            None => self.ask_own(flight),
        }
    }

    /// A store has no copy, or does not answer: the key's own store is asked.
    pub(super) fn ask_own(&mut self, flight: u64) {
        let Some(read) = self.reads.get(&flight) else { return };
        let (shelf, generation, asked) = (read.shelf.clone(), read.generations[0], read.link);
        if let Some(link) = self.links.get(&asked) {
            self.router.copies.remove(&shelf, generation, link.server);
        }
        let Ok(home) = self.home_of(shelf.keys.iter()) else {
            return self.happen(flight, News::Lost, "nobody has this key");
        };
        let link = self.shared_with(home.server, Protocol::Resp3, shelf.db);
        let Some(read) = self.reads.get_mut(&flight) else { return };
        (read.link, read.of_copy) = (link, None);
        let request = read.request.clone();
        self.send(link, &request, To::Value(flight));
    }
}

//! Connections to the store that belong to one client for a while: given out, waited for, and taken
//! back clean. `hold` says for what, and what becomes of each.
//!
//! One that comes back watches no key, has no transaction open, has the name of the node, and is in the
//! database that it is known by.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::failure::Failure;
use crate::path::course::{Course, Delivery, Own, Request};
use crate::path::hold::{Fate, Use};
use crate::path::pending::LinkId;
use crate::path::transaction::command;
use crate::shared::ClientId;
use crate::topology::PRIMARY;
use breakwater_resp::Protocol;
use std::collections::{HashMap, VecDeque};

/// How long, in milliseconds, a client waits for a connection of its own.
const PATIENCE: u64 = 2_000;
/// Why there is no reply over one that the node closes by itself.
const CLOSED: &str = "its connection to the store was closed";
/// How many are kept that nobody has.
const IDLE: usize = 16;

/// Who waits for a connection of its own.
struct Waiting {
    client: ClientId,
    protocol: Protocol,
    db: u8,
    until: u64,
}

/// The connections of a thread that belong to single clients.
#[derive(Default)]
pub(super) struct Pins {
    /// How many there are.
    count: usize,
    idle: Vec<(Protocol, u8, LinkId)>,
    waiting: VecDeque<Waiting>,
    /// Given to clients that waited, and not yet taken.
    given: HashMap<ClientId, LinkId>,
}

impl Pins {
    /// How many there are, how many of them nobody has, and how many clients wait.
    pub(super) fn counts(&self) -> [i64; 3] {
        [self.count, self.idle.len(), self.waiting.len()].map(|count| count as i64)
    }

    /// When somebody has waited long enough.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.until)
    }
}

impl Relay {
    /// The connection that a client has.
    pub(super) fn own(&self, client: ClientId, course: &mut Course) -> Option<LinkId> {
        let id = course.own.link?;
        if self.links.get(&id).is_none_or(|link| link.owner != Some(client)) {
            course.own = Own::default();
        }
        course.own.link
    }

    /// Gives a client a connection of its own, once all that it is owed has come; `None` if it has
    /// to wait.
    pub(super) fn pin(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Option<LinkId>, Failure> {
        self.pin_of(request.protocol, request, course)
    }

    /// As [`Relay::pin`], for a connection of this protocol.
    pub(super) fn pin_of(
        &mut self,
        protocol: Protocol,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Option<LinkId>, Failure> {
        let Request { client, db, .. } = *request;
        if let Some(id) = self.own(client, course) {
            return Ok(Some(id));
        }
        if !course.replies.is_empty() {
            return Ok(None);
        }
        let id = if let Some(id) = self.pins.given.remove(&client) {
            id
        } else if let Some(id) = self.idle(protocol, db) {
            id
        } else {
            let shared = self.shared(protocol, db);
            if self.refuses(shared) {
                return Err(Failure::new(format!("ERR {}", self.reason(shared))));
            }
            if self.pins.count >= self.router.options.limits.pinned {
                return self.wait(protocol, request, course);
            }
            self.open_pin(protocol, db)
        };
        if let Some(link) = self.links.get_mut(&id) {
            link.owner = Some(client);
        }
        course.own = Own { link: Some(id), ..Own::default() };
        Ok(Some(id))
    }

    /// A connection that nobody has; one of another kind makes room.
    fn idle(&mut self, protocol: Protocol, db: u8) -> Option<LinkId> {
        let idle = &mut self.pins.idle;
        if let Some(at) = idle.iter().position(|&(p, d, _)| (p, d) == (protocol, db)) {
            return Some(idle.swap_remove(at).2);
        }
        if self.pins.count >= self.router.options.limits.pinned && !idle.is_empty() {
            let (_, _, other) = idle.remove(0);
            self.close_pin(other, CLOSED);
        }
        None
    }

    pub(super) fn open_pin(&mut self, protocol: Protocol, db: u8) -> LinkId {
        self.pins.count += 1;
        self.open_link(PRIMARY, self.options(PRIMARY, protocol, db), Some(db))
    }

    /// How many more there may be.
    pub(super) fn pins_left(&self) -> usize {
        self.router.options.limits.pinned.saturating_sub(self.pins.count)
    }

    /// A client waits until a connection is free, or for long enough.
    fn wait(
        &mut self,
        protocol: Protocol,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Option<LinkId>, Failure> {
        let Request { client, db, .. } = *request;
        let until = *course.own.until.get_or_insert(self.now + PATIENCE);
        if until <= self.now {
            course.own = Own::default();
            self.pins.waiting.retain(|waiting| waiting.client != client);
            let limit = self.router.options.limits.pinned;
            return Err(Failure::new(format!(
                "ERR no connection of its own to the store became free in {PATIENCE} ms: \
                 all {limit} of this thread are in use"
            )));
        }
        if self.pins.waiting.iter().all(|waiting| waiting.client != client) {
            self.pins.waiting.push_back(Waiting { client, protocol, db, until });
            self.wake_by(Some(until));
        }
        Ok(None)
    }

    /// Those who have waited long enough are told so when they ask again, which they are woken for.
    pub(super) fn wake_pins(&mut self) {
        while self.pins.wake_at().is_some_and(|at| at <= self.now) {
            let waiting = self.pins.waiting.pop_front();
            self.deliveries.extend(waiting.map(|waiting| Delivery::wake(waiting.client)));
        }
    }

    /// A connection comes back, clean: somebody who waits gets it. Replies may still be owed over it.
    fn give_back(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(db) = link.pin else { return };
        link.owner = None;
        let protocol = link.protocol;
        match self.pins.waiting.front() {
            Some(next) if (next.protocol, next.db) == (protocol, db) => {
                let client = next.client;
                self.pins.waiting.pop_front();
                self.give_pin(id, client);
            }
            // One of the kind that is waited for comes in its place.
            Some(_) => self.close_pin(id, CLOSED),
            None => {
                self.pins.idle.push((protocol, db, id));
                if self.pins.idle.len() > IDLE {
                    let (_, _, oldest) = self.pins.idle.remove(0);
                    self.close_pin(oldest, CLOSED);
                }
            }
        }
    }

    fn give_pin(&mut self, id: LinkId, client: ClientId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.owner = Some(client);
        }
        self.pins.given.insert(client, id);
        self.deliveries.push(Delivery::wake(client));
    }

    /// A connection ends: somebody who waits gets another one.
    pub(super) fn close_pin(&mut self, id: LinkId, why: &str) {
        if !self.give_up(id, why) {
            return;
        }
        self.pins.count -= 1;
        self.pins.idle.retain(|(_, _, idle)| *idle != id);
        self.pins.given.retain(|_, given| *given != id);
        if let Some(Waiting { client, protocol, db, .. }) = self.pins.waiting.pop_front() {
            let id = self.open_pin(protocol, db);
            self.give_pin(id, client);
        }
    }

    /// A client lets go of its connection.
    pub(super) fn unpin(&mut self, client: ClientId, course: &mut Course) {
        self.pins.waiting.retain(|waiting| waiting.client != client);
        if let Some(id) = self.pins.given.remove(&client) {
            self.give_back(id);
        }
        let Some(id) = self.own(client, course) else { return };
        let fate = std::mem::take(&mut course.own).hold.take(Use::Leave);
        // Of a command that waits nobody knows how long it would.
        if course.is_blocked() || fate == Fate::Closes {
            return self.close_pin(id, CLOSED);
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.owner = None;
        }
        match fate {
            Fate::Cleaned => {
                self.send(id, &command("UNWATCH"), To::Session(Step::Cleaned(id)));
            }
            // What is still to come over it brings it back.
            _ if course.is_settling() => {}
            _ => self.give_back(id),
        }
    }

    /// A connection comes back, and is closed if it is not clean.
    pub(super) fn take_back(&mut self, id: LinkId, soiled: bool) {
        match soiled {
            true => self.close_pin(id, CLOSED),
            false => self.give_back(id),
        }
    }
}

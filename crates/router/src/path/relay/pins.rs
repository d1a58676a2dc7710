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
use crate::topology::{Flow, ServerId};
use breakwater_resp::Protocol;
use std::collections::{HashMap, VecDeque};

/// How long, in milliseconds, a client waits for a connection of its own, if its request may wait as
/// long.
const PATIENCE: u64 = 2_000;
/// Why there is no reply over one that the node closes by itself.
const CLOSED: &str = "its connection to the store was closed";
/// Why a client cannot have one of another server.
const ELSEWHERE: &str =
    "CROSSSLOT Keys in request don't hash to the slot of what the client's own connection is for";
/// How many are kept that nobody has.
const IDLE: usize = 16;

/// Who waits for a connection of its own.
struct Waiting {
    client: ClientId,
    kind: PinKind,
    until: u64,
}

/// What a connection is good for: its server, its protocol and its database.
pub(super) type PinKind = (ServerId, Protocol, u8);

/// The connections of a thread that belong to single clients.
#[derive(Default)]
pub(super) struct Pins {
    /// How many there are.
    count: usize,
    idle: Vec<(PinKind, LinkId)>,
    waiting: VecDeque<Waiting>,
    /// Given to clients that waited, and not yet taken.
    given: HashMap<ClientId, LinkId>,
}

impl Pins {
    /// When somebody has waited long enough.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.waiting.iter().map(|waiting| waiting.until).min()
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

    /// Gives a client a connection of its own to a server, once all that it is owed has come; `None` if it has
    /// to wait.
    pub(super) fn pin(
        &mut self,
        server: ServerId,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Option<LinkId>, Failure> {
        self.pin_of((server, request.protocol, request.db), request, course)
    }

    /// As [`Relay::pin`], for a connection of this kind.
    pub(super) fn pin_of(
        &mut self,
        kind: PinKind,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Option<LinkId>, Failure> {
        let client = request.client;
        if let Some(id) = self.own(client, course) {
            return match self.links.get(&id).map(|link| link.server) {
                Some(server) if server != kind.0 => Err(ELSEWHERE.into()),
                _ => Ok(Some(id)),
            };
        }
        if !course.replies.is_empty() {
            return Ok(None);
        }
        let id = if let Some(id) = self.pins.given.remove(&client) {
            id
        } else if let Some(id) = self.idle(kind) {
            id
        } else {
            let shared = self.shared_with(kind.0, kind.1, kind.2);
            if self.refuses(shared) {
                if self.await_server(client) {
                    return Ok(None);
                }
                return Err(Failure::because(&self.reason(shared)));
            }
            if self.pins.count >= self.rules.limits.pinned {
                return self.wait(kind, request, course);
            }
            self.open_pin(kind)
        };
        if let Some(link) = self.links.get_mut(&id) {
            link.owner = Some(client);
        }
        course.own = Own { link: Some(id), ..Own::default() };
        Ok(Some(id))
    }

    /// A connection that nobody has; one of another kind makes room.
    fn idle(&mut self, kind: PinKind) -> Option<LinkId> {
        let idle = &mut self.pins.idle;
        if let Some(at) = idle.iter().position(|(of, _)| *of == kind) {
            let id = idle.swap_remove(at).1;
            self.count(kind.0, Flow::PinnedIdle, -1);
            return Some(id);
        }
        if self.pins.count >= self.rules.limits.pinned && !idle.is_empty() {
            let other = idle[0].1;
            self.close_pin(other, CLOSED);
        }
        None
    }

    pub(super) fn open_pin(&mut self, (server, protocol, db): PinKind) -> LinkId {
        self.pins.count += 1;
        self.count(server, Flow::Pinned, 1);
        self.open_link(server, self.options(server, protocol, db), Some(db))
    }

    /// A client waits until a connection is free, or for long enough.
    fn wait(
        &mut self,
        kind: PinKind,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Option<LinkId>, Failure> {
        let client = request.client;
        let patience = self.rules.limits.store_timeout.min(PATIENCE);
        let until =
            *course.own.until.get_or_insert(self.now + patience.saturating_sub(request.waited));
        if until <= self.now {
            course.own = Own::default();
            self.wait_no_more(client);
            let limit = self.rules.limits.pinned;
            return Err(Failure::new(format!(
                "ERR no connection of its own to the store became free in {patience} ms: \
                 all {limit} of this thread are in use"
            )));
        }
        if self.pins.waiting.iter().all(|waiting| waiting.client != client) {
            self.pins.waiting.push_back(Waiting { client, kind, until });
            self.count(kind.0, Flow::PinnedWaiting, 1);
            self.wake_by(Some(until));
        }
        Ok(None)
    }

    fn wait_no_more(&mut self, client: ClientId) {
        let at = self.pins.waiting.iter().position(|waiting| waiting.client == client);
        if let Some(waiting) = at.and_then(|at| self.pins.waiting.remove(at)) {
            self.count(waiting.kind.0, Flow::PinnedWaiting, -1);
        }
    }

    /// The next who waits.
    fn next_waiting(&mut self) -> Option<Waiting> {
        let next = self.pins.waiting.pop_front()?;
        self.count(next.kind.0, Flow::PinnedWaiting, -1);
        Some(next)
    }

    /// Those who have waited long enough are told so when they ask again, which they are woken for.
    pub(super) fn wake_pins(&mut self) {
        if self.pins.wake_at().is_none_or(|at| at > self.now) {
            return;
        }
        let all = std::mem::take(&mut self.pins.waiting);
        let (late, others) = all.into_iter().partition(|waiting| waiting.until <= self.now);
        self.pins.waiting = others;
        let late: VecDeque<Waiting> = late;
        for Waiting { client, kind, .. } in late {
            self.count(kind.0, Flow::PinnedWaiting, -1);
            self.deliveries.push(Delivery::wake(client));
        }
    }

    /// A connection comes back, clean: somebody who waits gets it. Replies may still be owed over it.
    fn give_back(&mut self, id: LinkId) {
        self.disown(id);
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(db) = link.pin else { return };
        let kind = (link.server, link.protocol, db);
        match self.pins.waiting.front() {
            Some(next) if next.kind == kind => {
                if let Some(next) = self.next_waiting() {
                    self.give_pin(id, next.client);
                }
            }
            // One of the kind that is waited for comes in its place.
            Some(_) => self.close_pin(id, CLOSED),
            None => {
                self.pins.idle.push((kind, id));
                self.count(kind.0, Flow::PinnedIdle, 1);
                if self.pins.idle.len() > IDLE {
                    let oldest = self.pins.idle[0].1;
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
        let Some(server) = self.links.get(&id).map(|link| link.server) else { return };
        self.disown(id);
        self.give_up(id, why);
        self.pins.count -= 1;
        self.count(server, Flow::Pinned, -1);
        if let Some(at) = self.pins.idle.iter().position(|(_, idle)| *idle == id) {
            self.pins.idle.remove(at);
            self.count(server, Flow::PinnedIdle, -1);
        }
        self.pins.given.retain(|_, given| *given != id);
        if let Some(Waiting { client, kind, .. }) = self.next_waiting() {
            let id = self.open_pin(kind);
            self.give_pin(id, client);
        }
    }

    /// A client lets go of its connection.
    pub(super) fn unpin(&mut self, client: ClientId, course: &mut Course) {
        self.wait_no_more(client);
        if let Some(id) = self.pins.given.remove(&client) {
            self.give_back(id);
        }
        let Some(id) = self.own(client, course) else { return };
        let fate = std::mem::take(&mut course.own).hold.take(Use::Leave);
        // Of a command that waits nobody knows how long it would.
        if course.is_blocked() || fate == Fate::Closes {
            return self.close_pin(id, CLOSED);
        }
        self.disown(id);
        match fate {
            Fate::Cleaned => {
                self.send(id, &command("UNWATCH"), To::Session(Step::Cleaned(id)));
            }
            // What is still to come over it brings it back.
            _ if course.is_settling() => {}
            _ => self.give_back(id),
        }
    }

    /// The thread ends: none of its connections is counted any more.
    pub(super) fn leave_pins(&mut self) {
        while self.next_waiting().is_some() {}
        for (kind, _) in std::mem::take(&mut self.pins.idle) {
            self.count(kind.0, Flow::PinnedIdle, -1);
        }
        let pinned = self.links.values().filter(|link| link.pin.is_some()).map(|link| link.server);
        for server in pinned.collect::<Vec<_>>() {
            self.count(server, Flow::Pinned, -1);
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

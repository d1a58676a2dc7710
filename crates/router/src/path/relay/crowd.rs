//! Connections to the store that have as much to do as they may. What else is for them waits in its
//! clients' sessions, which hold back what their clients send, until half of it is done. What memory
//! answers does not wait.

use super::Relay;
use crate::catalog::{Class, Known};
use crate::path::course::{Course, Delivery, Request};
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use std::collections::{HashMap, VecDeque};

/// Full connections, and the clients that wait for them, in the order in which they came.
#[derive(Default)]
pub(super) struct Crowds {
    full: Vec<LinkId>,
    waiting: VecDeque<ClientId>,
    /// Until when each waits.
    until: HashMap<ClientId, u64>,
}

impl Crowds {
    /// Whether a connection is full.
    pub(super) fn has(&self, id: LinkId) -> bool {
        self.full.contains(&id)
    }

    /// Whether none is.
    pub(super) fn is_empty(&self) -> bool {
        self.full.is_empty()
    }

    /// A connection has become full, or is so already.
    pub(super) fn fill(&mut self, id: LinkId) {
        if !self.has(id) {
            self.full.push(id);
        }
    }

    fn add(&mut self, client: ClientId, until: u64) {
        if self.until.insert(client, until).is_none() {
            self.waiting.push_back(client);
        }
    }

    /// When somebody has waited long enough.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.until.values().copied().min()
    }

    /// A client waits no more.
    pub(super) fn remove(&mut self, client: ClientId) {
        if self.until.remove(&client).is_some() {
            self.waiting.retain(|waiting| *waiting != client);
        }
    }
}

impl Relay {
    /// Whether a request waits, since the connection that it would go over is full. Its command is
    /// known, or the store has told of it, and `listed` if it is in the table.
    pub(super) fn waits_in_crowd(
        &mut self,
        listed: Option<&'static Known>,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> bool {
        if self.crowds.full.is_empty() {
            return false;
        }
        let waits = self.needs_store(listed, known, request, course)
            && self.is_for_full(known, request, course);
        if waits {
            let until = self.now + self.rest();
            self.crowds.add(request.client, until);
            self.wake_by(Some(until));
        }
        waits
    }

    /// Whether a request cannot be answered without the store. Its command is known, or the store has
    /// told of it, and `listed` if it is in the table.
    pub(super) fn needs_store(
        &mut self,
        listed: Option<&'static Known>,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> bool {
        asks_store(known, course)
            && !listed.is_some_and(|known| self.remembers(known, request, course))
    }

    /// Whether a connection that a request may go over is full.
    fn is_for_full(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> bool {
        if let Some(own) = self.own(request.client, course) {
            return self.crowds.has(own);
        }
        // Where a transaction goes is not said by its last word.
        let known = known.filter(|known| known.class != Class::Exec);
        let home = known.and_then(|known| self.home(Some(known), request).ok());
        let server = home.map(|home| home.server);
        self.crowds.full.iter().any(|id| {
            let link = self.links.get(id).filter(|link| link.pin.is_none());
            link.is_some_and(|link| server.is_none_or(|server| server == link.server))
        })
    }

    /// Those who have waited long enough are told so when they ask again, which they are woken for.
    pub(super) fn wake_crowds(&mut self) {
        let now = self.now;
        if self.crowds.wake_at().is_none_or(|at| at > now) {
            return;
        }
        let late = self.crowds.until.extract_if(|_, until| *until <= now);
        let late: Vec<_> = late.map(|(client, _)| client).collect();
        self.crowds.waiting.retain(|client| !late.contains(client));
        self.deliveries.extend(late.into_iter().map(Delivery::wake));
    }

    /// Connections of which half is done are full no more; all who wait try again, in their order.
    pub(super) fn let_in(&mut self) {
        let before = self.crowds.full.len();
        let full = std::mem::take(&mut self.crowds.full);
        let limits = &self.rules.limits;
        let stays = |id: &LinkId| {
            self.links.get(id).is_some_and(|link| {
                let (requests, bytes) = (link.upstream.waiting(), link.upstream.unwritten());
                requests > limits.in_flight / 2 || bytes > limits.unwritten / 2
            }) && !self.is_down(*id)
        };
        self.crowds.full = full.into_iter().filter(stays).collect();
        if self.crowds.full.len() < before {
            self.crowds.until.clear();
            let waiting = std::mem::take(&mut self.crowds.waiting);
            self.deliveries.extend(waiting.into_iter().map(Delivery::wake));
        }
    }
}

/// Whether the store is asked for a reply to a request, or for its own.
fn asks_store(known: Option<&Known>, course: &Course) -> bool {
    match known.map(|known| known.class) {
        Some(Class::Local) => known.is_some_and(|known| known.name == "info"),
        Some(Class::Multi | Class::Discard | Class::Subscribes | Class::Refused(_)) => false,
        Some(Class::Exec) => true,
        _ => course.transaction.is_none(),
    }
}

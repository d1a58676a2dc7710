//! Requests that a server of a cluster has not done: another one is asked, or the same one later.
//!
//! ```text
//! what it says, or what happens        what is done
//! MOVED                                the server that it names is asked
//! ASK                                  the same, behind ASKING, for this request
//! TRYAGAIN, CLUSTERDOWN, LOADING       whoever has the keys then is asked, a little later
//! the connection was lost before the   the same
//! request was written, or it is a read
//! a read is answered before what its   the same, behind that
//! client asked ahead of it was done
//! ```
//! None of these has been done, but for reads, which may be done twice. All of that is bounded: what
//! is said last is the reply then. Clients whose next requests have to wait for a server wait as long
//! (`Relay::await_server`).
//!
//! In front of a store that is no cluster, the last line is so where `Limits::store_retry` says so, and as
//! long as that from when the connection was lost.
//!
//! What was asked over a client's own connection is in `elsewhere`.

use super::Relay;
use super::detours::{DetourId, Detours};
use super::reply::{Again, To};
use super::step::Step;
use crate::failure::error_line;
use crate::path::course::Delivery;
use crate::path::pending::LinkId;
use crate::path::transaction::command;
use crate::shared::ClientId;
use crate::topology::ServerId;
use breakwater_resp::{Kind, Protocol};
use smallvec::SmallVec;

/// The first wait before it is tried again, and the longest.
const LEAST: u64 = 10;
const MOST: u64 = 200;
/// So many times another server is asked at once.
const HOPS: u32 = 5;

/// One that waits until it is tried again.
pub(super) struct Redo {
    due: u64,
    /// Whether it waits for another one.
    behind: bool,
    again: Again,
    request: Box<[u8]>,
    /// Who is asked, and whether behind `ASKING`; if nobody, whoever has the keys by then.
    target: Option<(ServerId, bool)>,
    protocol: Protocol,
    /// What is the reply in the end.
    last: Vec<u8>,
}

impl Redo {
    /// Whether what it has waited for has ended.
    fn is_free(&self, detours: &Detours) -> bool {
        self.behind && !detours.is_behind(self.again.detour)
    }
}

impl Relay {
    /// A client waits until the server of its keys can be asked, or has waited for long enough: then
    /// the answer is `false`.
    pub(super) fn await_server(&mut self, client: ClientId) -> bool {
        let mut until = self.now + self.rest();
        if !self.clustered() {
            until = until.min(self.lost_until);
            if until <= self.now {
                return false;
            }
        }
        let until = *self.awaiting.entry(client).or_insert(until);
        self.wake_by(Some(until));
        self.hurry_map();
        until > self.now
    }

    /// How long what was not done is tried again, in milliseconds; 0, if it is not.
    pub(super) fn retried_for(&self) -> u64 {
        let limits = &self.rules.limits;
        match self.clustered() {
            true => limits.store_timeout,
            false => limits.store_retry.min(limits.store_timeout),
        }
    }

    /// Servers may be reached that could not: who waits for one asks again.
    pub(super) fn wake_awaiting(&mut self) {
        self.deliveries.extend(self.awaiting.keys().map(|client| Delivery::wake(*client)));
        // A cluster's server may be there and not have the keys: that is asked in a while.
        if !self.clustered() && !self.redos.is_empty() {
            let now = self.now;
            self.redos.iter_mut().filter(|redo| !redo.behind).for_each(|redo| redo.due = now);
            self.wake_by(Some(now));
        }
    }

    /// A detour has ended: what is behind it may go.
    pub(super) fn end_detour(&mut self, detour: DetourId) {
        if self.detours.end(detour) {
            self.wake_by(Some(self.now));
        }
    }

    /// A server has not done a request of a client.
    pub(super) fn redirect(&mut self, id: LinkId, to: To, request: &[u8], reply: Vec<u8>) {
        let Some(link) = self.links.get(&id) else { return };
        let (asked, protocol, pinned) = (link.server, link.protocol, link.pin.is_some());
        let (target, asks) = self.named(asked, &reply);
        if let Some(target) = target.filter(|_| !asks) {
            self.hint_map([asked, target]);
        } else if target.is_none() {
            self.hurry_map();
        }
        let decides =
            |step: &Step| matches!(step, Step::Exec { .. } | Step::Stands { .. } | Step::Ended);
        if matches!(&to, To::Session(step) if decides(step))
            && let To::Session(step) = to
        {
            return self.replied_session(id, step, Kind::Error, reply);
        }
        if pinned {
            return self.redirect_own(id, to, request, (target, asks), reply);
        }
        let is_late = target.is_none() && self.is_followed(id, &to, request);
        let Some(again) = self.again(to, request, &reply) else { return };
        if is_late {
            return self.replied(To::Again(Box::new(again)), Kind::Error, reply);
        }
        let target = target.map(|target| (target, asks));
        match target.filter(|_| again.tries <= HOPS) {
            Some(target) => self.send_again(again, request, target, (protocol, reply)),
            None => self.put_off(again, request, target, protocol, reply),
        }
    }

    /// What is tried again, and once more often; `None` if it is not, and its end is told.
    pub(super) fn again(&mut self, to: To, request: &[u8], reply: &[u8]) -> Option<Again> {
        let (to, until, tries) = match to {
            To::Again(again) => return Some(Again { tries: again.tries + 1, ..*again }),
            to => (to, self.now + self.retried_for(), 1),
        };
        let to = match to {
            // What is read in a detour is not remembered, nor is anybody told of its changes.
            To::Value(flight) => {
                let mut read = self.reads.remove(&flight)?;
                read.tracked = false;
                To::Instead(Box::new(read))
            }
            To::Client { client, ticket, changes, protocol } => {
                self.distrust(client, ticket);
                To::Client { client, ticket, changes, protocol }
            }
            To::Reader { client, ticket } => {
                self.distrust(client, ticket);
                To::Reader { client, ticket }
            }
            To::Placed(placed) => placed.to,
            To::Part { batch } => {
                self.batches.refuse(batch, reply);
                return None;
            }
            To::Session(Step::Promised { client, .. }) => {
                self.give_promise(client, 0);
                return None;
            }
            to @ (To::Beside { .. } | To::Instead(_) | To::Info(_)) => to,
            other => {
                self.replied(other, Kind::Error, reply.to_vec());
                return None;
            }
        };
        let detour = self.detours.begin(to.clients(), self.scope_of(request), to.is_read());
        Some(Again { to, until, tries, db: 0, detour })
    }

    /// Asks a server, or later whoever has the keys then. What is behind another one waits for it.
    pub(super) fn send_again(
        &mut self,
        again: Again,
        request: &[u8],
        (server, asks): (ServerId, bool),
        (protocol, last): (Protocol, Vec<u8>),
    ) {
        if self.detours.is_behind(again.detour) {
            return self.put_off(again, request, Some((server, asks)), protocol, last);
        }
        let link = self.shared_with(server, protocol, again.db);
        if self.refuses(link) {
            let why = error_line(&self.reason(link));
            return self.put_off(again, request, None, protocol, why);
        }
        if !self.has_room(link, [request.to_vec()].iter()) {
            let last = b"-ERR too many requests wait for the store\r\n".to_vec();
            return self.put_off(again, request, Some((server, asks)), protocol, last);
        }
        self.say_asking(link, asks);
        self.send(link, request, To::Again(Box::new(again)));
    }

    /// Has a server do the next request over a connection though a slot is only on its way to it, if
    /// another server has said so.
    pub(super) fn say_asking(&mut self, id: LinkId, asks: bool) {
        if asks {
            self.send(id, &command("ASKING"), To::Nobody);
        }
    }

    /// Whether something that the client of a request has sent behind it over the same connection
    /// concerns one of its keys.
    fn is_followed(&self, id: LinkId, to: &To, request: &[u8]) -> bool {
        let Some(link) = self.links.get(&id) else { return false };
        let of = |to: &To| match to {
            To::Value(flight) => self.waiters_of(*flight),
            // Whether it is of these keys, its batch says.
            To::Session(Step::Exec { client, .. }) => SmallVec::from_elem(*client, 1),
            to => to.clients(),
        };
        let (clients, scope) = (of(to), self.scope_of(request));
        let own = |to: &To| of(to).iter().any(|client| clients.contains(client));
        let meets = |to: &To, token| match to {
            To::Session(Step::Exec { batch, .. }) => self.batches.meets(*batch, &scope),
            _ => link.to.request(token).is_none_or(|other| self.scope_of(&other).meets(&scope)),
        };
        link.to.waiting().any(|(token, to)| own(to) && meets(to, token))
    }

    /// The clients of this thread that wait for a read.
    fn waiters_of(&self, flight: u64) -> SmallVec<[ClientId; 1]> {
        let waiters = self.reads.get(&flight).into_iter().flat_map(|read| &read.waiters);
        waiters.map(|waiter| waiter.client).collect()
    }

    /// Whether these are taken, and what is said before them.
    pub(super) fn has_room<'a>(
        &self,
        id: LinkId,
        requests: impl Iterator<Item = &'a Vec<u8>>,
    ) -> bool {
        let (mut count, mut bytes) = (3, 128);
        requests.for_each(|request| (count, bytes) = (count + 1, bytes + request.len()));
        self.links.get(&id).is_some_and(|link| link.upstream.has_room(count, bytes).is_ok())
    }

    /// A request is tried again in a while, or its end has come.
    pub(super) fn put_off(
        &mut self,
        again: Again,
        request: &[u8],
        target: Option<(ServerId, bool)>,
        protocol: Protocol,
        last: Vec<u8>,
    ) {
        if again.until <= self.now {
            let to = To::Again(Box::new(again));
            return self.failing(|relay| relay.replied(to, Kind::Error, last));
        }
        let pause = pause_before(again.tries, self.lot());
        let behind = self.detours.is_behind(again.detour);
        let due = if behind { again.until } else { (self.now + pause).min(again.until) };
        self.redos.push(Redo {
            due,
            behind,
            again,
            request: request.into(),
            target,
            protocol,
            last,
        });
        self.hurry_map();
        self.wake_by(Some(due));
    }

    /// The request of a reply, if that is to a read which the server has done though it has refused
    /// what a client of it asked ahead: the keys were away and have come back.
    pub(super) fn is_early(&self, id: LinkId, token: u64) -> Option<Vec<u8>> {
        let link = self.links.get(&id).filter(|_| !self.detours.is_empty())?;
        let clients = match link.to.to(token)? {
            To::Value(flight) => self.waiters_of(*flight),
            To::Again(_) => return None,
            to if to.is_read() => to.clients(),
            _ => return None,
        };
        let request = link.to.request(token)?;
        self.detours.are_ahead_of(&clients, || self.scope_of(&request)).then_some(request)
    }

    /// A read is done again, behind what was asked ahead of it.
    pub(super) fn read_again(&mut self, to: To, request: &[u8], place: (Protocol, u8)) {
        self.retry(to, request, place, "TRYAGAIN the keys are moving to another server");
    }

    /// A request is not done, since its connection was lost: whether it is tried again.
    pub(super) fn retry(
        &mut self,
        to: To,
        request: &[u8],
        (protocol, db): (Protocol, u8),
        why: &str,
    ) {
        let last = error_line(why);
        if let Some(again) = self.again(to, request, &last) {
            self.put_off(Again { db, ..again }, request, None, protocol, last);
        }
    }

    /// Tries what is due, and what waited for others.
    pub(super) fn redo(&mut self) {
        let (now, detours) = (self.now, &self.detours);
        let goes = |redo: &mut Redo| redo.due <= now || redo.is_free(detours);
        let mut due: Vec<_> = self.redos.extract_if(.., goes).collect();
        due.sort_by_key(|redo| redo.again.detour);
        for Redo { mut again, request, target, protocol, last, .. } in due {
            again.tries += 1;
            let mut home = || self.home_of_span(self.span_of(&request)).map(|home| home.server);
            match target.map_or_else(|| home().map(|server| (server, false)), Ok) {
                Ok(target) => self.send_again(again, &request, target, (protocol, last)),
                Err(_) => self.put_off(again, &request, None, protocol, last),
            }
        }
        self.redo_batches();
        let over: Vec<_> =
            self.awaiting.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        self.deliveries.extend(over.into_iter().map(Delivery::wake));
    }

    /// When something is due.
    pub(super) fn redo_at(&self) -> Option<u64> {
        let waits = self.awaiting.values().copied().filter(|until| *until > self.now);
        let (now, detours) = (self.now, &self.detours);
        let due = |free: bool, due: u64| if free { now } else { due };
        let redos = self.redos.iter().map(|redo| due(redo.is_free(detours), redo.due));
        let late = self.late_batches.iter().map(|late| due(late.is_free(detours), late.due));
        redos.chain(late).chain(waits).min()
    }
}

/// How long is waited before something is tried again that was tried so often, shortened by lot: nodes that
/// have lost a server together do not come back together.
fn pause_before(tries: u32, lot: u64) -> u64 {
    let whole = (LEAST << tries.min(8)).min(MOST);
    whole - lot % (whole / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::pause_before;

    #[test]
    fn pauses_double_up_to_a_bound_and_are_shortened_by_up_to_a_half() {
        for (tries, whole) in [(1, 20), (2, 40), (3, 80), (4, 160), (5, 200), (6, 200), (99, 200)] {
            let pauses: Vec<_> = (0..1_000).map(|lot| pause_before(tries, lot)).collect();
            assert_eq!(pauses.iter().max(), Some(&whole));
            assert_eq!(pauses.iter().min(), Some(&(whole / 2)));
        }
    }
}

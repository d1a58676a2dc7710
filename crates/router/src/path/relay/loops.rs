//! `CLIENT TRACKING ... NOLOOP` by what a client reads: it hears of the changes of others, and not of
//! its own.
//!
//! Its reads and writes go over the connection by which the store tells of changes, which puts all of
//! them in one order:
//!
//! ```text
//! the reply to a read comes       its client is registered for the keys, in the table of that
//!                                 connection
//! the store tells of a key        those who are registered for it are told, and are so no more
//! the reply to a write comes      if it says that a key has changed, its client is registered for it
//!                                 no more: had another one changed the key before, the store would
//!                                 have told of that before
//! ```
//! A reply that does not say so leaves its client registered: it is told of its own change as well.
//! `lanes` is `BCAST`.

use super::Relay;
use super::reply::To;
use super::step::Step;
use super::tracking::caching;
use crate::cache::KeyList;
use crate::catalog::{self, Known, certain};
use crate::path::course::Course;
use crate::path::execution::elements;
use crate::path::pending::LinkId;
use crate::shared::{ClientId, TrackedReads, Tracker};
use breakwater_resp::{Args, Kind, Parsed, RequestParser};
use std::collections::HashMap;
use std::sync::Arc;

/// What clients have read, and may have written, over one connection.
struct Table {
    reads: TrackedReads,
    /// Their requests on their way, by whose replies these are.
    sent: HashMap<(ClientId, u64), OnTheirWay>,
}

/// Requests of one client on their way: one, or those of a transaction.
struct OnTheirWay {
    tracker: Arc<Tracker>,
    requests: Vec<Vec<u8>>,
    /// The keys that they read, of whose changes the client wants to hear.
    reads: KeyList,
    /// Whether the store tells of changes of what they read.
    told: bool,
}

/// The connections of this thread over which such clients read and write.
#[derive(Default)]
pub(super) struct Loops {
    tables: HashMap<LinkId, Table>,
}

impl Loops {
    /// The reads of a client, of these tickets, that the store promises nothing of.
    pub(super) fn distrust(&mut self, client: ClientId, ticket: u64) {
        for table in self.tables.values_mut() {
            if let Some(sent) = table.sent.get_mut(&(client, ticket)) {
                sent.told = false;
            }
        }
    }

    /// A client is not told of anything any more.
    pub(super) fn end(&mut self, client: ClientId) {
        self.tables.retain(|_, table| {
            table.reads.end(client);
            table.sent.retain(|(other, _), _| *other != client);
            !table.reads.is_empty()
        });
    }

    /// A connection is gone: those who have read over it are told elsewhere.
    pub(super) fn lose(&mut self, link: LinkId) {
        self.tables.remove(&link);
    }
}

impl Relay {
    /// Whether a request of a client is looked after here if it goes over this connection.
    pub(super) fn is_quiet_over(&self, link: LinkId, course: &Course) -> bool {
        course.tracking.is_quiet()
            && self.links.get(&link).is_some_and(|link| link.source.is_some())
    }

    /// Requests of such a client are about to be sent over a connection that tells of changes.
    pub(super) fn send_quietly(
        &mut self,
        link: LinkId,
        (client, ticket): (ClientId, u64),
        course: &Course,
        requests: Vec<Vec<u8>>,
        reads: KeyList,
    ) {
        let Some(tracker) = course.tracking.tracker().cloned() else { return };
        if !reads.is_empty() {
            self.send(link, &caching(), To::Allowed { client, ticket });
        }
        let limits = &self.rules.limits;
        let table = self.loops.tables.entry(link).or_insert_with(|| Table {
            reads: TrackedReads::new(limits.tracked_keys, limits.tracked_keys_by_client),
            sent: HashMap::new(),
        });
        table.reads.adopt(&tracker);
        table.sent.insert((client, ticket), OnTheirWay { tracker, requests, reads, told: true });
    }

    /// The store has answered over a connection.
    pub(super) fn answered_quietly(&mut self, link: LinkId, to: &To, kind: Kind, reply: &[u8]) {
        let Some(table) = self.loops.tables.get_mut(&link) else { return };
        let Some(whose) = whose(to) else { return };
        let Some(OnTheirWay { tracker, requests, reads, told }) = table.sent.remove(&whose) else {
            return;
        };
        for key in own_changes(&requests, kind, reply).iter() {
            table.reads.forget(tracker.client, key);
        }
        if reads.is_empty() {
            return;
        }
        // A transaction that was refused may be sent again, elsewhere.
        let again = requests.len() > 1 && kind.is_error();
        let (number, dropped) = match told && !again {
            true => table.reads.register(&tracker, &reads),
            false => (0, vec![]),
        };
        self.tell_all(dropped);
        self.watch_quietly(whose, tracker, (link, number), reads);
    }

    /// The reply to what was sent over a connection does not come over it: who waits for it is told
    /// behind it that it has changed.
    pub(super) fn doubt(&mut self, link: LinkId, to: &To) {
        let Some(table) = self.loops.tables.get_mut(&link) else { return };
        let Some(whose) = whose(to) else { return };
        if let Some(OnTheirWay { tracker, reads, .. }) = table.sent.remove(&whose) {
            self.watch_quietly(whose, tracker, (link, 0), reads);
        }
    }

    /// Whether a client has not been told of a key since it registered with this number.
    pub(super) fn holds_quietly(
        &self,
        link: LinkId,
        tracker: &Arc<Tracker>,
        key: &[u8],
        number: u64,
    ) -> bool {
        let table = self.loops.tables.get(&link);
        table.is_some_and(|table| table.reads.holds(tracker, key, number))
    }

    /// The store tells over a connection that keys have changed.
    pub(super) fn tell_quiet(&mut self, link: LinkId, keys: &KeyList) {
        let Some(table) = self.loops.tables.get(&link) else { return };
        let told = keys.iter().flat_map(|key| table.reads.changed(key)).collect();
        self.tell_all(told);
    }
}

/// The client whose reply it is, and the place of that.
fn whose(to: &To) -> Option<(ClientId, u64)> {
    match to {
        To::Client { client, ticket, .. } | To::Reader { client, ticket } => {
            Some((*client, *ticket))
        }
        To::Beside { waiter, .. } => Some((waiter.client, waiter.ticket)),
        To::Session(Step::Exec { client, ticket, .. }) => Some((*client, *ticket)),
        _ => None,
    }
}

/// The keys that requests have changed for certain, as the reply says: that of one, or that to a
/// transaction.
fn own_changes(requests: &[Vec<u8>], kind: Kind, reply: &[u8]) -> KeyList {
    let mut keys = KeyList::default();
    if let [request] = requests {
        changed_by(request, kind, reply, &mut keys);
        return keys;
    }
    // The first is `MULTI`, the last `EXEC`.
    let parts = requests.get(1..requests.len().saturating_sub(1)).unwrap_or_default();
    let replies = elements(reply).filter(|replies| replies.len() == parts.len());
    for (request, reply) in parts.iter().zip(replies.into_iter().flatten()) {
        let kind = if reply.starts_with(b"-") { Kind::Error } else { kind };
        changed_by(request, kind, &reply, &mut keys);
    }
    keys
}

fn changed_by(request: &[u8], kind: Kind, reply: &[u8], keys: &mut KeyList) {
    if kind.is_error() {
        return;
    }
    let mut parser = RequestParser::default();
    let Parsed::Command(len) = parser.parse(request, true) else { return };
    let args: Args<'_> = parser.args(&request[..len]);
    let Some(known) = catalog::find(args) else { return };
    let written = written(known, args);
    if certain(known, args, written.iter().count(), reply) {
        written.iter().for_each(|key| keys.push(key));
    }
}

/// The keys that a request writes.
fn written(known: &Known, args: Args<'_>) -> KeyList {
    let mut keys = KeyList::default();
    known.each_key(args, |place, changes| {
        if changes {
            keys.push(args.word(place));
        }
    });
    keys
}

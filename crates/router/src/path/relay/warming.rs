//! What another process or node reads most is read before clients are sent here. It is read of the store, as
//! for a client, so that the store tells of changes: what changes meanwhile is not remembered.

use super::Relay;
use super::read::Read;
use super::reads::Ask;
use crate::cache::{Count, HotRead, HotSet, Shelf, Staleness};
use crate::catalog;
use crate::path::course::{Course, Request, Stand};
use crate::path::pending::Scope;
use breakwater_engine::{Key, Role};
use breakwater_resp::{Parsed, Protocol, RequestParser};

/// The most reads that stores are asked at once: clients of this process want something of them as well.
const AT_ONCE: usize = 64;
/// The same, while it lets no clients in. Those of other processes notice little of more: a store takes
/// 16 KB of a connection at most before it serves the next one.
const AT_ONCE_ALONE: usize = 256;

/// What is still to be read.
#[derive(Default)]
pub(super) struct Warming {
    hot: HotSet,
    asked: Vec<Ahead>,
    /// No client is let in.
    alone: bool,
}

/// A read that is under way.
struct Ahead {
    flight: u64,
    shelf: Shelf,
    protocol: Protocol,
    /// How often the other process has made it.
    times: u8,
}

impl Relay {
    /// Reads what another process has read most: see [`Router::hottest`](crate::Router::hottest). In the
    /// place of what is still to be read.
    pub fn warm(&mut self, hot: Vec<u8>) {
        self.warming.hot = HotSet::new(hot);
        self.go_on_warming();
    }

    /// Whether no client is let in yet: more is read at once then.
    pub fn set_alone(&mut self, alone: bool) {
        self.warming.alone = alone;
    }

    /// Whether some of it is still to be read.
    pub fn is_warming(&self) -> bool {
        !self.warming.hot.is_over() || !self.warming.asked.is_empty()
    }

    /// Asks for more, as far as there is room.
    pub(super) fn go_on_warming(&mut self) {
        if !self.is_warming() {
            return;
        }
        let most = if self.warming.alone { AT_ONCE_ALONE } else { AT_ONCE };
        let most = most.min(self.share_of(self.rules.limits.misses));
        let is_over = |asked: &mut Ahead| !self.reads.contains_key(&asked.flight);
        for Ahead { shelf, protocol, times, .. } in self.warming.asked.extract_if(.., is_over) {
            self.router.replies.note_reads(&shelf, protocol, times);
        }
        self.look();
        while self.warming.asked.len() < most && !self.map.is_unknown() {
            let Some(read) = self.warming.hot.next() else { return };
            let asked = self.read_ahead(&read);
            self.warming.asked.extend(asked);
        }
    }

    /// Begins a read that nobody waits for. `None` if it is not to be remembered, is so
    /// already, or cannot be asked for now.
    fn read_ahead(&mut self, read: &HotRead) -> Option<Ahead> {
        let HotRead { times, db, protocol, request } = read;
        let mut parser = RequestParser::default();
        let Parsed::Command(len) = parser.parse(request, true) else { return None };
        let args = parser.args(&request[..len]);
        // What comes of a file or of another node may be anything.
        let known = catalog::find(args)?;
        if !known.cacheable || !known.takes(args.len()) {
            return None;
        }
        let request = Request {
            client: 0,
            user: None,
            db: *db,
            protocol: *protocol,
            concern: None,
            stand: Stand::Alone,
            waited: 0,
            at: 0,
            hooks: None,
            chooses: None,
            args,
            bytes: request,
        };
        let ask = self.look_at(known, &request, &Course::default()).ok().filter(|ask| !ask.hot)?;
        let shelf = Shelf::new(*db, ask.name, args, ask.keys.clone(), ask.form)?;
        if self.find(&ask, &shelf, Staleness::SecondLook, &mut vec![]).is_some() {
            return None;
        }
        self.begin_ahead(&ask, shelf, *times)
    }

    /// Asks the store, unless somebody does already, or it cannot be asked for now.
    fn begin_ahead(&mut self, ask: &Ask<'_, '_>, shelf: Shelf, times: u8) -> Option<Ahead> {
        let protocol = ask.request.protocol;
        let scope = Scope::of(shelf.keys.iter());
        let goal = self.goal(ask, &shelf, &scope, &Course::default()).ok()?;
        let generations = self.begin_generations(ask, &shelf, &goal)?;
        let name = shelf.flight(&generations)?;
        match self.router.cache().flights().join(Key::bytes(&name), self.number, &[]) {
            Role::Lead(lease) => {
                self.tally.add(ask.route, Count::Warmed);
                let flight = lease.ticket().flight;
                let place = (goal.reader, goal.home.partition, self.map.epoch);
                let known = (shelf.clone(), generations);
                let mut read = Read::new(known, self.placed(ask), place, ask.request.bytes);
                read.wants(protocol);
                self.begin(read, lease);
                Some(Ahead { flight, shelf, protocol, times })
            }
            Role::Wait { ticket, new: true, .. } => {
                self.router.cache().flights().leave(ticket, self.number);
                None
            }
            Role::Wait { ticket, .. } => {
                // The same, in the form of the other protocol.
                if let Some(read) = self.reads.get_mut(&ticket.flight) {
                    read.wants(protocol);
                }
                None
            }
        }
    }
}

//! Requests that are done in parts. Each part has a ticket of its own, which is the relay's and no
//! client's: what is answered under it is kept until all parts are, and then the client gets one reply.

use super::Relay;
use crate::path::split::WholeRequest;
use crate::shared::ClientId;
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// Tickets of parts begin here; clients do not come so far.
const PARTS: u64 = 1 << 63;

/// A request whose parts are on their way.
struct Gathering {
    ticket: u64,
    whole: WholeRequest,
    /// The ticket of its first part.
    first: u64,
}

/// The requests of a thread that are done in parts.
#[derive(Default)]
pub(super) struct Gather {
    /// By the tickets of their first parts.
    all: HashMap<u64, Gathering, FixedState>,
    /// The first part of the same request, for each part that is not answered.
    parts: HashMap<u64, u64, FixedState>,
    /// How many tickets were given out.
    given: u64,
}

impl Relay {
    /// Takes in a request of a client that is done in parts; the ticket of the first one. Those of the
    /// others follow it.
    pub(super) fn gather(&mut self, ticket: u64, whole: WholeRequest) -> u64 {
        let first = PARTS + self.gather.given;
        self.gather.given += whole.parts.len() as u64;
        let open = |(at, _): (usize, _)| (first + at as u64, first);
        let unanswered = whole.parts.iter().enumerate().filter(|(_, part)| part.reply.is_none());
        self.gather.parts.extend(unanswered.map(open));
        self.gather.all.insert(first, Gathering { ticket, whole, first });
        first
    }

    /// The ticket that a client knows a request by, of which this one may be a part.
    pub(super) fn clients_ticket(&self, ticket: u64) -> u64 {
        if ticket < PARTS {
            return ticket;
        }
        let first = self.gather.parts.get(&ticket);
        first.and_then(|first| self.gather.all.get(first)).map_or(ticket, |one| one.ticket)
    }

    /// A part is answered; so is the client, if it was the last one.
    pub(super) fn answer_part(&mut self, client: ClientId, part: u64, bytes: Vec<u8>) {
        let Some(first) = self.gather.parts.remove(&part) else { return };
        let Some(gathering) = self.gather.all.get_mut(&first) else { return };
        if !gathering.whole.fill((part - gathering.first) as usize, bytes) {
            return;
        }
        let lot = self.lot();
        if let Some(gathering) = self.gather.all.remove(&first) {
            self.answer(client, gathering.ticket, gathering.whole.merged(lot));
        }
    }
}

/// Whether a ticket is that of a part.
pub(super) fn is_part(ticket: u64) -> bool {
    ticket >= PARTS
}

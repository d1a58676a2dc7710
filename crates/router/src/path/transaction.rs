//! A transaction that its client has begun: what it queues is kept here. What is for the store is sent
//! whole; what speaks of the client's own connection the node does itself, once the store has done its
//! part (`execution`).

use super::changes::Changes;
use super::execution::{Execution, Piece};
use super::pending::Scope;
use super::replies::Ticket;
use crate::cache::KeyList;
use crate::failure::Failure;
use crate::topology::Span;
use breakwater_resp::write_request;

/// What is between `MULTI` and `EXEC`.
#[derive(Default)]
pub(crate) struct Transaction {
    /// The requests as the client sent them, one behind the other, where each ends, and whether the
    /// node does it.
    requests: Vec<u8>,
    ends: Vec<(usize, bool)>,
    /// How many its client has queued, before one was refused if one was.
    count: u32,
    /// Whether one of them was refused: then none is done.
    refused: bool,
    /// The keys that it reads whose changes its client is to hear of.
    pub(crate) reads: KeyList,
    /// The database that it ends in, if it chooses one.
    pub(crate) db: Option<u8>,
    /// What all its keys belong to.
    span: Option<Span>,
    /// Its keys, those that it reads as well.
    pub(super) scope: Scope,
    /// What it changes.
    pub(super) changes: Changes,
}

impl Transaction {
    /// Takes a request in that the store does, or the node itself, unless they have more than `limit`
    /// bytes together.
    pub(crate) fn queue(&mut self, request: &[u8], own: bool, limit: usize) -> Result<(), Failure> {
        if self.requests.len() + request.len() > limit {
            self.refuse();
            return Err("ERR the transaction is too large".into());
        }
        self.requests.extend_from_slice(request);
        self.ends.push((self.requests.len(), own));
        self.count += u32::from(!self.refused);
        Ok(())
    }

    /// How many requests its client has queued.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// What all its keys belong to.
    pub(crate) fn span(&self) -> Span {
        self.span.unwrap_or(Span::Keyless)
    }

    /// A request whose keys belong to this is one of it.
    pub(crate) fn spans(&mut self, more: Span) {
        self.span = Some(match (self.span(), more) {
            (one, Span::Keyless) | (Span::Keyless, one) => one,
            (one, other) if one == other => one,
            _ => Span::Several,
        });
    }

    /// One of its requests is refused.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
        (self.requests, self.ends, self.changes) = (vec![], vec![], Changes::Nothing);
    }

    /// Whether one was.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// The requests, and whether the node does each.
    fn each(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut from = 0;
        self.ends.iter().map(move |(end, own)| {
            let request = &self.requests[from..*end];
            from = *end;
            (request, *own)
        })
    }

    /// All that is sent: each request that gets a reply of its own.
    pub(crate) fn whole(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::with_capacity(self.ends.len() + 2);
        all.push(command("MULTI"));
        all.extend(self.each().filter(|(_, own)| !own).map(|(request, _)| request.to_vec()));
        all.push(command("EXEC"));
        all
    }

    /// Whether the node does a part of it.
    pub(super) fn has_own(&self) -> bool {
        self.ends.iter().any(|(_, own)| *own)
    }

    /// What it is once it was sent, whether or not anybody wants the reply to `EXEC`; `None` if the
    /// store does all of it.
    pub(super) fn execution(&self, ticket: Ticket, muted: bool) -> Option<Execution> {
        let part = |(request, own): (&[u8], bool)| match own {
            true => Piece::Own(request.to_vec()),
            false => Piece::Stores,
        };
        self.has_own().then(|| Execution::new((ticket, muted), self.each().map(part).collect()))
    }
}

/// A command of one word.
pub(crate) fn command(word: &str) -> Vec<u8> {
    let mut bytes = vec![];
    write_request(&mut bytes, &[word]);
    bytes
}

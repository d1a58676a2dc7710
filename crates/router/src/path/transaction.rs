//! A transaction that its client has begun: what it queues is kept here, and sent whole.

use super::changes::Changes;
use crate::cache::KeyList;
use crate::failure::Failure;
use crate::topology::Span;
use breakwater_resp::write_request;

/// What is between `MULTI` and `EXEC`.
#[derive(Default)]
pub(crate) struct Transaction {
    /// The requests as the client sent them, one behind the other, and where each ends.
    requests: Vec<u8>,
    ends: Vec<usize>,
    /// Whether one of them was refused: then none is done.
    refused: bool,
    /// The keys that it reads whose changes its client is to hear of.
    pub(crate) reads: KeyList,
    /// The database that it ends in, if it chooses one.
    pub(crate) db: Option<u8>,
    /// What all its keys belong to.
    span: Option<Span>,
    /// What it changes.
    pub(super) changes: Changes,
}

impl Transaction {
    /// Takes a request in, unless they have more than `limit` bytes together.
    pub(crate) fn queue(&mut self, request: &[u8], limit: usize) -> Result<(), Failure> {
        if self.requests.len() + request.len() > limit {
            self.refuse();
            return Err("ERR the transaction is too large".into());
        }
        self.requests.extend_from_slice(request);
        self.ends.push(self.requests.len());
        Ok(())
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

    /// All that is sent: each request that gets a reply of its own.
    pub(crate) fn whole(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::with_capacity(self.ends.len() + 2);
        all.push(command("MULTI"));
        let mut from = 0;
        for end in &self.ends {
            all.push(self.requests[from..*end].to_vec());
            from = *end;
        }
        all.push(command("EXEC"));
        all
    }
}

/// A command of one word.
pub(crate) fn command(word: &str) -> Vec<u8> {
    let mut bytes = vec![];
    write_request(&mut bytes, &[word]);
    bytes
}

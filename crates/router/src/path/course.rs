//! What a session and the relay tell each other: a request, what became of it, and a reply.

use super::pending::{LinkId, Pending};
use super::replies::OwedReplies;
use crate::cache::Concern;
use crate::policy::User;
use crate::shared::ClientId;
use breakwater_resp::{Args, Protocol};

/// A reply for a client.
pub struct Delivery {
    /// Whose it is.
    pub client: ClientId,
    /// Which of its requests it answers; `None` if it is passed on as it came.
    pub ticket: Option<u64>,
    /// The reply.
    pub bytes: Vec<u8>,
    /// Whether the connection ends with it.
    pub ends: bool,
}

/// What became of a request.
pub(crate) enum Taken {
    /// The node answers it by itself.
    Local,
    /// It is on its way, or answered in the output.
    Done,
    /// It has to wait until replies have come that are owed.
    Later,
}

/// What a request is to the relay.
pub(crate) struct Request<'a> {
    pub(crate) client: ClientId,
    pub(crate) user: Option<&'a User>,
    pub(crate) db: u8,
    pub(crate) protocol: Protocol,
    /// What the client says of where its reads are answered from.
    pub(crate) concern: Option<Concern>,
    pub(crate) args: Args<'a>,
    /// As the client sent it.
    pub(crate) bytes: &'a [u8],
}

/// What a session keeps for the relay.
#[derive(Default)]
pub(crate) struct Course {
    pub(crate) replies: OwedReplies,
    /// What its requests without replies do to keys.
    pub(crate) pending: Pending,
    /// The connection of its own.
    pub(super) pinned: Option<LinkId>,
    /// Whether it is between `MULTI` and `EXEC`.
    pub(super) queues: bool,
}

impl Course {
    /// Follows what a request on a connection of its own begins or ends.
    pub(super) fn follow(&mut self, words: Args<'_>) {
        if words.is(0, "multi") {
            self.queues = true;
        } else if words.is(0, "exec") || words.is(0, "discard") {
            self.queues = false;
        }
    }
}

//! What a client's bytes came to, as its driver takes it.

use crate::shared::ClientId;
use crate::sight::StepCounts;
use breakwater_resp::{Protocol, ReplyWriter};

/// What a chunk of a client's bytes came to. Drivers keep one and clear it after each write.
#[derive(Default)]
pub struct Output {
    /// Replies, to be written in this order.
    pub bytes: Vec<u8>,
    /// Clients of this router whose connections must be closed now, whichever thread has them.
    pub kills: Vec<ClientId>,
    /// The requests that were taken: the driver says how long they took, see
    /// [`Lane::close`](crate::Lane::close).
    pub batch: StepCounts,
}

impl Output {
    /// The last reply to a client that broke the protocol.
    pub(super) fn error(&mut self, text: &[u8]) {
        ReplyWriter::new(&mut self.bytes, Protocol::Resp2).error(text);
    }
}

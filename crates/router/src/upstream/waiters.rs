//! Who waits for replies: in the order in which the server answers, and before that in the order in
//! which they came.

use std::collections::VecDeque;

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// As many wait as may.
    Requests,
    /// As many bytes wait to be written as may.
    Bytes,
    /// The connection was ended.
    Ended,
}

/// Why a request gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The request was never written: it may be tried elsewhere.
    Unwritten,
    /// The connection was lost after the request was written: the server may have done it or not.
    Cut,
    /// The reply did not come in time: the server may have done it, do it still, or not.
    Late,
}

/// A request that was written.
#[derive(Debug)]
struct OpenRequest {
    /// What its caller knows it by; `None` once the caller does not wait any more.
    token: Option<u64>,
    /// When its caller stops waiting; [`NEVER`] if it waits for as long as it takes.
    deadline: u64,
    /// Whether an error may come before its reply.
    announced: bool,
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// By one reply, in time.
    Usual,
    /// By one reply. Once it is written its caller waits for as long as it takes.
    Patient,
    /// By pushes or by an error, and by the reply to another request behind it.
    Announced,
}

/// The deadline of who waits for as long as it takes.
const NEVER: u64 = u64::MAX;

/// A request that waits until it can be written.
#[derive(Debug)]
struct Held {
    token: u64,
    deadline: u64,
    manner: Manner,
    request: Box<[u8]>,
}

/// The requests of a connection. All callers wait equally long, so that deadlines come in order; what
/// is written behind a request that takes as long as it likes waits for that one.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    written: VecDeque<OpenRequest>,
    held: VecDeque<Held>,
    held_bytes: usize,
}

impl Waiters {
    /// How many requests there are, those included whose callers have gone.
    pub(super) fn len(&self) -> usize {
        self.written.len() + self.held.len()
    }

    /// Whether the server owes a reply.
    pub(super) fn owes(&self) -> bool {
        !self.written.is_empty()
    }

    /// Whether the server owes a reply that it has no reason to be long about.
    pub(super) fn owes_soon(&self) -> bool {
        self.written.front().is_some_and(|waiter| waiter.deadline != NEVER)
    }

    /// Bytes that wait until they can be written.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// A request was written.
    pub(super) fn write(&mut self, token: u64, deadline: u64, manner: Manner) {
        let deadline = if manner == Manner::Patient { NEVER } else { deadline };
        let announced = manner == Manner::Announced;
        self.written.push_back(OpenRequest { token: Some(token), deadline, announced });
    }

    /// A request waits until it can be written.
    pub(super) fn hold(&mut self, token: u64, deadline: u64, manner: Manner, request: &[u8]) {
        self.held_bytes += request.len();
        self.held.push_back(Held { token, deadline, manner, request: request.into() });
    }

    /// Writes what waits.
    pub(super) fn write_held(&mut self, out: &mut Vec<u8>) {
        self.held_bytes = 0;
        for Held { token, deadline, manner, request } in std::mem::take(&mut self.held) {
            out.extend_from_slice(&request);
            self.write(token, deadline, manner);
        }
    }

    /// A reply came: whose it is, if the caller still waits; `None` if nobody asked for it.
    pub(super) fn answered(&mut self, is_error: bool) -> Option<Option<u64>> {
        let first = self.written.front_mut()?;
        if is_error && first.announced {
            // What was announced was refused: its reply is still to come, for nobody.
            first.announced = false;
            return Some(first.token.take());
        }
        self.written.pop_front().map(|waiter| waiter.token)
    }

    /// The connection is lost: hands over who waited for its replies. What is held stays.
    pub(super) fn cut(&mut self, mut lost: impl FnMut(u64, Lost)) {
        let tokens = self.written.drain(..).filter_map(|waiter| waiter.token);
        tokens.for_each(|token| lost(token, Lost::Cut));
    }

    /// The connection was ended: hands over who waited until they could be written.
    pub(super) fn release(&mut self, mut lost: impl FnMut(u64, Lost)) {
        self.held_bytes = 0;
        self.held.drain(..).for_each(|held| lost(held.token, Lost::Unwritten));
    }

    /// Hands over those whose deadlines have come. The places of written ones stay, for their
    /// replies.
    pub(super) fn expire(&mut self, now: u64, mut lost: impl FnMut(u64, Lost)) {
        for waiter in self.written.iter_mut().take_while(|waiter| waiter.deadline <= now) {
            if let Some(token) = waiter.token.take() {
                lost(token, Lost::Late);
            }
        }
        while self.held.front().is_some_and(|held| held.deadline <= now) {
            let Some(held) = self.held.pop_front() else { break };
            self.held_bytes -= held.request.len();
            lost(held.token, Lost::Unwritten);
        }
    }

    /// A caller goes; whether it waited. A request that was not written never is.
    pub(super) fn leave(&mut self, token: u64) -> bool {
        if let Some(waiter) = self.written.iter_mut().find(|waiter| waiter.token == Some(token)) {
            waiter.token = None;
            return true;
        }
        let held = self.held.iter().position(|held| held.token == token);
        let held = held.and_then(|at| self.held.remove(at));
        self.held_bytes -= held.as_ref().map_or(0, |held| held.request.len());
        held.is_some()
    }

    /// The earliest deadline of those that wait.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let mut written = self.written.iter().take_while(|waiter| waiter.deadline != NEVER);
        let written = written.find(|waiter| waiter.token.is_some()).map(|waiter| waiter.deadline);
        let held = self.held.front().map(|held| held.deadline);
        written.into_iter().chain(held).min()
    }
}

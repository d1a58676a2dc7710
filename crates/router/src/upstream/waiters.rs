//! Who waits for replies: in the order in which the server answers, and before that in the order in
//! which they came.

use std::collections::{BTreeSet, VecDeque};

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
    /// As usual, by a server that may answer as a replica of who has the keys.
    OfReplica,
}

/// The deadline of who waits for as long as it takes.
const NEVER: u64 = u64::MAX;

/// A request that waits until it can be written.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) token: u64,
    pub(super) deadline: u64,
    pub(super) manner: Manner,
    pub(super) request: Box<[u8]>,
}

/// The requests of a connection. Most callers wait equally long, so that deadlines come in order. What
/// is written behind a request that takes as long as it likes waits for that one.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    written: VecDeque<OpenRequest>,
    /// The number of the first that is written.
    first: u64,
    /// The latest deadline of those that are written, and the numbers of those that are due before one
    /// that was written earlier: their callers had waited already.
    latest: u64,
    early: BTreeSet<(u64, u64)>,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// The earliest deadline of those that are held.
    held_until: Option<u64>,
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
        self.rank(self.first + self.written.len() as u64, deadline);
        self.written.push_back(OpenRequest { token: Some(token), deadline, announced });
    }

    /// A request was written whose reply is nobody's.
    pub(super) fn write_for_nobody(&mut self, deadline: u64) {
        self.rank(self.first + self.written.len() as u64, deadline);
        self.written.push_back(OpenRequest { token: None, deadline, announced: false });
    }

    /// A request waits until it can be written.
    pub(super) fn hold(&mut self, token: u64, deadline: u64, manner: Manner, request: &[u8]) {
        self.held_bytes += request.len();
        self.held_until = Some(self.held_until.map_or(deadline, |until| until.min(deadline)));
        self.held.push_back(Held { token, deadline, manner, request: request.into() });
    }

    /// Hands over what waits to be written.
    pub(super) fn take_held(&mut self) -> VecDeque<Held> {
        (self.held_bytes, self.held_until) = (0, None);
        std::mem::take(&mut self.held)
    }

    /// A reply came: whose it is, if the caller still waits; `None` if nobody asked for it.
    pub(super) fn answered(&mut self, is_error: bool) -> Option<Option<u64>> {
        let first = self.written.front_mut()?;
        if is_error && first.announced {
            // What was announced was refused: its reply is still to come, for nobody.
            first.announced = false;
            return Some(first.token.take());
        }
        let waiter = self.written.pop_front()?;
        self.early.remove(&(waiter.deadline, self.first));
        self.first += 1;
        if self.written.is_empty() {
            self.latest = 0;
        } else if waiter.deadline == NEVER {
            // Nobody has counted those behind it.
            self.latest = 0;
            let deadlines: Vec<_> = self.written.iter().map(|waiter| waiter.deadline).collect();
            (self.first..)
                .zip(deadlines)
                .for_each(|(number, deadline)| self.rank(number, deadline));
        }
        Some(waiter.token)
    }

    /// Notes whether a request is due before one that was written earlier.
    fn rank(&mut self, number: u64, deadline: u64) {
        if deadline < self.latest && self.latest != NEVER {
            self.early.insert((deadline, number));
        }
        self.latest = self.latest.max(deadline);
    }

    /// The connection is lost: hands over who waited for its replies. What is held stays.
    pub(super) fn cut(&mut self, mut lost: impl FnMut(u64, Lost)) {
        self.first += self.written.len() as u64;
        (self.latest, self.early) = (0, BTreeSet::new());
        let tokens = self.written.drain(..).filter_map(|waiter| waiter.token);
        tokens.for_each(|token| lost(token, Lost::Cut));
    }

    /// The connection was ended: hands over who waited until they could be written.
    pub(super) fn release(&mut self, mut lost: impl FnMut(u64, Lost)) {
        (self.held_bytes, self.held_until) = (0, None);
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
        while let Some((deadline, number)) = self.early.first().copied()
            && deadline <= now
        {
            self.early.pop_first();
            let waiter = self.written.get_mut((number - self.first) as usize);
            if let Some(token) = waiter.and_then(|waiter| waiter.token.take()) {
                lost(token, Lost::Late);
            }
        }
        if self.held_until.is_some_and(|until| until <= now) {
            self.held.retain(|held| {
                if held.deadline <= now {
                    self.held_bytes -= held.request.len();
                    lost(held.token, Lost::Unwritten);
                }
                held.deadline > now
            });
            self.held_until = self.held.iter().map(|held| held.deadline).min();
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
        self.held_until = self.held.iter().map(|held| held.deadline).min();
        held.is_some()
    }

    /// The earliest deadline of those that wait.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let mut written = self.written.iter().take_while(|waiter| waiter.deadline != NEVER);
        let written = written.find(|waiter| waiter.token.is_some()).map(|waiter| waiter.deadline);
        let early = self.early.first().map(|(deadline, _)| *deadline);
        written.into_iter().chain(early).chain(self.held_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_waits_until_its_own_deadline_or_for_what_takes_as_long_as_it_likes(
            all in vec((1..50u64, 0..10u8), 1..30),
            replies in 0..30usize,
        ) {
            for held in [false, true] {
                let mut waiters = Waiters::default();
                let manner = |lot: &u8| if *lot == 0 { Manner::Patient } else { Manner::Usual };
                for (token, (deadline, lot)) in (0..).zip(&all) {
                    match held {
                        true => waiters.hold(token, *deadline, manner(lot), b"x"),
                        false => waiters.write(token, *deadline, manner(lot)),
                    }
                }
                let answered = if held { 0 } else { replies.min(all.len()) };
                (0..answered).for_each(|_| assert!(waiters.answered(false).is_some()));
                let mut open: Vec<_> = (0..).zip(&all).skip(answered).collect();
                let patient = open.iter().position(|(_, (_, lot))| *lot == 0).filter(|_| !held);
                open.truncate(patient.unwrap_or(open.len()));
                while let Some(at) = waiters.next_deadline() {
                    let mut lost = vec![];
                    waiters.expire(at, |token, _| lost.push(token));
                    lost.sort_unstable();
                    let due = open.extract_if(.., |(_, (deadline, _))| *deadline <= at);
                    let due: Vec<u64> = due.map(|(token, _)| token).collect();
                    prop_assert!(!due.is_empty(), "woken for nothing at {}", at);
                    prop_assert_eq!(lost, due);
                }
                prop_assert!(open.is_empty(), "{:?} wait for ever", open);
            }
        }
    }
}

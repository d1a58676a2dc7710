//! One connection to a store: requests go out in the order in which they are given, and replies
//! belong to them first in, first out.
//!
//! ```text
//! state      begins with          what it does                          goes on to
//! Down       the start, a loss    nothing, until its time has come      Connecting
//! Connecting `connect`            the driver opens a socket             Greeting, Down
//! Greeting   `connected`          says who it is, and how it speaks     Ready, Down
//! Ready      all greetings are    sends requests, hands replies out     Down
//!            answered well
//! ```
//! What has no reply when a connection is lost has failed: nobody knows whether the store did it.

use super::address::StoreAddress;
use breakwater_resp::{Frame, Kind, Protocol, ReplyParser, write_request};
use std::collections::VecDeque;
use std::sync::Arc;

/// The first wait after a loss, which doubles with each that follows, and the longest, in
/// milliseconds.
const FIRST_WAIT: u64 = 50;
const LONGEST_WAIT: u64 = 2_000;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Down { until: u64 },
    Connecting,
    Greeting { left: usize },
    Ready,
}

/// Whose reply it is.
enum Place<T> {
    /// The connection's own: a greeting, or the choice of a database.
    Own,
    Theirs(T),
}

/// What came from the store.
pub(crate) enum Arrival<'a, T> {
    /// The reply to a request.
    Reply(T, Frame, &'a [u8]),
    /// Something that answers no request.
    Push(&'a [u8]),
}

/// A connection to a store.
pub(crate) struct Upstream<T> {
    address: Arc<StoreAddress>,
    protocol: Protocol,
    tracks: bool,
    state: State,
    /// Bytes to be written.
    output: Vec<u8>,
    /// Received bytes of a reply that is not complete.
    pending: Vec<u8>,
    parser: ReplyParser,
    places: VecDeque<Place<T>>,
    /// The database that the store has chosen for it, once all that is sent is done.
    db: u8,
    /// Losses since it was last ready.
    losses: u32,
    /// Why it is not ready, for people.
    reason: String,
}

impl<T> Upstream<T> {
    /// A connection that is down. `tracks`: whether the store tells of changes of what is read.
    pub(crate) fn new(address: Arc<StoreAddress>, protocol: Protocol, tracks: bool) -> Self {
        Self {
            address,
            protocol,
            tracks,
            state: State::Down { until: 0 },
            output: vec![],
            pending: vec![],
            parser: ReplyParser::default(),
            places: VecDeque::new(),
            db: 0,
            losses: 0,
            reason: "not connected yet".to_owned(),
        }
    }

    /// Whether requests can be sent.
    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether it was neither made nor failed yet.
    pub(crate) fn is_new(&self) -> bool {
        self.losses == 0 && !self.is_ready()
    }

    /// Whether it is to be tried now; if so it is being connected from now on.
    pub(crate) fn connect(&mut self, now: u64) -> bool {
        let due = matches!(self.state, State::Down { until } if until <= now);
        if due {
            self.state = State::Connecting;
        }
        due
    }

    /// When it is to be tried again, in Unix milliseconds.
    pub(crate) fn due(&self) -> Option<u64> {
        match self.state {
            State::Down { until } => Some(until),
            _ => None,
        }
    }

    /// Why requests cannot be sent, for people.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// The socket is open: says who it is.
    pub(crate) fn connected(&mut self) {
        let mut left = 0;
        let mut say = |words: &[&str]| {
            write_request(&mut self.output, words);
            left += 1;
        };
        let StoreAddress { user, password, .. } = &*self.address;
        match (user, password) {
            (Some(user), Some(password)) => say(&["AUTH", user, password]),
            (None, Some(password)) => say(&["AUTH", password]),
            _ => {}
        }
        match self.protocol {
            Protocol::Resp2 => say(&["PING"]),
            Protocol::Resp3 => say(&["HELLO", "3"]),
        }
        if self.tracks {
            say(&["CLIENT", "TRACKING", "ON", "OPTIN"]);
        }
        self.places.extend((0..left).map(|_| Place::Own));
        self.state = State::Greeting { left };
    }

    /// The connection is gone, or could not be made. What had no reply yet is handed back.
    pub(crate) fn lost(&mut self, now: u64, why: &str) -> Vec<T> {
        self.losses += 1;
        let wait = FIRST_WAIT.saturating_mul(1 << (self.losses - 1).min(16)).min(LONGEST_WAIT);
        self.state = State::Down { until: now + wait };
        if self.losses == 1 || !why.is_empty() {
            self.reason = why.to_owned();
        }
        self.output.clear();
        self.pending.clear();
        self.parser = ReplyParser::default();
        self.db = 0;
        let places = std::mem::take(&mut self.places);
        places
            .into_iter()
            .filter_map(|place| if let Place::Theirs(to) = place { Some(to) } else { None })
            .collect()
    }

    /// Sends a request, verbatim, in a database; its reply is `to`'s. The connection is ready.
    pub(crate) fn send(&mut self, db: u8, request: &[u8], to: T) {
        debug_assert!(self.is_ready());
        if db != self.db {
            write_request(&mut self.output, &[b"SELECT".as_slice(), db.to_string().as_bytes()]);
            self.places.push_back(Place::Own);
            self.db = db;
        }
        self.output.extend_from_slice(request);
        self.places.push_back(Place::Theirs(to));
    }

    /// Requests that have no reply yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.places.len()
    }

    /// What is to be written.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Takes what the store sent, in pieces of any size.
    ///
    /// # Errors
    /// Why the connection must be given up: the store refuses the node, or speaks no RESP.
    pub(crate) fn receive(
        &mut self,
        chunk: &[u8],
        mut on: impl FnMut(Arrival<'_, T>),
    ) -> Result<(), String> {
        if self.pending.is_empty() {
            let used = self.take(chunk, &mut on)?;
            self.pending.extend_from_slice(&chunk[used..]);
            return Ok(());
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(chunk);
        let used = self.take(&pending, &mut on)?;
        pending.drain(..used);
        self.pending = pending;
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], on: &mut impl FnMut(Arrival<'_, T>)) -> Result<usize, String> {
        let mut used = 0;
        while let Some(frame) = self
            .parser
            .parse(&bytes[used..])
            .map_err(|error| format!("it speaks no RESP: {error}"))?
        {
            let reply = &bytes[used..used + frame.len];
            used += frame.len;
            if frame.kind == Kind::Push {
                on(Arrival::Push(reply));
                continue;
            }
            match self.places.pop_front() {
                Some(Place::Theirs(to)) => on(Arrival::Reply(to, frame, reply)),
                Some(Place::Own) => self.own(frame, reply)?,
                None => return Err("it answers what nobody asked".to_owned()),
            }
        }
        Ok(used)
    }

    /// A reply to what the connection said by itself.
    fn own(&mut self, frame: Frame, reply: &[u8]) -> Result<(), String> {
        if frame.kind.is_error() {
            let text = String::from_utf8_lossy(reply);
            return Err(format!("it answers {}", text.trim_end().trim_start_matches('-')));
        }
        if let State::Greeting { left } = &mut self.state {
            *left -= 1;
            if *left == 0 {
                self.state = State::Ready;
                self.losses = 0;
            }
        }
        Ok(())
    }
}

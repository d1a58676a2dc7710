//! Takes a client's commands from what it sends, and has each done.

use super::{Next, Session};
use crate::client::admission::{admit, refuse, too_long};
use crate::client::ahead::{self, AHEAD};
use crate::client::gate::{Asking, Gate};
use crate::client::output::Output;
use crate::command::State;
use crate::hooks::HookCaller;
use crate::path::{Course, Relay};
use crate::shared::{Ending, Router};
use breakwater_resp::Parsed;
use std::mem;

impl Session {
    /// Runs the commands that are whole in what the client has sent, with what is kept of before; keeps the
    /// rest.
    pub(super) fn take(
        &mut self,
        chunk: &[u8],
        now: u64,
        output: &mut Output,
        mut relay: Option<&mut Relay>,
        hooks: Option<&mut (dyn HookCaller + 'static)>,
    ) -> Next {
        if let Asking::Turned(why) = &mut self.asking {
            let why = mem::take(why);
            return self.refuse(&why, output);
        }
        let moment = self.router.replies.now();
        let now = self.router.store.synchronize(now, moment);
        if let Some(relay) = &mut relay {
            relay.takes_at(moment);
        }
        let clock = relay.as_ref().map(|relay| relay.now());
        if self.pending.is_empty() {
            // The usual case: whole commands, read where they lie.
            let (used, next) = self.run(chunk, now, output, relay, hooks);
            if next != Next::Close {
                self.pending.extend_from_slice(&chunk[used..]);
                self.keep(chunk.len() - used, next, clock);
            }
            return next;
        }
        if self.pending.len() + chunk.len() > self.state.rules.limits.input {
            return self.refuse(b"ERR Protocol error: too much unprocessed input", output);
        }
        self.pending.extend_from_slice(chunk);
        if let Some(clock) = clock {
            self.arrivals.keep(chunk.len(), clock);
        }
        let mut pending = mem::take(&mut self.pending);
        let (used, next) = self.run(&pending, now, output, relay, hooks);
        self.arrivals.drop(used);
        self.keep(0, next, clock);
        if next != Next::Close && used < pending.len() {
            pending.drain(..used);
            // What a large command needed is given back with it.
            pending.shrink_to(pending.len().max(64 * 1024) * 2);
            self.pending = pending;
        }
        next
    }

    /// Notes that bytes are kept, and whether a command waits for the store: while a pause holds it up, or
    /// a hook, it does not.
    fn keep(&mut self, count: usize, next: Next, clock: Option<u64>) {
        let Some(clock) = clock else { return };
        self.arrivals.keep(count, clock);
        if next == Next::Await && !self.course.paused && !self.asking.waits() {
            self.arrivals.wait(clock);
        }
    }

    /// Runs commands from the head of `bytes`; how many bytes they had.
    fn run(
        &mut self,
        bytes: &[u8],
        now: i64,
        output: &mut Output,
        mut relay: Option<&mut Relay>,
        mut hooks: Option<&mut (dyn HookCaller + 'static)>,
    ) -> (usize, Next) {
        let mut done = Progress { bytes, used: 0, commands: 0, weight: 0 };
        self.state.expire(now);
        let next = loop {
            if let Some(next) = self.stops(&done, now, output) {
                break next;
            }
            self.requests.bound(self.state.rules.limits.value);
            match self.requests.parse(done.rest(), self.state.user.is_some()) {
                Parsed::Partial => break Next::Read,
                Parsed::Command(len) => {
                    let (relay, hooks) = (relay.as_deref_mut(), hooks.as_deref_mut());
                    if !self.take_command(len, &mut done, now, output, relay, hooks) {
                        break Next::Await;
                    }
                }
                Parsed::Skipped(len) => {
                    done.used += len;
                    break Next::Read;
                }
                Parsed::TooLong(len, word) => {
                    self.refuse_long(word, now, output);
                    done.took(len, 1);
                }
                Parsed::Invalid(violation) => {
                    (self.state.closing, self.cause) = (true, Ending::Protocol);
                    output.error(&violation.message());
                }
            }
        };
        self.router.count(done.commands, 0, 0);
        self.made += done.commands;
        if let Some(relay) = relay {
            output.batch.add(relay.counted());
        }
        (done.used, next)
    }

    /// What the driver does next if no further command may run now: the connection ends, a hook has to
    /// answer, or the step is long enough.
    #[inline]
    fn stops(&mut self, done: &Progress<'_>, now: i64, output: &Output) -> Option<Next> {
        keep_up(&mut self.state, &mut self.course, &self.router, now);
        if self.state.closing || self.state.client.is_killed() {
            self.state.closing = true;
            return Some(Next::Close);
        }
        if self.asking.waits() {
            return Some(Next::Await);
        }
        let limits = &self.state.rules.limits;
        let full = output.bytes.len() >= limits.output || done.weight >= limits.batch;
        (full && !done.rest().is_empty()).then_some(Next::Resume)
    }

    /// Has the next command done, which has `len` bytes, or refused; `false` if it has to wait.
    #[inline]
    fn take_command(
        &mut self,
        len: usize,
        done: &mut Progress<'_>,
        now: i64,
        output: &mut Output,
        relay: Option<&mut Relay>,
        hooks: Option<&mut (dyn HookCaller + 'static)>,
    ) -> bool {
        let rest = done.rest();
        let Self { router, requests, arrivals, state, course, asking, asked, .. } = self;
        let args = requests.args(&rest[..len]);
        if args.is_empty() {
            done.used += len;
            return true;
        }
        let more = rest.len() > len && state.user.is_some();
        if more && done.commands.is_multiple_of(AHEAD as u64) {
            fetch_keys(rest, state, router, relay.is_some());
        }
        let weight = if let Err(why) = admit(state, router, course, args, len) {
            refuse(state, router, course, (&why, Some(args)), now, output);
            1
        } else {
            let waited = relay.as_ref().map_or(0, |_| arrivals.waited(done.used + len));
            let mut gate = Gate { state, router, course, relay, asking, asked, hooks, waited };
            match gate.pass(&requests.spelled(&rest[..len]), args, now, output) {
                Some(weight) => weight,
                None => return false,
            }
        };
        if let Some(stay) = &mut state.stay {
            stay.taken();
        }
        done.took(len, weight);
        true
    }

    /// Refuses a command that has a word of `word` bytes, which are too many.
    #[cold]
    fn refuse_long(&mut self, word: usize, now: i64, output: &mut Output) {
        let why = too_long(word, self.state.rules.limits.value);
        refuse(&mut self.state, &self.router, &mut self.course, (&why, None), now, output);
    }
}

/// How far a session has come in the bytes that it takes commands from.
struct Progress<'b> {
    bytes: &'b [u8],
    /// How many of them were commands that are done.
    used: usize,
    commands: u64,
    /// How much these count towards the commands of a step.
    weight: u64,
}

impl<'b> Progress<'b> {
    /// Where the next command begins.
    #[inline]
    fn rest(&self) -> &'b [u8] {
        &self.bytes[self.used..]
    }

    /// A command of so many bytes is done, which counts so much.
    #[inline]
    fn took(&mut self, len: usize, weight: u64) {
        self.used += len;
        self.commands += 1;
        self.weight += weight;
    }
}

/// Has the processor fetch what memory has of the keys of a pipeline's next commands: see `ahead`.
#[inline]
fn fetch_keys(rest: &[u8], state: &State, router: &Router, fronts: bool) {
    let keys = ahead::keys(rest);
    match fronts {
        false => router.store.expect(state.db, &keys),
        true => router.replies.expect(&keys),
    }
}

/// Has a session go by the rules in force. A client is disconnected if its user is gone, or may not
/// hear any more what it hears; a transaction is judged anew as a whole: it fails.
#[inline]
pub(super) fn keep_up(state: &mut State, course: &mut Course, router: &Router, now: i64) {
    let lost = state.keep_up(router, now);
    if !lost.is_empty() {
        course.refuse_transaction();
        state.closing |= lost.intersects(state.needs() | course.hears());
    }
}

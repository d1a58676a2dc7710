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
        let Self { router, requests, arrivals, state, course, asking, asked, cause, .. } = self;
        let limit = state.rules.limits.output;
        let mut used = 0;
        let (mut commands, mut weight): (u64, u64) = (0, 0);
        state.expire(now);
        let next = loop {
            keep_up(state, course, router, now);
            if state.closing || state.client.is_killed() {
                state.closing = true;
                break Next::Close;
            }
            if asking.waits() {
                break Next::Await;
            }
            requests.bound(state.rules.limits.value);
            let rest = &bytes[used..];
            let full = output.bytes.len() >= limit || weight >= state.rules.limits.batch;
            if full && !rest.is_empty() {
                break Next::Resume;
            }
            match requests.parse(rest, state.user.is_some()) {
                Parsed::Partial => break Next::Read,
                Parsed::Command(len) => {
                    let args = requests.args(&rest[..len]);
                    if !args.is_empty() {
                        let more = rest.len() > len && state.user.is_some();
                        if more && commands.is_multiple_of(AHEAD as u64) {
                            let keys = ahead::keys(rest);
                            match relay {
                                None => router.store.expect(state.db, &keys),
                                Some(_) => router.replies.expect(&keys),
                            }
                        }
                        if let Err(why) = admit(state, router, course, args, len) {
                            refuse(state, router, course, (&why, Some(args)), now, output);
                            weight += 1;
                        } else {
                            let waited = match &relay {
                                Some(_) => arrivals.waited(used + len),
                                None => 0,
                            };
                            let (relay, hooks) = (relay.as_deref_mut(), hooks.as_deref_mut());
                            let mut gate =
                                Gate { state, router, course, relay, asking, asked, hooks, waited };
                            let request = requests.spelled(&rest[..len]);
                            match gate.pass(&request, args, now, output) {
                                Some(count) => weight += count,
                                None => break Next::Await,
                            }
                        }
                        if let Some(stay) = &mut state.stay {
                            stay.taken();
                        }
                        commands += 1;
                    }
                    used += len;
                }
                Parsed::Skipped(len) => {
                    used += len;
                    break Next::Read;
                }
                Parsed::TooLong(len, word) => {
                    let why = too_long(word, state.rules.limits.value);
                    refuse(state, router, course, (&why, None), now, output);
                    (used, commands, weight) = (used + len, commands + 1, weight + 1);
                }
                Parsed::Invalid(violation) => {
                    state.closing = true;
                    *cause = Ending::Protocol;
                    output.error(&violation.message());
                }
            }
        };
        router.count(commands, 0, 0);
        self.made += commands;
        if let Some(relay) = relay {
            output.batch.add(relay.counted());
        }
        (used, next)
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

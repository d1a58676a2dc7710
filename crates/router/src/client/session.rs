//! One client's side of the conversation: its bytes in, its replies out. This file is what a driver does
//! with it; `run` takes its commands from what it sends, `told` gives it what others say: replies of the
//! store, messages, news.

mod run;
mod told;

use super::ahead;
use super::arrivals::Arrivals;
use super::gate::{Asking, LastQuestion};
use super::output::Output;
use crate::command::State;
use crate::hooks::{HookCaller, HookKind, Ruling};
use crate::news::Mailbox;
use crate::path::{Course, Relay};
use crate::shared::{ClientId, Ended, Ending, Peer, Router};
use breakwater_engine::{Expected, Key};
use breakwater_resp::{Protocol, ReplyWriter, RequestParser};
use run::keep_up;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the driver does once it has written the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Feeds what comes.
    Read,
    /// Feeds nothing, an empty chunk, as soon as the client has taken the output: commands wait.
    Resume,
    /// Holds what comes until a reply of the store is delivered, or a hook answers: commands wait for it.
    Await,
    /// Closes the connection.
    Close,
}

/// A client's connection.
pub struct Session {
    router: Arc<Router>,
    requests: RequestParser,
    /// The beginning of a command whose end has not come, or commands that wait.
    pending: Vec<u8>,
    /// When that came, where the node has a store.
    arrivals: Arrivals,
    state: State,
    /// How many bytes of it, and for it, wait by the ledger.
    charged: usize,
    /// Its way to the store, if the node has one.
    course: Course,
    /// What it asks of hooks, and the last question.
    asking: Asking,
    asked: LastQuestion,
    /// How many requests it made, in how many bytes, since when, and why it ends if that is known.
    made: u64,
    received: u64,
    since: u64,
    cause: Ending,
}

impl Session {
    /// Opens a session for a client; `now` in Unix milliseconds. When there are too many clients, or too
    /// many of its user, the bytes to send to this one before it is disconnected.
    pub fn open(router: &Arc<Router>, peer: Peer, now: u64) -> Result<Self, Vec<u8>> {
        Self::open_at(router, peer, now, &router.mailbox(|| {}))
    }

    /// As [`Session::open`], for a client whose driver takes its news from `mailbox`.
    pub fn open_at(
        router: &Arc<Router>,
        peer: Peer,
        now: u64,
        mailbox: &Arc<Mailbox>,
    ) -> Result<Self, Vec<u8>> {
        let client = router.join(peer, now, mailbox)?;
        let state = State::new(client.clone(), router.rules())
            .map_err(|over| router.turn_away(&client, &over.into(), now))?;
        let requests = RequestParser::default();
        let (course, arrivals) = (Course::default(), Arrivals::default());
        let (router, pending, charged) = (router.clone(), vec![], 0);
        let (asking, asked) = (Asking::default(), LastQuestion::default());
        router.note_opened(&client);
        let (made, received) = (0, 0);
        let (since, cause) = (router.replies.now(), Ending::default());
        Ok(Self {
            router,
            requests,
            pending,
            arrivals,
            state,
            charged,
            course,
            asking,
            asked,
            made,
            received,
            since,
            cause,
        })
    }

    /// The client's number.
    pub fn id(&self) -> ClientId {
        self.state.client.id
    }

    /// Bytes of this client that are kept.
    pub fn buffered(&self) -> usize {
        self.pending.len()
    }

    /// So many bytes of this client, or for it, wait outside of the session as well. Clients that have to
    /// be disconnected since too much waits in the process are appended to `kills`.
    #[inline]
    pub fn charge(&mut self, outside: usize, kills: &mut Vec<ClientId>) {
        let waits = outside + self.pending.len() + self.course.replies.kept();
        if waits != self.charged {
            self.charged = waits;
            self.router.charge(&self.state.client, waits, kills);
            if let Some(stay) = &mut self.state.stay {
                self.router.charge_user(stay, waits, kills);
            }
        }
    }

    /// Bytes of replies that are kept behind those that the store owes.
    pub fn kept(&self) -> usize {
        self.course.replies.kept()
    }

    /// Asks the hooks whether the client may come; otherwise, the bytes to send to it before it is
    /// disconnected. Until a hook has answered that answers later, no command of the client is done.
    pub fn greet(&mut self, hooks: &mut (dyn HookCaller + 'static)) -> Result<(), Vec<u8>> {
        if !hooks.hooks().greets() {
            return Ok(());
        }
        let number = self.asked.ask(HookKind::Connect, &self.router);
        self.asking = Asking::Arriving(number);
        if let Some(ruling) = hooks.greet(self.state.client.id, number) {
            self.answer(number, ruling);
        }
        match &self.asking {
            Asking::Turned(why) => {
                let mut bytes = vec![];
                ReplyWriter::new(&mut bytes, Protocol::Resp2).error(why);
                Err(bytes)
            }
            _ => Ok(()),
        }
    }

    /// A hook answers the question of this number; `false` if nobody waits for that any more. The
    /// driver feeds nothing, an empty chunk, then.
    pub fn answer(&mut self, number: u64, ruling: Ruling) -> bool {
        let Some(kind) = self.asking.expects(number) else { return false };
        self.asked.hear(kind, &ruling, &self.router);
        if let Ruling::Label(label) = &ruling {
            self.state.client.label(label);
        }
        self.asking.hear(ruling);
        true
    }

    /// Whether it waits for the answer of a hook.
    pub fn is_asking(&self) -> bool {
        self.asking.waits()
    }

    /// The protocol that the client speaks.
    pub fn protocol(&self) -> Protocol {
        self.state.protocol
    }

    /// Takes what the client sent, in pieces of any size, runs every command that is complete and
    /// appends the replies to `output`; `now` in Unix milliseconds.
    pub fn feed(&mut self, chunk: &[u8], now: u64, output: &mut Output) -> Next {
        self.feed_through(chunk, now, output, None)
    }

    /// As [`Session::feed`], with the thread's way to the store where the node has one.
    pub fn feed_through(
        &mut self,
        chunk: &[u8],
        now: u64,
        output: &mut Output,
        relay: Option<&mut Relay>,
    ) -> Next {
        self.feed_past(chunk, now, output, relay, None)
    }

    /// As [`Session::feed_through`], past the hooks of the driver where it has some.
    pub fn feed_past(
        &mut self,
        chunk: &[u8],
        now: u64,
        output: &mut Output,
        relay: Option<&mut Relay>,
        hooks: Option<&mut (dyn HookCaller + 'static)>,
    ) -> Next {
        let (before, fronts) = (output.bytes.len(), relay.is_some());
        if let Some(relay) = &relay {
            // Release: who is told of it finds the relay.
            self.state.client.home.store(relay.number(), Ordering::Release);
            self.course.paused = false;
            self.arrivals.resume(relay.now());
        }
        let next = self.take(chunk, now, output, relay, hooks);
        let sent = output.bytes.len() - before;
        self.pay(sent);
        self.state.hears = self.course.hears();
        if fronts {
            self.state.ran(self.course.last.clone());
            self.state.engage(self.course.engagement());
        }
        self.state.show(now, self.pending.len(), &self.router);
        self.received += chunk.len() as u64;
        self.router.count(0, chunk.len(), sent);
        // Whoever changes the rules and has not been shown this is seen here.
        keep_up(&mut self.state, &mut self.course, &self.router, now as i64);
        if self.state.closing { Next::Close } else { next }
    }

    /// The client is going to be fed this: what is known of its key is fetched meanwhile into the
    /// processor's cache, once [`Router::expect`] is called as well. A hint, and nothing else.
    pub fn expect(&self, chunk: &[u8]) -> Option<Expected> {
        if !self.pending.is_empty() || self.state.user.is_none() {
            return None;
        }
        let key = ahead::only_key(chunk)?;
        Some(match self.router.setup.upstream {
            None => self.router.store.expect_soon(self.state.db, key),
            Some(_) => self.router.cache().expect_soon(Key::bytes(key)),
        })
    }

    /// Keeps what a client sent that has not taken the replies to what it sent before: no command
    /// runs until it has, and [`Session::feed`] is called again. A client that has more waiting than
    /// [`Limits::waiting`](crate::Limits::waiting) is told so and disconnected. `relay` is the thread's
    /// way to the store where the node has one.
    pub fn hold(&mut self, chunk: &[u8], output: &mut Output, relay: Option<&Relay>) -> Next {
        if self.state.closing || self.state.client.is_killed() {
            return Next::Close;
        }
        self.received += chunk.len() as u64;
        self.router.count(0, chunk.len(), 0);
        if self.pending.len() + chunk.len() > self.state.rules.limits.waiting {
            return self.refuse(
                b"ERR Protocol error: too many commands wait for replies to be read",
                output,
            );
        }
        self.pending.extend_from_slice(chunk);
        match relay {
            // It waits for as long as that command does.
            Some(_) if self.course.is_blocked() => self.arrivals.append(chunk.len()),
            Some(relay) => self.arrivals.keep(chunk.len(), relay.now()),
            None => {}
        }
        Next::Resume
    }

    /// Whether the store owes it replies.
    pub fn is_owed(&self) -> bool {
        !self.course.replies.is_empty()
    }

    /// Where limits bind its user: so many bytes were sent, and so many requests have no reply yet.
    #[inline]
    fn pay(&mut self, sent: usize) {
        if let Some(stay) = &mut self.state.stay {
            stay.pay(sent, self.router.nanoseconds());
            stay.settle(self.course.replies.len());
        }
    }

    /// The node, or its thread, ends: that is why this connection does.
    pub fn drains(&mut self) {
        self.cause = Ending::Drain;
    }

    /// It is disconnected since it had replies to take and took none for too long.
    pub fn lags(&mut self) {
        self.cause = Ending::Slow;
        self.router.count_slow_reader();
    }

    /// It is disconnected since more messages wait than may: it did not take them.
    pub fn misses(&mut self) {
        self.cause = Ending::Missed;
    }

    /// It is disconnected since its descriptor is needed to tell others that there is none.
    pub fn makes_room(&mut self) {
        self.cause = Ending::Descriptors;
    }

    /// The most bytes of messages that may wait for it.
    pub fn most_messages(&self) -> usize {
        self.state.rules.limits.messages
    }

    /// Whether it waits for a command that may never be answered: it is not waited for if its client
    /// is gone.
    pub fn is_blocked(&self) -> bool {
        self.course.is_blocked()
    }

    /// Whether it has sent the beginning of a request whose end has not come.
    pub fn is_cut_short(&self) -> bool {
        !self.pending.is_empty() && !self.is_blocked()
    }

    /// Whether it is in the middle of a transaction.
    pub fn queues(&self) -> bool {
        self.course.queues()
    }

    /// The client is gone: its connection to the store goes as well, if it had one of its own.
    pub fn end(&mut self, relay: &mut Relay) {
        relay.release(self.state.client.id, &mut self.course);
    }

    /// Says why the connection ends, and forgets what waits.
    fn refuse(&mut self, why: &[u8], output: &mut Output) -> Next {
        self.state.closing = true;
        self.cause = Ending::Protocol;
        self.pending = vec![];
        output.error(why);
        Next::Close
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let client = &*self.state.client;
        let cause = match self.cause {
            Ending::Client if client.is_cut() => Ending::Memory,
            Ending::Client if client.is_killed() => Ending::Killed,
            Ending::Client if self.state.closing => Ending::Closed,
            known => known,
        };
        let lasted = self.router.replies.now().saturating_sub(self.since);
        let user = self.state.user.as_deref();
        let (requests, received) = (self.made, self.received);
        self.router.note_closed(&Ended { client, user, requests, received, cause, lasted });
        self.state.ignore(&self.router);
        self.router.news.leave(&self.state.client.recipient);
        self.router.leave(&self.state.client);
    }
}

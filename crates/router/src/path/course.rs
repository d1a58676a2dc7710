//! What a session and the relay tell each other: a request, what became of it, and a reply.

use super::candidate::Candidate;
use super::execution::Execution;
use super::hold::Hold;
use super::pending::{LinkId, Pending};
use super::replies::{OwedReplies, Ticket};
use super::tracking::ClientTracking;
use super::transaction::Transaction;
use crate::cache::Concern;
use crate::catalog::{self, Known, Permissions};
use crate::hooks::{Hooks, Question};
use crate::news::{Topic, Topics};
use crate::policy::User;
use crate::shared::{ClientId, Engagement};
use breakwater_resp::{Args, Protocol};
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

/// What a delivery is, beside a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Note {
    #[default]
    Nothing,
    /// It answers nothing: a message, or what the store says.
    Push,
    /// News of changes; another client's, if it is redirected.
    News { redirected: bool },
    /// The client is in this database from now on.
    Database(u8),
    /// The client does not subscribe to these after all.
    Refused(Arc<[Topic]>),
    /// The store has not answered: the node says why.
    Failed,
}

/// The bytes of a delivery: its own, or those of many.
pub enum Payload {
    /// For one client.
    Own(Vec<u8>),
    /// For all who hear the same.
    Shared(Arc<[u8]>),
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A reply for a client.
pub struct Delivery {
    /// Whose it is.
    pub client: ClientId,
    /// Which of its requests it answers; `None` if it answers none.
    pub ticket: Option<u64>,
    /// The reply.
    pub bytes: Payload,
    /// Whether the connection ends with it.
    pub ends: bool,
    pub(crate) note: Note,
}

impl Delivery {
    /// The reply to a request.
    pub(super) fn reply(client: ClientId, ticket: u64, bytes: Vec<u8>) -> Self {
        let bytes = Payload::Own(bytes);
        Self { client, ticket: Some(ticket), bytes, ends: false, note: Note::Nothing }
    }

    /// Why a request gets no reply of the store.
    pub(super) fn failed(client: ClientId, ticket: u64, bytes: Vec<u8>) -> Self {
        Self { note: Note::Failed, ..Self::reply(client, ticket, bytes) }
    }

    /// The reply to a request that chooses a database, perhaps.
    pub(super) fn choosing(client: ClientId, ticket: u64, bytes: Vec<u8>, db: Option<u8>) -> Self {
        let note = db.map_or(Note::Nothing, Note::Database);
        Self { note, ..Self::reply(client, ticket, bytes) }
    }

    /// The reply to a request for subscriptions that the store does not take.
    pub(super) fn refused(
        client: ClientId,
        ticket: u64,
        bytes: Vec<u8>,
        topics: Vec<Topic>,
    ) -> Self {
        Self { note: Note::Refused(topics.into()), ..Self::reply(client, ticket, bytes) }
    }

    /// What answers no request, in RESP3.
    pub(super) fn push(client: ClientId, bytes: Payload) -> Self {
        Self { client, ticket: None, bytes, ends: false, note: Note::Push }
    }

    /// News of changes, in RESP3.
    pub(super) fn news(client: ClientId, bytes: Payload, redirected: bool) -> Self {
        Self { note: Note::News { redirected }, ..Self::push(client, bytes) }
    }

    /// The client's turn has come: a request of it waits.
    pub(super) fn wake(client: ClientId) -> Self {
        let bytes = Payload::Own(vec![]);
        Self { client, ticket: None, bytes, ends: false, note: Note::Nothing }
    }

    /// The client's connection ends.
    pub(super) fn end(client: ClientId) -> Self {
        Self { ends: true, ..Self::wake(client) }
    }

    /// Whether it is a message or news.
    pub fn is_push(&self) -> bool {
        matches!(self.note, Note::Push | Note::News { .. })
    }
}

/// What became of a request.
pub(crate) enum Taken {
    /// The node answers it by itself.
    Local,
    /// It is on its way, or answered in the output in its order.
    Done,
    /// It is answered in the output, where it may have to wait for replies that are owed.
    Made,
    /// It is answered by this status.
    Said(&'static str),
    /// It is refused, and changes nothing.
    Refused(&'static str),
    /// It has to wait until replies have come that are owed.
    Later,
    /// The store has done its part of a transaction: the session goes on with it.
    Executed,
    /// A hook is to be asked about it first.
    Asks(Box<Question>),
    /// A hook is to choose the route of one of its keys first.
    Chooses(Box<Candidate>),
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// By itself.
    Alone,
    /// In a transaction that is done now, with replies of the store behind it.
    Amid,
    /// In one, behind all of them.
    Behind,
}

/// What a request is to the relay.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) client: ClientId,
    pub(crate) user: Option<&'a User>,
    pub(crate) db: u8,
    pub(crate) protocol: Protocol,
    /// What the client says of where its reads are answered from.
    pub(crate) concern: Option<Concern>,
    pub(crate) stand: Stand,
    /// For how many milliseconds it has waited for the store.
    pub(crate) waited: u64,
    /// When it is taken, in Unix milliseconds.
    pub(crate) at: i64,
    /// The hooks that have a say in it, if they have not been asked.
    pub(crate) hooks: Option<&'a Hooks>,
    /// From which word on a hook has not been asked for the routes of keys, if it is asked at all.
    pub(crate) chooses: Option<usize>,
    pub(crate) args: Args<'a>,
    /// As the client sent it.
    pub(crate) bytes: &'a [u8],
}

/// What a session knows of its own connection.
#[derive(Default)]
pub(crate) struct Own {
    pub(super) link: Option<LinkId>,
    /// Until when it waits for one.
    pub(super) until: Option<u64>,
    /// What for.
    pub(super) hold: Hold,
}

/// What a session keeps for the relay.
#[derive(Default)]
pub(crate) struct Course {
    pub(crate) replies: OwedReplies,
    /// What its requests without replies do to keys.
    pub(crate) pending: Pending,
    /// Its own connection.
    pub(super) own: Own,
    /// What it has queued.
    pub(super) transaction: Option<Transaction>,
    /// What was queued, while the node does a part of it.
    pub(crate) execution: Option<Execution>,
    /// What it subscribes to.
    pub(super) topics: Topics,
    /// The last confirmation of a subscription that was still to come when it was asked for.
    pub(super) confirms: Option<Ticket>,
    /// The request that has to be answered before any other is taken.
    settles: Option<Ticket>,
    /// Whether that one waits for as long as it likes.
    blocks: bool,
    /// Whether it is told of all that the store does.
    pub(super) monitors: bool,
    /// Its last command; none if that was no command.
    pub(crate) last: Cow<'static, str>,
    /// Whether its next request was held up by `CLIENT PAUSE`.
    pub(crate) paused: bool,
    /// What it tracks.
    pub(super) tracking: ClientTracking,
}

impl Course {
    /// Takes a reply of the store; appends to `out` what can leave now.
    pub(crate) fn answer(&mut self, ticket: Ticket, reply: &[u8], out: &mut Vec<u8>) {
        self.pending.settle(ticket);
        match &mut self.execution {
            Some(execution) if execution.ticket == ticket => {
                execution.answer(reply);
                self.settles = None;
            }
            _ => self.replies.fill(ticket, reply, out),
        }
    }

    /// It does not subscribe to these after all.
    pub(crate) fn drop_topics(&mut self, topics: &[Topic]) {
        if topics.is_empty() {
            // It was no topic that it asked for.
            self.tracking.end();
        }
        for topic in topics {
            self.topics.remove(topic);
        }
    }

    /// No request is taken before this one is answered.
    pub(super) fn settle(&mut self, ticket: Ticket) {
        (self.settles, self.blocks) = (Some(ticket), false);
    }

    /// The request that is to be answered first may wait for as long as it likes.
    pub(super) fn block(&mut self) {
        self.blocks = true;
    }

    /// Whether a request has to be answered before any other is taken.
    pub(super) fn is_settling(&mut self) -> bool {
        if self.settles.is_some_and(|ticket| self.replies.has_left(ticket)) {
            (self.settles, self.blocks) = (None, false);
        }
        self.settles.is_some()
    }

    /// Whether it waits for a command that may never be answered.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocks && self.settles.is_some_and(|ticket| !self.replies.has_left(ticket))
    }

    /// Takes news of changes: behind what it is owed, which may be of before. A command that waits may
    /// wait for ever, and nothing is read with it.
    pub(crate) fn hear_news(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.replies.is_empty() || self.is_blocked() {
            true => out.extend_from_slice(bytes),
            false => self.replies.make(bytes),
        }
    }

    /// Whether it is in the middle of a transaction.
    pub(crate) fn queues(&self) -> bool {
        self.transaction.is_some()
    }

    /// Notes the command that its client has sent. In a transaction that is done now it is `EXEC`.
    pub(super) fn takes(&mut self, known: Option<&Known>, request: &Request<'_>) {
        if request.stand == Stand::Alone {
            self.last = catalog::name_of(known, request.args);
        }
    }

    /// What other clients are shown of what it is in the middle of.
    #[inline]
    pub(crate) fn engagement(&self) -> Engagement {
        if self.is_free() && !self.paused {
            return Engagement::default();
        }
        let executed = || self.execution.as_ref().map(|execution| execution.count);
        let queued = self.transaction.as_ref().map(Transaction::count).or_else(executed);
        let blocks = self.paused || self.is_blocked();
        Engagement { queued, blocks, monitors: self.monitors, topics: self.topics.counts() }
    }

    /// What its user has to be permitted for what it hears without asking.
    pub(crate) fn hears(&self) -> Permissions {
        let hears =
            self.subscribes() || self.tracking.tracker().is_some() || self.own.hold == Hold::Kept;
        let reads = if hears { Permissions::READ } else { Permissions::empty() };
        reads | if self.monitors { Permissions::ADMIN } else { Permissions::empty() }
    }

    /// Whether it is in the middle of nothing, and is told of nothing: a read of it is nothing but a
    /// read.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.transaction.is_none()
            && self.execution.is_none()
            && self.settles.is_none()
            && self.own.link.is_none()
            && self.tracking.tracker().is_none()
            && !self.monitors
            && self.topics.is_empty()
    }

    /// Whether it subscribes to anything.
    pub(crate) fn subscribes(&self) -> bool {
        !self.topics.is_empty()
    }

    /// Takes what answers no request: behind the confirmation of what it is about.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.confirms {
            Some(ticket) if !self.replies.has_left(ticket) => self.replies.make(bytes),
            _ => {
                self.confirms = None;
                out.extend_from_slice(bytes);
            }
        }
    }
}

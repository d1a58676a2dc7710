//! Requests that change what their clients' sessions are: transactions, watched keys, commands that
//! wait, and all that goes over a connection of a client's own.
//!
//! A transaction is queued here and sent whole, over the connection that all share. Only where keys
//! are watched, or a database is chosen in it, it goes over one of its client's own.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::catalog::{Class, Known};
use crate::command;
use crate::failure::Failure;
use crate::failure::unknown_part;
use crate::path::changes::Changes;
use crate::path::course::{Course, Delivery, Request, Taken};
use crate::path::pending::LinkId;
use crate::path::transaction::{Transaction, command as word};
use crate::shared::ClientId;
use breakwater_resp::{Kind, Protocol, number};

const NOT_QUEUED: &str = "ERR Command not allowed inside a transaction";
const MONITORS: &str = "ERR a client that monitors may only RESET or QUIT";

impl Relay {
    /// Takes a request if it is none that any connection may carry.
    pub(super) fn take_session(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Option<Taken>, Failure> {
        if course.transaction.is_some() {
            return self.take_queued(known, request, course).map(Some);
        }
        let own = self.own(request.client, course);
        let Some(known) = known else {
            return own.map(|id| self.over_own(id, None, request, course)).transpose();
        };
        check_subscriber(known, request, course)?;
        let taken = match known.class {
            Class::Refused(why) => Err(why.into()),
            _ if course.monitors && !matches!(&*known.name, "reset" | "quit") => {
                Err(MONITORS.into())
            }
            Class::Local => self.local(known, request, course, out),
            Class::Multi => {
                check_words(known, request)?;
                course.transaction = Some(Transaction::default());
                Ok(Taken::Said("OK"))
            }
            Class::Exec => Err("ERR EXEC without MULTI".into()),
            Class::Discard => Err("ERR DISCARD without MULTI".into()),
            Class::Watch => self.watch(known, request, course),
            Class::Unwatch if own.is_some() && course.own.watches && !course.own.keeps => {
                self.finish_own(known, request, course)
            }
            Class::Unwatch if own.is_none() => {
                check_words(known, request)?;
                Ok(Taken::Said("OK"))
            }
            Class::Subscribes => self.subscribe(known, request, course, out),
            Class::Monitors => self.monitor(known, request, course),
            Class::Waits => self.wait_for_copies(known, request, course),
            _ if known.blocks(request.args) => self.block(known, request, course),
            _ => return own.map(|id| self.over_own(id, Some(known), request, course)).transpose(),
        };
        taken.map(Some)
    }

    /// What the node answers by itself, or not.
    fn local(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        let own = self.own(request.client, course);
        match &*known.name {
            "ping" if course.is_quiet(request.protocol) && request.args.len() <= 2 => {
                let mut reply = breakwater_resp::ReplyWriter::new(out, request.protocol);
                reply.array(2);
                reply.bulk(b"pong");
                reply.bulk(request.args.get(1).unwrap_or_default());
                Ok(Taken::Made)
            }
            "select" => match (own, command::database(request.args.word(1))) {
                (Some(id), Ok(db)) if request.args.len() == 2 => {
                    let ticket = course.replies.owe();
                    let step = Step::Select { client: request.client, ticket, db };
                    self.send(id, request.bytes, To::Session(step));
                    course.settle(ticket);
                    Ok(Taken::Done)
                }
                _ => Ok(Taken::Local),
            },
            "hello" if own.is_some() && request.args.get(1).is_some() => {
                let version = request.args.get(1).and_then(number::integer);
                if version == Some(request.protocol as i64) {
                    return Ok(Taken::Local);
                }
                Err("ERR the protocol cannot change while keys are watched or tracked".into())
            }
            "reset" if request.args.len() == 1 => Ok(self.reset(request, course)),
            "client|tracking" | "client|caching" | "client|trackinginfo" | "client|getredir" => {
                self.track(known, request, course)
            }
            _ => Ok(Taken::Local),
        }
    }

    /// A client is to be as one that has just begun, once what it is owed has come over a connection
    /// that ends with it.
    fn reset(&mut self, request: &Request<'_>, course: &mut Course) -> Taken {
        if course.own.keeps && !course.replies.is_empty() {
            return Taken::Later;
        }
        self.leave_all(request.client, course);
        Taken::Local
    }

    /// A client is gone.
    pub(crate) fn release(&mut self, client: ClientId, course: &mut Course) {
        self.leave_all(client, course);
    }

    /// A client ends, or is as one that has just begun.
    fn leave_all(&mut self, client: ClientId, course: &mut Course) {
        course.transaction = None;
        course.monitors = false;
        course.redirects = None;
        self.unpin(client, course);
        self.unsubscribe_all(client, course);
    }

    // ---- over a client's own connection

    pub(super) fn over_own(
        &mut self,
        id: LinkId,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let changes = self.changes(known, request);
        self.invalidate(&changes);
        let ticket = course.replies.owe();
        self.send(id, request.bytes, To::Client { client: request.client, ticket, changes });
        Ok(Taken::Done)
    }

    /// Sends the last request over a client's own connection, and nothing more before its reply.
    pub(super) fn finish_own(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let Some(id) = self.own(request.client, course) else { return Ok(Taken::Later) };
        let changes = self.changes(Some(known), request);
        self.invalidate(&changes);
        let (client, ticket) = (request.client, course.replies.owe());
        let to = match course.own.watches || course.own.keeps {
            // It goes on being the client's.
            true if known.class != Class::Unwatch => To::Client { client, ticket, changes },
            _ => To::Session(Step::Last { client, ticket, changes }),
        };
        self.send(id, request.bytes, to);
        course.settle(ticket);
        Ok(Taken::Done)
    }

    fn watch(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        check_words(known, request)?;
        let Some(id) = self.pin(request, course)? else { return Ok(Taken::Later) };
        course.own.watches = true;
        self.over_own(id, Some(known), request, course)
    }

    fn block(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        check_words(known, request)?;
        let Some(id) = self.pin(request, course)? else { return Ok(Taken::Later) };
        self.set_patient(id, true);
        let taken = self.finish_own(known, request, course)?;
        course.block();
        Ok(taken)
    }

    /// `WAIT` and `WAITAOF` speak of what their connection wrote: of all that the store has done
    /// before a `PING` over it.
    fn wait_for_copies(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        check_words(known, request)?;
        let Some(id) = self.pin(request, course)? else { return Ok(Taken::Later) };
        self.send(id, &word("PING"), To::Nobody);
        self.block(known, request, course)
    }

    fn monitor(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        check_words(known, request)?;
        let Some(id) = self.pin(request, course)? else { return Ok(Taken::Later) };
        (course.own.keeps, course.monitors) = (true, true);
        if let Some(link) = self.links.get_mut(&id) {
            link.upstream.set_streams();
        }
        self.over_own(id, Some(known), request, course)
    }

    // ---- transactions

    /// Takes a request of a client that has begun a transaction.
    fn take_queued(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let taken = self.try_queued(known, request, course);
        if taken.is_err() {
            course.refuse_transaction();
        }
        match taken {
            Err(Refusal::Kept(why)) => Err(why),
            Err(Refusal::Ended(why)) => {
                course.transaction = None;
                Err(why)
            }
            Ok(taken) => Ok(taken),
        }
    }

    fn try_queued(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Refusal> {
        let Some(known) = known else {
            return Err(Refusal::Kept(command::unknown(request.args)));
        };
        if let Err(why) = check_words(known, request) {
            if known.class != Class::Exec {
                return Err(Refusal::Kept(why));
            }
            self.unwatch(request, course);
            return Err(Refusal::Ended(aborted(&why)));
        }
        let name = &*known.name;
        match known.class {
            Class::Exec => return self.exec(request, course),
            Class::Discard => {
                course.transaction = None;
                return match self.own(request.client, course) {
                    Some(id) if course.own.watches && !course.own.keeps => {
                        let changes = Changes::Nothing;
                        let (client, ticket) = (request.client, course.replies.owe());
                        let to = To::Session(Step::Last { client, ticket, changes });
                        self.send(id, &word("UNWATCH"), to);
                        course.settle(ticket);
                        Ok(Taken::Done)
                    }
                    _ => {
                        self.unwatch(request, course);
                        Ok(Taken::Said("OK"))
                    }
                };
            }
            Class::Multi => return Ok(Taken::Refused("ERR MULTI calls can not be nested")),
            Class::Watch => return Ok(Taken::Refused("ERR WATCH inside MULTI is not allowed")),
            Class::Local if matches!(name, "quit" | "reset") => {
                return Ok(match name {
                    "reset" => self.reset(request, course),
                    _ => Taken::Local,
                });
            }
            Class::Local if !matches!(name, "ping" | "echo" | "select" | "info") => {
                return Err(Refusal::Kept(NOT_QUEUED.into()));
            }
            Class::Subscribes | Class::Monitors => return Err(Refusal::Kept(NOT_QUEUED.into())),
            Class::Refused(why) => return Err(Refusal::Kept(why.into())),
            _ => {}
        }
        let changes = self.changes(Some(known), request);
        let limit = self.router.options.limits.waiting;
        if let Some(transaction) = &mut course.transaction {
            if name == "select"
                && let Ok(db) = command::database(request.args.word(1))
            {
                transaction.db = Some(db);
            }
            transaction.queue(request.bytes, limit).map_err(Refusal::Kept)?;
            course.changes.merge(changes);
        }
        Ok(Taken::Said("QUEUED"))
    }

    /// A transaction is over that nothing was sent of: no key is watched any more.
    fn unwatch(&mut self, request: &Request<'_>, course: &mut Course) {
        let Some(id) = self.own(request.client, course) else { return };
        match course.own.keeps {
            true => self.send(id, &word("UNWATCH"), To::Nobody),
            false => self.unpin(request.client, course),
        }
    }

    fn exec(&mut self, request: &Request<'_>, course: &mut Course) -> Result<Taken, Refusal> {
        let Some(transaction) = &course.transaction else { return Ok(Taken::Later) };
        if transaction.is_refused() {
            self.unwatch(request, course);
            let why = "EXECABORT Transaction discarded because of previous errors.";
            return Err(Refusal::Ended(why.into()));
        }
        let (whole, db) = (transaction.whole(), transaction.db);
        let own = self.own(request.client, course).is_some() || db.is_some();
        let link = match own {
            true => self.pin(request, course),
            false => self.link_for_all(request, course),
        };
        let Some(id) = link.map_err(Refusal::Ended)? else { return Ok(Taken::Later) };
        self.check_room(id, &whole).map_err(Refusal::Ended)?;
        course.transaction = None;
        let changes = std::mem::take(&mut course.changes);
        self.invalidate(&changes);
        let own = own && !course.own.keeps;
        let (client, ticket) = (request.client, course.replies.owe());
        let mut last = Some(To::Session(Step::Exec { client, ticket, changes, db, own }));
        let count = whole.len();
        for (at, part) in whole.iter().enumerate() {
            let to = if at + 1 == count { last.take() } else { None };
            self.send(id, part, to.unwrap_or(To::Nobody));
        }
        course.own.watches = false;
        match own || db.is_some() {
            true => course.settle(ticket),
            false => self.follow(ticket, id, course),
        }
        Ok(Taken::Done)
    }

    // ---- replies

    /// A reply that changes a session.
    pub(super) fn replied_session(&mut self, id: LinkId, step: Step, kind: Kind, reply: Vec<u8>) {
        match step {
            Step::Last { client, ticket, changes } => {
                self.invalidate(&changes);
                self.answer(client, ticket, reply);
                self.give_back(id);
            }
            Step::Select { client, ticket, db } => {
                let chosen = (!kind.is_error()).then_some(db);
                self.deliveries.push(Delivery::choosing(client, ticket, reply, chosen));
                if let (Some(link), Some(db)) = (self.links.get_mut(&id), chosen) {
                    link.pin = Some(db);
                }
            }
            Step::Exec { client, ticket, changes, db, own } => {
                self.invalidate(&changes);
                let done = kind == Kind::Array && !reply.starts_with(b"*-1");
                let chosen = db.filter(|_| done);
                self.deliveries.push(Delivery::choosing(client, ticket, reply, chosen));
                if let (Some(link), Some(db)) = (self.links.get_mut(&id), chosen) {
                    link.pin = Some(db);
                }
                match own {
                    // One that did not do all of it may be in any database.
                    true if db.is_some() && !done => self.close_pin(id),
                    true => self.give_back(id),
                    false => {}
                }
            }
            Step::Confirm { client, ticket, bytes, topics } => {
                self.confirm(client, topics);
                self.answer(client, ticket, bytes);
            }
            Step::Number { client, ticket, bytes } => {
                self.set_number(client, &reply);
                self.answer(client, ticket, bytes);
            }
            Step::Learn(name) => self.learned(name, Some(&reply)),
        }
    }

    /// There is none.
    pub(super) fn failed_session(&mut self, step: Step, error: Vec<u8>) {
        match step {
            Step::Last { client, ticket, changes } | Step::Exec { client, ticket, changes, .. } => {
                self.invalidate(&changes);
                self.answer(client, ticket, error);
            }
            Step::Select { client, ticket, .. }
            | Step::Confirm { client, ticket, .. }
            | Step::Number { client, ticket, .. } => self.answer(client, ticket, error),
            Step::Learn(name) => self.learned(name, None),
        }
    }
}

/// Why a request of a transaction is refused.
enum Refusal {
    /// The transaction goes on, and will not be done.
    Kept(Failure),
    /// It is over.
    Ended(Failure),
}

/// As the store would refuse a request that has too few or too many words, or names no part.
fn check_words(known: &Known, request: &Request<'_>) -> Result<(), Failure> {
    if known.misses_part(request.args) {
        return Err(unknown_part(&known.name, request.args.word(1)));
    }
    match known.takes(request.args.len()) {
        true => Ok(()),
        false => Err(command::wrong_arity(&known.name)),
    }
}

/// In RESP2 a client that subscribes may do little else: a reply could be taken for a message.
fn check_subscriber(known: &Known, request: &Request<'_>, course: &Course) -> Result<(), Failure> {
    let allowed =
        known.class == Class::Subscribes || matches!(&*known.name, "ping" | "quit" | "reset");
    if allowed || !course.is_quiet(request.protocol) {
        return Ok(());
    }
    check_words(known, request)?;
    let why = Failure::new(format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context",
        known.name
    ));
    Err(if known.class == Class::Exec { aborted(&why) } else { why })
}

/// Why `EXEC` itself is refused.
fn aborted(Failure(why): &Failure) -> Failure {
    let why = why.strip_prefix(b"ERR ").unwrap_or(why);
    Failure::new([b"EXECABORT Transaction discarded because of: ", why].concat())
}

impl Course {
    /// Whether its client subscribes in RESP2.
    pub(super) fn is_quiet(&self, protocol: Protocol) -> bool {
        protocol == Protocol::Resp2 && !self.topics.is_empty()
    }

    /// A request of the transaction was refused, if there is one.
    pub(super) fn refuse_transaction(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refuse();
            self.changes = Changes::Nothing;
        }
    }
}

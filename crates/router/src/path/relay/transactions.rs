//! Transactions. One is queued here and sent whole, over the connection that all share. Only where
//! keys are watched, or a database is chosen in it, it goes over one of its client's own.

use super::Relay;
use super::batches::Batch;
use super::checks::{aborted, check_words};
use super::homes::DOWN;
use super::reply::To;
use super::scope::scope_of_words;
use super::step::Step;
use crate::catalog::{Class, Known};
use crate::command;
use crate::failure::Failure;
use crate::path::changes::Changes;
use crate::path::course::{Course, Request, Taken};
use crate::path::execution::Execution;
use crate::path::hold::{Fate, Hold, Use};
use crate::path::pending::LinkId;
use crate::path::split::CROSSSLOT;
use crate::path::transaction::{Transaction, command as word};
use crate::shared::ClientId;
use crate::topology::Span;
use breakwater_resp::Protocol;

const NOT_QUEUED: &str = "ERR Command not allowed inside a transaction";

impl Relay {
    /// Takes a request of a client that has begun a transaction.
    pub(super) fn take_queued(
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
        self.look();
        if self.map.is_unknown() && self.await_server(request.client) {
            return Ok(Taken::Later);
        }
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
            Class::Exec => self.exec(request, course),
            Class::Discard => Ok(self.discard(request, course)),
            Class::Multi => Ok(Taken::Refused("ERR MULTI calls can not be nested")),
            Class::Watch => Ok(Taken::Refused("ERR WATCH inside MULTI is not allowed")),
            Class::Local if name == "reset" => Ok(self.reset(request, course)),
            Class::Local if name == "quit" => Ok(Taken::Local),
            _ if matches!(name, "save" | "shutdown" | "sync" | "psync") => {
                Err(Refusal::Kept(NOT_QUEUED.into()))
            }
            _ => self.queue(known, request, course),
        }
    }

    /// Queues a request of a transaction.
    fn queue(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Refusal> {
        let span = self.span(Some(known), request);
        if span == Span::Several {
            return Err(Refusal::Kept(CROSSSLOT.into()));
        }
        let changes = self.changes(Some(known), request);
        let scope = scope_of_words(Some(known), request.args);
        let limit = self.rules.limits.waiting;
        if let Some(transaction) = &mut course.transaction {
            if known.name == "select"
                && self.router.topology.cluster.is_none()
                && let Ok(db) = command::database(request.args.word(1))
            {
                transaction.db = Some(db);
            }
            let own = self.does_itself(known, transaction);
            transaction.queue(request.bytes, own, limit).map_err(Refusal::Kept)?;
            transaction.spans(span);
            transaction.scope.merge(scope);
            transaction.changes.merge(changes);
        }
        Ok(Taken::Said("QUEUED"))
    }

    /// Whether the node does a command of a transaction itself, when the store has done the others.
    fn does_itself(&self, known: &Known, transaction: &Transaction) -> bool {
        let name = &*known.name;
        match known.class {
            Class::Local if name == "ping" => transaction.has_own(),
            Class::Local => !matches!(name, "echo" | "select" | "info"),
            _ if self.is_of_users(known) => true,
            Class::Subscribes | Class::Monitors | Class::Refused(_) => true,
            _ => false,
        }
    }

    fn discard(&mut self, request: &Request<'_>, course: &mut Course) -> Taken {
        course.transaction = None;
        let own = self.own(request.client, course);
        let watches = course.own.hold == Hold::Watching;
        let Some(id) = own.filter(|_| watches) else {
            self.unwatch(request, course);
            return Taken::Said("OK");
        };
        course.own.hold.take(Use::Unwatch);
        let (client, ticket) = (request.client, course.replies.owe());
        let last = Step::Last { client, ticket, changes: Changes::Nothing, watched: true };
        self.send(id, &word("UNWATCH"), To::Session(last));
        course.settle(ticket);
        Taken::Done
    }

    /// A transaction is over that nothing was sent of: no key is watched any more.
    pub(super) fn unwatch(&mut self, request: &Request<'_>, course: &mut Course) {
        let Some(id) = self.own(request.client, course) else { return };
        match course.own.hold {
            Hold::Kept => self.send(id, &word("UNWATCH"), To::Nobody),
            _ => self.unpin(request.client, course),
        }
    }

    /// Whether the transaction of a client goes over the connection that tells it of changes, which leaves
    /// out its own.
    pub(super) fn executes_quietly(&self, request: &Request<'_>, course: &mut Course) -> bool {
        let chooses = course.transaction.as_ref().is_some_and(|all| all.db.is_some());
        course.tracking.is_quiet()
            && request.protocol == Protocol::Resp3
            && !chooses
            && self.own(request.client, course).is_none()
    }

    fn exec(&mut self, request: &Request<'_>, course: &mut Course) -> Result<Taken, Refusal> {
        let Some(transaction) = &course.transaction else { return Ok(Taken::Later) };
        if transaction.is_refused() {
            self.unwatch(request, course);
            let why = "EXECABORT Transaction discarded because of previous errors.";
            return Err(Refusal::Ended(why.into()));
        }
        let (db, span, scope) = (transaction.db, transaction.span(), transaction.scope.clone());
        self.look();
        let held = self.own(request.client, course);
        let own = held.is_some() || db.is_some();
        // What names no key is done where keys are watched.
        let there = held.and_then(|id| self.links.get(&id)).map(|link| link.server);
        let server = match there.filter(|_| span == Span::Keyless) {
            Some(server) => Ok(server),
            None => self.home_of_span(span).map(|home| home.server),
        };
        let link = server.and_then(|server| match own {
            true => self.pin(server, request, course),
            false => self.link_for_whole(server, request, course, &scope),
        });
        match link {
            Ok(Some(id)) => Ok(self.send_queued(id, own, request, course)),
            Ok(None) => Ok(Taken::Later),
            Err(why) if why.0.starts_with(DOWN) && self.await_server(request.client) => {
                Ok(Taken::Later)
            }
            Err(why) => {
                self.unwatch(request, course);
                Err(Refusal::Ended(why))
            }
        }
    }

    /// Sends what a client has queued, over its `own` connection or the one that all share.
    fn send_queued(
        &mut self,
        id: LinkId,
        own: bool,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Taken {
        let transaction = course.transaction.take().unwrap_or_default();
        // A part of what the node does may be answered though the rest is not.
        let muted = transaction.has_own() && course.replies.mute(false);
        let (client, ticket) = (request.client, course.replies.owe());
        course.execution = transaction.execution(ticket, muted);
        let whole = transaction.whole();
        let Transaction { changes, reads, scope, db, .. } = transaction;
        if self.is_quiet_over(id, course) {
            self.send_quietly(id, (client, ticket), course, whole.clone(), reads);
        }
        self.invalidate(&changes);
        let own = own && course.own.hold.take(Use::Unwatch) == Fate::Returns;
        let batch = match self.clustered() {
            true => self.batches.add(Batch::new(whole.clone(), scope.clone())),
            false => 0,
        };
        self.send_whole(id, &whole, Step::Exec { client, ticket, changes, db, own, batch });
        match own || db.is_some() {
            true => course.settle(ticket),
            false => {
                self.follow(ticket, id, course);
                if batch != 0 {
                    course.pending.hold(ticket, &scope);
                }
            }
        }
        if course.execution.is_some() { Taken::Later } else { Taken::Done }
    }

    /// What becomes of an `EXEC` that was sent already, whose client does a part of it here.
    pub(super) fn go_on_executing(
        &mut self,
        client: ClientId,
        course: &mut Course,
    ) -> Option<Taken> {
        let answered = course.execution.as_ref()?.is_answered();
        if answered {
            self.over_with(None, client, course);
        }
        Some(if answered { Taken::Executed } else { Taken::Later })
    }

    /// The node has done its part of a transaction.
    pub(crate) fn executed(&mut self, execution: &Execution, course: &mut Course) {
        course.tracking.forget_caching();
        if execution.misleads() {
            self.tell_all_changed(course);
        }
    }
}

impl Relay {
    /// Sends a transaction.
    pub(super) fn send_whole(&mut self, id: LinkId, whole: &[Vec<u8>], exec: Step) {
        let part = matches!(exec, Step::Exec { batch: 1.., .. });
        let Some((last, parts)) = whole.split_last() else { return };
        for request in parts {
            let to = match &exec {
                Step::Exec { batch, .. } if part => To::Part { batch: *batch },
                _ => To::Nobody,
            };
            self.send(id, request, to);
        }
        self.send(id, last, To::Session(exec));
    }
}

/// Why a request of a transaction is refused.
enum Refusal {
    /// The transaction goes on, and will not be done.
    Kept(Failure),
    /// It is over.
    Ended(Failure),
}

impl Course {
    /// A request of the transaction was refused, if there is one.
    pub(crate) fn refuse_transaction(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refuse();
        }
    }
}

//! Requests that change what their clients' sessions are, by the class of each: what `own` and
//! `transactions` do, and what the node answers by itself.

use super::Relay;
use super::checks::{check_subscriber, check_words};
use super::face::NOT_HERE;
use super::reply::To;
use super::step::Step;
use crate::catalog::{Class, Known};
use crate::command;
use crate::failure::Failure;
use crate::path::course::{Course, Request, Stand, Taken};
use crate::path::hold::Hold;
use crate::path::pending::LinkId;
use crate::path::transaction::Transaction;
use crate::shared::ClientId;
use breakwater_resp::{ReplyWriter, number};

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
        if request.stand == Stand::Alone {
            check_subscriber(known, request, course)?;
        } else if let Some(refusal) = waits_for_more(known) {
            return Err(refusal.into());
        }
        let taken = match known.class {
            Class::Refused(_)
                if self.clustered()
                    && matches!(&*known.name, "asking" | "readonly" | "readwrite") =>
            {
                check_words(known, request)?;
                Ok(Taken::Said("OK"))
            }
            Class::Refused(why) => Err(why.into()),
            _ if course.monitors && !matches!(&*known.name, "reset" | "quit") => {
                Err(MONITORS.into())
            }
            _ if self.is_of_users(known) => Ok(Taken::Local),
            Class::Local => self.local(known, request, course, out),
            Class::Multi => {
                check_words(known, request)?;
                course.transaction = Some(Transaction::default());
                Ok(Taken::Said("OK"))
            }
            Class::Exec => Err("ERR EXEC without MULTI".into()),
            Class::Discard => Err("ERR DISCARD without MULTI".into()),
            Class::Unwatch if own.is_some() && course.own.hold == Hold::Watching => {
                self.finish_own(known, request, course)
            }
            Class::Unwatch if own.is_none() => {
                check_words(known, request)?;
                Ok(Taken::Said("OK"))
            }
            Class::Subscribes => self.subscribe(known, request, course, out),
            Class::Monitors if self.clustered() => Err(NOT_HERE.into()),
            Class::Other if self.clustered() && known.name.starts_with("cluster|") => {
                self.speak_as_one(known, request, course, out)
            }
            Class::Watch | Class::Monitors | Class::Waits => self.take_own(known, request, course),
            _ if known.blocks(request.args) => self.take_own(known, request, course),
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
                let mut reply = ReplyWriter::new(out, request.protocol);
                reply.array(2);
                reply.bulk(b"pong");
                reply.bulk(request.args.get(1).unwrap_or_default());
                Ok(Taken::Made)
            }
            "select" if known.takes(request.args.len()) => self.select(request, course, own),
            "hello" if own.is_some() && changes_protocol(request) => {
                Err("ERR the protocol cannot change while keys are watched".into())
            }
            "hello" if request.stand == Stand::Amid && changes_protocol(request) => {
                Err("ERR the protocol cannot change in the middle of a transaction".into())
            }
            "hello" if request.stand != Stand::Amid && self.must_meet(request.client) => {
                Ok(Taken::Later)
            }
            "info" => Ok(self.inform(request, course)),
            "reset" if request.args.len() == 1 => Ok(self.reset(request, course)),
            "client|pause" | "client|unpause" | "client|unblock" => {
                self.hold_up(known, request, course, out)
            }
            "client|tracking" | "client|caching" | "client|trackinginfo" | "client|getredir" => {
                self.track(known, request, course, out)
            }
            _ => Ok(Taken::Local),
        }
    }

    /// Chooses a database: in the store as well, where a client has a connection of its own.
    fn select(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        own: Option<LinkId>,
    ) -> Result<Taken, Failure> {
        let Ok(db) = command::database(request.args.word(1)) else { return Ok(Taken::Local) };
        if self.clustered() && db != 0 {
            return Err("ERR SELECT is not allowed in cluster mode".into());
        }
        let Some(id) = own else { return Ok(Taken::Local) };
        let ticket = course.replies.owe();
        let step = Step::Select { client: request.client, ticket, db };
        self.send(id, request.bytes, To::Session(step));
        course.settle(ticket);
        Ok(Taken::Done)
    }

    /// Holds up clients, or lets one go on.
    fn hold_up(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        if request.user.is_none() {
            return Err("NOAUTH Authentication required.".into());
        }
        check_words(known, request)?;
        match &*known.name {
            "client|pause" => self.pause(request),
            "client|unpause" => Ok(self.unpause()),
            _ => self.unblock(request, course, out),
        }
    }

    /// Whether a command speaks of users, of whom the node has its own.
    pub(super) fn is_of_users(&self, known: &Known) -> bool {
        known.class == Class::Other
            && self.rules.users.given
            && (known.name == "acl" || known.name.starts_with("acl|"))
    }

    /// A client is to be as one that has just begun, once what it is owed has come over a connection
    /// that ends with it.
    pub(super) fn reset(&mut self, request: &Request<'_>, course: &mut Course) -> Taken {
        if course.own.hold == Hold::Kept && !course.replies.is_empty() {
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
        self.crowds.remove(client);
        self.paused.remove(&client);
        self.untrack(client, course);
        self.unpin(client, course);
        self.unsubscribe_all(client, course);
    }
}

/// Whether a `HELLO` asks for another protocol than its client has.
fn changes_protocol(request: &Request<'_>) -> bool {
    let version = request.args.get(1).and_then(number::integer);
    version.is_some_and(|version| matches!(version, 2 | 3) && version != request.protocol as i64)
}

/// Why a command is refused in a transaction after which its client would hear more.
fn waits_for_more(known: &Known) -> Option<&'static str> {
    match &*known.name {
        "monitor" => Some("ERR MONITOR isn't allowed for DENY BLOCKING client"),
        "ssubscribe" => Some("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"),
        _ => None,
    }
}

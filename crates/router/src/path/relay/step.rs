//! What becomes of a reply that changes a session.

use super::Relay;
use crate::news::Topic;
use crate::path::changes::Changes;
use crate::path::course::Delivery;
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use crate::topology::ServerId;
use breakwater_resp::Kind;

/// Whose reply it is, and what is done with it.
pub(super) enum Step {
    /// The reply to the last request over a client's own connection, which watches keys until then,
    /// perhaps.
    Last { client: ClientId, ticket: u64, changes: Changes, watched: bool },
    /// To the `UNWATCH` over one whose client is gone.
    Cleaned(LinkId),
    /// To `SELECT` over one.
    Select { client: ClientId, ticket: u64, db: u8 },
    /// To `EXEC`; the connection comes back if it is the client's own.
    Exec { client: ClientId, ticket: u64, changes: Changes, db: Option<u8>, own: bool, batch: u64 },
    /// A server was asked for subscriptions, by an errand of this number.
    Stands { server: ServerId, errand: u64, topics: Vec<Topic> },
    /// Subscriptions that no thread has any more.
    Ended,
    /// The number that the store knows a connection by.
    Numbered(LinkId),
    /// The store tells of changes of the keys that a client is about to read.
    Promised { client: ClientId, number: u64 },
    /// The store has said which version it is, or cannot.
    Met,
    /// What the store says of a command of this name.
    Learn(Vec<u8>),
}

impl Relay {
    /// A reply that changes a session.
    pub(super) fn replied_session(&mut self, id: LinkId, step: Step, kind: Kind, reply: Vec<u8>) {
        match step {
            Step::Last { client, ticket, changes, watched } => {
                self.invalidate(&changes);
                self.answer(client, ticket, reply);
                self.take_back(id, watched && kind.is_error());
            }
            Step::Cleaned(id) => self.take_back(id, kind.is_error()),
            Step::Select { client, ticket, db } => {
                let chosen = (!kind.is_error()).then_some(db);
                self.deliveries.push(Delivery::choosing(client, ticket, reply, chosen));
                if let (Some(link), Some(db)) = (self.links.get_mut(&id), chosen) {
                    link.pin = Some(db);
                }
            }
            Step::Exec { client, ticket, changes, db, own, batch } => {
                let exec = Step::Exec { client, ticket, changes, db, own, batch };
                let Some((exec, reply, kind)) = self.ended_batch(id, exec, kind, reply) else {
                    return;
                };
                let Step::Exec { changes, .. } = exec else { return };
                self.invalidate(&changes);
                let done = kind == Kind::Array && !reply.starts_with(b"*-1");
                let refused = kind.is_error() && !reply.starts_with(b"-EXECABORT");
                let chosen = db.filter(|_| done);
                self.deliveries.push(Delivery::choosing(client, ticket, reply, chosen));
                if let (Some(link), Some(db)) = (self.links.get_mut(&id), chosen) {
                    link.pin = Some(db);
                }
                // One that refused it may watch keys yet, or be in any database.
                if own {
                    self.take_back(id, refused || (db.is_some() && !done));
                }
            }
            Step::Stands { server, errand, topics } => {
                self.stands((server, errand), topics, Ok((kind, &reply)));
            }
            Step::Ended => self.ended(kind.is_error()),
            Step::Numbered(id) => self.numbered(id, &reply),
            Step::Promised { client, number } => {
                self.give_promise(client, if kind.is_error() { 0 } else { number });
            }
            Step::Met => self.met(),
            Step::Learn(name) => self.learned(name, Some(&reply)),
        }
    }

    /// There is none.
    pub(super) fn failed_session(&mut self, step: Step, error: Vec<u8>) {
        match step {
            Step::Exec { batch: number @ 1.., client, ticket, changes, .. } => {
                let detour = self.batches.end(number).and_then(|batch| batch.detour);
                detour.into_iter().for_each(|detour| self.end_detour(detour));
                self.invalidate(&changes);
                self.answer(client, ticket, error);
            }
            Step::Last { client, ticket, changes, .. }
            | Step::Exec { client, ticket, changes, .. } => {
                self.invalidate(&changes);
                self.answer(client, ticket, error);
            }
            Step::Select { client, ticket, .. } => self.answer(client, ticket, error),
            Step::Numbered(_) => {}
            Step::Promised { client, .. } => self.give_promise(client, 0),
            Step::Cleaned(id) => self.take_back(id, true),
            Step::Ended => self.ended(true),
            Step::Stands { server, errand, topics } => {
                self.stands((server, errand), topics, Err(&error));
            }
            Step::Met => self.met(),
            Step::Learn(name) => self.learned(name, None),
        }
    }
}

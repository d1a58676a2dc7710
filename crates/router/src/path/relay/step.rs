//! What becomes of a reply that changes a session.

use super::Relay;
use crate::path::changes::Changes;
use crate::path::course::Delivery;
use crate::path::pending::LinkId;
use crate::news::Topic;
use crate::shared::ClientId;
use breakwater_resp::Kind;

/// Whose reply it is, and what is done with it.
pub(super) enum Step {
    /// The reply to the last request over a client's own connection.
    Last { client: ClientId, ticket: u64, changes: Changes },
    /// To `SELECT` over one.
    Select { client: ClientId, ticket: u64, db: u8 },
    /// To `EXEC`; the connection comes back if it is the client's own.
    Exec { client: ClientId, ticket: u64, changes: Changes, db: Option<u8>, own: bool },
    /// The store has begun the subscriptions that these bytes confirm.
    Confirm { client: ClientId, ticket: u64, bytes: Vec<u8>, topics: Vec<Topic> },
    /// The number that the store knows a client's own connection by, which others may redirect to.
    Number { client: ClientId, ticket: u64, bytes: Vec<u8> },
    /// What the store says of a command of this name.
    Learn(Vec<u8>),
}

impl Relay {
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

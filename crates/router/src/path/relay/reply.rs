//! Replies on their way out: whose each one is, and what it changes.

use super::Relay;
use super::changes::Changes;
use crate::path::course::Delivery;
use crate::shared::ClientId;
use breakwater_resp::Kind;

/// Whose reply it is that the store gives.
pub(super) enum To {
    /// A client's, and what its request changes.
    Client { client: ClientId, ticket: u64, changes: Changes },
    /// Passed on to the client that the connection belongs to.
    Owner { changes: Changes },
    /// Nobody's.
    Nobody,
    /// The value of a key, for all who wait for it.
    Value(u64),
    /// How long it lives, in milliseconds.
    Life(u64),
}

impl Relay {
    pub(super) fn replied(&mut self, to: To, kind: Kind, reply: Vec<u8>, owner: Option<ClientId>) {
        match to {
            To::Nobody => {}
            To::Client { client, ticket, changes } => {
                self.invalidate(&changes);
                self.answer(client, ticket, reply);
            }
            To::Owner { changes } => {
                self.invalidate(&changes);
                self.pass_back(owner, reply);
            }
            To::Value(number) => self.value(number, kind, reply),
            To::Life(number) => self.life(number, &reply),
        }
    }

    pub(super) fn answer(&mut self, client: ClientId, ticket: u64, bytes: Vec<u8>) {
        self.deliveries.push(Delivery { client, ticket: Some(ticket), bytes, ends: false });
    }

    pub(super) fn pass_back(&mut self, owner: Option<ClientId>, bytes: Vec<u8>) {
        if let Some(client) = owner {
            self.deliveries.push(Delivery { client, ticket: None, bytes, ends: false });
        }
    }

    /// A request gets no reply.
    pub(super) fn fail(&mut self, to: To, owner: Option<ClientId>, why: &str) {
        let error = format!("-ERR {why}\r\n").into_bytes();
        match to {
            To::Nobody => {}
            To::Client { client, ticket, changes } => {
                self.invalidate(&changes);
                self.answer(client, ticket, error);
            }
            To::Owner { changes } => {
                self.invalidate(&changes);
                self.pass_back(owner, error);
            }
            To::Value(number) => {
                let Some(read) = self.reads.get_mut(&number) else { return };
                let waiters = std::mem::take(&mut read.waiters);
                read.value = Some(vec![]);
                if read.lease.is_none() {
                    self.reads.remove(&number);
                }
                for (client, ticket, _) in waiters {
                    self.answer(client, ticket, error.clone());
                }
            }
            To::Life(number) => {
                if let Some((lease, _)) = self.take_read(number) {
                    self.router.cache().flights().fail(&lease);
                }
            }
        }
    }
}

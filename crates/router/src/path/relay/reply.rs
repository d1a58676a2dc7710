//! Replies on their way out: whose each one is, and what it changes.

use super::Relay;
use super::gather::is_part;
use super::read::{News, Read, Waiter};
use super::step::Step;
use crate::cache::{Form, Generations, Shelf};
use crate::path::changes::Changes;
use crate::path::course::Delivery;
use crate::shared::ClientId;
use crate::topology::{Fence, Partition, ReadFrom, ServerId};
use breakwater_resp::{Kind, Protocol};

/// Whose reply it is that the store gives.
pub(super) enum To {
    /// A client's, and what its request changes.
    Client { client: ClientId, ticket: u64, changes: Changes },
    /// A client's, in RESP3; it gets it in the form of its own protocol.
    Beside { waiter: Waiter, form: Form },
    /// A client's, whose session it changes.
    Session(Step),
    /// A client's, whose `INFO` the node adds to.
    Info(Box<Asked>),
    /// Says whether changes will be told of what this client reads next.
    Allowed { client: ClientId, ticket: u64 },
    /// That of a read which a replica is asked, and another server if it does not answer.
    Placed(Box<Placed>),
    /// To a read of a flight that another server than the first is asked, for all who wait for it.
    Instead(Box<Read>),
    /// What a server says of its replication.
    Probe(Probe),
    /// What a server of a cluster says of it, in the round of this number.
    Map { round: u64, server: ServerId, slots: bool },
    /// A client's: a page of a scan of several servers.
    Page(Page),
    /// Nobody's.
    Nobody,
    /// Says whether changes will be told of what the read of this flight asks for.
    Promise(u64),
    /// The reply to the read of this flight, for all who wait for it.
    Value(u64),
    /// How long a key of it lives, in milliseconds.
    Life(u64),
    /// It is compared with what was given from memory.
    Compare(Box<Given>),
}

/// A page of a scan that a server is asked for.
pub(super) struct Page {
    pub(super) client: ClientId,
    pub(super) ticket: u64,
    pub(super) server: ServerId,
}

/// A reply that was given from memory and is compared.
pub(super) struct Given {
    pub(super) shelf: Shelf,
    pub(super) generations: Generations,
    pub(super) protocol: Protocol,
    /// How old it was, in milliseconds.
    pub(super) age: u64,
    pub(super) bytes: Vec<u8>,
}

/// A read that a replica is asked.
pub(super) struct Placed {
    pub(super) server: ServerId,
    pub(super) demand: Demand,
    pub(super) request: Box<[u8]>,
    /// Whose the reply is.
    pub(super) to: To,
    /// Whether it is a page of a scan.
    pub(super) scans: bool,
    /// Whether no other server can answer it.
    pub(super) stays: bool,
}

/// What a read asks of the server that answers it.
#[derive(Clone, Copy)]
pub(super) struct Demand {
    pub(super) from: ReadFrom,
    /// The writes that it has to see.
    pub(super) fence: Fence,
    pub(super) protocol: Protocol,
    pub(super) db: u8,
    /// Of which keys.
    pub(super) partition: Partition,
}

/// A question to a server, how far it has come.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    pub(super) server: ServerId,
    /// The primary of its history.
    pub(super) primary: ServerId,
    /// The last write of the node that was numbered before.
    pub(super) fence: Fence,
    /// When it was asked, in milliseconds of the engine's clock.
    pub(super) at: u64,
}

/// A client's `INFO`.
pub(super) struct Asked {
    pub(super) client: ClientId,
    pub(super) ticket: u64,
    pub(super) protocol: Protocol,
    pub(super) request: Box<[u8]>,
}

impl To {
    /// A client's reply to what changes nothing.
    pub(super) fn read(client: ClientId, ticket: u64) -> Self {
        Self::Client { client, ticket, changes: Changes::Nothing }
    }
}

impl Relay {
    pub(super) fn replied(&mut self, to: To, kind: Kind, reply: Vec<u8>) {
        match to {
            To::Nobody | To::Session(_) => {}
            To::Allowed { client, ticket } => {
                if kind.is_error() {
                    self.distrust(client, ticket);
                }
            }
            To::Client { client, ticket, changes } => {
                self.invalidate(&changes);
                self.answer(client, ticket, reply);
            }
            To::Beside { waiter, form } => {
                let reply = form.convert(kind, &reply, waiter.protocol);
                self.answer(waiter.client, waiter.ticket, reply.into_owned());
            }
            To::Promise(flight) => self.promised(flight, kind),
            To::Value(flight) => self.value(flight, kind, reply),
            To::Life(flight) => self.life(flight, &reply),
            To::Compare(given) => self.compare(&given, kind, &reply),
            To::Info(asked) => self.informed(&asked, Some(&reply)),
            To::Placed(placed) => self.replied_placed(*placed, kind, reply),
            To::Instead(mut read) => {
                read.reply = Some((kind, reply));
                self.give(*read, true);
            }
            To::Page(page) => self.replied_page(&page, kind, reply),
            To::Probe(probe) => self.replied_probe(probe, Some(&reply)),
            To::Map { round, server, slots } => {
                self.replied_map(round, server, slots, Some(reply));
            }
        }
    }

    pub(super) fn answer(&mut self, client: ClientId, ticket: u64, bytes: Vec<u8>) {
        if is_part(ticket) {
            return self.answer_part(client, ticket, bytes);
        }
        self.deliveries.push(Delivery::reply(client, ticket, bytes));
    }

    /// A request gets no reply.
    pub(super) fn fail(&mut self, to: To, why: &str) {
        let error = || format!("-ERR {why}\r\n").into_bytes();
        match to {
            To::Client { client, ticket, changes } => {
                self.invalidate(&changes);
                self.answer(client, ticket, error());
            }
            To::Beside { waiter, .. } => self.answer(waiter.client, waiter.ticket, error()),
            To::Session(step) => self.failed_session(step, error()),
            To::Nobody => {}
            To::Allowed { client, ticket } => self.distrust(client, ticket),
            To::Promise(flight) => self.promised(flight, Kind::Error),
            To::Value(flight) | To::Life(flight) => {
                if !self.read_elsewhere(flight, why) {
                    self.happen(flight, News::Lost, why);
                }
            }
            To::Compare(_) => {}
            To::Info(asked) => self.informed(&asked, None),
            To::Placed(placed) => self.replace(*placed, why),
            To::Instead(read) => self.fail_read(*read, why),
            To::Page(page) => self.failed_page(&page, error()),
            To::Probe(probe) => self.replied_probe(probe, None),
            To::Map { round, server, slots } => self.replied_map(round, server, slots, None),
        }
    }
}

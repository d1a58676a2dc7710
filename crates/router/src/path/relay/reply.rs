//! Replies on their way out: whose each one is, and what it changes.

use super::Relay;
use super::detours::DetourId;
use super::gather::is_part;
use super::read::{News, Read, Waiter};
use super::step::Step;
use crate::cache::{Form, Generations, Shelf};
use crate::failure::error_line;
use crate::path::changes::Changes;
use crate::path::course::Delivery;
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use crate::sight::CommandClass;
use crate::topology::{Fence, Partition, ReadFrom, ServerId};
use breakwater_resp::{Kind, Protocol};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Whose reply it is that the store gives.
pub(super) enum To {
    /// A client's, and what its request changes; in this protocol there is no value, if there is none.
    Client { client: ClientId, ticket: u64, changes: Changes, protocol: Protocol },
    /// A client's, to a read: that may be asked twice.
    Reader { client: ClientId, ticket: u64 },
    /// Of a request that another server was asked before.
    Again(Box<Again>),
    /// To a part of a transaction on its way.
    Part { batch: u64 },
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
    /// Says that this server is there, which has failed before.
    Trial(ServerId),
    /// Nobody's.
    Nobody,
    /// Says whether changes will be told of what the read of this flight asks for.
    Promise(u64),
    /// The reply to the read of this flight, for all who wait for it.
    Value(u64),
    /// How long a key of it lives, in milliseconds.
    Life(u64),
    /// The copy that the read of this flight asks for.
    Copy(u64),
    /// A copy has been made, or has not.
    Copied(Box<Made>),
    /// Says that all has been heard that was told over this connection of another thread.
    Resumed(LinkId),
    /// It is compared with what was given from memory.
    Compare(Box<Given>),
}

/// A request that a server has not done.
pub(super) struct Again {
    pub(super) to: To,
    /// Until when it is tried, in milliseconds.
    pub(super) until: u64,
    /// How often another server was asked.
    pub(super) tries: u32,
    /// The database that it is about; a cluster has one.
    pub(super) db: u8,
    pub(super) detour: DetourId,
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
    /// Its stamp.
    pub(super) stamp: u64,
    pub(super) protocol: Protocol,
    /// How old it was, in milliseconds.
    pub(super) age: u64,
    pub(super) bytes: Vec<u8>,
}

/// A copy that a store is asked to take.
pub(super) struct Made {
    pub(super) shelf: Shelf,
    pub(super) generation: u64,
    /// That of the reply.
    pub(super) stamp: u64,
    pub(super) store: ServerId,
    /// When it ends, in milliseconds of the engine's clock.
    pub(super) until: u64,
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
        Self::Reader { client, ticket }
    }

    /// The clients of this thread whose reply it is.
    pub(super) fn clients(&self) -> SmallVec<[ClientId; 1]> {
        match self {
            Self::Client { client, .. } | Self::Reader { client, .. } => {
                SmallVec::from_elem(*client, 1)
            }
            Self::Beside { waiter, .. } => SmallVec::from_elem(waiter.client, 1),
            Self::Instead(read) => read.waiters.iter().map(|waiter| waiter.client).collect(),
            Self::Placed(placed) => placed.to.clients(),
            Self::Again(again) => again.to.clients(),
            _ => SmallVec::new(),
        }
    }

    /// Of which class what a client asked is, if it is that and gets a reply in time. What goes over a
    /// connection of one client may wait for as long as it likes.
    pub(super) fn class(&self) -> Option<CommandClass> {
        match self {
            Self::Client { changes, .. } if changes.is_nothing() => Some(CommandClass::Other),
            Self::Client { .. } => Some(CommandClass::Write),
            Self::Placed(placed) => placed.to.class(),
            Self::Again(again) => again.to.class(),
            Self::Page(_) => Some(CommandClass::Read),
            _ => self.is_read().then_some(CommandClass::Read),
        }
    }

    /// Whether what it answers was sent along with a request of a client, and fails with that.
    pub(super) fn goes_with_another(&self) -> bool {
        matches!(self, Self::Nobody | Self::Promise(_) | Self::Life(_) | Self::Allowed { .. })
    }

    /// Whether what it answers may be asked twice.
    pub(super) fn is_read(&self) -> bool {
        match self {
            Self::Again(again) => again.to.is_read(),
            Self::Reader { .. } | Self::Beside { .. } | Self::Instead(_) | Self::Value(_) => true,
            _ => false,
        }
    }
}

impl Relay {
    pub(super) fn replied(&mut self, to: To, kind: Kind, reply: Vec<u8>) {
        match to {
            To::Nobody | To::Session(_) | To::Part { .. } => {}
            To::Again(again) => {
                self.end_detour(again.detour);
                self.replied(again.to, kind, reply);
            }
            To::Reader { client, ticket } => self.answer(client, ticket, reply),
            To::Allowed { client, ticket } => {
                if kind.is_error() {
                    self.distrust(client, ticket);
                }
            }
            To::Client { client, ticket, changes, protocol } => {
                self.invalidate(&changes);
                self.answer(client, ticket, converted(Form::Alike, kind, reply, protocol));
            }
            To::Beside { waiter, form } => {
                let reply = converted(form, kind, reply, waiter.protocol);
                self.answer(waiter.client, waiter.ticket, reply);
            }
            To::Promise(flight) => self.promised(flight, kind),
            To::Value(flight) => self.value(flight, kind, reply),
            To::Life(flight) => self.life(flight, &reply),
            To::Copy(flight) => self.replied_copy(flight, &reply),
            To::Copied(made) => self.made_copy(&made, kind),
            // An error may be the node's own: the connection is lost.
            To::Resumed(id) if !kind.is_error() => self.resumed(id),
            To::Resumed(_) => {}
            To::Compare(given) => self.compare(&given, kind, &reply),
            To::Info(asked) => self.informed(&asked, Some(&reply)),
            To::Placed(placed) => self.replied_placed(*placed, kind, reply),
            To::Instead(mut read) => {
                read.reply = Some((kind, reply));
                self.give(*read, true);
            }
            To::Page(page) => self.replied_page(&page, kind, reply),
            To::Trial(server) => self.is_tried(server, true),
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
        let delivery = if self.fails { Delivery::failed } else { Delivery::reply };
        self.deliveries.push(delivery(client, ticket, bytes));
    }

    /// What is answered by this is so since the store has not answered.
    pub(super) fn failing(&mut self, answer: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.fails, true);
        answer(self);
        self.fails = before;
    }

    /// A request gets no reply.
    pub(super) fn fail(&mut self, to: To, why: &str) {
        self.failing(|relay| relay.fail_to(to, why));
    }

    fn fail_to(&mut self, to: To, why: &str) {
        let error = || error_line(why);
        match to {
            To::Client { client, ticket, changes, .. } => {
                self.invalidate(&changes);
                self.answer(client, ticket, error());
            }
            To::Beside { waiter, .. } => self.answer(waiter.client, waiter.ticket, error()),
            To::Reader { client, ticket } => self.answer(client, ticket, error()),
            To::Again(again) => {
                self.end_detour(again.detour);
                self.fail(again.to, why);
            }
            To::Part { .. } => {}
            To::Session(step) => self.failed_session(step, error()),
            To::Nobody | To::Resumed(_) => {}
            To::Allowed { client, ticket } => self.distrust(client, ticket),
            To::Promise(flight) => self.promised(flight, Kind::Error),
            To::Value(flight) | To::Life(flight) => {
                if !self.read_elsewhere(flight, why) {
                    self.happen(flight, News::Lost, why);
                }
            }
            To::Copy(flight) => self.ask_own(flight),
            To::Copied(_) | To::Compare(_) => {}
            To::Info(asked) => self.informed(&asked, None),
            To::Placed(placed) => self.replace(*placed, why),
            To::Instead(read) => self.fail_read(*read, why),
            To::Page(page) => self.failed_page(&page, error()),
            To::Trial(server) => self.is_tried(server, false),
            To::Probe(probe) => self.replied_probe(probe, None),
            To::Map { round, server, slots } => self.replied_map(round, server, slots, None),
        }
    }
}

/// A reply in the form of a protocol.
fn converted(form: Form, kind: Kind, reply: Vec<u8>, protocol: Protocol) -> Vec<u8> {
    match form.convert(kind, &reply, protocol) {
        Cow::Borrowed(_) => reply,
        Cow::Owned(converted) => converted,
    }
}

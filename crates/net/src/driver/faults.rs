//! What a panic costs. It is a bug, here or in the core, and nobody else is to pay for it:
//!
//! ```text
//! where it happens                          what it costs
//! accepting a connection                    that connection
//! a step of a client, a reply for it        that client's connection
//! anything else: what comes from the store  all connections of the thread, which goes on with none;
//! or from other threads, deadlines          clients connect again
//! there as well                             the driver: its host is told
//! ```
//! Other threads go on. What had been read of the store through this one is not given any more.

use super::{Driver, Task};
use crate::deadlines::Deadlines;
use crate::links::Links;
use breakwater_router::{Output, Relay};
use slotmap::DefaultKey;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The most that are kept until they are told.
const KEPT: usize = 16;

/// What a panic cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// One connection of a client.
    Connection,
    /// All connections of the thread.
    Thread,
}

/// A panic: a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it cost.
    pub cost: Cost,
    /// What it said.
    pub why: String,
}

/// Does something; what a panic in it said.
pub(super) fn caught<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    // What was being changed is not used any more: it ends with the panic.
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| said(&*panic))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic that said nothing".to_owned())
}

impl Driver {
    /// Panics since it was asked last, the first 16 of them.
    pub fn faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    /// Does something for a connection, which ends if that panics.
    pub(super) fn guard(&mut self, key: DefaultKey, what: fn(&mut Self, DefaultKey)) {
        if let Err(why) = caught(|| what(self, key)) {
            self.give_up(key, why);
        }
    }

    /// Does something for all; if that panics, everything begins anew.
    pub(super) fn guard_all(&mut self, what: fn(&mut Self)) {
        if let Err(why) = caught(|| what(self)) {
            self.begin_anew(why);
        }
    }

    /// Ends a connection after a panic.
    pub(super) fn give_up(&mut self, key: DefaultKey, why: String) {
        self.tell(Cost::Connection, why);
        self.end(key);
    }

    /// Notes a panic, to be told.
    pub(super) fn tell(&mut self, cost: Cost, why: String) {
        self.router.count_fault();
        if self.faults.len() < KEPT {
            self.faults.push(Fault { cost, why });
        }
    }

    /// Closes all connections and goes on with none, after a panic that may have left anything behind.
    fn begin_anew(&mut self, why: String) {
        self.tell(Cost::Thread, why);
        self.by_id.clear();
        // Places keep their generations: what was told of the old connections means no new one.
        drop(self.connections.drain().collect::<Vec<_>>());
        self.links = Links::default();
        self.deadlines = Deadlines::default();
        self.retry = None;
        self.held_back.clear();
        self.listeners.iter_mut().for_each(|listener| listener.waits = false);
        self.queue = (0..self.listeners.len()).map(Task::Accept).collect();
        self.work.output = Output::default();
        if let Some(mut gone) = self.work.relay.take() {
            self.post(gone.break_off());
            self.work.relay = Relay::new(&self.router);
            let number = self.work.relay.as_ref().map_or(0, Relay::number);
            self.membership.renew(number, self.waker.clone());
            if let Some(relay) = &self.work.relay {
                relay.is_reached();
                self.work.seat = relay.seat().clone();
            }
        }
        self.pause();
    }
}

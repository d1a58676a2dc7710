//! Flights: one load of a key at a time in the process. JavaScript loads; this side says who does,
//! and tells those who wait.
//!
//! A flight has a number, by which those who wait know it. Its leader has a lease, whose number is
//! another one once the flight was handed over.

use crate::env::{News, mail};
use breakwater_engine::{FlightTable, Lease, Ticket};
use std::cell::RefCell;
use std::collections::HashMap;

/// The flights that an instance takes part in.
#[derive(Default)]
pub struct Flights {
    /// By the lease's number.
    leads: RefCell<HashMap<u64, Lease>>,
    /// By the flight's number.
    waits: RefCell<HashMap<u64, Wait>>,
}

/// A flight that an instance waits for.
struct Wait {
    ticket: Ticket,
    /// The number of the lease that it waits for: when it loses patience that one is overdue.
    lease: u64,
}

impl Flights {
    /// The instance leads from now on.
    pub fn lead(&self, lease: Lease) {
        self.leads.borrow_mut().insert(lease.number(), lease);
    }

    /// The instance leads a flight that it took part in before.
    pub fn inherit(&self, lease: Lease) {
        self.stop_leading(lease.ticket().flight);
        self.lead(lease);
    }

    /// The instance waits from now on for the flight of such a lease.
    pub fn wait(&self, ticket: Ticket, lease: u64) {
        self.waits.borrow_mut().insert(ticket.flight, Wait { ticket, lease });
    }

    /// The instance waits no more; the flight, if it waited.
    pub fn end_wait(&self, flight: u64) -> Option<Ticket> {
        self.waits.borrow_mut().remove(&flight).map(|wait| wait.ticket)
    }

    /// Another one leads, by the lease of this number; whether the instance led until now.
    pub fn wait_anew(&self, flight: u64, lease: u64) -> bool {
        if let Some(wait) = self.waits.borrow_mut().get_mut(&flight) {
            wait.lease = lease;
            return false;
        }
        let led = self.stop_leading(flight);
        if let Some((ticket, _)) = led {
            self.wait(ticket, lease);
        }
        led.is_some()
    }

    /// Another one may lead a flight that the instance led; whether it does, and the instance waits.
    pub fn overtaken(&self, flight: u64, table: &FlightTable, owner: u64) -> bool {
        match self.led(flight) {
            // It is patient with the new lease, as if it had lost patience with its own just now.
            Some((ticket, lease)) if table.waits(ticket, owner) => self.wait_anew(flight, lease),
            _ => false,
        }
    }

    /// A flight that the instance takes part in, and the lease that is overdue if it loses patience.
    pub fn patience(&self, flight: u64) -> Option<(Ticket, u64)> {
        let waits = self.waits.borrow();
        let wait = waits.get(&flight).map(|wait| (wait.ticket, wait.lease));
        wait.or_else(|| self.led(flight))
    }

    /// A flight that the instance leads, and the number of the lease.
    fn led(&self, flight: u64) -> Option<(Ticket, u64)> {
        let leads = self.leads.borrow();
        // The first lease has the number of its flight.
        let lease = leads
            .get(&flight)
            .or_else(|| leads.values().find(|lease| lease.ticket().flight == flight))?;
        Some((lease.ticket(), lease.number()))
    }

    /// The instance leads no more; what it led, as in [`Flights::led`].
    pub fn stop_leading(&self, flight: u64) -> Option<(Ticket, u64)> {
        let led = self.led(flight)?;
        self.leads.borrow_mut().remove(&led.1);
        Some(led)
    }

    /// Takes a lease that the instance has, to end its flight.
    pub fn take(&self, lease: u64) -> Option<Lease> {
        self.leads.borrow_mut().remove(&lease)
    }

    /// Ends a flight that the instance leads if nobody waits for it; whether it has ended.
    pub fn cancel(&self, lease: u64, table: &FlightTable) -> bool {
        let mut leads = self.leads.borrow_mut();
        let ended = leads.get(&lease).is_none_or(|lease| table.cancel(lease));
        if ended {
            leads.remove(&lease);
        }
        ended
    }

    /// The instance is closed; how many flights it waited for.
    pub fn close(&self) -> usize {
        self.leads.take();
        self.waits.take().len()
    }
}

/// An instance is closed: others lead in its place.
pub fn owner_gone(table: &FlightTable, owner: u64) {
    mail::move_out(owner);
    let gone = table.owner_gone(owner);
    for lease in gone.heirs {
        appoint(lease);
    }
    for (leader, ticket) in gone.alone {
        mail::send(leader, ticket.flight, News::Alone);
    }
}

/// Tells who leads from now on.
pub fn appoint(lease: Lease) {
    mail::send(lease.owner(), lease.ticket().flight, News::Lead(lease));
}

/// Tells all who wait.
pub fn tell(waiters: &[u64], ticket: Ticket, news: impl Fn() -> News) {
    for &waiter in waiters {
        mail::send(waiter, ticket.flight, news());
    }
}

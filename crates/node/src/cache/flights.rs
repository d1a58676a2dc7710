//! Flights: one load of a key at a time in the process. JavaScript loads; this side says who does,
//! and tells those who wait.
//!
//! A flight has a number, by which those who wait know it. Its leader has a lease, whose number is
//! another one once the flight was handed over.

use crate::env::{News, mail};
use breakwater_engine::{Cancelled, FlightTable, Lease, Left, Ticket};
use std::cell::RefCell;
use std::collections::HashMap;

/// The flights that an instance takes part in.
#[derive(Default)]
pub struct Flights {
    /// By the lease's number.
    leads: RefCell<HashMap<u64, Lead>>,
    /// By the flight's number.
    waits: RefCell<HashMap<u64, Wait>>,
}

/// A lease that an instance has, or had and has not heard yet that it lost it.
pub struct Lead {
    /// The right to store.
    pub lease: Lease,
    /// Whether the flight is left to whoever joins next: then no letter tells what became of it.
    pub is_overdue: bool,
}

/// A flight that an instance waits for.
struct Wait {
    ticket: Ticket,
    /// The number of the lease that it waits for: when it loses patience that one is overdue.
    lease: u64,
}

/// A flight of an instance, and the number of the lease that is in question.
pub enum Part {
    Leads { ticket: Ticket, lease: u64, is_overdue: bool },
    Waits { ticket: Ticket, lease: u64 },
    None,
}

impl Flights {
    /// The instance leads from now on.
    pub fn lead(&self, lease: Lease) {
        self.leads.borrow_mut().insert(lease.number(), Lead { lease, is_overdue: false });
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
        if let Some(led) = &led {
            self.wait(led.lease.ticket(), lease);
        }
        led.is_some()
    }

    /// Another one may lead a flight that the instance led; whether it does, and the instance waits.
    pub fn overtaken(&self, flight: u64, table: &FlightTable, owner: u64) -> bool {
        let Part::Leads { ticket, .. } = self.part(flight) else { return false };
        table.waits_for(ticket, owner).is_some_and(|lease| self.wait_anew(flight, lease))
    }

    /// How the instance takes part in a flight.
    pub fn part(&self, flight: u64) -> Part {
        if let Some(&Wait { ticket, lease }) = self.waits.borrow().get(&flight) {
            return Part::Waits { ticket, lease };
        }
        let leads = self.leads.borrow();
        let Some(Lead { lease, is_overdue }) = self.number_of(flight).and_then(|n| leads.get(&n))
        else {
            return Part::None;
        };
        Part::Leads { ticket: lease.ticket(), lease: lease.number(), is_overdue: *is_overdue }
    }

    /// The number of the lease by which the instance leads a flight.
    fn number_of(&self, flight: u64) -> Option<u64> {
        let leads = self.leads.borrow();
        // The first lease has the number of its flight.
        if leads.contains_key(&flight) {
            return Some(flight);
        }
        let lead = leads.values().find(|lead| lead.lease.ticket().flight == flight)?;
        Some(lead.lease.number())
    }

    /// Whether what a lease of the instance brings is stored if nothing happens until then.
    pub fn may_store(&self, lease: u64, table: &FlightTable) -> bool {
        self.leads.borrow().get(&lease).is_some_and(|lead| table.may_store(&lead.lease))
    }

    /// The flight is left to whoever joins next.
    pub fn set_overdue(&self, lease: u64) {
        if let Some(lead) = self.leads.borrow_mut().get_mut(&lease) {
            lead.is_overdue = true;
        }
    }

    /// The instance leads no more; by what it led.
    pub fn stop_leading(&self, flight: u64) -> Option<Lead> {
        self.take(self.number_of(flight)?)
    }

    /// Takes a lease that the instance has, to end its flight.
    pub fn take(&self, lease: u64) -> Option<Lead> {
        self.leads.borrow_mut().remove(&lease)
    }

    /// Ends a flight that the instance leads, if nobody waits for it; whether it leads no more.
    pub fn cancel(&self, flight: u64, table: &FlightTable, owner: u64) -> bool {
        let Some(lead) = self.stop_leading(flight) else { return true };
        match table.cancel(&lead.lease) {
            Cancelled::Ended => {}
            Cancelled::Awaited => {
                self.leads.borrow_mut().insert(lead.lease.number(), lead);
                return false;
            }
            Cancelled::Lost => stand_back(lead.lease.ticket(), table, owner),
        }
        true
    }

    /// The instance is closed; how many flights it waited for.
    pub fn close(&self) -> usize {
        self.leads.take();
        self.waits.take().len()
    }
}

/// The owner waits for a flight no more.
pub fn stand_back(ticket: Ticket, table: &FlightTable, owner: u64) {
    if let Left::Alone(leader) = table.leave(ticket, owner) {
        mail::send(leader, ticket.flight, News::Alone);
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

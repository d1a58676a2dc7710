//! Flights: one load of a key at a time in the process. JavaScript loads; this side says who does,
//! and tells those who wait.
//!
//! A flight has a number, by which those who wait know it. Its leader has a lease, whose number is
//! another one once the flight was handed over.

use crate::call::{Call, Returns};
use crate::fail::Fail;
use crate::handle::Handle;
use crate::js::{Js, Val};
use crate::keys::KeyBuf;
use crate::mail::{self, Enclosure, News};
use crate::note;
use crate::registry::Shared;
use crate::values::{self, ValueBuf};
use crate::write::expiry_or_default;
use breakwater_engine::{
    Cache, Error, FlightTable, Freshness, Handover, Key, Lease, Left, Role, Ticket, Value,
};
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
    fn lead(&self, lease: Lease) {
        self.leads.borrow_mut().insert(lease.number(), lease);
    }

    /// The instance leads a flight that it took part in before.
    pub fn inherit(&self, lease: Lease) {
        self.stop_leading(lease.ticket().flight);
        self.lead(lease);
    }

    /// The instance waits from now on for the flight of such a lease.
    fn wait(&self, ticket: Ticket, lease: u64) {
        self.waits.borrow_mut().insert(ticket.flight, Wait { ticket, lease });
    }

    /// The instance waits no more; the flight, if it waited.
    pub fn end_wait(&self, flight: u64) -> Option<Ticket> {
        self.waits.borrow_mut().remove(&flight).map(|wait| wait.ticket)
    }

    /// Another one leads, by the lease of this number; whether the instance led until now.
    fn wait_anew(&self, flight: u64, lease: u64) -> bool {
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
    fn patience(&self, flight: u64) -> Option<(Ticket, u64)> {
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

    fn stop_leading(&self, flight: u64) -> Option<(Ticket, u64)> {
        let led = self.led(flight)?;
        self.leads.borrow_mut().remove(&led.1);
        Some(led)
    }

    /// The instance is closed; how many flights it waited for.
    pub fn close(&self) -> usize {
        self.leads.take();
        self.waits.take().len()
    }
}

/// Which values make a load needless, `join`'s second argument: fresh ones, or those that are not
/// about to be loaded anew either.
const UNLESS_FRESH: usize = 0;
const UNLESS_EARLY: usize = 1;

/// `join(key, unless, tags?)`: above 0: lead, by the lease of this number, which is the flight's as
/// well; below 0: wait for the flight of this number; 0: there is a value that suffices.
pub fn join<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, on) = (call.js, call.on);
    let mut key = KeyBuf::new();
    let key = key.read(js, call.arg::<0>())?;
    let unless = js.to_index(call.arg::<1>()).ok_or_else(Fail::argument)?;
    on.move_in(js)?;
    let shared = on.owned()?;
    let tags = note::slots(js, call.arg::<2>(), &shared.cache)?;
    let number = match shared.cache.flights().join(key, on.owner, &tags) {
        Role::Wait { ticket, lease, new } => {
            if new {
                on.flights.wait(ticket, lease);
                on.env.waits_more(js, 1);
            }
            -(ticket.flight as f64)
        }
        Role::Lead(lease) if suffices(&shared.cache, key, unless) => {
            // Whoever joined meanwhile finds the value by itself.
            let waiters = shared.cache.flights().fail(&lease).unwrap_or_default();
            tell(&waiters, lease.ticket(), || News::Gone);
            0.0
        }
        Role::Lead(lease) => {
            let number = lease.number() as f64;
            on.flights.lead(lease);
            number
        }
    };
    js.number(number)
}

/// Whether a load of the key is needless.
fn suffices(cache: &Cache, key: Key<'_>, unless: usize) -> bool {
    match cache.freshness(key) {
        Some(Freshness::Fresh) => unless <= UNLESS_EARLY,
        Some(Freshness::Early) => unless == UNLESS_FRESH,
        Some(Freshness::Stale) | None => false,
    }
}

/// `land(lease, value, ttl | undefined, note | undefined, kind?)`: ends a flight with its value, or
/// with the nothing or the failure that `kind` says; whether it was stored.
pub fn land<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let kind = js.to_index(call.arg::<4>()).unwrap_or_default() as u8;
    // All JavaScript that may run does so before the value's bytes are borrowed.
    let note = match js.len(call.arg::<3>()) {
        Some(_) => Some(note::read(js, call.arg::<3>(), &shared.cache)?),
        None => None,
    };
    let note = if kind == 0 { note } else { Some(note::negative(note)) };
    let expiry = expiry_or_default(js, &shared, Some(call.arg::<2>()));
    let mut buf = ValueBuf::new();
    let value = read(&mut buf, call, kind, &shared)?;
    let Some(lease) = take(call)? else { return js.boolean(false) };
    let Some(landing) = shared.cache.land(&lease, value, expiry, note.as_ref()) else {
        return js.boolean(false);
    };
    tell_value(&landing.waiters, lease.ticket(), kind, value);
    match landing.stored {
        Some(Err(Error::Outdated)) => js.boolean(false),
        Some(stored) => stored.map_err(Fail::from).and_then(|_| js.boolean(true)),
        None => js.boolean(false),
    }
}

/// What a load came to: a value, or what `kind` says.
fn read<'b>(
    buf: &'b mut ValueBuf,
    call: &Call<'_, Handle>,
    kind: u8,
    shared: &Shared,
) -> Result<Value<'b>, Fail> {
    match kind {
        0 => buf.read(call.js, call.arg::<1>(), &shared.description),
        _ => buf.read_negative(call.js, kind, call.arg::<1>(), &shared.description),
    }
}

/// `give(lease, value, kind?)`: ends a flight with a value that is not to be stored.
pub fn give<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let kind = js.to_index(call.arg::<2>()).unwrap_or_default() as u8;
    let mut buf = ValueBuf::new();
    let value = read(&mut buf, call, kind, &shared)?;
    let Some(lease) = take(call)? else { return js.boolean(false) };
    let waiters = shared.cache.flights().fail(&lease);
    tell_value(waiters.as_deref().unwrap_or_default(), lease.ticket(), kind, value);
    js.boolean(waiters.is_some())
}

/// `fail(lease, text)`: ends a flight whose load failed.
pub fn fail<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let mut buf = ValueBuf::new();
    let text = read(&mut buf, call, values::ERROR, &shared)?;
    let Some(lease) = take(call)? else { return js.boolean(false) };
    let waiters = shared.cache.flights().fail(&lease);
    tell_value(waiters.as_deref().unwrap_or_default(), lease.ticket(), FAILED, text);
    js.boolean(waiters.is_some())
}

/// `leave(flight)`: this instance no longer waits.
pub fn leave<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let flight = number(js, call.arg::<0>())?;
    if let Some(ticket) = call.on.flights.end_wait(flight) {
        call.on.env.waits_less(js, 1);
        if let Left::Alone(leader) = shared.cache.flights().leave(ticket, call.on.owner) {
            mail::send(leader, flight, News::Alone);
        }
    }
    Ok(Val::UNDEFINED)
}

/// `cancel(lease)`: ends a flight that nobody waits for; whether it has ended.
pub fn cancel<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let lease = number(js, call.arg::<0>())?;
    let mut leads = call.on.flights.leads.borrow_mut();
    let ended = leads.get(&lease).is_none_or(|lease| shared.cache.flights().cancel(lease));
    if ended {
        leads.remove(&lease);
    }
    js.boolean(ended)
}

/// `handOver(flight)`: has who waited longest lead, unless somebody else does already than when this
/// instance joined, or last called this; false if nobody waits, and the flight has ended.
pub fn hand_over<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, on) = (call.js, call.on);
    let shared = on.shared()?;
    let flight = number(js, call.arg::<0>())?;
    let Some((ticket, lease)) = on.flights.patience(flight) else { return js.boolean(false) };
    match shared.cache.flights().hand_over(ticket, lease) {
        Handover::Next { lease, deposed } => {
            wait_anew(call, flight, lease.number());
            // This instance itself knows.
            if let Some(deposed) = deposed.filter(|&deposed| deposed != on.owner) {
                mail::send(deposed, flight, News::Overtaken);
            }
            appoint(lease);
            js.boolean(true)
        }
        Handover::Since(lease) => {
            wait_anew(call, flight, lease);
            js.boolean(true)
        }
        Handover::Empty => {
            on.flights.stop_leading(flight);
            js.boolean(false)
        }
    }
}

fn wait_anew(call: &Call<'_, Handle>, flight: u64, lease: u64) {
    if call.on.flights.wait_anew(flight, lease) {
        call.on.env.waits_more(call.js, 1);
    }
}

/// An instance is closed: others lead in its place.
pub fn owner_gone(shared: &Shared, owner: u64) {
    mail::move_out(owner);
    let gone = shared.cache.flights().owner_gone(owner);
    for lease in gone.heirs {
        appoint(lease);
    }
    for (leader, ticket) in gone.alone {
        mail::send(leader, ticket.flight, News::Alone);
    }
}

/// Tells who leads from now on.
fn appoint(lease: Lease) {
    mail::send(lease.owner(), lease.ticket().flight, News::Lead(lease));
}

fn tell(waiters: &[u64], ticket: Ticket, news: impl Fn() -> News) {
    for &waiter in waiters {
        mail::send(waiter, ticket.flight, news());
    }
}

/// The load failed and is not remembered, as src/native/mail.ts knows it.
const FAILED: u8 = 7;

/// Tells what a load came to: a value if `kind` is 0, or else what `kind` says.
fn tell_value(waiters: &[u64], ticket: Ticket, kind: u8, value: Value<'_>) {
    if waiters.is_empty() {
        return;
    }
    let enclosure = Enclosure { format: value.format, bytes: value.bytes.into() };
    tell(waiters, ticket, || match kind {
        0 => News::Value(enclosure.clone()),
        values::UNDEFINED | values::NULL => News::Nothing(kind),
        _ => News::Failed(kind, enclosure.clone()),
    });
}

/// The lease that the first argument is the number of, if it has not ended here.
fn take(call: &Call<'_, Handle>) -> Result<Option<Lease>, Fail> {
    let lease = number(call.js, call.arg::<0>())?;
    Ok(call.on.flights.leads.borrow_mut().remove(&lease))
}

fn number(js: Js<'_>, value: Val<'_>) -> Result<u64, Fail> {
    js.to_number(value).map(|n| n as u64).ok_or_else(Fail::argument)
}

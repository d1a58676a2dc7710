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
use breakwater_engine::{Cache, Error, Freshness, Handover, Key, Lease, Left, Role, Ticket, Value};
use std::cell::RefCell;
use std::collections::HashMap;

/// The flights that an instance takes part in.
#[derive(Default)]
pub struct Flights {
    /// By the lease's number.
    leads: RefCell<HashMap<u64, Lease>>,
    /// By the flight's number.
    waits: RefCell<HashMap<u64, Ticket>>,
}

impl Flights {
    /// The instance leads from now on.
    pub fn lead(&self, lease: Lease) {
        self.leads.borrow_mut().insert(lease.number(), lease);
    }

    /// Another one leads a flight of this instance, which waits from now on; whether it led.
    pub fn yield_to(&self, flight: u64) -> bool {
        let mut leads = self.leads.borrow_mut();
        let mut ours = leads.extract_if(|_, lease| lease.ticket().flight == flight);
        let Some((_, lease)) = ours.next() else { return false };
        self.waits.borrow_mut().insert(flight, lease.ticket());
        true
    }

    /// The instance waits no more; the flight, if it waited.
    pub fn end_wait(&self, flight: u64) -> Option<Ticket> {
        self.waits.borrow_mut().remove(&flight)
    }

    fn ticket(&self, flight: u64) -> Option<Ticket> {
        let waits = self.waits.borrow().get(&flight).copied();
        waits.or_else(|| {
            let leads = self.leads.borrow();
            leads.values().map(Lease::ticket).find(|ticket| ticket.flight == flight)
        })
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
        Role::Wait { ticket, new } => {
            if new {
                on.flights.waits.borrow_mut().insert(ticket.flight, ticket);
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
    let note = match kind {
        0 if js.len(call.arg::<3>()).is_some() => {
            Some(note::read(js, call.arg::<3>(), &shared.cache)?)
        }
        0 => None,
        _ => Some(note::negative()),
    };
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
    let Some(lease) = take(call)? else { return js.boolean(false) };
    let Some(waiters) = shared.cache.flights().fail(&lease) else { return js.boolean(false) };
    if !waiters.is_empty() {
        let mut buf = ValueBuf::new();
        let text = read(&mut buf, call, values::ERROR, &shared)?;
        tell_value(&waiters, lease.ticket(), FAILED, text);
    }
    js.boolean(true)
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

/// `handOver(flight)`: has who waited longest lead; whether there was somebody.
pub fn hand_over<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, on) = (call.js, call.on);
    let shared = on.shared()?;
    let flight = number(js, call.arg::<0>())?;
    let Some(ticket) = on.flights.ticket(flight) else { return js.boolean(false) };
    match shared.cache.flights().hand_over(ticket) {
        Handover::Next { lease, deposed } => {
            match deposed {
                Some(deposed) if deposed != on.owner => {
                    mail::send(deposed, flight, News::Overtaken);
                }
                // It was this instance itself: it knows.
                _ if on.flights.yield_to(flight) => on.env.waits_more(js, 1),
                _ => {}
            }
            appoint(lease);
            js.boolean(true)
        }
        Handover::Empty => js.boolean(false),
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

/// The load failed and is not remembered, as src/loading/mail.ts knows it.
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

//! Joining a flight, ending it and leaving it.

use crate::cache::flights::{appoint, tell};
use crate::cache::{Handle, Shared, ValueBuf, note};
use crate::env::{Call, Enclosure, News, Returns, mail};
use crate::js::{Fail, Js, KeyBuf, Val, format};
use breakwater_engine::{
    Cache, Error, FlightTable, Freshness, Handover, Key, Lease, Left, Role, Ticket, Value,
};

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
    let expiry = shared.expiry_or_default(js.to_number(call.arg::<2>()));
    let mut buf = ValueBuf::new();
    let value = read(&mut buf, call, kind, &shared)?;
    let Some(lease) = take(call)? else { return js.boolean(false) };
    let Some(landing) = shared.cache.land(&lease, value, expiry, note.as_ref()) else {
        stand_back(call, &shared, &lease);
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
    if waiters.is_none() {
        stand_back(call, &shared, &lease);
    }
    tell_value(waiters.as_deref().unwrap_or_default(), lease.ticket(), kind, value);
    js.boolean(waiters.is_some())
}

/// `fail(lease, text)`: ends a flight whose load failed.
pub fn fail<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let mut buf = ValueBuf::new();
    let text = read(&mut buf, call, format::ERROR, &shared)?;
    let Some(lease) = take(call)? else { return js.boolean(false) };
    let waiters = shared.cache.flights().fail(&lease);
    if waiters.is_none() {
        stand_back(call, &shared, &lease);
    }
    tell_value(waiters.as_deref().unwrap_or_default(), lease.ticket(), FAILED, text);
    js.boolean(waiters.is_some())
}

/// Another one leads, which this instance is yet to hear: it does not wait for that.
fn stand_back(call: &Call<'_, Handle>, shared: &Shared, lease: &Lease) {
    if let Left::Alone(leader) = shared.cache.flights().leave(lease.ticket(), call.on.owner) {
        mail::send(leader, lease.ticket().flight, News::Alone);
    }
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
    js.boolean(call.on.flights.cancel(lease, shared.cache.flights()))
}

/// `handOver(flight)`: has who waited longest lead, unless somebody else does already than when this
/// instance joined, or last called this; false if nobody waits, and the flight has ended.
pub fn hand_over<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let flight = number(call.js, call.arg::<0>())?;
    let passed = pass_on(call, flight, FlightTable::hand_over)?;
    if !passed {
        call.on.flights.stop_leading(flight);
    }
    call.js.boolean(passed)
}

/// `overdue(flight)`: as `handOver`, of a load that takes too long: if nobody waits, which it says by
/// false, it may go on, and its value is stored unless somebody has begun another load by then.
pub fn overdue<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let flight = number(call.js, call.arg::<0>())?;
    let passed = pass_on(call, flight, FlightTable::overdue)?;
    call.js.boolean(passed)
}

/// Has another one lead; whether one does.
fn pass_on(
    call: &Call<'_, Handle>,
    flight: u64,
    hand_over: fn(&FlightTable, Ticket, u64) -> Handover,
) -> Result<bool, Fail> {
    let on = call.on;
    let shared = on.shared()?;
    let Some((ticket, lease)) = on.flights.patience(flight) else { return Ok(false) };
    match hand_over(shared.cache.flights(), ticket, lease) {
        Handover::Next { lease, deposed } => {
            wait_anew(call, flight, lease.number());
            // This instance itself knows.
            if let Some(deposed) = deposed.filter(|&deposed| deposed != on.owner) {
                mail::send(deposed, flight, News::Overtaken);
            }
            appoint(lease);
            Ok(true)
        }
        Handover::Since(lease) => {
            wait_anew(call, flight, lease);
            Ok(true)
        }
        Handover::Empty => Ok(false),
    }
}

fn wait_anew(call: &Call<'_, Handle>, flight: u64, lease: u64) {
    if call.on.flights.wait_anew(flight, lease) {
        call.on.env.waits_more(call.js, 1);
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
        format::UNDEFINED | format::NULL => News::Nothing(kind),
        _ => News::Failed(kind, enclosure.clone()),
    });
}

/// The lease that the first argument is the number of, if it has not ended here.
fn take(call: &Call<'_, Handle>) -> Result<Option<Lease>, Fail> {
    Ok(call.on.flights.take(number(call.js, call.arg::<0>())?))
}

fn number(js: Js<'_>, value: Val<'_>) -> Result<u64, Fail> {
    js.to_number(value).map(|n| n as u64).ok_or_else(Fail::argument)
}

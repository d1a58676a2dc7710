//! Joining a flight, ending it and leaving it.

use super::conditional::read_note;
use crate::cache::flights::{Lead, Part, appoint, stand_back, tell};
use crate::cache::{Handle, Shared, ValueBuf, note};
use crate::env::{Call, Enclosure, News, Returns, mail};
use crate::js::{Fail, Js, KeyBuf, Val, format};
use breakwater_engine::{Cache, Error, FlightTable, Freshness, Handover, Key, Role, Ticket, Value};

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

/// What `land` tells, as src/native/mail.ts knows it.
const STORED: f64 = 1.0;
const NOT_STORED: f64 = 0.0;
const LOST: f64 = -1.0;

/// `land(lease, value, ttl | undefined, note | undefined, kind?, own?)`: ends a flight with its value,
/// or with the nothing or the failure that `kind` says: above 0 if it was stored. Below 0 if it was a
/// failure and the lease is another's: as of `fail`. `own`: 1 if `touch` is to know the ttl.
pub fn land<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let kind = js.to_index(call.arg::<4>()).unwrap_or_default() as u8;
    // All JavaScript that may run does so before the value's bytes are borrowed.
    let ttl = js.to_number(call.arg::<2>());
    let note = read_note(js, call.arg::<3>(), call.arg::<5>(), ttl, &shared)?;
    let note = if kind == 0 { note } else { Some(note::negative(note)) };
    let expiry = shared.expiry_or_default(ttl);
    let mut buf = ValueBuf::new();
    let value = read(&mut buf, call, kind, &shared)?;
    let Some(Lead { lease, is_overdue }) = take(call)? else { return js.number(NOT_STORED) };
    let Some(landing) = shared.cache.land(&lease, value, expiry, note.as_ref()) else {
        if kind == format::ERROR {
            let is_lost = lost(call, shared.cache.flights(), &Lead { lease, is_overdue });
            return js.number(if is_lost { LOST } else { NOT_STORED });
        }
        stand_back(lease.ticket(), shared.cache.flights(), call.on.owner);
        return js.number(NOT_STORED);
    };
    tell_value(&landing.waiters, lease.ticket(), kind, value);
    match landing.stored {
        Some(Err(Error::Outdated)) | None => js.number(NOT_STORED),
        Some(stored) => stored.map_err(Fail::from).and_then(|_| js.number(STORED)),
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
    let Some(Lead { lease, .. }) = take(call)? else { return Ok(Val::UNDEFINED) };
    match shared.cache.flights().fail(&lease) {
        Some(waiters) => tell_value(&waiters, lease.ticket(), kind, value),
        // It is an answer, whoever leads meanwhile.
        None => stand_back(lease.ticket(), shared.cache.flights(), call.on.owner),
    }
    Ok(Val::UNDEFINED)
}

/// `fail(lease, text)`: ends a flight whose load failed. False if another one leads it meanwhile, or
/// has: this instance waits for what that tells.
pub fn fail<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let mut buf = ValueBuf::new();
    let text = read(&mut buf, call, format::ERROR, &shared)?;
    let Some(lead) = take(call)? else { return js.boolean(true) };
    match shared.cache.flights().fail(&lead.lease) {
        Some(waiters) => tell_value(&waiters, lead.lease.ticket(), FAILED, text),
        None => return js.boolean(!lost(call, shared.cache.flights(), &lead)),
    }
    js.boolean(true)
}

/// A lease that the instance took is another's: it waits for what that one tells. False if nobody
/// tells it, since its flight was overdue.
fn lost(call: &Call<'_, Handle>, table: &FlightTable, lead: &Lead) -> bool {
    if !lead.is_overdue {
        let ticket = lead.lease.ticket();
        let since = table.waits_for(ticket, call.on.owner);
        call.on.flights.wait(ticket, since.unwrap_or(lead.lease.number()));
        call.on.env.waits_more(call.js, 1);
    }
    !lead.is_overdue
}

/// `leave(flight)`: this instance takes no part in a flight any more; false if it leads, and others
/// wait for what it loads.
pub fn leave<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let flight = number(js, call.arg::<0>())?;
    let table = shared.cache.flights();
    if let Some(ticket) = call.on.flights.end_wait(flight) {
        call.on.env.waits_less(js, 1);
        stand_back(ticket, table, call.on.owner);
        return js.boolean(true);
    }
    js.boolean(call.on.flights.cancel(flight, table, call.on.owner))
}

/// `mayStore(lease)`: whether what a lease brings is stored if nothing happens until then.
pub fn may_store<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let lease = number(js, call.arg::<0>())?;
    js.boolean(call.on.flights.may_store(lease, shared.cache.flights()))
}

/// What `handOver` and `overdue` tell, as src/native/mail.ts knows it.
enum Became {
    /// Nobody waits elsewhere.
    Alone = 0,
    /// Who waited longest leads, and this instance waits.
    Passed = 1,
    /// Another one led already, or has told what it loaded: this instance waits for that.
    Lost = 2,
}

/// `handOver(flight, lease)`: has who waited longest lead in place of this instance, if it has that
/// lease still. If nobody waits the flight has ended.
pub fn hand_over<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let flight = number(call.js, call.arg::<0>())?;
    let lost = number(call.js, call.arg::<1>())?;
    let became = match call.on.flights.part(flight) {
        Part::Waits { .. } => Became::Lost,
        // Its load began later, and goes on.
        Part::Leads { lease, .. } if lease != lost => Became::Lost,
        part => pass_on(call, flight, part, FlightTable::hand_over)?,
    };
    if matches!(became, Became::Alone) {
        call.on.flights.stop_leading(flight);
    }
    call.js.number(f64::from(became as u8))
}

/// `overdue(flight)`: the load takes too long. As `handOver`, whether this instance leads or waits;
/// but if nobody waits the load may go on, and its value is stored unless somebody has begun another
/// load by then.
pub fn overdue<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let flight = number(call.js, call.arg::<0>())?;
    let part = call.on.flights.part(flight);
    let became = pass_on(call, flight, part, FlightTable::overdue)?;
    if let (Became::Alone, Part::Leads { lease, .. }) = (&became, call.on.flights.part(flight)) {
        call.on.flights.set_overdue(lease);
    }
    call.js.number(f64::from(became as u8))
}

/// Has another one lead.
fn pass_on(
    call: &Call<'_, Handle>,
    flight: u64,
    part: Part,
    hand_over: fn(&FlightTable, Ticket, u64) -> Handover,
) -> Result<Became, Fail> {
    let on = call.on;
    let shared = on.shared()?;
    let table = shared.cache.flights();
    let (ticket, lease, is_overdue) = match part {
        Part::Leads { ticket, lease, is_overdue } => (ticket, lease, is_overdue),
        // If it waits no more its turn has come, or the answer: a letter says so.
        Part::Waits { ticket, .. } if table.waits_for(ticket, on.owner).is_none() => {
            return Ok(Became::Lost);
        }
        Part::Waits { ticket, lease } => (ticket, lease, false),
        Part::None => return Ok(Became::Alone),
    };
    match hand_over(table, ticket, lease) {
        Handover::Next { lease, deposed } => {
            wait_anew(call, flight, lease.number());
            // This instance itself knows.
            if let Some(deposed) = deposed.filter(|&deposed| deposed != on.owner) {
                mail::send(deposed, flight, News::Overtaken);
            }
            appoint(lease);
            Ok(Became::Passed)
        }
        Handover::Since(lease) => {
            wait_anew(call, flight, lease);
            Ok(Became::Lost)
        }
        Handover::Over if !is_overdue => {
            wait_anew(call, flight, lease);
            Ok(Became::Lost)
        }
        Handover::Alone | Handover::Over => Ok(Became::Alone),
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
fn take(call: &Call<'_, Handle>) -> Result<Option<Lead>, Fail> {
    Ok(call.on.flights.take(number(call.js, call.arg::<0>())?))
}

fn number(js: Js<'_>, value: Val<'_>) -> Result<u64, Fail> {
    js.to_number(value).map(|n| n as u64).ok_or_else(Fail::argument)
}

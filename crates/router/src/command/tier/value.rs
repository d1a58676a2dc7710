//! Values of caches: stored and removed so that nothing older takes the place of what is newer.

use super::epoch::{Epoch, read_or_begin};
use super::head::{ValueHead, tombstone};
use super::words;
use crate::command::call::{Call, NOT_AN_INTEGER};
use crate::failure::Failure;
use breakwater_engine::{Edit, EntryRef, Expiry};
use breakwater_resp::number;

/// A number; nothing, if there is no text.
fn optional(text: &[u8]) -> Result<Option<f64>, Failure> {
    const NOT_A_NUMBER: &str = "ERR value is not a valid float";
    if text.is_empty() {
        return Ok(None);
    }
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    Ok(Some(number.filter(|number| !number.is_nan()).ok_or(NOT_A_NUMBER)?))
}

/// A time to live in milliseconds: until when, from now on.
fn until(call: &Call<'_>, text: &[u8]) -> Result<Expiry, Failure> {
    let life = number::integer(text).filter(|life| *life > 0).ok_or(NOT_AN_INTEGER)?;
    Ok(call.store().until(call.now.saturating_add(life)))
}

/// `BW.STORE 1 key | 3 key epoch tags, head middle body since fresh life remember generation clock`.
/// Since when the value is known (empty: from now on), for how many milliseconds it is fresh (empty:
/// for ever) and kept (likewise), and for how many removals are remembered. The epoch is given, or,
/// with three keys and an empty clock, the one that is now, which begins with this generation if there
/// is none. Answers with when the value was known; with null if it was not stored.
pub(super) fn store(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.store", 1..=3, 9..=9)?;
    let [head, middle, body, since, fresh, life, remember, generation, clock] =
        std::array::from_fn(|at| words.rest.word(at));
    let (since, fresh) = (optional(since)?, optional(fresh)?);
    let remember = optional(remember)?.ok_or(NOT_AN_INTEGER)?;
    let expiry = if life.is_empty() { Expiry::Never } else { until(call, life)? };
    let version = middle.first_chunk().map(|bytes| f64::from_be_bytes(*bytes));
    let version = version.ok_or("ERR the second part of a value begins with its version")?;
    let store = call.store();
    let epoch = match (clock, words.keys.len()) {
        (b"", 3) => {
            let (epoch, tags) = (words.key(call, 1), words.key(call, 2));
            read_or_begin(&store, &epoch, &tags, generation)?
        }
        _ => Epoch::parse(&[generation, b" ", clock].concat())
            .ok_or("ERR an epoch is two numbers")?,
    };
    let known = store.update(&words.key(call, 0), |old, out| {
        // Within the step: who is told a later moment finds it done, or does it over.
        let now = store.moment() as f64;
        let known = since.unwrap_or(now);
        if since.is_some_and(|since| now - since > remember * 1000.0)
            || is_older(since, version, old)
        {
            return (Edit::Keep, None);
        }
        let fresh_until = fresh.map_or(f64::INFINITY, |fresh| now / 1000.0 + fresh);
        out.extend_from_slice(head);
        out.extend([known, fresh_until].iter().flat_map(|number| number.to_be_bytes()));
        out.extend_from_slice(middle);
        out.extend(epoch.numbers().iter().flat_map(|number| number.to_be_bytes()));
        out.extend_from_slice(body);
        (Edit::Put { format: 0, expiry }, Some(known as u64))
    })?;
    match known {
        Some(known) => call.reply.bulk(itoa::Buffer::new().format(known).as_bytes()),
        None => call.reply.null(),
    }
    Ok(())
}

/// Whether what is there is newer: by its version, or by when it was known.
fn is_older(since: Option<f64>, version: f64, old: Option<EntryRef<'_>>) -> bool {
    let Some(there) = old.and_then(|entry| ValueHead::read(entry.value().bytes)) else {
        return false;
    };
    let newer = version > there.version && !there.removed;
    version < there.version || since.is_some_and(|since| since <= there.known && !newer)
}

/// `BW.REMOVE numkeys key ..., remember by`. Removes values, and remembers for so many milliseconds
/// that they were removed, and by whom. Answers with the moment.
pub(super) fn remove(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.remove", 1..=usize::MAX, 2..=2)?;
    let (expiry, by) = (until(call, words.rest.word(0))?, words.rest.word(1));
    let store = call.store();
    let mut last = 0;
    for at in 0..words.keys.len() {
        let key = words.key(call, at);
        let done = store.update(&key, |old, out| {
            let there = old.and_then(|entry| ValueHead::read(entry.value().bytes));
            let version = there.map_or(f64::NAN, |head| head.version);
            let now = store.moment();
            tombstone(now, version, by, out);
            (Edit::Put { format: 0, expiry }, now)
        });
        last = done.unwrap_or_else(|_| {
            // There is no room to remember it; the value goes all the same.
            store.delete(&key);
            store.moment()
        });
    }
    call.reply.bulk(itoa::Buffer::new().format(last).as_bytes());
    Ok(())
}

/// `BW.RELEASE 1 key, token`. Removes a key if it has this value; whether it had.
pub(super) fn release(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.release", 1..=1, 1..=1)?;
    let token = words.rest.word(0);
    let done = call.store().update(&words.key(call, 0), |old, _| {
        let held = old.is_some_and(|entry| entry.value().bytes == token);
        (if held { Edit::Remove } else { Edit::Keep }, held)
    })?;
    call.reply.integer(done.into());
    Ok(())
}

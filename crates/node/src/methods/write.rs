//! Writing one key, and clearing.

use super::conditional::read_note;
use crate::cache::{Handle, ValueBuf, maintenance};
use crate::env::{Call, Returns};
use crate::js::{Fail, KeyBuf, Val};
use breakwater_engine::Error;

/// `set(key, value, ttl?)`.
#[inline]
pub fn set<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let (mut key, mut value) = (KeyBuf::new(), ValueBuf::new());
    let key = key.read(js, call.arg::<0>())?;
    let value = value.read(js, call.arg::<1>(), &shared.description)?;
    let ttl = if call.has::<2>() { js.to_number(call.arg::<2>()) } else { None };
    let expiry = shared.expiry_or_default(ttl);
    shared.cache.set(key, value, expiry)?;
    Ok(Val::UNDEFINED)
}

/// `setNoted(key, value, ttl | undefined, note, own?)`: whether it was stored; not if a higher version
/// is there. `own`: 1 if `touch` is to know the ttl as the entry's own.
pub fn set_noted<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    // All JavaScript that may run does so before the value's bytes are borrowed.
    let ttl = js.to_number(call.arg::<2>());
    let note = read_note(js, call.arg::<3>(), call.arg::<4>(), ttl, &shared)?;
    let note = note.ok_or_else(Fail::argument)?;
    let (mut key, mut value) = (KeyBuf::new(), ValueBuf::new());
    let key = key.read(js, call.arg::<0>())?;
    let value = value.read(js, call.arg::<1>(), &shared.description)?;
    let expiry = shared.expiry_or_default(ttl);
    match shared.cache.set_noted(key, value, expiry, &note) {
        Ok(_) => js.boolean(true),
        Err(Error::Outdated) => js.boolean(false),
        Err(error) => Err(error.into()),
    }
}

/// `deleteOlder(key, version, ttl)`: whether it was deleted; not if its version is higher.
pub fn delete_older<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let mut key = KeyBuf::new();
    let key = key.read(js, call.arg::<0>())?;
    let version = js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let ttl = js.to_number(call.arg::<2>()).ok_or_else(Fail::argument)?;
    js.boolean(shared.cache.delete_versioned(key, version as u64, shared.expiry(ttl)))
}

/// `epoch()`: how often tags were invalidated.
pub fn epoch<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    call.js.number(shared.cache.epoch() as f64)
}

/// `invalidateTag(tag, soft)`.
pub fn invalidate_tag<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let tag = call.js.to_text(call.arg::<0>()).ok_or_else(Fail::argument)?;
    let soft = call.js.to_number(call.arg::<1>()) == Some(1.0);
    shared.cache.invalidate_tag(&tag, soft);
    Ok(Val::UNDEFINED)
}

/// `delete(key)`: whether there was an entry.
pub fn delete<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let gone = shared.cache.delete(key.read(call.js, call.arg::<0>())?);
    call.js.boolean(gone)
}

/// `expire(key, ttl)`: whether there was an entry.
pub fn expire<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    let ttl = call.js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let found = shared.cache.expire(key, shared.expiry(ttl))?;
    call.js.boolean(found)
}

/// `clear()`.
pub fn clear<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    shared.cache.clear();
    maintenance::stir(&shared.stirred);
    Ok(Val::UNDEFINED)
}

//! Writing one key, and clearing.

use crate::call::{Call, Returns};
use crate::fail::Fail;
use crate::handle::Handle;
use crate::js::{Js, Val};
use crate::keys::KeyBuf;
use crate::note;
use crate::registry::Shared;
use crate::values::ValueBuf;
use breakwater_engine::{Error, Expiry};

/// Milliseconds from now as a deadline: rounded up, infinity is never.
#[inline]
pub fn expiry(shared: &Shared, ttl: f64) -> Expiry {
    // As many milliseconds as a double counts exactly are 285,000 years.
    if ttl < 9e15 {
        Expiry::At(shared.cache.clock().now_rounded_up() + ttl.ceil() as u64)
    } else {
        Expiry::Never
    }
}

/// The deadline of an entry whose life is `ttl`, if that is a number, or else the cache's default.
#[inline]
pub fn expiry_or_default(js: Js<'_>, shared: &Shared, ttl: Option<Val<'_>>) -> Expiry {
    match ttl.and_then(|ttl| js.to_number(ttl)).or(shared.description.ttl) {
        Some(ttl) => expiry(shared, ttl),
        None => Expiry::Never,
    }
}

/// `set(key, value, ttl?)`.
#[inline]
pub fn set<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let (mut key, mut value) = (KeyBuf::new(), ValueBuf::new());
    let key = key.read(js, call.arg::<0>())?;
    let value = value.read(js, call.arg::<1>(), &shared.description)?;
    let ttl = call.has::<2>().then(|| call.arg::<2>());
    let expiry = expiry_or_default(js, &shared, ttl);
    shared.cache.set(key, value, expiry)?;
    Ok(Val::UNDEFINED)
}

/// `setNoted(key, value, ttl | undefined, note)`: whether it was stored; not if a higher version is
/// there.
pub fn set_noted<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    // All JavaScript that may run does so before the value's bytes are borrowed.
    let note = note::read(js, call.arg::<3>(), &shared.cache)?;
    let (mut key, mut value) = (KeyBuf::new(), ValueBuf::new());
    let key = key.read(js, call.arg::<0>())?;
    let value = value.read(js, call.arg::<1>(), &shared.description)?;
    let expiry = expiry_or_default(js, &shared, Some(call.arg::<2>()));
    match shared.cache.set_noted(key, value, expiry, &note) {
        Ok(_) => js.boolean(true),
        Err(Error::Outdated) => js.boolean(false),
        Err(error) => Err(error.into()),
    }
}

/// `bury(key, version, ttl)`: whether it was deleted; not if its version is higher.
pub fn bury<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let mut key = KeyBuf::new();
    let key = key.read(js, call.arg::<0>())?;
    let version = js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let ttl = js.to_number(call.arg::<2>()).ok_or_else(Fail::argument)?;
    js.boolean(shared.cache.delete_versioned(key, version as u64, expiry(&shared, ttl)))
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
    let found = shared.cache.expire(key, expiry(&shared, ttl))?;
    call.js.boolean(found)
}

/// `clear()`.
pub fn clear<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    shared.cache.clear();
    shared.stir();
    Ok(Val::UNDEFINED)
}

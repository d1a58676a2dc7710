//! Reading one key.

use crate::cache::{Copied, Handle, raw_bytes};
use crate::env::{Call, Returns};
use crate::js::{Fail, KeyBuf, Val};

/// `get(key)`: the value as the codec encoded it (`true` for bytes that were left), or `undefined`.
#[inline]
pub fn get<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    let mut value = Copied::new();
    match shared.cache.get(key, |entry| value.copy(entry.value(), &call.on.env)) {
        Some(()) => value.to_js(call.js, &shared.description),
        None => Ok(Val::UNDEFINED),
    }
}

/// `peek(key)`: as `get`, but nothing is counted and the policy is not told.
pub fn peek<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    let mut value = Copied::new();
    match shared.cache.peek(key, |entry| value.copy(entry.value(), &call.on.env)) {
        Some(()) => value.to_js(call.js, &shared.description),
        None => Ok(Val::UNDEFINED),
    }
}

/// `has(key)`.
pub fn has<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    call.js.boolean(shared.cache.contains(key))
}

/// `getInto(key, bytes)`: copies a byte value into the array if it fits; its length either way.
pub fn get_into<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    // SAFETY: no JavaScript runs before this function returns.
    let out = unsafe { call.js.to_bytes(call.arg::<1>()) }.ok_or_else(Fail::argument)?;
    let found = shared.cache.get(key, |entry| {
        let bytes = raw_bytes(entry.value(), &shared.description).ok_or_else(Fail::codec)?;
        if let Some(out) = out.get_mut(..bytes.len()) {
            out.copy_from_slice(bytes);
        }
        Ok::<_, Fail>(bytes.len())
    });
    match found {
        Some(len) => call.js.number(len? as f64),
        None => Ok(Val::UNDEFINED),
    }
}

/// `ttl(key)`: milliseconds left, infinity if the entry does not expire, `undefined` if there is
/// no entry.
pub fn ttl<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    match shared.cache.peek(key, |entry| entry.deadline()) {
        Some(None) => call.js.number(f64::INFINITY),
        Some(Some(at)) => call.js.number(at.saturating_sub(shared.cache.clock().now()) as f64),
        None => Ok(Val::UNDEFINED),
    }
}

//! What is known of one entry, and its sliding deadline.

use crate::cache::{Copied, Handle, Shared};
use crate::env::{Call, Returns};
use crate::js::{KeyBuf, Val};
use breakwater_engine::Freshness;

/// `info(key)`: `[state, left, age, bytes, tags, version, hits, cost]`, or `undefined` if there is no
/// entry. State: 1 fresh, 2 early, 3 stale, 4 negative. What is not known is -1; what does not end
/// has infinity left.
pub fn info<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let mut key = KeyBuf::new();
    let key = key.read(js, call.arg::<0>())?;
    let Some(info) = shared.cache.info(key, life(&shared)) else { return Ok(Val::UNDEFINED) };
    let state = match info.freshness {
        _ if info.negative => 4.0,
        Freshness::Fresh => 1.0,
        Freshness::Early => 2.0,
        Freshness::Stale => 3.0,
    };
    let known = |n: Option<u64>| n.map_or(-1.0, |n| n as f64);
    let fields = [
        state,
        info.left.map_or(f64::INFINITY, |left| left as f64),
        known(info.age),
        info.bytes as f64,
        info.tags as f64,
        known(info.version),
        known(info.hits.map(u64::from)),
        info.cost.into(),
    ];
    let list = js.array(fields.len())?;
    for (at, field) in fields.into_iter().enumerate() {
        js.put_at(list, at, js.number(field)?)?;
    }
    Ok(list)
}

/// `touch(key)`: has the entry end when it would if it was stored now; whether there was one.
pub fn touch<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    let found = shared.cache.touch(key, life(&shared))?;
    call.js.boolean(found)
}

/// `getAndTouch(key)`: as `get`, and as `touch` if there is an entry.
pub fn get_and_touch<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    let mut value = Copied::new();
    match shared.cache.get(key, |entry| value.copy(entry.value(), &call.on.env)) {
        Some(()) => {
            shared.cache.touch(key, life(&shared))?;
            value.to_js(call.js, &shared.description)
        }
        None => Ok(Val::UNDEFINED),
    }
}

/// The milliseconds that entries live which do not say so themselves.
fn life(shared: &Shared) -> Option<u64> {
    shared.description.ttl.filter(|ttl| ttl.is_finite()).map(|ttl| ttl.ceil() as u64)
}

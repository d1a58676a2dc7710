//! What the node remembers of a store, for those who run it: looked at, forgotten, and watched.

use super::driver::Driver;
use crate::env::{Call, Function, Returns, function, promise};
use crate::js::{Fail, Js, Val};
use breakwater_router::{Mode, Remembered};
use std::ffi::CStr;

/// What a router's object has of it.
pub const METHODS: &[Function<Driver>] = &[
    function!(Driver, c"knownKey", known_key),
    function!(Driver, c"hottest", hottest),
    function!(Driver, c"forgetKey", forget_key),
    function!(Driver, c"forgetPrefix", forget_prefix),
    function!(Driver, c"forgetEverything", forget_everything),
    function!(Driver, c"watchInvalidations", watch),
    function!(Driver, c"invalidated", invalidated),
];

/// `knownKey(key)`: `{ route, mode, store, share, pinned, held? }`.
fn known_key<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let (js, router) = (call.js, call.on.router()?);
    let known = router.known_key(bytes(call)?);
    let object = js.object()?;
    js.put(object, c"route", js.text(&known.route)?)?;
    let mode = match known.mode {
        Mode::On => "on",
        Mode::Shadow => "shadow",
        Mode::Off => "off",
    };
    js.put(object, c"mode", js.text(mode)?)?;
    let store = known.store.map_or_else(|| js.undefined(), |store| js.text(&store))?;
    js.put(object, c"store", store)?;
    put_optional(js, object, c"share", known.share)?;
    js.put(object, c"pinned", js.boolean(known.pinned)?)?;
    if let Some(held) = known.held {
        js.put(object, c"held", put_held(js, &held)?)?;
    }
    Ok(object)
}

/// `{ generation, isFresh, bytes, hits?, get?: { db, absent, age, left?, bytes } }`.
fn put_held<'s>(js: Js<'s>, held: &Remembered) -> Returns<'s> {
    let object = js.object()?;
    js.put_number(object, c"generation", held.generation as f64)?;
    js.put(object, c"isFresh", js.boolean(held.is_fresh)?)?;
    js.put_number(object, c"bytes", held.bytes as f64)?;
    put_optional(js, object, c"hits", held.hits.map(f64::from))?;
    if let Some(get) = &held.get {
        let reply = js.object()?;
        js.put_number(reply, c"db", f64::from(get.db))?;
        js.put(reply, c"absent", js.boolean(get.absent)?)?;
        js.put_number(reply, c"age", get.age as f64)?;
        put_optional(js, reply, c"left", get.left.map(|left| left as f64))?;
        js.put(reply, c"bytes", js.buffer(&get.bytes)?)?;
        js.put(object, c"get", reply)?;
    }
    Ok(object)
}

/// `hottest(most, mostBytes)`: a promise of the reads that memory answers most, as bytes for `warm` of the
/// sockets of another process. Other threads look through memory.
fn hottest<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let (js, router) = (call.js, call.on.owned()?);
    let most = js.to_whole(call.arg::<0>()).ok_or_else(Fail::argument)? as usize;
    let most_bytes = js.to_whole(call.arg::<1>()).ok_or_else(Fail::argument)? as usize;
    let work = move || Ok(router.hottest(most, most_bytes));
    promise(js, call.on.lasting(), work, |js, hot| js.buffer(&hot))
}

/// `forgetKey(key)`: whether anything was there.
fn forget_key<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let forgotten = call.on.router()?.forget_key(bytes(call)?);
    call.js.boolean(forgotten)
}

/// `forgetPrefix(prefix, from)`: a slice of the keys that begin so: `{ next, count }`; `next` is 0 if
/// this was the last.
fn forget_prefix<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let js = call.js;
    let from = js.to_whole(call.arg::<1>()).unwrap_or(0);
    let (next, count) = call.on.router()?.forget_prefix(bytes(call)?, from);
    let object = js.object()?;
    js.put_number(object, c"next", next as f64)?;
    js.put_number(object, c"count", count as f64)?;
    Ok(object)
}

/// `forgetEverything()`.
fn forget_everything<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    call.on.router()?.forget_everything();
    call.js.undefined()
}

/// `watchInvalidations(on)`: 1 or 0.
fn watch<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let on = call.js.to_number(call.arg::<0>()) == Some(1.0);
    call.on.router()?.watch_invalidations(on);
    call.js.undefined()
}

/// `invalidated()`: what has left since this was asked last: `{ routes: [pattern, count, ...], keys: [key,
/// isWhole, cause, ...], everything: [cause, ...] }`.
fn invalidated<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let (js, told) = (call.js, call.on.router()?.invalidated());
    let object = js.object()?;
    let routes = js.array(told.routes.len() * 2)?;
    for (at, (pattern, count)) in told.routes.iter().enumerate() {
        js.put_at(routes, at * 2, js.text(pattern)?)?;
        js.put_at(routes, at * 2 + 1, js.number(*count as f64)?)?;
    }
    js.put(object, c"routes", routes)?;
    let keys = js.array(told.keys.len() * 3)?;
    for (at, (key, is_whole, cause)) in told.keys.iter().enumerate() {
        js.put_at(keys, at * 3, js.buffer(key)?)?;
        js.put_at(keys, at * 3 + 1, js.boolean(*is_whole)?)?;
        js.put_at(keys, at * 3 + 2, js.text(cause.name())?)?;
    }
    js.put(object, c"keys", keys)?;
    let everything = js.array(told.everything.len())?;
    for (at, cause) in told.everything.iter().enumerate() {
        js.put_at(everything, at, js.text(cause.name())?)?;
    }
    js.put(object, c"everything", everything)?;
    Ok(object)
}

/// The bytes that are given first.
fn bytes<'s>(call: &Call<'s, Driver>) -> Result<&'s [u8], Fail> {
    // SAFETY: no JavaScript runs until the call returns.
    unsafe { call.js.to_bytes(call.arg::<0>()) }.map(|bytes| &*bytes).ok_or_else(Fail::closed)
}

fn put_optional<'s>(
    js: Js<'s>,
    object: Val<'s>,
    name: &CStr,
    number: Option<f64>,
) -> Result<(), Fail> {
    let value = number.map_or_else(|| js.undefined(), |number| js.number(number))?;
    js.put(object, name, value)
}

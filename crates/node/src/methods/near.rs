//! What near caches call: see [`Port`].

use crate::cache::{Copied, Handle, Port, Shared, beat};
use crate::env::{Call, Returns};
use crate::js::{Fail, KeyBuf, Val, lend};
use breakwater_engine::Versions;

/// `openNear()`: `[words, port]`, two ArrayBuffers over memory of this side; `undefined` if the
/// cache has no versions, or the runtime takes no such memory.
pub fn open<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let Some(versions) = shared.cache.versions() else { return Ok(Val::UNDEFINED) };
    let list = js.array(2)?;
    let Some(words) = lend(js, versions.clone(), Versions::cells) else {
        return Ok(Val::UNDEFINED);
    };
    let Some(port) = lend_port(call, &shared) else { return Ok(Val::UNDEFINED) };
    js.put_at(list, 0, words)?;
    js.put_at(list, 1, port)?;
    Ok(list)
}

/// `openPort()`: the port, also of a cache without versions; `undefined` if the runtime takes no such
/// memory.
pub fn open_port<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.owned()?;
    Ok(lend_port(call, &shared).unwrap_or(Val::UNDEFINED))
}

fn lend_port<'s>(call: &Call<'s, Handle>, shared: &Shared) -> Option<Val<'s>> {
    let port = call.on.port(|| shared.ports.add());
    lend(call.js, port, Port::cells)
}

/// `getNear(key)`: as `get`; by which stamp the value can be kept is left in the port.
#[inline]
pub fn get<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    let mut value = Copied::new();
    let found = shared.cache.get_stamped(key, |entry| {
        value.copy(entry.value(), &call.on.env);
        (entry.copy_deadline(), entry.value().bytes.len())
    });
    let Some(((deadline, length), stamp)) = found else { return Ok(Val::UNDEFINED) };
    call.on.with_port(|port| port.describe(stamp, deadline, length));
    value.to_js(call.js, &shared.description)
}

/// `used(n)`: the first `n` records of the port's log: copies that JavaScript used.
pub fn used<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let count = call.js.to_index(call.arg::<0>()).ok_or_else(Fail::argument)?;
    call.on.with_port(|port| port.report(&shared.cache, count));
    Ok(Val::UNDEFINED)
}

/// `now()`: milliseconds on the cache's clock, with fractions if it is the system's.
pub fn now<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    call.js.number(shared.cache.clock().elapsed().as_secs_f64() * 1_000.0)
}

/// `beat()`: the beat of the version words goes on for the next ten seconds.
pub fn beat<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    if let Some(versions) = call.on.shared()?.cache.versions() {
        beat::ask(versions);
    }
    Ok(Val::UNDEFINED)
}

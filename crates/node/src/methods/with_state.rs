//! Reading for those who load what is missing: with the state of what there is.

use crate::cache::{Copied, Handle, Port};
use crate::env::{Call, Returns};
use crate::js::format::negative_kind;
use crate::js::{Fail, KeyBuf, Val};
use breakwater_engine::{Found, Freshness, NoteRef};

/// `getWithState(key)`: as `getNear`, also of what is stale or negative. What it found is left in the port.
pub fn get<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let mut key = KeyBuf::new();
    let key = key.read(call.js, call.arg::<0>())?;
    let mut value = Copied::new();
    let found = shared.cache.get_with_freshness(key, |found| {
        value.copy(found.entry.value(), &call.on.env);
        call.on.with_port(|port| describe(port, &found));
    });
    if found.is_none() {
        call.on.with_port(|port| port.tell(0, 0.0, 0));
        return Ok(Val::UNDEFINED);
    }
    value.to_js(call.js, &shared.description)
}

/// `getWithStateInto(key, area)`: as `getWithState`, where the runtime takes no foreign memory: what it
/// found is left in `area` as well, the bytes of a port without its log.
pub fn get_into<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let found = get(call)?;
    // SAFETY: no JavaScript runs before this function returns.
    let area = unsafe { call.js.to_bytes(call.arg::<1>()) }.ok_or_else(Fail::argument)?;
    call.on.with_port(|port| port.copy_to(area));
    Ok(found)
}

fn describe(port: &Port, found: &Found<'_>) {
    let entry = found.entry;
    let value = entry.value();
    let state = match found.freshness {
        _ if found.negative => negative_kind(value.format),
        Freshness::Fresh => 1,
        Freshness::Early => 2,
        Freshness::Stale => 3,
    };
    let left = found.left.map_or(f64::INFINITY, |left| left as f64);
    port.tell(state, left, entry.note().map_or(0, NoteRef::cost));
    port.describe(found.stamp, entry.copy_deadline(), value.bytes.len());
}

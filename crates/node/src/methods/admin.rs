//! Counts, bounds, listening and closing.

use crate::cache::{Handle, maintenance};
use crate::env::{Call, Listener, Returns};
use crate::js::{Fail, Js, Val, keys};
use breakwater_engine::Cache;
use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// `size()`: entries.
pub fn size<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    call.js.number(call.on.shared()?.cache.len() as f64)
}

/// `bytes()`: bytes charged.
pub fn bytes<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    call.js.number(call.on.shared()?.cache.bytes() as f64)
}

/// `stats()`: an object of counts.
pub fn stats<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let stats = shared.cache.stats();
    let near = shared.ports.hits();
    // Relaxed: a count that orders nothing.
    let dropped = call.on.listener().map_or(0, |l| l.dropped.load(Ordering::Relaxed));
    let counts = [
        (c"hits", stats.hits + near),
        (c"nearHits", near),
        (c"misses", stats.misses),
        (c"sets", stats.sets),
        (c"deletes", stats.deletes),
        (c"evictions", stats.evictions),
        (c"expirations", stats.expirations),
        (c"rejected", stats.rejected),
        (c"removalsDropped", dropped),
        (c"entries", stats.entries),
        (c"bytes", stats.bytes),
        (c"overhead", stats.overhead),
    ];
    let object = js.object()?;
    for (name, count) in counts {
        js.put_number(object, name, count as f64)?;
    }
    js.put(object, c"policy", policy(js, &shared.cache)?)?;
    Ok(object)
}

/// The policy's name, and what it has chosen and why, where it chooses.
fn policy<'s>(js: Js<'s>, cache: &Cache) -> Returns<'s> {
    let object = js.object()?;
    js.put(object, c"name", js.text(cache.policy().name())?)?;
    let Some(choice) = cache.choice() else { return Ok(object) };
    js.put(object, c"rule", js.text(choice.rule.name)?)?;
    js.put(object, c"weigh", js.text(choice.weigh.name())?)?;
    let ratios = js.object()?;
    for (rule, ratio, _) in choice.rules {
        let name = CString::new(rule.name).map_err(|_| Fail::internal("a rule's name"))?;
        js.put_number(ratios, &name, ratio)?;
    }
    js.put(object, c"hitRatios", ratios)?;
    let counts = [
        (c"sampled", choice.sampled.unwrap_or(0)),
        (c"judged", choice.judged),
        (c"switches", choice.switches),
    ];
    for (name, count) in counts {
        js.put_number(object, name, count as f64)?;
    }
    Ok(object)
}

/// `resetStats()`.
pub fn reset_stats<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    shared.cache.reset_stats();
    shared.ports.reset();
    if let Some(listener) = call.on.listener() {
        // Relaxed: a count that orders nothing.
        listener.dropped.store(0, Ordering::Relaxed);
    }
    Ok(Val::UNDEFINED)
}

/// `hotKeys(n)`: `[key, count, key, count, ...]`.
pub fn hot_keys<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let n = js.to_number(call.arg::<0>()).ok_or_else(Fail::argument)?;
    let hot = shared.cache.hot_keys(n as usize);
    let list = js.array(hot.len() * 2)?;
    for (i, key) in hot.iter().enumerate() {
        js.put_at(list, 2 * i, keys::to_js(js, key.kind, &key.bytes)?)?;
        js.put_at(list, 2 * i + 1, js.number(key.count as f64)?)?;
    }
    Ok(list)
}

/// `skew()`: which share of the reads of late the keys have that are read most: `[1, 10, 100 keys]`.
pub fn skew<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let shares = shared.cache.skew([1, 10, 100]);
    let list = js.array(shares.len())?;
    for (i, share) in shares.into_iter().enumerate() {
        js.put_at(list, i, js.number(share)?)?;
    }
    Ok(list)
}

/// `hottest(n)`: `[key, heat, key, heat, ...]`, in no particular order.
pub fn hottest<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let n = js.to_number(call.arg::<0>()).ok_or_else(Fail::argument)?;
    let (mut seen, mut bytes) = (Vec::new(), Vec::new());
    shared.cache.hottest(n as usize, |entry, heat| {
        let key = entry.key();
        bytes.extend_from_slice(key.bytes);
        seen.push((key.kind, bytes.len(), heat));
    });
    let list = js.array(2 * seen.len())?;
    let mut start = 0;
    for (i, &(kind, end, heat)) in seen.iter().enumerate() {
        js.scoped(|js| {
            js.put_at(list, 2 * i, keys::to_js(js, kind, &bytes[start..end])?)?;
            js.put_at(list, 2 * i + 1, js.number(f64::from(heat))?)
        })?;
        start = end;
    }
    Ok(list)
}

/// `bounds()`: `[max, maxBytes]` as they are now.
pub fn bounds<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let list = js.array(2)?;
    let (max, max_bytes) = shared.cache.bounds();
    for (i, bound) in [max, max_bytes].into_iter().enumerate() {
        if let Some(bound) = bound {
            js.put_at(list, i, js.number(bound as f64)?)?;
        }
    }
    Ok(list)
}

/// `resize(max, maxBytes)`.
pub fn resize<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    let (max, max_bytes) = (call.js.to_whole(call.arg::<0>()), call.js.to_whole(call.arg::<1>()));
    shared.cache.resize(max, max_bytes)?;
    maintenance::stir(&shared.stirred);
    Ok(Val::UNDEFINED)
}

/// `listen(must)`: hears of removals from now on; the number by which the facade knows them.
pub fn listen<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let env = &call.on.env;
    env.hang_bell(call.js)?;
    let listener = Arc::new(Listener {
        // Relaxed: the numbers only have to differ.
        id: LAST.fetch_add(1, Ordering::Relaxed) + 1,
        outbox: env.outbox.clone(),
        must: call.js.to_number(call.arg::<0>()) == Some(1.0),
        dropped: AtomicU64::new(0),
    });
    let id = listener.id;
    call.on.listen(listener)?;
    call.js.number(id as f64)
}

/// `unlisten()`: hears of removals no more.
pub fn unlisten<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    call.on.unlisten();
    Ok(Val::UNDEFINED)
}

/// `close()`. Once closed, this does nothing.
pub fn close<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    call.on.close();
    call.on.env.waits_less(call.js, 0);
    Ok(Val::UNDEFINED)
}

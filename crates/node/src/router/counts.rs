//! What a node counts, as JavaScript has it: the object that `stats()` gives.

use super::sight::Telling;
use super::{hooks, sight};
use crate::env::Returns;
use crate::js::{Fail, Js, Val};
use breakwater_router::{HotKey, Reloads, Router};
use std::ffi::CString;

/// Counts of a router and of its cache.
pub fn of<'s>(js: Js<'s>, router: &Router, detail: Telling) -> Returns<'s> {
    let (counts, cache) = (router.counts(), router.cache().stats());
    let object = js.object()?;
    for (name, value) in [
        (c"clients", counts.clients),
        (c"connections", counts.connections),
        (c"refused", counts.refused),
        (c"commands", counts.commands),
        (c"bytesReceived", counts.received),
        (c"bytesSent", counts.sent),
        (c"faults", counts.faults),
        (c"hits", cache.hits),
        (c"misses", cache.misses),
        (c"evictions", cache.evictions),
        (c"expirations", cache.expirations),
        (c"entries", cache.entries),
        (c"bytes", cache.bytes),
    ] {
        js.put_number(object, name, value as f64)?;
    }
    sight::put(js, object, router, detail)?;
    put_reloads(js, object, &router.reloads())?;
    js.put(object, c"upstream", server_counts(js, router, detail)?)?;
    js.put(object, c"routes", route_counts(js, router)?)?;
    js.put(object, c"hotKeys", hot_keys(js, router)?)?;
    js.put(object, c"hooks", hooks::counts(js, &router.hook_counts())?)?;
    Ok(object)
}

/// The hot keys: an object for each, `{ key, share, ... }`.
fn hot_keys<'s>(js: Js<'s>, router: &Router) -> Returns<'s> {
    let all = router.hot_keys();
    let keys = js.array(all.len())?;
    for (at, hot) in all.into_iter().enumerate() {
        let HotKey { key, share, rate, pinned, route, store, copies } = hot;
        let object = js.object()?;
        js.put(object, c"key", js.text(&String::from_utf8_lossy(&key))?)?;
        js.put_number(object, c"share", share)?;
        js.put_number(object, c"readsPerSecond", rate)?;
        js.put(object, c"pinned", js.boolean(pinned)?)?;
        js.put(object, c"route", js.text(&route)?)?;
        let store = store.map_or_else(|| js.undefined(), |store| js.text(&store))?;
        js.put(object, c"store", store)?;
        js.put_number(object, c"copies", copies as f64)?;
        js.put_at(keys, at, object)?;
    }
    Ok(keys)
}

/// How often the rules were changed: `reloads`, `reloadedAt` and `reloadRefused`.
fn put_reloads<'s>(js: Js<'s>, object: Val<'s>, reloads: &Reloads) -> Result<(), Fail> {
    js.put_number(object, c"reloads", reloads.count as f64)?;
    let at = reloads.at.map_or_else(|| js.undefined(), |at| js.number(at as f64))?;
    js.put(object, c"reloadedAt", at)?;
    let refused = match &reloads.refused {
        None => js.undefined()?,
        Some((at, why)) => {
            let refused = js.object()?;
            js.put_number(refused, c"at", *at as f64)?;
            js.put(refused, c"why", js.text(why)?)?;
            refused
        }
    };
    js.put(object, c"reloadRefused", refused)
}

/// What is counted of each server: an object for each, `{ address, role, state, ... }`.
fn server_counts<'s>(js: Js<'s>, router: &Router, detail: Telling) -> Returns<'s> {
    let all = router.server_counts();
    let servers = js.array(all.len())?;
    for (at, server) in all.into_iter().enumerate() {
        let object = js.object()?;
        js.put(object, c"address", js.text(&server.address)?)?;
        js.put(object, c"role", js.text(if server.leads { "primary" } else { "replica" })?)?;
        js.put(object, c"state", js.text(server.state)?)?;
        js.put(object, c"breaker", js.text(server.breaker)?)?;
        let lag = server.lag.map_or_else(|| js.undefined(), |lag| js.number(lag as f64))?;
        js.put(object, c"lag", lag)?;
        for (name, count) in server.counts {
            let name = CString::new(name).unwrap_or_default();
            js.put_number(object, &name, count as f64)?;
        }
        js.put(object, c"latency", sight::by_class(js, &server.latencies, detail)?)?;
        js.put_at(servers, at, object)?;
    }
    Ok(servers)
}

/// What came of the reads of each route: an object for each, `{ match, hits, ... }`.
fn route_counts<'s>(js: Js<'s>, router: &Router) -> Returns<'s> {
    let all = router.route_counts();
    let routes = js.array(all.len())?;
    for (at, (pattern, counts)) in all.into_iter().enumerate() {
        let object = js.object()?;
        js.put(object, c"match", js.text(&pattern)?)?;
        for (name, value) in [
            (c"hits", counts.hits),
            (c"misses", counts.misses),
            (c"joined", counts.joined),
            (c"stored", counts.stored),
            (c"dropped", counts.dropped),
            (c"passed", counts.passed),
            (c"shadowed", counts.shadowed),
            (c"staleGiven", counts.stale_given),
            (c"refreshed", counts.refreshed),
            (c"warmed", counts.warmed),
            (c"leftOut", counts.left_out),
            (c"verified", counts.verified),
        ] {
            js.put_number(object, name, value as f64)?;
        }
        let stale = js.array(counts.stale.len())?;
        for (age, count) in counts.stale.into_iter().enumerate() {
            js.put_at(stale, age, js.number(count as f64)?)?;
        }
        js.put(object, c"stale", stale)?;
        js.put_at(routes, at, object)?;
    }
    Ok(routes)
}

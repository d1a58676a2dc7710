//! What a node sees of itself, as JavaScript has it.

use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_router::{Latencies, RefusalReason, Router};
use std::ffi::{CStr, CString};

/// The names of the classes of commands.
const CLASSES: [&CStr; 3] = [c"read", c"write", c"other"];

/// How much is told of latencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Telling {
    /// What people and metrics read.
    Read,
    /// That, and all that [`merge`] needs.
    Whole,
}

/// Puts what is seen of a router into the object that `stats()` gives.
pub fn put<'s>(js: Js<'s>, object: Val<'s>, router: &Router, detail: Telling) -> Result<(), Fail> {
    let seen = router.sight();
    let requests = js.object()?;
    for (name, count) in CLASSES.into_iter().zip(seen.requests) {
        js.put_number(requests, name, count as f64)?;
    }
    js.put(object, c"requests", requests)?;
    js.put(object, c"latency", by_class(js, &seen.answered, detail)?)?;
    js.put(object, c"waited", latencies(js, &seen.waited, detail)?)?;
    let threads = js.array(seen.threads.len())?;
    for (at, thread) in seen.threads.iter().enumerate() {
        let each = js.object()?;
        js.put_number(each, c"requests", thread.requests as f64)?;
        js.put_number(each, c"queue", thread.queue as f64)?;
        js.put_number(each, c"busy", thread.busy)?;
        js.put_at(threads, at, each)?;
    }
    js.put(object, c"threads", threads)?;
    for (name, count) in [
        (c"errors", seen.errors),
        (c"errorsOfOne", seen.errors_of_one),
        (c"herds", seen.crowding.herds),
        (c"largestHerd", seen.crowding.largest_herd),
        (c"handshakes", seen.crowding.handshakes),
        (c"handshakesFailed", seen.crowding.handshakes_failed),
        (c"heldBackByRate", seen.crowding.held_back_by_rate),
        (c"heldBackByHandshakes", seen.crowding.held_back_by_handshakes),
    ] {
        js.put_number(object, name, count as f64)?;
    }
    let group = |name: &CStr, fields: &[(&CStr, f64)]| {
        let group = js.object()?;
        for (name, value) in fields {
            js.put_number(group, name, *value)?;
        }
        js.put(object, name, group)
    };
    let (crowding, skew, cold) = (seen.crowding, seen.skew, seen.cold);
    let stale = [
        (c"unreachable", crowding.stale_unreachable as f64),
        (c"failed", crowding.stale_failed as f64),
        (c"busy", crowding.stale_busy as f64),
        (c"open", crowding.stale_open as f64),
    ];
    let buffers = router.buffers();
    let buffers = [
        (c"bytes", buffers.used as f64),
        (c"maxBytes", if buffers.most == u64::MAX { f64::INFINITY } else { buffers.most as f64 }),
        (c"cut", buffers.cut as f64),
        (c"cutByUser", buffers.cut_by_user as f64),
        (c"cutSlow", buffers.cut_slow as f64),
    ];
    group(c"buffers", &buffers)?;
    group(c"staleGiven", &stale)?;
    group(c"skew", &[(c"top1", skew.top1), (c"top10", skew.top10), (c"top100", skew.top100)])?;
    group(c"cold", &[(c"hits", cold.hits as f64), (c"misses", cold.misses as f64)])?;
    let refusals = js.object()?;
    for ((_, name), count) in RefusalReason::ALL.into_iter().zip(router.refusals()) {
        js.put_number(refusals, &CString::new(name).unwrap_or_default(), count as f64)?;
    }
    js.put(object, c"refusals", refusals)?;
    let most = router.cache().bounds().1;
    let most = most.map_or_else(|| js.undefined(), |most| js.number(most as f64))?;
    js.put(object, c"maxBytes", most)
}

/// The latencies of each class: `{ read, write, other }`.
pub fn by_class<'s>(js: Js<'s>, all: &[Latencies; 3], detail: Telling) -> Returns<'s> {
    let object = js.object()?;
    for (name, of) in CLASSES.into_iter().zip(all) {
        js.put(object, name, latencies(js, of, detail)?)?;
    }
    Ok(object)
}

/// How long something took: `{ count, sum, p50, p90, p99, p999, buckets }`, in milliseconds.
fn latencies<'s>(js: Js<'s>, of: &Latencies, detail: Telling) -> Returns<'s> {
    let object = js.object()?;
    js.put_number(object, c"count", of.count() as f64)?;
    js.put_number(object, c"sum", of.sum())?;
    for (name, share) in [(c"p50", 0.5), (c"p90", 0.9), (c"p99", 0.99), (c"p999", 0.999)] {
        let time = of.quantile(share).map_or_else(|| js.undefined(), |time| js.number(time))?;
        js.put(object, name, time)?;
    }
    let powers = of.powers();
    let buckets = js.array(powers.len())?;
    for (at, count) in powers.into_iter().enumerate() {
        js.put_at(buckets, at, js.number(count as f64)?)?;
    }
    js.put(object, c"buckets", buckets)?;
    if detail == Telling::Whole {
        let counts: Vec<_> = of.counts().collect();
        let whole = js.array(counts.len() * 2)?;
        for (at, (bucket, count)) in counts.into_iter().enumerate() {
            js.put_at(whole, 2 * at, js.number(bucket as f64)?)?;
            js.put_at(whole, 2 * at + 1, js.number(count as f64)?)?;
        }
        js.put(object, c"whole", whole)?;
    }
    Ok(object)
}

/// `mergeLatencies(whole, sum)`: what several processes have recorded, by the `whole` of all of them,
/// one behind the other, and their sum in milliseconds.
pub fn merge<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, whole) = (call.js, call.arg::<0>());
    let mut counts = vec![];
    for at in (0..js.len(whole).ok_or_else(Fail::argument)?).step_by(2) {
        let bucket = js.to_index(js.at(whole, at)?).ok_or_else(Fail::argument)?;
        counts.push((bucket, js.to_whole(js.at(whole, at + 1)?).ok_or_else(Fail::argument)?));
    }
    let sum = js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)?;
    latencies(js, &Latencies::of(counts, sum), Telling::Read)
}

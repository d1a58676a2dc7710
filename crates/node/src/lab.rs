//! The laboratory for JavaScript: traces that are read, simulated and measured on the thread pool.

use crate::env::{Call, Env, Function, Returns, function, promise};
use crate::js::{Fail, Js, Val};
use breakwater_lab::trace::read;
use breakwater_lab::{
    Capacity, Curve, Format, Outcome, Plan, PolicyName, Progress, Routing, Trace,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the module exports of it.
pub const EXPORTS: &[Function<Env>] = &[
    function!(Env, c"openTrace", open),
    function!(Env, c"closeTrace", close),
    function!(Env, c"readTrace", read_file, 4),
    function!(Env, c"simulateTrace", simulate),
    function!(Env, c"curveOfTrace", curve, 4),
    function!(Env, c"traceProgress", progress),
];

/// A trace, and how far whatever is done with it is.
#[derive(Default)]
struct Bench {
    trace: Mutex<Option<Arc<Trace>>>,
    /// Of the work under way, which is one at a time.
    progress: Mutex<Arc<Progress>>,
}

impl Bench {
    fn begin(&self) -> Arc<Progress> {
        let progress = Arc::<Progress>::default();
        *self.progress.lock() = progress.clone();
        progress
    }

    fn trace(&self) -> Result<Arc<Trace>, Fail> {
        self.trace.lock().clone().ok_or_else(Fail::argument)
    }
}

static BENCHES: Mutex<BTreeMap<u64, Arc<Bench>>> = Mutex::new(BTreeMap::new());

/// `openTrace()`: the number of a trace that is yet to be read.
fn open<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    // Relaxed: the numbers only have to differ.
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    BENCHES.lock().insert(number, Arc::default());
    call.js.number(number as f64)
}

/// `closeTrace(trace)`: ends what is done with it, and frees it.
fn close<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let number = call.js.to_whole(call.arg::<0>()).ok_or_else(Fail::argument)?;
    if let Some(bench) = BENCHES.lock().remove(&number) {
        bench.progress.lock().cancel();
    }
    Ok(Val::UNDEFINED)
}

fn bench(call: &Call<'_, Env>) -> Result<Arc<Bench>, Fail> {
    let number = call.js.to_whole(call.arg::<0>()).ok_or_else(Fail::argument)?;
    BENCHES.lock().get(&number).cloned().ok_or_else(Fail::argument)
}

/// `traceProgress(trace)`: how much is done of what is under way: bytes that were read, or requests.
fn progress<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let done = bench(call)?.progress.lock().done();
    call.js.number(done as f64)
}

/// `readTrace(trace, path, format, most)`: a promise of how many requests and keys there are, whether
/// requests have sizes, whether they have times, and the bytes of all keys' values.
fn read_file<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, bench) = (call.js, bench(call)?);
    let path = js.to_text(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let format = js.to_text(call.arg::<2>()).ok_or_else(Fail::argument)?;
    let format: Format = format.parse().map_err(|_| Fail::argument())?;
    let most = js.to_number(call.arg::<3>()).ok_or_else(Fail::argument)? as usize;
    let progress = bench.begin();
    let work = move || {
        let trace = read(path.as_ref(), format, most, &progress);
        let trace = Arc::new(trace.map_err(|error| Fail::trace(&error.to_string()))?);
        *bench.trace.lock() = Some(trace.clone());
        Ok(trace)
    };
    promise(js, &call.on.this()?, work, |js, trace| {
        let (sizes, times) = (trace.has_sizes(), trace.has_times());
        let about = [
            trace.len() as f64,
            trace.distinct() as f64,
            f64::from(u8::from(sizes)),
            f64::from(u8::from(times)),
            trace.footprint() as f64,
        ];
        numbers(js, &about)
    })
}

fn numbers<'s>(js: Js<'s>, numbers: &[f64]) -> Returns<'s> {
    let array = js.array(numbers.len())?;
    for (at, &number) in numbers.iter().enumerate() {
        js.put_at(array, at, js.number(number)?)?;
    }
    Ok(array)
}

/// What an array of JavaScript holds, each made by `read` of so many of its members.
fn list<T>(
    js: Js<'_>,
    array: Val<'_>,
    each: usize,
    read: impl Fn(&[Val<'_>]) -> Option<T>,
) -> Result<Vec<T>, Fail> {
    let len = js.len(array).ok_or_else(Fail::argument)?;
    let members = (0..len).map(|at| js.at(array, at)).collect::<Result<Vec<_>, _>>()?;
    let read: Option<Vec<T>> = members.chunks(each).map(read).collect();
    read.ok_or_else(Fail::argument)
}

/// `simulateTrace(trace, plans, threads)`: a promise of requests, hits, those that had expired, bytes
/// and bytes of hits, of each plan. Plans are told by policy, capacity, whether it is in bytes, ttl
/// (0: none), nodes and whether requests go to any of them.
fn simulate<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, bench) = (call.js, bench(call)?);
    let trace = bench.trace()?;
    let plans = list(js, call.arg::<1>(), 6, |cells| plan(js, cells))?;
    let threads = js.to_index(call.arg::<2>()).and_then(NonZeroUsize::new);
    let threads = threads.ok_or_else(Fail::argument)?;
    let progress = bench.begin();
    let work = move || {
        let outcomes = breakwater_lab::simulate(&trace, &plans, threads, &progress);
        outcomes.ok_or_else(|| Fail::trace("cancelled"))
    };
    promise(js, &call.on.this()?, work, |js, outcomes| {
        let told = |outcome: &Outcome| {
            [outcome.requests, outcome.hits, outcome.expired, outcome.bytes, outcome.hit_bytes]
        };
        let all: Vec<f64> = outcomes.iter().flat_map(told).map(|count| count as f64).collect();
        numbers(js, &all)
    })
}

fn plan(js: Js<'_>, cells: &[Val<'_>]) -> Option<Plan> {
    let &[policy, capacity, in_bytes, ttl, nodes, random] = cells else { return None };
    let policy: PolicyName = js.to_text(policy)?.parse().ok()?;
    let capacity = js.to_whole(capacity)?;
    let in_bytes = js.to_index(in_bytes)? == 1;
    Some(Plan {
        policy,
        capacity: if in_bytes { Capacity::Bytes(capacity) } else { Capacity::Entries(capacity) },
        ttl: js.to_whole(ttl).filter(|&ttl| ttl > 0),
        nodes: NonZeroUsize::new(js.to_index(nodes)?)?,
        routing: if js.to_index(random)? == 1 { Routing::Random } else { Routing::Deterministic },
    })
}

/// `curveOfTrace(trace, rate, inBytes, capacities)`: a promise of the hit ratio of LRU at each of some
/// capacities, each with its standard error, measured on that share of the keys.
fn curve<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, bench) = (call.js, bench(call)?);
    let trace = bench.trace()?;
    let rate = js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let in_bytes = js.to_index(call.arg::<2>()).ok_or_else(Fail::argument)? == 1;
    let capacities = list(js, call.arg::<3>(), 1, |cells| js.to_whole(cells[0]))?;
    let progress = bench.begin();
    let work = move || {
        let mut curve = Curve::new(rate);
        for (at, &key) in trace.keys().iter().enumerate() {
            curve.request(key, if in_bytes { trace.size(at) } else { 1 });
            if at % 65_536 == 0 && progress.is_cancelled() {
                return Err(Fail::trace("cancelled"));
            }
        }
        Ok(curve.points(&capacities))
    };
    promise(js, &call.on.this()?, work, |js, points| {
        let told: Vec<f64> = points.iter().flat_map(|at| [at.hit_ratio, at.error]).collect();
        numbers(js, &told)
    })
}

//! Near caches: copies of values that an environment keeps in JavaScript, and what both sides tell
//! each other about them through memory, since a call would cost more than the copy saves.
//!
//! A [`Port`] is the memory of one instance: JavaScript counts there and writes which copies it
//! used; this side writes there by what stamp the value that it just gave can be kept. The other
//! memory is the cache's version words, which JavaScript reads at each use of a copy.

use crate::call::{Call, Returns};
use crate::fail::Fail;
use crate::handle::Handle;
use crate::js::{Js, Val};
use crate::keys::KeyBuf;
use crate::registry::Shared;
use crate::values::Copied;
use breakwater_engine::{Stamp, Versions};
use parking_lot::Mutex;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The fields of a port, each 8 bytes; src/native/port.ts knows them as well.
const HITS: usize = 0;
const DEADLINE: usize = 1;
const VERSION: usize = 2;
const HASH: usize = 3;
const LENGTH: usize = 4;
/// 1 if the value may be kept.
const STAMPED: usize = 5;
/// What `look` found: 0 nothing, 1 what is fresh, 2 and to be loaded anew soon, 3 what is stale, and
/// the kinds of [`crate::values::negative_kind`].
const STATE: usize = 6;
/// Milliseconds until its deadline; of what is stale, since then.
const LEFT: usize = 7;
/// Milliseconds that loading it took.
const COST: usize = 8;
/// From here on: copies that were used, two fields each: the hash, and how many samples of reads.
const LOG: usize = 16;
const RECORDS: usize = 64;
const FIELDS: usize = LOG + 2 * RECORDS;

/// Reads that a sample stands for.
const SAMPLE: u32 = 128;

/// What an instance and JavaScript share. Only the thread of the instance writes.
pub struct Port([AtomicU64; FIELDS]);

impl Port {
    fn new() -> Self {
        Self([const { AtomicU64::new(0) }; FIELDS])
    }

    // Relaxed throughout: one thread writes, and others read nothing but a count.

    #[inline]
    fn put(&self, field: usize, value: u64) {
        self.0[field].store(value, Ordering::Relaxed);
    }

    #[inline]
    fn at(&self, field: usize) -> u64 {
        self.0[field].load(Ordering::Relaxed)
    }

    fn hits(&self) -> u64 {
        f64::from_bits(self.at(HITS)) as u64
    }

    /// Tells by which stamp the value can be kept, and until when.
    #[inline]
    pub fn describe(&self, stamp: Stamp, deadline: Option<u64>, length: usize) {
        self.put(DEADLINE, (deadline.unwrap_or(0) as f64).to_bits());
        self.put(VERSION, stamp.version.unwrap_or(0));
        self.put(HASH, stamp.hash);
        self.put(LENGTH, (length as f64).to_bits());
        self.put(STAMPED, stamp.version.is_some().into());
    }

    /// Tells what `look` found.
    pub fn tell(&self, state: u8, left: f64, cost: u32) {
        self.put(STATE, f64::from(state).to_bits());
        self.put(LEFT, left.to_bits());
        self.put(COST, f64::from(cost).to_bits());
    }
}

/// The ports of a cache, for the sum of what near caches answered.
#[derive(Default)]
pub struct Ports(Mutex<Open>);

#[derive(Default)]
struct Open {
    ports: Vec<Arc<Port>>,
    /// What ports that are closed counted.
    closed: u64,
    /// The sum when it was last reset.
    base: u64,
}

impl Open {
    fn total(&self) -> u64 {
        self.closed + self.ports.iter().map(|port| port.hits()).sum::<u64>()
    }
}

impl Ports {
    /// Reads that near caches answered, in all isolates, since the last reset.
    pub fn hits(&self) -> u64 {
        let open = self.0.lock();
        open.total().saturating_sub(open.base)
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        let mut open = self.0.lock();
        open.base = open.total();
    }

    fn add(&self) -> Arc<Port> {
        let port = Arc::new(Port::new());
        self.0.lock().ports.push(port.clone());
        port
    }

    /// Takes a port away, and keeps its count.
    pub fn remove(&self, port: &Arc<Port>) {
        let mut open = self.0.lock();
        open.closed += port.hits();
        open.ports.retain(|other| !Arc::ptr_eq(other, port));
    }
}

/// `openNear()`: `[words, port]`, two ArrayBuffers over memory of this side; `undefined` if the
/// cache has no versions, or the runtime takes no such memory.
pub fn open<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let Some(versions) = shared.cache.versions() else { return Ok(Val::UNDEFINED) };
    let list = js.array(2)?;
    let Some(words) = lend(js, versions.clone(), |versions: &Versions| versions.cells()) else {
        return Ok(Val::UNDEFINED);
    };
    let Some(port) = lend_port(call, &shared) else { return Ok(Val::UNDEFINED) };
    js.put_at(list, 0, words)?;
    js.put_at(list, 1, port)?;
    Ok(list)
}

/// `openPort()`: the port, also of a cache without versions.
pub fn open_port<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.owned()?;
    lend_port(call, &shared).ok_or_else(|| Fail::internal("this runtime takes no foreign memory"))
}

fn lend_port<'s>(call: &Call<'s, Handle>, shared: &Shared) -> Option<Val<'s>> {
    let port = call.on.port(|| shared.ports.add());
    lend(call.js, port, |port: &Port| &port.0)
}

/// An ArrayBuffer over memory of `owner`, which lives at least as long.
fn lend<'s, T>(js: Js<'s>, owner: Arc<T>, cells: fn(&T) -> &[AtomicU64]) -> Option<Val<'s>> {
    let cells = cells(&owner);
    let (at, len) = (cells.as_ptr() as *mut c_void, size_of_val(cells));
    let hint = Arc::into_raw(owner) as *mut c_void;
    // SAFETY: the cells are atomics, which anybody may write, and `let_go` takes back the count
    // that keeps them.
    let value = unsafe { js.lent_array_buffer(at, len, Some(let_go::<T>), hint) };
    if value.is_none() {
        // SAFETY: the runtime did not take the memory: this is the count from above.
        drop(unsafe { Arc::from_raw(hint as *const T) });
    }
    value
}

/// # Safety
/// `hint` came from `Arc::into_raw` of an `Arc<T>`.
unsafe extern "C" fn let_go<T>(_env: napi_sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: as the caller promises.
    drop(unsafe { Arc::from_raw(hint as *const T) });
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
    call.on.with_port(|port| tell(&shared, port, count.min(RECORDS)));
    Ok(Val::UNDEFINED)
}

fn tell(shared: &Shared, port: &Port, count: usize) {
    for record in (LOG..).step_by(2).take(count) {
        let (hash, samples) = (port.at(record), port.at(record + 1) as u32);
        shared.cache.used(hash);
        if samples > 0 {
            shared.cache.sampled(hash, samples * SAMPLE);
        }
    }
}

/// `now()`: milliseconds on the cache's clock, with fractions if it is the system's.
pub fn now<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let shared = call.on.shared()?;
    call.js.number(shared.cache.clock().elapsed().as_secs_f64() * 1_000.0)
}

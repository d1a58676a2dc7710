//! One parked thread per process that does what time asks of the caches: expiry and freeing.
//!
//! It sleeps until the earliest moment that a cache asked for, or until a cache is stirred: a
//! deadline was set that is earlier, or much was removed. Reads never depend on it: they check
//! deadlines themselves.

use super::registry;
use super::shared::{Shared, Stirred};
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

/// The shortest time between two passes: what is due earlier waits this long, so that a cache
/// under constant writes costs next to nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// Whether any cache was stirred since the last pass.
static STIRRED: Mutex<bool> = Mutex::new(false);
static WAKE: Condvar = Condvar::new();

/// Has the cache stir the thread by itself when a deadline is set that is earlier than all others.
pub fn watch(shared: &Shared) {
    let stirred = shared.stirred.clone();
    shared.cache.set_alarm(Some(Arc::new(move || stir(&stirred))));
}

/// Has the thread look at a cache soon: much was removed at once. Starts it if need be.
pub fn stir(cache: &Stirred) {
    if cache.set() {
        return;
    }
    static START: Once = Once::new();
    START.call_once(|| {
        // Without a thread, expired entries wait for the reads and writes that find them.
        let _ = thread::Builder::new().name("breakwater".to_owned()).spawn(run);
    });
    let mut stirred = STIRRED.lock();
    if !*stirred {
        *stirred = true;
        WAKE.notify_one();
    }
}

fn run() {
    // When each cache wants to be looked at again.
    let mut due: HashMap<u64, Instant> = HashMap::new();
    loop {
        sleep(due.values().min().copied());
        thread::sleep(PAUSE);
        *STIRRED.lock() = false;
        due = pass(&due);
        // Asleep, this thread reads nothing: what others remove is freed without asking it.
        breakwater_engine::rest();
    }
}

/// Waits until `until` or until a cache is stirred.
fn sleep(until: Option<Instant>) {
    let mut stirred = STIRRED.lock();
    while !*stirred {
        match until {
            None => WAKE.wait(&mut stirred),
            Some(until) => {
                if WAKE.wait_until(&mut stirred, until).timed_out() {
                    return;
                }
            }
        }
    }
}

/// Maintains the caches that are due or stirred; when each is due next.
fn pass(due: &HashMap<u64, Instant>) -> HashMap<u64, Instant> {
    let mut next = HashMap::new();
    for shared in registry::all() {
        let was = due.get(&shared.id).copied();
        // Cleared before the cache is looked at, so that what comes meanwhile stirs it again.
        let stirred = shared.stirred.clear();
        let at = if stirred || was.is_some_and(|at| at <= Instant::now()) {
            maintain(&shared)
        } else {
            was
        };
        next.extend(at.map(|at| (shared.id, at)));
    }
    next
}

/// One cache's pass. Times of a manual clock are no times of this thread: whoever moves such a
/// clock calls `maintain` as well.
fn maintain(shared: &Shared) -> Option<Instant> {
    let ms = catch_unwind(AssertUnwindSafe(|| shared.cache.maintain())).ok()??;
    let system = shared.cache.clock().is_system();
    system.then(|| Instant::now() + Duration::from_millis(ms))
}

//! The beat of near caches: a thread that spares their hits the look at the clock.
//!
//! A near cache that has looked at the clock may use a copy until the next beat, if the copy's end is
//! much further off than that beat: see src/near/time.ts. The thread beats for ten seconds after it
//! was asked to, so that an idle process sleeps.

use breakwater_engine::Versions;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

/// The time between beats; src/near/time.ts relies on it.
const PERIOD: Duration = Duration::from_millis(250);

/// Beats until it has to be asked again.
const BEATS: u32 = 40;

/// A cache that has a beat now.
struct Beating {
    versions: Weak<Versions>,
    /// Beats that are left.
    left: u32,
}

static BEATING: Mutex<Vec<Beating>> = Mutex::new(Vec::new());
static WAKE: Condvar = Condvar::new();

/// Has a cache's beat go on for the next ten seconds.
pub fn ask(versions: &Arc<Versions>) {
    if !is_running() {
        return;
    }
    let mut beating = BEATING.lock();
    let weak = Arc::downgrade(versions);
    if let Some(one) = beating.iter_mut().find(|one| one.versions.ptr_eq(&weak)) {
        one.left = BEATS;
    } else {
        versions.beat(true);
        beating.push(Beating { versions: weak, left: BEATS });
        WAKE.notify_one();
    }
}

/// Whether there is a thread, which the first call starts. Without one each hit looks at the clock.
fn is_running() -> bool {
    static RUNS: OnceLock<bool> = OnceLock::new();
    let start = || thread::Builder::new().name("breakwater-beat".to_owned()).spawn(run).is_ok();
    *RUNS.get_or_init(start)
}

fn run() {
    let mut beating = BEATING.lock();
    loop {
        while beating.is_empty() {
            WAKE.wait(&mut beating);
        }
        MutexGuard::unlocked(&mut beating, || thread::sleep(PERIOD));
        beating.retain_mut(beat);
    }
}

/// Gives a cache its next beat, or the last one; whether there will be more.
fn beat(one: &mut Beating) -> bool {
    let Some(versions) = one.versions.upgrade() else { return false };
    let goes_on = one.left > 0;
    versions.beat(goes_on);
    one.left = one.left.saturating_sub(1);
    goes_on
}

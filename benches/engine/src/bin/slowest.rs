//! `cargo run --release -p breakwater-benches --bin slowest`: how long single sets take while a million
//! entries expire at one deadline, while the bound is lowered over them, and while they are cleared.
//!
//! Keys have 16 bytes, values 32; percentiles and the longest in microseconds. On a machine with
//! other work the longest is the machine's: the last row is the same work with nothing beside it.

use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};
use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: u64 = 1_000_000;
/// How long sets are measured, and when in that time the event comes.
const MEASURED: Duration = Duration::from_secs(4);
const EVENT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Expiry,
    Resize,
    Clear,
    Nothing,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{:<8}{:<10}{:>10}{:>9}{:>9}{:>9}{:>10}",
        "policy", "beside", "sets", "p50", "p99", "p99.99", "longest"
    );
    for policy in [Policy::Lfu, Policy::Lru] {
        let names = ["expiry", "resize", "clear", "nothing"];
        let events = [Beside::Expiry, Beside::Resize, Beside::Clear, Beside::Nothing];
        for (beside, name) in events.into_iter().zip(names) {
            let mut times = measure(policy, beside)?;
            times.sort_unstable();
            let at = |share: f64| f64::from(times[(times.len() as f64 * share) as usize]) / 1000.0;
            let longest = times.last().map_or(0.0, |&time| f64::from(time) / 1000.0);
            let (p50, p99, most) = (at(0.5), at(0.99), at(0.9999));
            let policy = format!("{policy:?}").to_lowercase();
            println!(
                "{policy:<8}{name:<10}{:>10}{p50:>9.2}{p99:>9.2}{most:>9.1}{longest:>10.1}",
                times.len()
            );
        }
    }
    Ok(())
}

/// The nanoseconds of each set.
fn measure(policy: Policy, beside: Beside) -> Result<Vec<u32>, Box<dyn Error>> {
    let config = Config { max_entries: Some(2 * ENTRIES), policy, ..Config::default() };
    let cache = Cache::new(config)?;
    let set = |number: u64, expiry| {
        let key = [number, number.rotate_left(32)].map(u64::to_le_bytes).concat();
        cache.set(Key::bytes(&key), Value::bytes(&[7; 32]), expiry)
    };
    // Filling takes part of this time; what is left is waited for below.
    let deadline = cache.clock().now() + 5_000;
    let expiry = if beside == Beside::Expiry { Expiry::At(deadline) } else { Expiry::Never };
    for number in 0..ENTRIES {
        set(number, expiry)?;
    }
    while cache.clock().now() + (EVENT.as_millis() as u64) < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(EVENT);
            match beside {
                Beside::Expiry | Beside::Nothing => {}
                Beside::Resize => drop(black_box(cache.resize(Some(ENTRIES / 10), None))),
                Beside::Clear => cache.clear(),
            }
            // As the binding does, when it is due.
            while beside == Beside::Expiry && !is_over.load(Ordering::Relaxed) {
                black_box(cache.maintain());
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let mut times = Vec::with_capacity(50_000_000);
        let begun = Instant::now();
        let mut number = ENTRIES;
        while begun.elapsed() < MEASURED && times.len() < times.capacity() {
            number += 1;
            let at = Instant::now();
            // Over few keys, so that the cache does not fill by them.
            let stored = set(ENTRIES + number % 100_000, Expiry::Never);
            times.push(at.elapsed().as_nanos().min(u128::from(u32::MAX)) as u32);
            stored?;
        }
        is_over.store(true, Ordering::Relaxed);
        Ok(times)
    })
}

//! Resident memory under churn: `churn [SECONDS] [MIB] [SMALLEST] [LARGEST]`. Four threads store values of
//! sizes evenly spread over the orders of magnitude in one cache of so many mebibytes. By the ledger, and by
//! how much resident memory grew at most, and what a set took of the processor once the cache was full; then
//! how much is left when most entries were deleted.

use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const KEYS: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: &str| args.next().as_deref().unwrap_or(default).parse::<u64>();
    let (seconds, mib) = (number("20")?, number("256")?);
    let (smallest, largest) = (number("16")?, number("200000")?);
    let before = resident()?;
    let max_bytes = mib << 20;
    let config = Config { policy: Policy::Lfu, max_bytes: Some(max_bytes), ..Config::default() };
    let cache = Cache::new(config)?;
    let (sets, begin) = (AtomicU64::new(0), Instant::now());
    let (full, end) =
        (begin + Duration::from_secs(seconds) / 3, begin + Duration::from_secs(seconds));
    let (mut highest, mut before_full) = (0, None);
    thread::scope(|scope| {
        for seed in 1..=4u64 {
            let (cache, sets) = (&cache, &sets);
            scope.spawn(move || store(cache, seed, smallest, largest, end, sets));
        }
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
            highest = highest.max(resident().unwrap_or(0));
            if before_full.is_none() && Instant::now() > full {
                before_full = spent().ok().map(|spent| (sets.load(Ordering::Relaxed), spent));
            }
        }
    });
    if let (Some((sets_before, before)), now) = (before_full, spent()?) {
        let each = |at: usize| {
            (now[at] - before[at]) as f64 / (sets.load(Ordering::Relaxed) - sets_before) as f64
        };
        println!(
            "a set: {:.2} us of user time, {:.2} us of system time, {:.3} page faults",
            each(1) * 1e4,
            each(2) * 1e4,
            each(0),
        );
    }
    let percent = |bytes: u64| bytes as f64 * 100.0 / max_bytes as f64;
    println!(
        "{} sets a second; ledger {:.1} %, highest resident growth {:.1} %, now {:.1} %",
        sets.load(Ordering::Relaxed) / seconds.max(1),
        percent(cache.bytes()),
        percent(highest.saturating_sub(before)),
        percent(resident()?.saturating_sub(before)),
    );
    for key in (0..KEYS).filter(|key| key % 100 != 0) {
        cache.delete(Key::bytes(&key.to_le_bytes()));
    }
    cache.maintain();
    println!(
        "99 of 100 deleted: ledger {:.1} %, resident {:.1} %",
        percent(cache.bytes()),
        percent(resident()?.saturating_sub(before)),
    );
    Ok(())
}

fn store(cache: &Cache, seed: u64, smallest: u64, largest: u64, end: Instant, sets: &AtomicU64) {
    let source = vec![7; largest as usize];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32
    };
    while Instant::now() < end {
        for _ in 0..256 {
            let part = next() as f64 / (1u64 << 32) as f64;
            let size = smallest as f64 * (largest as f64 / smallest as f64).powf(part);
            let key = (next() % KEYS).to_le_bytes();
            let value = Value::bytes(&source[..size as usize]);
            cache.set(Key::bytes(&key), value, Expiry::Never).expect("there is room");
            if next() % 4 == 0 {
                cache.delete(Key::bytes(&(next() % KEYS).to_le_bytes()));
            }
        }
        sets.fetch_add(256, Ordering::Relaxed);
    }
}

/// Page faults of this process, and its time in user mode and in the system, in hundredths of a second.
fn spent() -> Result<[u64; 3], Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit(')').next().ok_or("no name")?.split_whitespace().collect();
    let field = |at: usize| -> Result<u64, Box<dyn Error>> {
        Ok(fields.get(at).ok_or("no such field")?.parse()?)
    };
    Ok([field(7)?, field(11)?, field(12)?])
}

/// Resident bytes of this process.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib * 1024)
}

//! What an entry of a 16-byte key and a 32-byte value takes beside them: `memory [ENTRIES] [TURNOVERS]`.
//! By the ledger, and by how much resident memory has grown; when the cache has just been filled, and
//! after all its entries were replaced by others, again and again.

use breakwater_benches::load::key;
use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};
use std::error::Error;

const PAYLOAD: u64 = 16 + 32;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let entries: u32 = args.next().as_deref().unwrap_or("1000000").parse()?;
    let turnovers: u32 = args.next().as_deref().unwrap_or("10").parse()?;
    let before = resident()?;
    let max_entries = Some(entries.into());
    let cache = Cache::new(Config { max_entries, policy: Policy::Lfu, ..Config::default() })?;
    let fill = |from: u32| {
        for id in from..from + entries {
            let value = Value::bytes(&[7; 32]);
            cache.set(Key::bytes(&key(id)), value, Expiry::Never).expect("there is room");
        }
    };
    fill(0);
    report("filled", &cache, before)?;
    (1..=turnovers).for_each(|turn| fill(turn * entries));
    report("turned over", &cache, before)?;
    Ok(())
}

fn report(when: &str, cache: &Cache, before: u64) -> Result<(), Box<dyn Error>> {
    cache.maintain();
    let stats = cache.stats();
    let entries = stats.entries as f64;
    let grown = resident()?.saturating_sub(before) as f64 / entries - PAYLOAD as f64;
    let charged = stats.overhead as f64 / entries;
    println!("{when}: {entries} entries, {charged:.1} bytes by the ledger, {grown:.1} resident");
    Ok(())
}

/// Resident bytes of this process.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib * 1024)
}

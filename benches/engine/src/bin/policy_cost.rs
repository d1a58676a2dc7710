//! What a policy costs, for callgrind to count: reads of a full cache, or misses with the set that
//! follows.
//!
//! `valgrind --tool=callgrind --toggle-collect='*measured*' target/release/policy_cost POLICY
//! ENTRIES reads|misses`; the count is of 200,000 operations.

use breakwater_benches::load::{Distribution, Payload, key};
use breakwater_engine::{Cache, Config, Expiry, Key, Value};
use std::error::Error;
use std::hint::black_box;

/// Operations that are measured.
const OPERATIONS: u32 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("POLICY ENTRIES reads|misses");
    let (policy, entries, what) = (next()?.parse()?, next()?.parse::<u32>()?, next()?);
    let config = Config { policy, max_entries: Some(entries.into()), ..Config::default() };
    let cache = Cache::new(config)?;
    // Evictions, so that the policy is at work; then every key is read once and again.
    (0..entries + entries / 8).for_each(|id| set(&cache, id));
    let held: Vec<u32> =
        (0..entries + entries / 8).filter(|&id| cache.contains(Key::bytes(&key(id)))).collect();
    let ranks = Distribution::Zipf.draw(held.len() as u32, OPERATIONS as usize, 1);
    let requests: Vec<u32> = ranks.into_iter().map(|rank| held[rank as usize]).collect();
    reads(&cache, &requests);
    match what.as_str() {
        "reads" => measured_reads(&cache, &requests),
        _ => measured_misses(&cache, 1 << 30),
    }
    if let Some(choice) = cache.choice() {
        println!("{} of 1/{:?}, judged {}", choice.rule.name, choice.sampled, choice.judged);
    }
    Ok(())
}

fn set(cache: &Cache, id: u32) {
    let value = Payload::of(id);
    cache
        .set(Key::bytes(&key(id)), Value::bytes(value.as_bytes()), Expiry::Never)
        .expect("the oldest entry makes room");
}

fn get(cache: &Cache, id: u32) -> Option<Payload> {
    let mut copy = Payload::empty();
    cache.get(Key::bytes(&key(id)), |entry| copy.fill(entry.value()))?;
    Some(copy)
}

#[inline(never)]
fn measured_reads(cache: &Cache, requests: &[u32]) {
    reads(cache, requests);
}

#[inline(always)]
fn reads(cache: &Cache, requests: &[u32]) {
    for &id in requests {
        black_box(get(cache, id));
    }
}

#[inline(never)]
fn measured_misses(cache: &Cache, first: u32) {
    for id in first..first + OPERATIONS {
        if black_box(get(cache, id)).is_none() {
            set(cache, id);
        }
    }
}

//! What callgrind counts: one kind of operation of one side, alone in the function [`measured`].
//! `scripts/count.sh` runs it for each side and size and prints a table.
//!
//! `count SIDE WORK ENTRIES KEY-LENGTH OPS`: the sides are breakwater, quick_cache and lru (behind a
//! mutex), the works read, set (each replaces a value), beside (the same, while another thread uses the
//! cache now and then) and none, which only makes the keys.

use breakwater_benches::load::{Distribution, Payload, mix};
use breakwater_engine as engine;
use parking_lot::Mutex;
use std::error::Error;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Barrier;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [side, work, entries, key_len, ops] = args.as_slice() else {
        return Err("count SIDE WORK ENTRIES KEY-LENGTH OPS".into());
    };
    let run = Run { side, work, entries: entries.parse()?, ops: ops.parse()? };
    match key_len.as_str() {
        "8" => run.with_keys::<8>(),
        "16" => run.with_keys::<16>(),
        "24" => run.with_keys::<24>(),
        "36" => run.with_keys::<36>(),
        "60" => run.with_keys::<60>(),
        _ => Err("keys have 8, 16, 24, 36 or 60 bytes".into()),
    }
}

struct Run<'a> {
    side: &'a str,
    work: &'a str,
    entries: u32,
    ops: usize,
}

impl Run<'_> {
    fn with_keys<const N: usize>(&self) -> Result<(), Box<dyn Error>> {
        let room = 2 * self.entries as usize;
        match self.side {
            "breakwater" => {
                let max_entries = Some(room as u64);
                let config = engine::Config { max_entries, ..engine::Config::default() };
                let cache = engine::Cache::new(config)?;
                let get = |key: &[u8; N]| {
                    let mut copy = Payload::empty();
                    cache.get(engine::Key::bytes(key), |entry| copy.fill(entry.value()))?;
                    Some(copy)
                };
                let set = |key: &[u8; N], value: Payload| {
                    let value = engine::Value::bytes(value.as_bytes());
                    let stored = cache.set(engine::Key::bytes(key), value, engine::Expiry::Never);
                    stored.expect("there is room");
                };
                self.work_on(get, set)
            }
            "quick_cache" => {
                let cache = quick_cache::sync::Cache::<[u8; N], Payload>::new(room);
                self.work_on(|key| cache.get(key), |key, value| cache.insert(*key, value))
            }
            "lru" => {
                let room = NonZeroUsize::new(room).ok_or("at least one entry")?;
                let cache = Mutex::new(lru::LruCache::<[u8; N], Payload>::new(room));
                self.work_on(
                    |key| cache.lock().get(key).copied(),
                    |key, value| _ = cache.lock().put(*key, value),
                )
            }
            _ => Err("sides are breakwater, quick_cache and lru".into()),
        }
    }

    fn work_on<const N: usize>(
        &self,
        get: impl Fn(&[u8; N]) -> Option<Payload> + Sync,
        set: impl Fn(&[u8; N], Payload) + Sync,
    ) -> Result<(), Box<dyn Error>> {
        (0..self.entries).for_each(|id| set(&key(id), Payload::of(id)));
        let requests = Distribution::Zipf.draw(self.entries, self.ops, 1);
        let read = |id: u32| _ = black_box(get(&key(id)).expect("every key is there"));
        let replace = |id: u32| set(&key(id), Payload::of(id));
        // Counters of reads are saturated, and memory is as it will be.
        let warm_up = |work: &dyn Fn(u32)| requests.iter().for_each(|&id| work(id));
        match self.work {
            "read" => {
                warm_up(&read);
                measured(&requests, read);
            }
            "set" => {
                warm_up(&replace);
                measured(&requests, replace);
            }
            "beside" => {
                let (began, ended) = (Barrier::new(2), Barrier::new(2));
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        read(0);
                        began.wait();
                        ended.wait();
                    });
                    began.wait();
                    warm_up(&replace);
                    measured(&requests, replace);
                    ended.wait();
                });
            }
            "none" => measured(&requests, |id| _ = black_box(key::<N>(id))),
            _ => return Err("works are read, set, beside and none".into()),
        }
        Ok(())
    }
}

/// What callgrind counts.
#[inline(never)]
fn measured(requests: &[u32], mut operation: impl FnMut(u32)) {
    requests.iter().for_each(|&id| operation(id));
}

/// The key of number `id`, of any length from 8 bytes.
#[inline]
fn key<const N: usize>(id: u32) -> [u8; N] {
    let mut key = [b'k'; N];
    key[N - 8..].copy_from_slice(&mix(u64::from(id)).to_le_bytes());
    key
}

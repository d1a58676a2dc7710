//! Replays a request trace through the engine: each request is a `get`, each miss a `set`.

use breakwater_engine::{Cache, Config, Expiry, Key, Policy, Value};
use std::io::{self, Read};
use std::path::Path;

/// Reads a trace of little-endian `u32` keys, compressed by gzip.
pub fn read(path: &Path) -> io::Result<Vec<u32>> {
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path)?).read_to_end(&mut bytes)?;
    let keys = bytes.chunks_exact(4);
    if !keys.remainder().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a whole number of u32 keys"));
    }
    Ok(keys.map(|key| u32::from_le_bytes([key[0], key[1], key[2], key[3]])).collect())
}

/// The share of requests that found their key in a cache of `entries` entries, in percent.
/// Entries are of unit size: no byte bound is set. `shards` is the engine's choice if `None`.
pub fn hit_ratio(trace: &[u32], entries: u64, policy: Policy, shards: Option<usize>) -> f64 {
    let config = Config { max_entries: Some(entries), policy, shards, ..Config::default() };
    let cache = Cache::new(config).expect("bounds of a trace are valid");
    let mut hits = 0u64;
    for id in trace {
        let bytes = id.to_le_bytes();
        if cache.get(Key::bytes(&bytes), |_| ()).is_some() {
            hits += 1;
        } else {
            cache
                .set(Key::bytes(&bytes), Value::bytes(&[]), Expiry::Never)
                .expect("the oldest entry makes room");
        }
    }
    hits as f64 / trace.len() as f64 * 100.0
}

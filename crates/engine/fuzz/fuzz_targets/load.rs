//! Loading files from strangers: either all of a file is loaded, and saves to the same contents,
//! or nothing is. The first byte chooses whether the rest is a file as it is, or the body of one
//! whose beginning and checksum are right.

#![no_main]

use breakwater_engine::{Cache, Clock, Config, Expiry, Key, PersistError, Policy, Value};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("breakwater-fuzz-{}", std::process::id())));

type Row = (u8, Vec<u8>, u8, Vec<u8>, bool);

fn rows(cache: &Cache) -> Vec<Row> {
    let (mut rows, mut cursor) = (Vec::new(), 0);
    loop {
        cursor = cache.scan(cursor, 64, |entry| {
            let (key, value) = (entry.key(), entry.value());
            let (kind, format) = (key.kind as u8, value.format);
            let ends = entry.deadline().is_some();
            rows.push((kind, key.bytes.to_vec(), format, value.bytes.to_vec(), ends));
        });
        if cursor == 0 {
            rows.sort();
            return rows;
        }
    }
}

fn new() -> Cache {
    Cache::new(Config { clock: Clock::manual(), policy: Policy::None, ..Config::default() })
        .unwrap()
}

/// A file whose frame is right: what is fuzzed is between its beginning and its count of entries.
fn framed(body: &[u8], count: u8) -> Vec<u8> {
    let mut file = b"breakwtr\x01\0\0\0".to_vec();
    file.extend(body);
    if count < 0x80 {
        file.push(0xFF);
        file.extend(u64::from(count).to_le_bytes());
    }
    let sum = crc32fast::hash(&file);
    file.extend(sum.to_le_bytes());
    file
}

fuzz_target!(|data: &[u8]| {
    let file = match data {
        [] => return,
        [0, raw @ ..] => raw.to_vec(),
        [count, body @ ..] => framed(body, count - 1),
    };
    fs::write(&*FILE, file).unwrap();
    let cache = new();
    cache.set(Key::text(b"old"), Value::bytes(b"kept"), Expiry::Never).unwrap();
    let before = rows(&cache);
    match cache.load(&FILE) {
        Err(PersistError::Damaged(_)) => assert_eq!(rows(&cache), before),
        Err(error) => panic!("{error}"),
        Ok(_) => {
            let loaded = rows(&cache);
            assert_eq!(cache.save(&FILE).unwrap(), loaded.len() as u64);
            let again = new();
            again.load(&FILE).unwrap();
            // Some may have expired between the two.
            let again = rows(&again);
            assert!(again.iter().all(|row| loaded.contains(row)));
            assert!(loaded.iter().all(|row| row.4 || again.contains(row)));
        }
    }
    cache.audit().unwrap();
    let _ = fs::remove_file(&*FILE);
});

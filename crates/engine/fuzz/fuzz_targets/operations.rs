//! Any sequence of operations on a small cache with small bounds: the books are right after each,
//! the bounds are kept, what is read was written, and what is evicted was told.

#![no_main]

use breakwater_engine::{
    Cache, Clock, Config, Edit, EntryRef, Error, Expiry, Key, KeyKind, Policy, Reason,
    RemovalListener, Value, Weigh,
};
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
struct Departed(AtomicU64);

impl RemovalListener for Departed {
    fn removed(&self, _: EntryRef<'_>, _: Reason) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn wide(&mut self) -> Option<u64> {
        Some(u64::from(self.next()?) | u64::from(self.next()?) << 8)
    }
}

fn config(bytes: &mut Bytes<'_>, clock: &Clock) -> Option<Config> {
    let choice = bytes.next()?;
    let policies = [Policy::Lru, Policy::Lfu, Policy::Random, Policy::None];
    let bound = |wanted: bool, least: u64, n: u64| wanted.then_some(least + n);
    Some(Config {
        policy: if choice & 32 != 0 { Policy::Auto } else { policies[usize::from(choice & 3)] },
        weigh: Weigh::ALL[usize::from(choice >> 6).min(2)],
        max_entries: bound(choice & 4 != 0, 1, bytes.next()?.into()),
        max_bytes: bound(choice & 8 != 0, 4_096, bytes.wide()?),
        shards: Some(if choice & 16 != 0 { 4 } else { 1 }),
        clock: clock.clone(),
        ..Config::default()
    })
}

struct World {
    cache: Cache,
    clock: Clock,
    /// What each key has unless it was evicted.
    written: HashMap<(u8, Vec<u8>), Vec<u8>>,
    serial: u64,
    stored: u64,
}

impl World {
    /// One operation; `None` at the end.
    fn step(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        let operation = bytes.next()?;
        let (kind, key) = key(bytes)?;
        let borrowed = Key { kind, bytes: &key };
        let name = (kind as u8, key.clone());
        match operation % 12 {
            0..=3 => {
                let value = self.value(bytes.wide()?);
                let expiry = self.expiry(bytes)?;
                let result = self.cache.set(borrowed, Value::bytes(&value), expiry);
                self.wrote(name, value, result.map(|_| ()));
            }
            4 | 5 => self.check(borrowed, &name),
            6 => {
                self.cache.delete(borrowed);
                self.written.remove(&name);
            }
            7 => {
                let value = self.value(bytes.wide()?);
                let expiry = self.expiry(bytes)?;
                let what = bytes.next()? % 4;
                let result = self.cache.update(borrowed, |_, out| {
                    out.extend_from_slice(&value);
                    let edit = match what {
                        0 => Edit::Keep,
                        1 => Edit::Remove,
                        _ => Edit::Put { format: 0, expiry },
                    };
                    (edit, ())
                });
                match what {
                    0 => {}
                    1 => _ = self.written.remove(&name),
                    _ => self.wrote(name, value, result),
                }
            }
            8 => {
                let expiry = self.expiry(bytes)?;
                let result = self.cache.expire(borrowed, expiry);
                assert!(matches!(result, Ok(_) | Err(Error::Full | Error::TooLarge { .. })));
            }
            9 => {
                self.clock.advance(bytes.wide()?);
                if operation & 0x80 != 0 {
                    self.cache.maintain();
                }
            }
            10 => {
                let (entries, most) = self.cache.bounds();
                let entries = entries.and(Some(1 + u64::from(bytes.next()?)));
                let most = most.and(Some(4_096 + bytes.wide()?));
                let _ = self.cache.resize(entries, most);
            }
            _ => {
                if operation & 0x80 != 0 {
                    self.cache.clear();
                    self.written.clear();
                    assert!(self.cache.is_empty());
                } else {
                    self.cache.scan(bytes.wide()?, 7, |entry| {
                        let name = (entry.key().kind as u8, entry.key().bytes.to_vec());
                        assert_eq!(entry.value().bytes, self.written[&name]);
                    });
                }
            }
        }
        Some(())
    }

    fn value(&mut self, len: u64) -> Vec<u8> {
        self.serial += 1;
        self.serial.to_le_bytes().into_iter().cycle().take(len as usize).collect()
    }

    fn expiry(&self, bytes: &mut Bytes<'_>) -> Option<Expiry> {
        Some(match bytes.next()? {
            n @ 0..=99 => Expiry::At((self.clock.now() + u64::from(n) * 50).saturating_sub(500)),
            100..=127 => Expiry::Keep,
            128..=135 => Expiry::At(u64::MAX),
            _ => Expiry::Never,
        })
    }

    fn wrote(&mut self, name: (u8, Vec<u8>), value: Vec<u8>, result: Result<(), Error>) {
        match result {
            Ok(()) => {
                self.stored += 1;
                self.written.insert(name, value);
            }
            Err(Error::Full) => {
                assert!(self.cache.policy() == Policy::None || self.cache.bounds().1.is_some());
            }
            Err(Error::TooLarge { size, max }) => assert!(size > max),
            Err(error) => panic!("{error}"),
        }
    }

    fn check(&self, key: Key<'_>, name: &(u8, Vec<u8>)) {
        let read = self.cache.get(key, |entry| entry.value().bytes.to_vec());
        if let Some(read) = read {
            assert_eq!(Some(&read), self.written.get(name));
        }
    }
}

fn key(bytes: &mut Bytes<'_>) -> Option<(KeyKind, Vec<u8>)> {
    let first = bytes.next()?;
    let kinds = [KeyKind::OneByte, KeyKind::TwoByte, KeyKind::Number, KeyKind::Bytes];
    let len = usize::from(first >> 2) % 24;
    Some((kinds[usize::from(first & 3)], vec![bytes.next()?; len]))
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let clock = Clock::manual();
    let Some(cache) = config(&mut bytes, &clock).and_then(|config| Cache::new(config).ok()) else {
        return;
    };
    let departed = Arc::new(Departed::default());
    cache.listen(departed.clone());
    let mut world = World { cache, clock, written: HashMap::new(), serial: 0, stored: 0 };
    while world.step(&mut bytes).is_some() {
        world.cache.audit().unwrap();
        let (entries, most) = world.cache.bounds();
        assert!(world.cache.len() <= entries.unwrap_or(u64::MAX));
        assert!(world.cache.bytes() <= most.unwrap_or(u64::MAX));
    }
    let left = departed.0.load(Ordering::Relaxed);
    assert_eq!(world.stored, left + world.cache.len(), "each departure is told once");
});

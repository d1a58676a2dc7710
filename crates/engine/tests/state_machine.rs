//! Random histories against a plain map: what the cache says is what was written, and after every
//! operation the books are right and within the bounds.

use breakwater_engine::{
    Cache, Clock, Config, Edit, EntryRef, Error, Expiry, Key, KeyKind, Policy, Stamp, Value, Weigh,
};
use notes::{Extras, Invalidations, Mark, extras};
use proptest::prelude::*;
use std::collections::HashMap;

#[path = "state_machine/conditional.rs"]
mod conditional;
#[path = "state_machine/notes.rs"]
mod notes;

#[derive(Clone, Debug)]
enum Op {
    Set(u16, u16, Time),
    SetNoted(u16, u16, Time, Extras),
    DeleteVersioned(u16, u64, Time),
    Invalidate(usize, bool),
    GetWithFreshness(u16),
    Get(u16),
    Append(u16),
    SetIfAbsent(u16, u16, Time, u8),
    CompareAndSet(u16, u16, Time, bool),
    Touch(u16),
    Info(u16),
    Remove(u16),
    Delete(u16),
    Expire(u16, Time),
    Advance(u16),
    Maintain,
    Clear,
    Resize(u8),
    Scan,
    Random,
}

#[derive(Clone, Copy, Debug)]
enum Time {
    Never,
    In(u16),
    Keep,
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        3 => Just(Time::Never),
        3 => (1..5_000u16).prop_map(Time::In),
        1 => Just(Time::Keep),
    ]
}

fn op(keys: u16) -> impl Strategy<Value = Op> {
    let key = 0..keys;
    prop_oneof![
        40 => (key.clone(), 0..700u16, time()).prop_map(|(k, len, t)| Op::Set(k, len, t)),
        20 => (key.clone(), 0..700u16, time(), extras())
            .prop_map(|(k, len, t, e)| Op::SetNoted(k, len, t, e)),
        4 => (key.clone(), 0..6u64, time()).prop_map(|(k, v, t)| Op::DeleteVersioned(k, v, t)),
        3 => (0..notes::TAGS, any::<bool>()).prop_map(|(tag, soft)| Op::Invalidate(tag, soft)),
        15 => key.clone().prop_map(Op::GetWithFreshness),
        20 => key.clone().prop_map(Op::Get),
        5 => key.clone().prop_map(Op::Append),
        8 => (key.clone(), 0..700u16, time(), 0..1u8 << notes::TAGS)
            .prop_map(|(k, len, t, tags)| Op::SetIfAbsent(k, len, t, tags)),
        8 => (key.clone(), 0..700u16, time(), any::<bool>())
            .prop_map(|(k, len, t, rightly)| Op::CompareAndSet(k, len, t, rightly)),
        4 => key.clone().prop_map(Op::Touch),
        4 => key.clone().prop_map(Op::Info),
        3 => key.clone().prop_map(Op::Remove),
        8 => key.clone().prop_map(Op::Delete),
        4 => (key, time()).prop_map(|(k, t)| Op::Expire(k, t)),
        5 => (1..3_000u16).prop_map(Op::Advance),
        3 => Just(Op::Maintain),
        1 => Just(Op::Clear),
        1 => any::<u8>().prop_map(Op::Resize),
        2 => Just(Op::Scan),
        1 => Just(Op::Random),
    ]
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Held {
    format: u8,
    bytes: Vec<u8>,
    deadline: Option<u64>,
}

/// The cache and what it must not contradict.
struct Pair {
    cache: Cache,
    clock: Clock,
    model: HashMap<u16, Held>,
    /// Whether entries may be missing, having been evicted.
    evicts: bool,
    serial: u32,
    /// What was read of keys, with the stamps by which that may be used again.
    copies: HashMap<u16, (Stamp, Held)>,
    grace: u64,
    marks: HashMap<u16, Mark>,
    invalidations: Invalidations,
}

fn key_bytes(key: u16) -> ([u8; 8], KeyKind) {
    // The same number in different kinds must be different keys.
    let kinds = [KeyKind::OneByte, KeyKind::TwoByte, KeyKind::Number, KeyKind::Bytes];
    (u64::from(key / 4).to_le_bytes(), kinds[key as usize % 4])
}

fn with_key<R>(key: u16, f: impl FnOnce(Key<'_>) -> R) -> R {
    let (bytes, kind) = key_bytes(key);
    f(Key { kind, bytes: &bytes })
}

fn number_of(key: Key<'_>) -> u16 {
    u64::from_le_bytes(key.bytes.try_into().unwrap()) as u16 * 4 + key.kind as u16
}

fn held(entry: EntryRef<'_>) -> Held {
    Held {
        format: entry.value().format,
        bytes: entry.value().bytes.to_vec(),
        deadline: entry.deadline(),
    }
}

impl Pair {
    fn new(
        policy: Policy,
        max_entries: Option<u64>,
        max_bytes: Option<u64>,
        shards: usize,
        grace: u64,
    ) -> Self {
        let clock = Clock::manual();
        // Whatever is weighed, the contract is the same: the bounds draw it.
        let drawn = max_bytes.or(max_entries).unwrap_or_default() as usize % Weigh::ALL.len();
        let config = Config {
            max_entries,
            max_bytes,
            policy,
            weigh: Weigh::ALL[drawn],
            room: None,
            awaited: None,
            shards: Some(shards),
            clock: clock.clone(),
            near_copies: true,
            grace,
        };
        let evicts = max_entries.is_some() || max_bytes.is_some();
        let cache = Cache::new(config).unwrap();
        let mut pair = Self {
            cache,
            clock,
            model: HashMap::new(),
            evicts,
            serial: 0,
            copies: HashMap::new(),
            grace,
            marks: HashMap::new(),
            invalidations: Invalidations::default(),
        };
        pair.prepare_tags();
        pair
    }

    fn live(&self, key: u16) -> Option<&Held> {
        self.model.get(&key).filter(|_| self.is_live(key))
    }

    fn expiry(&self, time: Time) -> Expiry {
        match time {
            Time::Never => Expiry::Never,
            Time::In(ms) => Expiry::At(self.clock.now() + u64::from(ms)),
            Time::Keep => Expiry::Keep,
        }
    }

    fn deadline(&self, key: u16, time: Time) -> Option<u64> {
        match time {
            Time::Never => None,
            Time::In(ms) => Some(self.clock.now() + u64::from(ms)),
            Time::Keep => self.live(key).and_then(|held| held.deadline),
        }
    }

    fn read(&self, key: u16) -> Option<Held> {
        with_key(key, |key| self.cache.get(key, held))
    }

    fn copy(&mut self, key: u16) {
        let read = with_key(key, |key| self.cache.get_stamped(key, held));
        if let Some((held, stamp)) = read {
            self.cache.record_use(stamp.hash);
            self.copies.insert(key, (stamp, held));
        }
    }

    /// A copy that is good is what the cache has.
    fn check_copies(&self) {
        let versions = self.cache.versions().unwrap();
        for (key, (stamp, copied)) in &self.copies {
            let alive = copied.deadline.is_none_or(|at| at > self.clock.now());
            if alive && versions.is_current(*stamp) {
                let there = with_key(*key, |key| self.cache.peek(key, held));
                assert_eq!(there.as_ref(), Some(copied), "a copy of key {key}");
            }
        }
    }

    /// What is read is what was written; it may be missing only if the cache evicts.
    fn check(&mut self, key: u16) {
        match (self.read(key), self.live(key).cloned()) {
            (Some(read), expected) => assert_eq!(Some(read), expected, "key {key}"),
            (None, Some(_)) if self.evicts => self.forget(key),
            (None, expected) => assert_eq!(None, expected, "key {key}"),
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Set(key, len, time) => self.set(key, len, time),
            Op::SetNoted(key, len, time, extras) => self.set_noted(key, len, time, extras),
            Op::DeleteVersioned(key, version, time) => self.delete_versioned(key, version, time),
            Op::Invalidate(tag, soft) => self.invalidate(tag, soft),
            Op::GetWithFreshness(key) => self.get_with_freshness(key),
            Op::Get(key) => {
                self.check(key);
                self.copy(key);
            }
            Op::Append(key) => self.append(key),
            Op::SetIfAbsent(key, len, time, tags) => self.set_if_absent(key, len, time, tags),
            Op::CompareAndSet(key, len, time, rightly) => {
                self.compare_and_set(key, len, time, rightly);
            }
            Op::Touch(key) => self.touch(key),
            Op::Info(key) => self.info(key),
            Op::Remove(key) => {
                self.check(key);
                with_key(key, |key| self.cache.update(key, |_, _| (Edit::Remove, ()))).unwrap();
                self.forget(key);
                self.check(key);
            }
            Op::Delete(key) => {
                self.check(key);
                let there = self.live(key).is_some();
                assert_eq!(with_key(key, |key| self.cache.delete(key)), there);
                if !self.is_buried(key) {
                    self.forget(key);
                }
                self.check(key);
            }
            Op::Expire(key, time) => {
                self.check(key);
                let expiry = self.expiry(time);
                match with_key(key, |key| self.cache.expire(key, expiry)) {
                    Ok(there) => {
                        let deadline = self.deadline(key, time);
                        // Making room for the timer may have evicted the entry itself.
                        assert!(there == self.live(key).is_some() || self.evicts);
                        if let Some(held) = self.model.get_mut(&key).filter(|_| there) {
                            held.deadline = deadline;
                        }
                    }
                    Err(error) => assert!(self.evicts, "{error}"),
                }
                self.check(key);
            }
            Op::Advance(ms) => self.clock.advance(u64::from(ms)),
            Op::Maintain => _ = self.cache.maintain(),
            Op::Clear => {
                self.cache.clear();
                self.model.clear();
                self.marks.clear();
                assert!(self.cache.is_empty());
            }
            Op::Resize(to) => self.resize(to),
            Op::Scan => self.scan(),
            Op::Random => {
                let found = self.cache.random(|entry| number_of(entry.key()));
                match found {
                    Some(key) => assert!(self.live(key).is_some()),
                    None => assert!((0..400).all(|key| self.read(key).is_none())),
                }
            }
        }
    }

    fn forget(&mut self, key: u16) {
        self.model.remove(&key);
        self.marks.remove(&key);
    }

    fn set(&mut self, key: u16, len: u16, time: Time) {
        self.check(key);
        self.serial += 1;
        let (format, bytes) = ((self.serial % 200) as u8, vec![self.serial as u8; len.into()]);
        let value = Value { format, bytes: &bytes };
        let expiry = self.expiry(time);
        let deadline = self.deadline(key, time);
        match with_key(key, |key| self.cache.set(key, value, expiry)) {
            Ok(replaced) => {
                assert!(replaced == self.live(key).is_some() || self.evicts);
                let replaced_deadline = if replaced { deadline } else { self.fresh(time) };
                self.forget(key);
                self.model.insert(key, Held { format, bytes, deadline: replaced_deadline });
                assert!(self.read(key).is_some(), "a value just set is readable");
            }
            Err(Error::Full) => assert_eq!(self.cache.policy(), Policy::None),
            Err(error) => panic!("{error}"),
        }
        self.check(key);
    }

    /// The deadline if nothing was there to keep one from.
    fn fresh(&self, time: Time) -> Option<u64> {
        match time {
            Time::In(ms) => Some(self.clock.now() + u64::from(ms)),
            Time::Never | Time::Keep => None,
        }
    }

    fn append(&mut self, key: u16) {
        self.check(key);
        let mut seen = None;
        let result = with_key(key, |key| {
            self.cache.update(key, |old, out| {
                seen = old.map(|entry| entry.value().bytes.to_vec());
                out.extend(seen.iter().flatten());
                out.push(7);
                (Edit::Put { format: 1, expiry: Expiry::Keep }, ())
            })
        });
        let expected = self.live(key).cloned();
        match result {
            Ok(()) => {
                assert!(seen.is_none() || seen == expected.as_ref().map(|held| held.bytes.clone()));
                assert!(self.evicts || seen.is_some() == expected.is_some());
                let deadline = expected.filter(|_| seen.is_some()).and_then(|held| held.deadline);
                let mut bytes = seen.unwrap_or_default();
                bytes.push(7);
                self.forget(key);
                self.model.insert(key, Held { format: 1, bytes, deadline });
            }
            Err(error) => assert!(self.cache.policy() == Policy::None, "{error}"),
        }
        self.check(key);
    }

    fn resize(&mut self, to: u8) {
        let (entries, bytes) = self.cache.bounds();
        let scaled = |least: u64, step: u64| least + u64::from(to) * step;
        let wanted = (entries.map(|_| scaled(1, 2)), bytes.map(|_| scaled(32_000, 500)));
        match self.cache.resize(wanted.0, wanted.1) {
            Ok(()) => assert_eq!(self.cache.bounds(), wanted),
            Err(error) => {
                assert_eq!(self.cache.policy(), Policy::None, "{error}");
                assert_eq!(self.cache.bounds(), (entries, bytes));
            }
        }
    }

    fn scan(&mut self) {
        let (mut cursor, mut seen) = (0, HashMap::new());
        loop {
            cursor = self.cache.scan(cursor, 7, |entry| {
                let bytes = entry.value().bytes.to_vec();
                let held = Held { format: entry.value().format, bytes, deadline: entry.deadline() };
                seen.insert(number_of(entry.key()), held);
            });
            if cursor == 0 {
                break;
            }
        }
        for (key, held) in &seen {
            assert_eq!(self.live(*key), Some(held));
        }
        let live = self.model.keys().filter(|key| self.live(**key).is_some()).count();
        assert!(self.evicts || seen.len() == live);
    }

    fn audit(&self) {
        self.cache.audit().unwrap();
        let (entries, bytes) = self.cache.bounds();
        assert!(self.cache.len() <= entries.unwrap_or(u64::MAX));
        assert!(self.cache.bytes() <= bytes.unwrap_or(u64::MAX));
    }
}

fn run(mut pair: Pair, ops: Vec<Op>) {
    for op in ops {
        pair.apply(op);
        pair.check_copies();
        pair.audit();
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    proptest::sample::select(Policy::ALL.to_vec())
}

fn grace() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1..4_000u64]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn without_bounds_it_is_a_map(
        policy in policy(),
        shards in prop_oneof![Just(1usize), Just(4)],
        grace in grace(),
        ops in prop::collection::vec(op(400), 1..600),
    ) {
        run(Pair::new(policy, None, None, shards, grace), ops);
    }

    #[test]
    fn with_bounds_it_is_a_part_of_a_map_and_never_above_them(
        policy in policy(),
        max_entries in prop::option::of(1..200u64),
        max_bytes in prop::option::of(32_000..150_000u64),
        shards in prop_oneof![Just(1usize), Just(4)],
        grace in grace(),
        ops in prop::collection::vec(op(400), 1..600),
    ) {
        run(Pair::new(policy, max_entries, max_bytes, shards, grace), ops);
    }

    #[test]
    fn lru_evicts_the_least_recently_used(
        max in 1..50u64,
        ops in prop::collection::vec((0..100u16, any::<bool>()), 1..500),
    ) {
        let mut pair = Pair::new(Policy::Lru, Some(max), None, 1, 0);
        let mut recent: Vec<u16> = Vec::new();
        for (key, write) in ops {
            let there = recent.iter().position(|&k| k == key);
            if write {
                pair.set_plain(key);
            } else {
                prop_assert_eq!(pair.read(key).is_some(), there.is_some());
            }
            if write || there.is_some() {
                if let Some(at) = there {
                    recent.remove(at);
                }
                recent.push(key);
                if recent.len() as u64 > max {
                    recent.remove(0);
                }
            }
        }
        for key in 0..100 {
            prop_assert_eq!(with_key(key, |key| pair.cache.contains(key)), recent.contains(&key));
        }
    }
}

impl Pair {
    fn set_plain(&mut self, key: u16) {
        with_key(key, |key| self.cache.set(key, Value::bytes(b"v"), Expiry::Never)).unwrap();
    }
}

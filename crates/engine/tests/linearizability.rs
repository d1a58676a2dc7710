//! Whatever threads do to a key at once, there is an order of their operations, each within the
//! time that it took, in which one thread would have seen the same (Herlihy & Wing, 1990). Random
//! histories are recorded and such an order is searched for, key by key (Wing & Gong, "Testing and
//! verifying concurrent objects", 1993; Lowe's memory of configurations, 2017).

use breakwater_engine::{Cache, Config, Edit, Expiry, Key, Policy, Stamp, Value};
use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const THREADS: u64 = 3;
const KEYS: usize = 2;
const OPERATIONS: usize = 36;

/// What a key has: nothing, or a number.
type Held = Option<u64>;

#[derive(Clone, Copy, Debug)]
enum Action {
    /// Read: what was there.
    Get(Held),
    /// Written: whether something was there before.
    Set(u64, bool),
    /// Deleted: whether something was there before.
    Delete(bool),
    /// Added to: what was there before, 0 for nothing.
    Add(u64, Held),
    /// Written if it was `from`: what was there before.
    Swap { from: Held, to: u64, seen: Held },
    /// All keys were cleared.
    Clear,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    key: usize,
    action: Action,
    called: u64,
    returned: u64,
}

impl Action {
    /// What the key has afterwards if it had `held` before; `None` if that contradicts what was
    /// seen. Where entries may be evicted, nothing may have been there though something was.
    fn apply(self, held: Held, evicts: bool) -> Option<Held> {
        let saw = |seen: Held| seen == held || (evicts && seen.is_none());
        let saw_any = |any: bool| any == held.is_some() || (evicts && !any);
        match self {
            Self::Get(seen) => saw(seen).then_some(seen),
            Self::Set(to, any) => saw_any(any).then_some(Some(to)),
            Self::Delete(any) => saw_any(any).then_some(None),
            Self::Add(n, seen) => saw(seen).then_some(Some(seen.unwrap_or(0) + n)),
            Self::Swap { from, to, seen } => {
                saw(seen).then_some(if seen == from { Some(to) } else { seen })
            }
            Self::Clear => Some(None),
        }
    }
}

/// Whether one order explains all events of a key.
fn is_explained(events: &[Event], evicts: bool) -> bool {
    assert!(events.len() <= 128);
    let everything = if events.len() == 128 { u128::MAX } else { (1 << events.len()) - 1 };
    let mut seen = HashSet::new();
    let mut stack = vec![(0u128, None)];
    while let Some((done, held)) = stack.pop() {
        if done == everything {
            return true;
        }
        if !seen.insert((done, held)) {
            continue;
        }
        let open =
            || (0..events.len()).filter(|at| done & (1 << at) == 0).map(|at| (at, events[at]));
        let first_return = open().map(|(_, event)| event.returned).min().unwrap_or(0);
        for (at, event) in open().filter(|(_, event)| event.called < first_return) {
            if let Some(after) = event.action.apply(held, evicts) {
                stack.push((done | 1 << at, after));
            }
        }
    }
    false
}

#[test]
fn the_checker_tells_right_from_wrong() {
    let event = |action, called, returned| Event { key: 0, action, called, returned };
    let set = event(Action::Set(1, false), 0, 3);
    assert!(is_explained(&[set, event(Action::Get(None), 1, 2)], false));
    assert!(is_explained(&[set, event(Action::Get(Some(1)), 1, 2)], false));
    assert!(!is_explained(&[set, event(Action::Get(None), 4, 5)], false), "a lost write");
    assert!(is_explained(&[set, event(Action::Get(None), 4, 5)], true), "an eviction");
    assert!(!is_explained(&[set, event(Action::Get(Some(2)), 4, 5)], true), "out of thin air");
    let again = event(Action::Set(2, true), 4, 5);
    assert!(!is_explained(&[set, again, event(Action::Get(Some(1)), 6, 7)], true), "an old value");
    let adds = [event(Action::Add(1, None), 0, 5), event(Action::Add(1, None), 1, 4)];
    assert!(!is_explained(&adds, false), "a lost addition");
}

struct Recorder<'a> {
    cache: &'a Cache,
    time: &'a AtomicU64,
    events: Vec<Event>,
    lot: u64,
    /// Numbers that no other thread writes.
    next: u64,
    /// What was read of each key, used again as long as it is good.
    copies: [Option<(Stamp, Held)>; KEYS],
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

impl Recorder<'_> {
    fn draw(&mut self, below: u64) -> u64 {
        self.lot ^= self.lot << 13;
        self.lot ^= self.lot >> 7;
        self.lot ^= self.lot << 17;
        (self.lot >> 11) % below
    }

    fn record(&mut self, key: usize, act: impl FnOnce(&Cache, Key<'_>) -> Action) {
        let called = self.time.fetch_add(1, Ordering::SeqCst);
        let action = act(self.cache, Key::bytes(&[key as u8]));
        let returned = self.time.fetch_add(1, Ordering::SeqCst);
        self.events.push(Event { key, action, called, returned });
    }

    fn step(&mut self) {
        let key = self.draw(KEYS as u64) as usize;
        self.next += THREADS * 1_000;
        let (to, lot) = (self.next, self.draw(10));
        // A swap succeeds if it expects what a read has just found.
        let from = self.events.iter().rev().find_map(|event| match event.action {
            Action::Get(seen) if event.key == key => Some(seen),
            _ => None,
        });
        let mut copy = self.copies[key];
        self.record(key, |cache, key| match lot {
            0..=3 => Action::Get(read(cache, key, &mut copy)),
            4..=5 => {
                let value = to.to_le_bytes();
                Action::Set(to, cache.set(key, Value::bytes(&value), Expiry::Never).unwrap())
            }
            6 => Action::Delete(cache.delete(key)),
            7 => Action::Add(1, update(cache, key, |seen| Some(seen.unwrap_or(0) + 1))),
            _ => {
                let from = from.flatten();
                let seen = update(cache, key, |seen| (seen == from).then_some(to));
                Action::Swap { from, to, seen }
            }
        });
        self.copies[key] = copy;
    }
}

/// What a key has: as the copy says if that is good, or else as the cache does.
fn read(cache: &Cache, key: Key<'_>, copy: &mut Option<(Stamp, Held)>) -> Held {
    let versions = cache.versions().unwrap();
    if let Some((_, held)) = copy.filter(|&(stamp, _)| versions.is_current(stamp)) {
        return held;
    }
    let read = cache.get_stamped(key, |entry| number(entry.value().bytes));
    *copy = read.map(|(value, stamp)| (stamp, Some(value)));
    read.map(|(value, _)| value)
}

fn update(cache: &Cache, key: Key<'_>, f: impl Fn(Held) -> Held) -> Held {
    let edit = |old: Held, out: &mut Vec<u8>| match f(old) {
        Some(to) => {
            out.extend(to.to_le_bytes());
            Edit::Put { format: 0, expiry: Expiry::Never }
        }
        None => Edit::Keep,
    };
    let result = cache.update(key, |old, out| {
        let old = old.map(|entry| number(entry.value().bytes));
        (edit(old, out), old)
    });
    result.unwrap()
}

/// What goes on beside the history that is recorded.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    /// Other keys come, so that the index grows from its smallest size.
    Growth,
    /// The cache is cleared, which moves the index as well.
    Clears,
}

fn check(policy: Policy, max_entries: Option<u64>, beside: Beside, rounds: u64) {
    for round in 0..rounds {
        let config =
            Config { policy, max_entries, shards: Some(1), copies: true, ..Config::default() };
        let cache = Cache::new(config).unwrap();
        let events = one_round(&cache, round, beside);
        for key in 0..KEYS {
            let of_key: Vec<Event> =
                events.iter().filter(|event| event.key == key).copied().collect();
            assert!(is_explained(&of_key, max_entries.is_some()), "{policy:?}: {of_key:#?}");
        }
        cache.audit().unwrap();
    }
}

fn one_round(cache: &Cache, round: u64, beside: Beside) -> Vec<Event> {
    let time = AtomicU64::new(0);
    let barrier = Barrier::new(THREADS as usize + 1);
    let recorder = |thread: u64| Recorder {
        cache,
        time: &time,
        events: Vec::new(),
        lot: (round * 8 + thread + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        next: thread * 1_000,
        copies: [None; KEYS],
    };
    let mut events = Vec::new();
    thread::scope(|scope| {
        let barrier = &barrier;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let mut recorder = recorder(thread);
                scope.spawn(move || {
                    barrier.wait();
                    for _ in 0..OPERATIONS {
                        recorder.step();
                    }
                    recorder.events
                })
            })
            .collect();
        barrier.wait();
        match beside {
            Beside::Nothing => {}
            Beside::Growth => {
                for n in 0..400u32 {
                    let key = n.to_le_bytes();
                    cache.set(Key::bytes(&key), Value::bytes(&key), Expiry::Never).unwrap();
                }
            }
            Beside::Clears => {
                let mut recorder = recorder(THREADS);
                for _ in 0..4 {
                    recorder.record(0, |cache, _| {
                        cache.clear();
                        Action::Clear
                    });
                    thread::yield_now();
                }
                let cleared = |event: &Event| Event { key: 1, ..*event };
                events.extend(recorder.events.iter().map(cleared));
                events.extend(recorder.events);
            }
        }
        for thread in threads {
            events.extend(thread.join().unwrap());
        }
    });
    events
}

#[test]
fn histories_of_a_still_cache_are_linearizable() {
    check(Policy::Lfu, None, Beside::Nothing, 500);
    check(Policy::Lru, None, Beside::Nothing, 500);
}

#[test]
fn histories_are_linearizable_while_the_index_grows() {
    check(Policy::Lfu, None, Beside::Growth, 500);
    check(Policy::Lru, None, Beside::Growth, 300);
}

#[test]
fn histories_are_linearizable_while_the_cache_is_cleared() {
    check(Policy::Lfu, None, Beside::Clears, 500);
    check(Policy::Lru, None, Beside::Clears, 500);
}

#[test]
fn what_is_evicted_may_be_missing_but_never_comes_back() {
    for policy in [Policy::Lfu, Policy::Lru, Policy::Random] {
        check(policy, Some(1), Beside::Nothing, 200);
        check(policy, Some(3), Beside::Growth, 200);
    }
}

//! Whatever threads do to a key at once, there is an order of their operations, each within the
//! time that it took, in which one thread would have seen the same (Herlihy & Wing, 1990). Random
//! histories are recorded and such an order is searched for, key by key (Wing & Gong, "Testing and
//! verifying concurrent objects", 1993; Lowe's memory of configurations, 2017).

use breakwater_engine::{
    Cache, Config, Edit, EntryRef, Error, Expiry, Key, Note, Policy, Stamp, Value,
};
use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const THREADS: u64 = 3;
const KEYS: usize = 2;
const OPERATIONS: usize = 36;

/// The tag of some values.
const TAG: &str = "tag";

/// What is read of a key: nothing, or a number.
type Held = Option<u64>;

/// What a key has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    held: Held,
    /// Of what is there, or of a tombstone.
    version: Option<u64>,
    tagged: bool,
}

impl State {
    fn plain(held: Held) -> Self {
        Self { held, ..Self::default() }
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    /// Read: what was there.
    Get(Held),
    /// Written: whether something was there before.
    Set(u64, bool),
    /// Written with a tag: whether something was there before.
    SetTagged(u64, bool),
    /// Written with a version: whether something was there before, `None` if a higher one was.
    SetVersion { to: u64, version: u64, any: Option<bool> },
    /// Buried with a version; false if a higher one was there.
    DeleteVersioned(u64, bool),
    /// Deleted: whether something was there before.
    Delete(bool),
    /// Added to: what was there before, 0 for nothing.
    Add(u64, Held),
    /// Written if it was `from`: what was there before.
    Swap { from: Held, to: u64, seen: Held },
    /// Written if nothing was there; whether it was.
    SetIfAbsent(u64, bool),
    /// Written if it was `from`, keeping tags; whether it was.
    CompareAndSet { from: Held, to: u64, stored: bool },
    /// All keys were cleared.
    Clear,
    /// The tag was invalidated.
    Invalidate,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    key: usize,
    action: Action,
    called: u64,
    returned: u64,
}

impl Action {
    /// What the key has afterwards if it had `state` before; `None` if that contradicts what was
    /// seen. Where entries may be evicted, nothing may have been there though something was.
    fn apply(self, state: State, evicts: bool) -> Option<State> {
        let held = state.held;
        let saw = |seen: Held| seen == held || (evicts && seen.is_none());
        // What was removed may be invalidated before its remover looks whether it was live.
        let may_miss = evicts || state.tagged;
        let saw_any = |any: bool| any == held.is_some() || (may_miss && !any);
        let left = |seen: Held| if seen == held { state } else { State::default() };
        let is_older = |version: u64| state.version.is_some_and(|held| held > version);
        match self {
            Self::Get(seen) => saw(seen).then_some(left(seen)),
            Self::Set(to, any) => saw_any(any).then_some(State::plain(Some(to))),
            Self::SetTagged(to, any) => {
                saw_any(any).then_some(State { tagged: true, ..State::plain(Some(to)) })
            }
            Self::SetVersion { version, any: None, .. } => is_older(version).then_some(state),
            Self::SetVersion { to, version, any: Some(any) } => {
                let fits = saw_any(any) && (!is_older(version) || (evicts && !any));
                fits.then_some(State { version: Some(version), ..State::plain(Some(to)) })
            }
            Self::DeleteVersioned(version, false) => is_older(version).then_some(state),
            Self::DeleteVersioned(version, true) => (!is_older(version) || evicts)
                .then_some(State { version: Some(version), ..State::default() }),
            // A tombstone stays.
            Self::Delete(any) => saw_any(any).then_some(match held {
                Some(_) => State::default(),
                None => state,
            }),
            Self::Add(n, seen) => saw(seen).then_some(State::plain(Some(seen.unwrap_or(0) + n))),
            Self::Swap { from, to, seen } => {
                saw(seen).then_some(if seen == from { State::plain(Some(to)) } else { left(seen) })
            }
            Self::SetIfAbsent(to, true) => {
                (held.is_none() || evicts).then_some(State::plain(Some(to)))
            }
            Self::SetIfAbsent(_, false) => held.is_some().then_some(state),
            Self::CompareAndSet { from, to, stored: true } if from == held => {
                let kept = if held.is_some() { state } else { State::default() };
                Some(State { held: Some(to), ..kept })
            }
            Self::CompareAndSet { from, to, stored: true } => {
                (evicts && from.is_none()).then_some(State::plain(Some(to)))
            }
            Self::CompareAndSet { from, stored: false, .. } => {
                // Nothing may have been there, having been evicted.
                (from != held || (evicts && from.is_some())).then_some(state)
            }
            Self::Clear => Some(State::default()),
            Self::Invalidate => Some(if state.tagged { State::default() } else { state }),
        }
    }
}

/// Whether one order explains all events of a key.
fn is_explained(events: &[Event], evicts: bool) -> bool {
    assert!(events.len() <= 128);
    let everything = if events.len() == 128 { u128::MAX } else { (1 << events.len()) - 1 };
    let mut seen = HashSet::new();
    let mut stack = vec![(0u128, State::default())];
    while let Some((done, state)) = stack.pop() {
        if done == everything {
            return true;
        }
        if !seen.insert((done, state)) {
            continue;
        }
        let open =
            || (0..events.len()).filter(|at| done & (1 << at) == 0).map(|at| (at, events[at]));
        let first_return = open().map(|(_, event)| event.returned).min().unwrap_or(0);
        for (at, event) in open().filter(|(_, event)| event.called < first_return) {
            if let Some(after) = event.action.apply(state, evicts) {
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
    let newer = event(Action::SetVersion { to: 7, version: 5, any: Some(false) }, 0, 1);
    let older = |any| event(Action::SetVersion { to: 8, version: 4, any }, 2, 3);
    assert!(is_explained(&[newer, older(None)], false));
    assert!(!is_explained(&[newer, older(Some(true))], true), "an older version");
    let deleted = event(Action::DeleteVersioned(5, true), 0, 1);
    assert!(!is_explained(&[deleted, older(Some(false))], false), "an older version came back");
    let absent = [event(Action::Set(1, false), 0, 1), event(Action::SetIfAbsent(2, true), 2, 3)];
    assert!(!is_explained(&absent, false), "something was there");
    let tagged = event(Action::SetTagged(7, false), 0, 1);
    let swap = event(Action::CompareAndSet { from: Some(7), to: 8, stored: true }, 2, 3);
    let [over, read] = [event(Action::Invalidate, 4, 5), event(Action::Get(Some(8)), 6, 7)];
    assert!(!is_explained(&[tagged, swap, over, read], true), "its tag was kept");
    let after = [tagged, event(Action::Invalidate, 2, 3), event(Action::Get(Some(7)), 4, 5)];
    assert!(!is_explained(&after, true), "it was invalidated");
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
        let (to, lot) = (self.next, self.draw(18));
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
            10 => Action::SetTagged(to, set_noted(cache, key, to, &tagged(cache)).unwrap()),
            11 => {
                cache.invalidate_tag(TAG, false);
                Action::Invalidate
            }
            12 => {
                let (version, note) = versioned(to);
                Action::SetVersion { to, version, any: set_noted(cache, key, to, &note) }
            }
            13 => {
                let (version, _) = versioned(to);
                Action::DeleteVersioned(
                    version,
                    cache.delete_versioned(key, version, Expiry::Never),
                )
            }
            14 => {
                let (value, note) = (to.to_le_bytes(), to.is_multiple_of(2).then(|| tagged(cache)));
                let stored =
                    cache.set_if_absent(key, Value::bytes(&value), Expiry::Never, note.as_ref());
                match note {
                    Some(_) if stored == Ok(true) => Action::SetTagged(to, false),
                    _ => Action::SetIfAbsent(to, stored.unwrap()),
                }
            }
            15..=17 => {
                let (from, value) = (from.flatten(), to.to_le_bytes());
                let is_it = |held: Option<EntryRef<'_>>| {
                    held.map(|entry| number(entry.value().bytes)) == from
                };
                let stored =
                    cache.compare_and_set(key, is_it, Value::bytes(&value), Expiry::Keep, None);
                Action::CompareAndSet { from, to, stored: stored.unwrap() }
            }
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

/// Whether something was there; `None` if it was a higher version.
fn set_noted(cache: &Cache, key: Key<'_>, to: u64, note: &Note) -> Option<bool> {
    match cache.set_noted(key, Value::bytes(&to.to_le_bytes()), Expiry::Never, note) {
        Ok(any) => Some(any),
        Err(error) => {
            assert_eq!(error, Error::Outdated);
            None
        }
    }
}

fn tagged(cache: &Cache) -> Note {
    Note { tags: vec![cache.tag_group(TAG)], ..Note::default() }
}

/// One of a few versions.
fn versioned(to: u64) -> (u64, Note) {
    let version = to / 1_000 % 8;
    (version, Note { version: Some(version), ..Note::default() })
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
            Config { policy, max_entries, shards: Some(1), near_copies: true, ..Config::default() };
        let cache = Cache::new(config).unwrap();
        let events = one_round(&cache, round, beside);
        for key in 0..KEYS {
            let concerns =
                |event: &&Event| event.key == key || matches!(event.action, Action::Invalidate);
            let of_key: Vec<Event> = events.iter().filter(concerns).copied().collect();
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
    for policy in [Policy::Lfu, Policy::Auto, Policy::Lru, Policy::Random] {
        check(policy, Some(1), Beside::Nothing, 200);
        check(policy, Some(3), Beside::Growth, 200);
    }
}

/// Who reads may have found what is replaced next, and look whether it is good after its tag was
/// invalidated: what took its place is there all the same.
#[test]
fn a_key_that_always_has_a_value_is_never_found_without_one() {
    let config =
        Config { shards: Some(1), near_copies: true, max_entries: Some(100), ..Config::default() };
    let cache = Cache::new(config).unwrap();
    let key = Key::bytes(b"key");
    let set = |number| cache.set(key, Value::bytes(&u64::to_le_bytes(number)), Expiry::Never);
    set(0).unwrap();
    let over = AtomicBool::new(false);
    let rounds = 200_000;
    thread::scope(|scope| {
        // More than there are processors, so that they are interrupted anywhere.
        for reader in 0..6 {
            let (cache, over) = (&cache, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let found = match reader {
                        0 => cache.get(key, |_| ()).is_some(),
                        1 => cache.contains(key),
                        2 => update(cache, key, |_| None).is_some(),
                        3 => cache.info(key, None).is_some(),
                        4 => cache.freshness(key).is_some(),
                        _ => cache.expire(key, Expiry::Never).unwrap(),
                    };
                    assert!(found, "reader {reader}");
                }
            });
        }
        for number in 0..rounds {
            set_noted(&cache, key, number, &tagged(&cache));
            set(number).unwrap();
            cache.invalidate_tag(TAG, false);
        }
        over.store(true, Ordering::Relaxed);
    });
}

//! The index under loom, with entries that are numbers: buckets have two slots here, so that a
//! third key needs an overflow bucket. Each model looks at every outcome of a few operations that
//! meet, up to so many preemptions (`LOOM_MAX_PREEMPTIONS`).

mod home;

use super::*;
use crate::cursor::run_to_end;
use crate::reclaim::Domain;
use crate::shim::Backoff;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::ops::ControlFlow::Continue;
use std::ptr;
use std::sync::Mutex;

/// Key and version of an entry that does not exist: its address says both.
fn entry(key: u64, version: u64) -> EntryPtr {
    let address = (key << 4 | version) << 4;
    EntryPtr::from_raw(ptr::without_provenance_mut(address as usize)).unwrap()
}

fn key_of(entry: EntryPtr) -> u64 {
    entry.as_raw().addr() as u64 >> 8
}

/// Keys 1, 3, 5... and 2, 4, 6... part when a table of one bucket grows.
fn hash_of(key: u64) -> u64 {
    key << (u64::BITS - word::TAG_BITS) | key
}

/// Keeps the books; nothing that is retired is freed before the world ends. Its own locks are
/// std's: no operation that loom watches happens while they are held.
#[derive(Default)]
struct Books {
    charged: Mutex<u64>,
    /// What was retired, and the bytes that will be released for it.
    retired: Mutex<Vec<(u64, Part)>>,
    discarded: Mutex<Vec<EntryPtr>>,
}

impl Host for Books {
    fn hash_of(&self, entry: EntryPtr) -> u64 {
        hash_of(key_of(entry))
    }
    fn charge(&self, bytes: u64) -> bool {
        *self.charged.lock().unwrap() += bytes;
        true
    }
    fn release(&self, bytes: u64) {
        let mut charged = self.charged.lock().unwrap();
        *charged = charged.checked_sub(bytes).expect("more is released than was charged");
    }
    fn retire_part(&self, part: Part) {
        self.retired.lock().unwrap().push((part.bytes(), part));
    }
    fn discard(&self, entry: EntryPtr) {
        self.discarded.lock().unwrap().push(entry);
    }
}

struct World {
    index: Index,
    books: Books,
}

impl World {
    /// One bucket that holds version 1 of the keys.
    fn with(keys: &[u64]) -> Arc<Self> {
        Self::of(1, keys)
    }

    fn of(buckets: usize, keys: &[u64]) -> Arc<Self> {
        let world = Self { index: Index::new(buckets).unwrap(), books: Books::default() };
        world.books.charge(Index::price(buckets));
        for &key in keys {
            assert_eq!(world.put(key, 1, Expect::Absent), Put::Inserted);
        }
        Arc::new(world)
    }

    fn put(&self, key: u64, version: u64, expect: Expect) -> Put {
        let (hash, entry) = (hash_of(key), entry(key, version));
        if expect == Expect::Present {
            let same = |held: EntryPtr| key_of(held) == key;
            return self.index.replace_present(&self.books, hash, entry, same);
        }
        self.index.put(&self.books, hash, entry, expect, |held| key_of(held) == key, |word| word)
    }

    fn remove(&self, key: u64) -> Option<EntryPtr> {
        let same = |_: Word, held: EntryPtr| key_of(held) == key;
        self.index.edit(&self.books, hash_of(key), same, |_| Word::EMPTY)?.entry()
    }

    fn find(&self, key: u64) -> Option<EntryPtr> {
        Some(self.index.find(hash_of(key), |held| key_of(held) == key)?.entry())
    }

    /// Everything that is there; the books must agree with it.
    fn contents(&self) -> Vec<EntryPtr> {
        let mut found = Vec::new();
        run_to_end::<()>(|cursor| Continue(self.index.visit(cursor, |_, entry| found.push(entry))));
        found.sort_by_key(|entry| entry.as_raw());
        for &entry in &found {
            assert_eq!(self.find(key_of(entry)), Some(entry), "visited and not found");
        }
        for (bytes, part) in self.books.retired.lock().unwrap().drain(..) {
            assert_eq!(part.bytes(), bytes, "what is released is not what was recorded");
            self.books.release(bytes);
        }
        let charged = *self.books.charged.lock().unwrap();
        assert_eq!(charged, self.index.footprint(), "the books are wrong");
        found
    }

    /// As a cache does it; whether there was memory.
    fn clear(&self) -> bool {
        let backoff = Backoff::new();
        loop {
            match self.index.begin_clearing(&self.books, 1) {
                Clearing::Begun => break,
                Clearing::Refused => return false,
                Clearing::Moving => self.settle(&backoff),
            }
        }
        self.settle(&backoff);
        true
    }

    fn settle(&self, backoff: &Backoff) {
        while self.index.settle_some(&self.books, 1) {
            backoff.snooze();
        }
    }

    fn discarded(&self) -> Vec<EntryPtr> {
        self.books.discarded.lock().unwrap().clone()
    }
}

fn spawn<R: 'static>(
    world: &Arc<World>,
    f: impl FnOnce(&World) -> R + 'static,
) -> thread::JoinHandle<R> {
    let world = Arc::clone(world);
    thread::spawn(move || f(&world))
}

fn model(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 10_000;
    builder.check(f);
}

#[test]
fn of_two_insertions_of_a_key_one_is_inserted() {
    model(3, || {
        let world = World::with(&[]);
        let other = spawn(&world, |world| world.put(1, 2, Expect::Absent));
        let outcomes = [world.put(1, 3, Expect::Absent), other.join().unwrap()];
        let winner = match outcomes {
            [Put::Inserted, Put::Refused] => 3,
            [Put::Refused, Put::Inserted] => 2,
            other => panic!("{other:?}"),
        };
        assert_eq!(world.contents(), [entry(1, winner)]);
    });
}

/// A removal frees a slot in front of the one that an insertion has chosen already.
#[test]
fn insertions_of_a_key_into_different_slots_see_each_other() {
    model(2, || {
        let world = World::with(&[2]);
        let remover = spawn(&world, |world| world.remove(2));
        let other = spawn(&world, |world| world.put(1, 2, Expect::Any));
        let mine = world.put(1, 3, Expect::Any);
        let expected = match (mine, other.join().unwrap()) {
            (Put::Inserted, Put::Replaced(word)) if word.entry() == Some(entry(1, 3)) => 2,
            (Put::Replaced(word), Put::Inserted) if word.entry() == Some(entry(1, 2)) => 3,
            other => panic!("{other:?}"),
        };
        assert_eq!(remover.join().unwrap(), Some(entry(2, 1)));
        assert_eq!(world.contents(), [entry(1, expected)]);
    });
}

#[test]
fn what_is_inserted_is_removed_once_or_stays() {
    model(3, || {
        let world = World::with(&[]);
        let inserter = spawn(&world, |world| world.put(1, 1, Expect::Absent));
        let remover = spawn(&world, |world| world.remove(1));
        let seen = world.find(1);
        assert!(seen.is_none() || seen == Some(entry(1, 1)));
        assert_eq!(inserter.join().unwrap(), Put::Inserted);
        match remover.join().unwrap() {
            Some(removed) => assert!(removed == entry(1, 1) && world.contents().is_empty()),
            None => assert_eq!(world.contents(), [entry(1, 1)]),
        }
    });
}

#[test]
fn of_two_removals_one_gets_the_entry() {
    model(3, || {
        let world = World::with(&[1]);
        let other = spawn(&world, |world| world.remove(1));
        let gone = [world.remove(1), other.join().unwrap()];
        assert_eq!(gone.iter().flatten().count(), 1);
        assert!(world.contents().is_empty());
    });
}

#[test]
fn a_key_that_is_replaced_is_never_missing_and_never_goes_back() {
    model(3, || {
        let world = World::with(&[1, 2]);
        let writer = spawn(&world, |world| world.put(1, 2, Expect::Any));
        let reads = [(); 2].map(|()| world.find(1).expect("it was there all the time"));
        assert!(reads[0].as_raw() <= reads[1].as_raw());
        assert!(matches!(writer.join().unwrap(), Put::Replaced(_)));
        assert_eq!(world.contents(), [entry(1, 2), entry(2, 1)]);
    });
}

#[test]
fn replacements_that_meet_take_each_entry_once() {
    model(3, || {
        let world = World::with(&[1, 2]);
        let writer = spawn(&world, |world| world.put(1, 2, Expect::Present));
        let mine = world.put(1, 3, Expect::Present);
        let outcomes = [mine, writer.join().unwrap()];
        let taken = outcomes.iter().filter_map(|outcome| match outcome {
            Put::Replaced(word) => word.entry(),
            _ => None,
        });
        let mut all: Vec<_> = taken.chain(world.find(1)).collect();
        all.sort_by_key(|entry| entry.as_raw());
        assert_eq!(all, entries([(1, 1), (1, 2), (1, 3)]), "{outcomes:?}");
        assert_eq!(world.contents().len(), 2);
    });
}

#[test]
fn a_replacement_meets_a_removal() {
    model(3, || {
        let world = World::with(&[1]);
        let remover = spawn(&world, |world| world.remove(1));
        let replaced = world.put(1, 2, Expect::Present);
        let removed = remover.join().unwrap();
        match replaced {
            Put::Replaced(word) => {
                assert_eq!((word.entry(), removed), (Some(entry(1, 1)), Some(entry(1, 2))));
            }
            outcome => {
                assert_eq!((outcome, removed), (Put::Refused, Some(entry(1, 1))));
            }
        }
        assert!(world.contents().is_empty());
    });
}

#[test]
fn counting_a_read_undoes_no_write() {
    model(3, || {
        let world = World::with(&[1]);
        let reader = spawn(&world, |world| {
            if let Some(hit) = world.index.find(hash_of(1), |held| key_of(held) == 1) {
                hit.count_read();
            }
        });
        let exactly = world.put(1, 2, Expect::Exactly(entry(1, 1)));
        assert!(matches!(exactly, Put::Replaced(_)));
        let removed = world.remove(1);
        reader.join().unwrap();
        assert_eq!(removed, Some(entry(1, 2)));
        assert!(world.contents().is_empty());
    });
}

/// Grows a table of one bucket that has an overflow bucket, while something else happens.
fn while_it_grows<R: 'static>(
    preemptions: usize,
    act: impl FnOnce(&World) -> R + Copy + Send + Sync + 'static,
    check: impl Fn(&World, R) + Send + Sync + 'static,
) {
    model(preemptions, move || {
        let world = World::with(&[1, 2, 3]);
        let actor = spawn(&world, act);
        assert!(world.index.grow(&world.books));
        assert_eq!(world.put(5, 1, Expect::Absent), Put::Inserted);
        check(&world, actor.join().unwrap());
    });
}

const GROWN: [(u64, u64); 4] = [(1, 1), (2, 1), (3, 1), (5, 1)];

fn entries(of: impl IntoIterator<Item = (u64, u64)>) -> Vec<EntryPtr> {
    of.into_iter().map(|(key, version)| entry(key, version)).collect()
}

#[test]
fn a_key_is_found_while_its_bucket_moves() {
    while_it_grows(
        2,
        |world| [1, 3].map(|key| world.find(key)),
        |world, seen| {
            assert_eq!(seen, [Some(entry(1, 1)), Some(entry(3, 1))]);
            assert_eq!(world.contents(), entries(GROWN));
        },
    );
}

#[test]
fn a_key_named_by_its_hash_is_found_while_its_bucket_moves() {
    while_it_grows(
        2,
        |world| world.index.find_by_hash(hash_of(3), |_, held| key_of(held) == 3),
        |_, seen| assert_eq!(seen, Some(entry(3, 1))),
    );
}

#[test]
fn an_insertion_into_a_bucket_that_moves_is_not_lost_and_not_doubled() {
    while_it_grows(
        1,
        |world| world.put(7, 1, Expect::Absent),
        |world, outcome| {
            assert_eq!(outcome, Put::Inserted);
            assert_eq!(world.contents(), entries(GROWN.into_iter().chain([(7, 1)])));
        },
    );
}

#[test]
fn two_insertions_of_a_key_meet_while_its_bucket_moves() {
    model(1, || {
        let world = World::with(&[1, 2, 3]);
        let other = spawn(&world, |world| world.put(5, 2, Expect::Any));
        assert!(world.index.grow(&world.books));
        let left = match (world.put(5, 1, Expect::Any), other.join().unwrap()) {
            (Put::Inserted, Put::Replaced(word)) if word.entry() == Some(entry(5, 1)) => 2,
            (Put::Replaced(word), Put::Inserted) if word.entry() == Some(entry(5, 2)) => 1,
            other => panic!("{other:?}"),
        };
        assert_eq!(world.contents(), entries([(1, 1), (2, 1), (3, 1), (5, left)]));
    });
}

#[test]
fn a_replacement_in_a_bucket_that_moves_stays() {
    while_it_grows(
        2,
        |world| world.put(3, 2, Expect::Present),
        |world, outcome| {
            assert!(matches!(outcome, Put::Replaced(word) if word.entry() == Some(entry(3, 1))));
            assert_eq!(world.contents(), entries([(1, 1), (2, 1), (3, 2), (5, 1)]));
        },
    );
}

#[test]
fn a_removal_from_a_bucket_that_moves_stays() {
    while_it_grows(
        2,
        |world| (world.remove(3), world.find(3)),
        |world, outcome| {
            assert_eq!(outcome, (Some(entry(3, 1)), None));
            assert_eq!(world.contents(), entries([(1, 1), (2, 1), (5, 1)]));
        },
    );
}

#[test]
fn a_walk_meets_what_is_there_all_the_time() {
    while_it_grows(
        2,
        |world| {
            let mut seen = Vec::new();
            run_to_end::<()>(|cursor| {
                Continue(world.index.visit(cursor, |_, entry| seen.push(key_of(entry))))
            });
            seen
        },
        |_, seen| assert!([1, 2, 3].iter().all(|key| seen.contains(key)), "{seen:?}"),
    );
}

/// Gives back the overflow bucket of key 3, which has just left it, while something else happens.
/// Insertions keep away, as under the lock of a shard.
fn while_it_is_trimmed<R: 'static>(
    act: impl FnOnce(&World) -> R + Copy + Send + Sync + 'static,
    check: impl Fn(&World, R) + Send + Sync + 'static,
) {
    model(3, move || {
        let world = World::with(&[1, 2, 3]);
        assert_eq!(world.index.footprint(), Index::price(1) + Index::MOST_FOR_AN_INSERTION);
        let actor = spawn(&world, act);
        assert_eq!(world.remove(3), Some(entry(3, 1)));
        world.index.trim(&world.books, hash_of(3));
        check(&world, actor.join().unwrap());
    });
}

#[test]
fn a_key_is_found_while_its_chain_is_trimmed() {
    while_it_is_trimmed(
        |world| [1, 2, 3].map(|key| world.find(key)),
        |world, [first, second, third]| {
            assert_eq!([first, second], [Some(entry(1, 1)), Some(entry(2, 1))]);
            assert!(third.is_none() || third == Some(entry(3, 1)));
            assert_eq!(world.contents(), entries([(1, 1), (2, 1)]));
            assert_eq!(world.index.footprint(), Index::price(1), "it was given back");
        },
    );
}

#[test]
fn a_replacement_and_a_removal_stay_while_the_chain_is_trimmed() {
    while_it_is_trimmed(
        |world| (world.put(1, 2, Expect::Any), world.remove(2)),
        |world, (replaced, removed)| {
            assert!(matches!(replaced, Put::Replaced(word) if word.entry() == Some(entry(1, 1))));
            assert_eq!(removed, Some(entry(2, 1)));
            assert_eq!(world.contents(), entries([(1, 2)]));
        },
    );
}

#[test]
fn a_chain_that_is_trimmed_while_its_bucket_moves_loses_nothing_and_is_paid_once() {
    while_it_is_trimmed(
        |world| (world.index.grow(&world.books), world.put(1, 2, Expect::Any)),
        |world, (grown, replaced)| {
            assert!(grown && matches!(replaced, Put::Replaced(_)));
            assert_eq!(world.contents(), entries([(1, 2), (2, 1)]));
            assert_eq!(world.put(3, 2, Expect::Any), Put::Inserted);
            assert_eq!(world.contents(), entries([(1, 2), (2, 1), (3, 2)]));
        },
    );
}

#[test]
fn a_chain_is_trimmed_once_and_can_grow_again() {
    model(3, || {
        let world = World::with(&[1, 2, 3]);
        assert_eq!(world.remove(3), Some(entry(3, 1)));
        let other = spawn(&world, |world| world.find(2));
        world.index.trim(&world.books, hash_of(3));
        world.index.trim(&world.books, hash_of(3));
        assert_eq!(world.put(5, 1, Expect::Absent), Put::Inserted);
        assert_eq!(other.join().unwrap(), Some(entry(2, 1)));
        assert_eq!(world.contents(), entries([(1, 1), (2, 1), (5, 1)]));
        assert_eq!(world.index.footprint(), Index::price(1) + Index::MOST_FOR_AN_INSERTION);
    });
}

/// While a table grows its writes must not use up what the buckets still to be moved will need.
#[test]
fn an_overflow_bucket_that_moves_is_paid_for() {
    model(0, || {
        let last = [7, 23, 39];
        let world = World::of(8, &last);
        assert!(world.index.grow(&world.books));
        let first = [16, 32, 48, 64];
        for key in first {
            assert_eq!(world.put(key, 1, Expect::Absent), Put::Inserted);
        }
        let all = last.into_iter().chain(first).map(|key| (key, 1));
        let mut all = entries(all);
        all.sort_by_key(|entry| entry.as_raw());
        assert_eq!(world.contents(), all);
    });
}

#[test]
fn clearing_drops_each_entry_once_and_spares_what_comes_later() {
    model(2, || {
        let world = World::with(&[1, 2]);
        let other = spawn(&world, |world| {
            let replaced = world.put(1, 2, Expect::Any);
            (replaced, world.put(3, 1, Expect::Absent))
        });
        assert!(world.clear());
        let (replaced, inserted) = other.join().unwrap();
        assert_eq!(inserted, Put::Inserted);
        // Each of the four is in the index, or dropped, or was replaced: once.
        let mut all = world.contents();
        all.extend(world.discarded());
        if let Put::Replaced(word) = replaced {
            all.extend(word.entry());
        }
        all.sort_by_key(|entry| entry.as_raw());
        assert_eq!(all, entries([(1, 1), (1, 2), (2, 1), (3, 1)]));
        assert!(world.discarded().contains(&entry(2, 1)));
    });
}

#[test]
fn clearing_meets_growing() {
    model(2, || {
        let world = World::with(&[1, 2]);
        let grower = spawn(&world, |world| {
            world.index.grow(&world.books);
            world.put(3, 1, Expect::Absent)
        });
        let cleared = world.clear();
        assert_eq!(grower.join().unwrap(), Put::Inserted);
        let mut all = world.contents();
        assert!(!cleared || !all.contains(&entry(1, 1)), "it was there when clear began");
        all.extend(world.discarded());
        all.sort_by_key(|entry| entry.as_raw());
        assert_eq!(all, entries([(1, 1), (2, 1), (3, 1)]));
    });
}

/// Index and reclamation together: an entry that was removed is freed, as loom sees it, while
/// another thread reads; so is the table that it was in.
#[test]
fn what_a_reader_finds_in_the_index_is_not_freed() {
    model(2, || {
        let world = World::with(&[1]);
        let domain = Arc::new(Domain::new());
        let freed = Arc::new(UnsafeCell::new(false));
        let reader = {
            let (world, domain, freed) =
                (Arc::clone(&world), Arc::clone(&domain), Arc::clone(&freed));
            thread::spawn(move || {
                let me = domain.join();
                let before = domain.pin(me);
                if world.find(1).is_some() {
                    // SAFETY: loom checks that nobody writes meanwhile.
                    freed.with(|freed| assert!(!unsafe { *freed }));
                }
                domain.unpin(me, &before);
                domain.leave(me);
            })
        };
        assert!(world.index.grow(&world.books));
        assert_eq!(world.remove(1), Some(entry(1, 1)));
        let tag = domain.tag();
        if domain.horizon() > tag {
            // SAFETY: loom checks that nobody else reads or writes.
            freed.with_mut(|freed| unsafe { *freed = true });
            world.books.retired.lock().unwrap().clear();
        }
        reader.join().unwrap();
    });
}

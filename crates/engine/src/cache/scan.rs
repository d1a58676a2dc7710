//! Visiting entries: in slices of the index, or one at random.

use super::Cache;
use crate::cursor::run_to_end;
use crate::entry::{EntryPtr, EntryRef};
use crate::index::{MAX_FREQUENCY, Word};
use crate::thread;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets drawn before the entries are looked for one after the other.
const DRAWS: usize = 64;

/// Kinds of entries by their heat.
const HEATS: usize = 2 * (MAX_FREQUENCY as usize + 1);

/// By reads of late; of those that were read as often, by whether they have proved their worth.
fn heat(word: Word) -> usize {
    2 * word.frequency() as usize + usize::from(word.is_main())
}

impl Cache {
    /// Visits live entries from `cursor` on, in whole buckets, until `budget` of them were visited
    /// or the end is reached; 0 begins. Gives the next cursor, 0 at the end.
    ///
    /// Safe under writes: an entry that is there from the first call to the last is visited at
    /// least once, and more than once only if the index grows or is cleared meanwhile, or if it moves
    /// within its bucket at that moment.
    pub fn scan(&self, cursor: u64, budget: usize, mut f: impl FnMut(EntryRef<'_>)) -> u64 {
        let shards = self.shards.len() as u64;
        let mut at = (cursor % shards) as usize;
        let mut bucket = cursor / shards;
        let mut visited = 0;
        loop {
            let guard = thread::here().pin();
            bucket = self.shards[at].index.visit(bucket, |_, entry| {
                // SAFETY: pinned: what the index holds is not freed.
                let entry = unsafe { entry.read() };
                if !self.is_over(entry) {
                    visited += 1;
                    f(entry);
                }
            });
            drop(guard);
            if bucket == 0 {
                at += 1;
                if at == self.shards.len() {
                    return 0;
                }
            }
            if visited >= budget {
                return bucket * shards + at as u64;
            }
        }
    }

    /// Visits the hottest of the live entries, about `limit` of them at most, in no particular order,
    /// with how hot each is: from 0 to 7, as coarse as what the policy knows of reads; always 0 if it
    /// counts none. As safe under writes as [`Cache::scan`].
    pub fn hottest(&self, limit: usize, mut f: impl FnMut(EntryRef<'_>, u8)) {
        let mut counts = [0; HEATS];
        self.each(|word, _| counts[heat(word)] += 1);
        // All that are hotter than `least`, and of those that are as hot as many as there is room for.
        let mut room = limit;
        let mut least = HEATS - 1;
        while least > 0 && counts[least] < room {
            room -= counts[least];
            least -= 1;
        }
        self.each(|word, entry| {
            let heat = heat(word);
            let takes = heat > least || (heat == least && room > 0);
            // SAFETY: `each` is pinned: what the index holds is not freed.
            let entry = takes.then(|| unsafe { entry.read() });
            if let Some(entry) = entry.filter(|&entry| !self.is_over(entry)) {
                room -= usize::from(heat == least);
                f(entry, heat as u8);
            }
        });
    }

    /// Visits all entries, in slices of the index, pinned.
    fn each(&self, mut f: impl FnMut(Word, EntryPtr)) {
        for shard in self.shard_refs() {
            run_to_end::<()>(|cursor| {
                let _guard = thread::here().pin();
                Continue(shard.index.visit(cursor, &mut f))
            });
        }
    }

    /// Hands a live entry to `f`: a random one of a random bucket.
    pub fn random<R>(&self, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        // Relaxed: any number will do.
        static LOTS: AtomicU64 = AtomicU64::new(0);
        let _guard = thread::here().pin();
        for _ in 0..DRAWS {
            let lot = LOTS.fetch_add(1, Ordering::Relaxed);
            let hash = self.shared.hasher.hash(crate::Key::bytes(&lot.to_ne_bytes()));
            let mut found = Vec::new();
            self.shard_of(hash).shard.index.visit_home(hash, |_, entry| {
                // SAFETY: pinned: what the index holds is not freed.
                found.push(unsafe { entry.read() });
            });
            found.retain(|&entry| !self.is_over(entry));
            if !found.is_empty() {
                return Some(f(found[(hash >> 20) as usize % found.len()]));
            }
        }
        self.first(f)
    }

    fn first<R>(&self, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        let _guard = thread::here().pin();
        let found = self.shard_refs().find_map(|shard| {
            run_to_end(|cursor| {
                let mut found = None;
                let next = shard.index.visit(cursor, |_, entry| {
                    // SAFETY: pinned: what the index holds is not freed.
                    let entry = unsafe { entry.read() };
                    if !self.is_over(entry) {
                        found = Some(entry);
                    }
                });
                found.map_or(Continue(next), Break)
            })
        });
        found.map(f)
    }
}

//! Reads of a shard's sampled keys that its policy has yet to be told of.
//!
//! Readers note them and take no lock; an eviction, which has the shard's lock anyway, tells the policy.
//! While nothing is evicted it does not matter which rule is in force: what there is no room for is
//! not told.
//!
//! Two readers who note at the same time may lose a read to each other, which is as if one of the two
//! keys had been asked for once less: what the policy learns is a sample anyway.

use crate::repeats::TOGETHER;
use crate::shim::{AtomicU64, AtomicUsize, Ordering};

/// Reads that are noted between two evictions.
const MOST: usize = if cfg!(loom) { 2 } else { 64 };

/// Set in the hash of a key whose reads are told together. The bit is one of those that choose the
/// shard: within one nothing looks at it.
const SEVERAL: u64 = 1 << 49;

/// Hashes; 0 where a read was told of, or not yet noted.
pub(crate) struct Backlog {
    len: AtomicUsize,
    reads: [AtomicU64; MOST],
}

// Relaxed throughout: a hash is one word and stands for itself, and who takes them has the lock of
// the shard. A length that is too old costs a read that was noted, no more.
impl Backlog {
    pub(crate) fn new() -> Self {
        Self { len: AtomicUsize::new(0), reads: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Notes a read of a key, or as many as are told together.
    #[inline]
    pub(crate) fn note(&self, hash: u64, reads: u64) {
        let len = self.len.load(Ordering::Relaxed);
        if let Some(place) = self.reads.get(len) {
            let several = if reads == 1 { 0 } else { SEVERAL };
            place.store(hash & !SEVERAL | several, Ordering::Relaxed);
            self.len.store(len + 1, Ordering::Relaxed);
        }
    }

    /// Hands over what was noted: each key's hash, but for a bit that chooses the shard, and how often
    /// it was read. Under the shard's lock.
    #[inline]
    pub(crate) fn take(&self, each: impl FnMut(u64, u64)) {
        let len = self.len.load(Ordering::Relaxed);
        if len > 0 {
            self.take_some(len, each);
        }
    }

    #[inline(never)]
    fn take_some(&self, len: usize, mut each: impl FnMut(u64, u64)) {
        for place in self.reads.iter().take(len) {
            let hash = place.load(Ordering::Relaxed);
            if hash != 0 {
                place.store(0, Ordering::Relaxed);
                each(hash, if hash & SEVERAL == 0 { 1 } else { TOGETHER });
            }
        }
        self.len.store(0, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn taken(backlog: &Backlog) -> Vec<(u64, u64)> {
        let mut taken = Vec::new();
        backlog.take(|hash, reads| taken.push((hash & !SEVERAL, reads)));
        taken
    }

    #[test]
    fn what_was_noted_is_told_once_in_its_order_and_what_there_is_no_room_for_is_not() {
        let backlog = Backlog::new();
        assert_eq!(taken(&backlog), []);
        backlog.note(7, 1);
        backlog.note(u64::MAX, TOGETHER);
        backlog.note(7, 1);
        assert_eq!(taken(&backlog), [(7, 1), (!SEVERAL, TOGETHER), (7, 1)]);
        assert_eq!(taken(&backlog), []);
        (1..1_000).for_each(|hash| backlog.note(hash, 1));
        assert_eq!(taken(&backlog).len(), MOST);
        backlog.note(9, 1);
        assert_eq!(taken(&backlog), [(9, 1)]);
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::{Arc, Mutex};

    /// Two readers note while an eviction takes: nothing is told that was not read, nothing more often
    /// than it was read, and a read alone is never lost.
    #[test]
    fn nothing_is_told_that_was_not_read() {
        loom::model(|| {
            let backlog = Arc::new(Backlog::new());
            let lock = Arc::new(Mutex::new(()));
            let readers: Vec<_> = [3, 5]
                .map(|hash| {
                    let backlog = backlog.clone();
                    loom::thread::spawn(move || backlog.note(hash, 1))
                })
                .into();
            let mut told = Vec::new();
            for _ in 0..2 {
                let _guard = lock.lock().unwrap();
                backlog.take(|hash, reads| told.push((hash, reads)));
            }
            readers.into_iter().for_each(|reader| reader.join().unwrap());
            backlog.take(|hash, reads| told.push((hash, reads)));
            told.sort_unstable();
            let mut once = told.clone();
            once.dedup();
            assert_eq!(told, once);
            assert!(told.iter().all(|note| [(3, 1), (5, 1)].contains(note)), "{told:?}");
        });
    }
}

//! Fences: which writes of the node a read has to see.
//!
//! The writes of all threads are numbered as they are sent, and again as they are answered. Each key
//! has the number of its last one; keys share slots by their hashes, and so the fate of the one that
//! was written last. A replica that has all writes up to a number may be read of keys whose numbers
//! are no higher. So a client reads its own writes, and those of all other clients of the node.

use std::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 1 << 14;

/// The number of a write: what is read has to include all up to it.
pub(crate) type Fence = u64;

/// The numbers of the last writes.
pub(crate) struct Fences {
    /// None where nothing but the primary is read.
    slots: Box<[AtomicU64]>,
    /// That of the last write that may have concerned any key.
    all: AtomicU64,
    last: AtomicU64,
}

impl Fences {
    pub(crate) fn new(wanted: bool) -> Self {
        let slots = (0..if wanted { SLOTS } else { 0 }).map(|_| AtomicU64::new(0)).collect();
        Self { slots, all: AtomicU64::new(0), last: AtomicU64::new(0) }
    }

    /// Whether writes are numbered.
    #[inline]
    pub(crate) fn are_kept(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Keys are written, by their hashes.
    pub(crate) fn raise(&self, keys: impl Iterator<Item = u64>) {
        for key in keys {
            let number = self.next();
            self.slots[key as usize % SLOTS].fetch_max(number, Ordering::AcqRel);
        }
    }

    /// Any key is written.
    pub(crate) fn raise_all(&self) {
        let number = self.next();
        self.all.fetch_max(number, Ordering::AcqRel);
    }

    fn next(&self) -> Fence {
        // AcqRel: who takes the number for a mark sees it before the server is asked.
        self.last.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The number of the last write.
    pub(crate) fn last(&self) -> Fence {
        self.last.load(Ordering::Acquire)
    }

    /// What a read of these keys has to see.
    pub(crate) fn of(&self, keys: impl Iterator<Item = u64>) -> Fence {
        // Acquire: whoever was answered has raised the fence before.
        let of = |key: u64| self.slots[key as usize % SLOTS].load(Ordering::Acquire);
        keys.map(of).fold(self.all.load(Ordering::Acquire), Fence::max)
    }
}

#[cfg(test)]
mod tests {
    use super::Fences;

    #[test]
    fn a_read_sees_the_last_write_of_its_keys_and_of_any() {
        let fences = Fences::new(true);
        assert_eq!(fences.of([1, 2].into_iter()), 0);
        fences.raise([1].into_iter());
        fences.raise([2].into_iter());
        assert_eq!(fences.of([1].into_iter()), 1);
        assert_eq!(fences.of([1, 2].into_iter()), 2);
        assert_eq!(fences.of([3].into_iter()), 0);
        fences.raise_all();
        assert_eq!((fences.of([3].into_iter()), fences.last()), (3, 3));
    }
}

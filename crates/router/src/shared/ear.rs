//! Which thread hears the store for all: the first that has to.

use parking_lot::Mutex;
use std::collections::BTreeSet;

/// Who hears for the threads of a node, and for whom.
#[derive(Default)]
pub(crate) struct Ear(Mutex<Threads>);

#[derive(Default)]
struct Threads {
    /// Who hears; 0 if nobody does.
    hears: u64,
    /// Those who were told who that is.
    others: BTreeSet<u64>,
}

impl Ear {
    /// The thread that hears for this one, from now on: this one itself, if there is none. Who gets
    /// another one's number is told when that one ends, whatever it has written to it by then.
    pub(crate) fn of(&self, thread: u64) -> u64 {
        let mut threads = self.0.lock();
        if threads.hears == 0 {
            threads.hears = thread;
        }
        if threads.hears != thread {
            threads.others.insert(thread);
        }
        threads.hears
    }

    /// The thread that hears, if there is one.
    pub(crate) fn current(&self) -> Option<u64> {
        Some(self.0.lock().hears).filter(|hears| *hears != 0)
    }

    /// A thread ends. If it was the one that heard, those are to be told for whom it did.
    pub(crate) fn leave(&self, thread: u64) -> BTreeSet<u64> {
        let mut threads = self.0.lock();
        threads.others.remove(&thread);
        if threads.hears != thread {
            return BTreeSet::new();
        }
        threads.hears = 0;
        std::mem::take(&mut threads.others)
    }
}

#[cfg(test)]
mod tests {
    use super::Ear;

    #[test]
    fn the_first_hears_until_it_ends_and_the_next_that_asks_follows_it() {
        let ear = Ear::default();
        assert_eq!((ear.current(), ear.of(7), ear.of(8), ear.of(9), ear.of(7)), (None, 7, 7, 7, 7));
        assert!(ear.leave(9).is_empty());
        assert_eq!(ear.leave(7).into_iter().collect::<Vec<_>>(), [8]);
        assert_eq!((ear.current(), ear.of(8), ear.of(9)), (None, 8, 8));
    }
}

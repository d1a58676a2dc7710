//! Which thread hears the store for all: the first that has to, and then whoever takes over from it.
//!
//! ```text
//! who hears ends        an heir is named, one of those that know of it; without one nobody hears
//! the heir takes over   it hears; the others are told of it
//! the heir ends first   nobody hears; the others are told that
//! ```
//! Over a ring it also says by which map messages are published.

use crate::topology::Map;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Who hears for the threads of a node, and for whom.
#[derive(Default)]
pub(crate) struct Ear(Mutex<Threads>);

#[derive(Default)]
struct Threads {
    /// Who hears; 0 if nobody does.
    hears: u64,
    /// Who is to take over from it, which has ended; 0 if nobody is.
    heir: u64,
    /// Those who were told who hears, and the heir.
    others: BTreeSet<u64>,
    /// The map by which it hears the stores of a ring; none, while nothing is heard.
    map: Option<Arc<Map>>,
}

/// What the end of a thread means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It heard, and this one is to take over.
    Heir(u64),
    /// It heard, or was to, and nobody does now: these are to be told.
    Nobody(BTreeSet<u64>),
    /// This one hears, and is to be told; 0 if nobody does.
    Other(u64),
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

    /// The map by which messages are published, if anything is heard.
    pub(crate) fn map(&self) -> Option<Arc<Map>> {
        self.0.lock().map.clone()
    }

    /// The thread that hears does so by this map, or hears nothing.
    pub(crate) fn goes_by(&self, thread: u64, map: Option<Arc<Map>>) {
        let mut threads = self.0.lock();
        if threads.hears == thread {
            threads.map = map;
        }
    }

    /// A thread ends. If it heard, another one takes over, unless it is `broken`.
    pub(crate) fn leave(&self, thread: u64, broken: bool) -> Left {
        let mut threads = self.0.lock();
        threads.others.remove(&thread);
        if threads.hears != thread && threads.heir != thread {
            return Left::Other(threads.hears);
        }
        // Who has not taken over yet has nothing to hand on.
        let heir = threads.others.first().copied().filter(|_| threads.heir == 0 && !broken);
        match heir {
            Some(heir) => {
                threads.heir = heir;
                Left::Heir(heir)
            }
            None => {
                (threads.hears, threads.heir, threads.map) = (0, 0, None);
                Left::Nobody(std::mem::take(&mut threads.others))
            }
        }
    }

    /// The heir takes over: those who are to be told.
    pub(crate) fn take_over(&self, heir: u64) -> BTreeSet<u64> {
        let mut threads = self.0.lock();
        (threads.hears, threads.heir) = (heir, 0);
        threads.others.remove(&heir);
        threads.others.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{Ear, Left};

    fn nobody<const N: usize>(told: [u64; N]) -> Left {
        Left::Nobody(told.into())
    }

    #[test]
    fn the_first_hears_until_it_ends_and_another_takes_over() {
        let ear = Ear::default();
        assert_eq!([7, 8, 9, 7].map(|thread| ear.of(thread)), [7; 4]);
        assert_eq!(ear.leave(9, false), Left::Other(7));
        assert_eq!(ear.leave(7, false), Left::Heir(8));
        assert_eq!(ear.of(10), 7, "until the other one has taken over");
        assert_eq!(ear.take_over(8), [10].into());
        assert_eq!((ear.of(8), ear.of(11)), (8, 8));
        assert_eq!(ear.leave(8, false), Left::Heir(10));
    }

    #[test]
    fn without_an_heir_nobody_hears_and_whoever_asks_next_is_the_first() {
        let ear = Ear::default();
        assert_eq!((ear.of(7), ear.leave(7, false)), (7, nobody([])));
        assert_eq!((ear.of(8), ear.of(9)), (8, 8));
        assert_eq!(ear.leave(8, true), nobody([9]), "what broke is not handed on");
        assert_eq!(ear.of(9), 9);
    }

    #[test]
    fn an_heir_that_ends_before_it_took_over_leaves_nothing() {
        let ear = Ear::default();
        assert_eq!([7, 8, 9].map(|thread| ear.of(thread)), [7; 3]);
        assert_eq!(ear.leave(7, false), Left::Heir(8));
        assert_eq!(ear.leave(8, false), nobody([9]));
        assert_eq!(ear.of(9), 9);
    }
}

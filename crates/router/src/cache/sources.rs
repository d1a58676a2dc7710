//! Sources: the connections over which what is remembered was read. The store tells of the changes of a
//! key to the connection that has read it, and to no other one: a reply counts as long as its own does.
//!
//! A reply is *stamped* with the millisecond in which it was asked for and the number of its source. A
//! source has a floor below which no stamp counts: that of its beginning, until it is lost, and then one
//! above all. So what a lost connection has read is known without visiting any of it, and a reply that
//! was on its way over it is of no use when it arrives.
//!
//! ```text
//! taken      a number that nobody has; one that somebody had has a later floor from then on
//! suspended  as lost, until it is resumed: nobody listens to the connection for now
//! resumed    all that the store has told meanwhile has been heard
//! dropped    lost: by the connection, with it, by its thread, or by a letter that nobody has read
//! ```
//! There are so many numbers. Those of lost sources are taken again, the longest lost first. Sources
//! beyond share one: when any of them is lost, all of these are.

use breakwater_engine::Clock;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many numbers there are, that of those beyond included.
const NUMBERS: usize = 1 << 12;
/// The number of those beyond.
const BEYOND: u16 = 0;
/// The bits of a stamp that are its source.
const BITS: u32 = 16;
/// A floor that has this bit is of a source that is lost.
const LOST: u64 = 1 << 63;

/// A stamp.
pub(super) fn stamp(when: u64, source: u16) -> u64 {
    when << BITS | u64::from(source)
}

/// When what has this stamp was asked for, in milliseconds of the engine's clock.
#[inline]
pub(crate) fn when_of(stamp: u64) -> u64 {
    stamp >> BITS
}

#[derive(Default)]
struct Cover {
    floor: AtomicU64,
    /// Since which millisecond it is lost, if it is.
    since: AtomicU64,
}

/// All sources.
pub(super) struct Sources {
    clock: Clock,
    covers: Box<[Cover]>,
    numbers: Mutex<Numbers>,
}

struct Numbers {
    /// The least that nobody has had.
    next: u16,
    lost: VecDeque<u16>,
}

impl Sources {
    pub(super) fn new(clock: Clock) -> Self {
        let numbers = Mutex::new(Numbers { next: BEYOND + 1, lost: VecDeque::new() });
        Self { clock, covers: (0..NUMBERS).map(|_| Cover::default()).collect(), numbers }
    }

    /// Another source, from now on.
    pub(super) fn take(self: &Arc<Self>) -> Source {
        let mut numbers = self.numbers.lock();
        let number = if usize::from(numbers.next) < NUMBERS {
            numbers.next += 1;
            numbers.next - 1
        } else if let Some(number) = numbers.lost.pop_front() {
            // Release: who finds it taken finds nothing of its last owner's good.
            self.cover(number).floor.store(self.floor(), Ordering::Release);
            number
        } else {
            BEYOND
        };
        Source { sources: self.clone(), number }
    }

    /// The floor of what is asked for from the next millisecond on.
    fn floor(&self) -> u64 {
        stamp(self.clock.now() + 1, 0)
    }

    #[inline]
    fn cover(&self, number: u16) -> &Cover {
        &self.covers[usize::from(number) & (NUMBERS - 1)]
    }

    /// Whether the store still tells of changes of what has this stamp.
    #[inline]
    pub(super) fn covers(&self, stamp: u64) -> bool {
        // Acquire: who has heard that a source is lost takes nothing of it.
        stamp >= self.cover(stamp as u16).floor.load(Ordering::Acquire)
    }

    /// Whether it does, or has not for `most` milliseconds at the most.
    pub(super) fn covered_for(&self, stamp: u64, now: u64, most: u64) -> bool {
        let cover = self.cover(stamp as u16);
        // Acquire: as in `covers`, and who finds it lost finds since when.
        let floor = cover.floor.load(Ordering::Acquire);
        let lost = || now.saturating_sub(cover.since.load(Ordering::Acquire)) <= most;
        stamp >= floor || (floor & LOST != 0 && stamp >= floor & !LOST && lost())
    }

    /// What was read of a source that was suspended counts again.
    fn resume(&self, number: u16) {
        if number != BEYOND {
            // Release: who finds it good finds what is not so any more gone.
            self.cover(number).floor.fetch_and(!LOST, Ordering::AcqRel);
        }
    }

    /// From now on the store does not tell of what was read of a source any more.
    pub(super) fn lose(&self, number: u16) {
        let cover = self.cover(number);
        if number == BEYOND {
            // AcqRel: as in `covers`. Whose each stamp is nobody knows: not even as stale it counts.
            cover.floor.fetch_max(self.floor(), Ordering::AcqRel);
        } else if cover.floor.load(Ordering::Acquire) & LOST == 0 {
            cover.since.store(self.clock.now(), Ordering::Release);
            // Release: as in `covers`.
            cover.floor.fetch_or(LOST, Ordering::AcqRel);
        }
    }
}

/// A source. It is lost when this is dropped.
pub(crate) struct Source {
    sources: Arc<Sources>,
    number: u16,
}

impl Source {
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Nobody listens to the connection for now.
    pub(crate) fn suspend(&self) {
        self.sources.lose(self.number);
    }

    /// Somebody does again, and has heard what the store has told meanwhile.
    pub(crate) fn resume(&self) {
        self.sources.resume(self.number);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.sources.lose(self.number);
        if self.number != BEYOND {
            self.sources.numbers.lock().lost.push_back(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> (Arc<Sources>, Clock) {
        let clock = Clock::manual();
        (Arc::new(Sources::new(clock.clone())), clock)
    }

    #[test]
    fn what_was_read_of_a_source_counts_until_that_is_lost_and_that_of_others_beyond() {
        let (sources, clock) = sources();
        let (one, other) = (sources.take(), sources.take());
        clock.advance(500);
        let [of_one, of_other] = [&one, &other].map(|source| stamp(500, source.number()));
        assert_eq!((when_of(of_one), sources.covers(of_one)), (500, true));
        drop(one);
        assert_eq!([of_one, of_other].map(|stamp| sources.covers(stamp)), [false, true]);
        let stale = |stamp, now| sources.covered_for(stamp, now, 100);
        assert_eq!([600, 601].map(|now| stale(of_one, now)), [true, false]);
        assert!(stale(of_other, 9_000), "it is not stale at all");
        assert!(sources.covers(stamp(500, sources.take().number())), "at the same moment");
    }

    #[test]
    fn what_was_read_of_a_suspended_source_counts_again_once_that_is_resumed_unless_it_is_lost() {
        let (sources, _) = sources();
        let source = sources.take();
        let own = stamp(0, source.number());
        source.suspend();
        assert!(!sources.covers(own) && sources.covered_for(own, 100, 100));
        source.resume();
        assert!(sources.covers(own));
        source.suspend();
        drop(source);
        assert!(!sources.covers(own));
    }

    #[test]
    fn a_number_is_taken_again_and_what_its_last_owner_has_read_does_not_count_by_that() {
        let (sources, clock) = sources();
        let kept = sources.take();
        let (mut stamps, mut most) = (vec![], 0);
        for at in 0..3 * NUMBERS as u64 {
            clock.advance(1);
            let source = sources.take();
            most = most.max(source.number());
            stamps.push(stamp(at + 1, source.number()));
            let own = stamp(at + 2, source.number());
            assert!(sources.covers(own));
            drop(source);
            assert!(!sources.covers(own));
        }
        assert!(usize::from(most) < NUMBERS);
        let held: Vec<_> = (0..NUMBERS / 2).map(|_| sources.take()).collect();
        assert!(stamps.iter().all(|stamp| !sources.covers(*stamp)));
        let stale = |stamp: &&u64| sources.covered_for(**stamp, clock.now(), u64::MAX);
        assert!(stamps.iter().filter(stale).count() <= NUMBERS, "none of an owner before the last");
        assert!(sources.covers(stamp(0, kept.number())) && !held.is_empty());
    }

    #[test]
    fn sources_beyond_are_lost_together() {
        let (sources, clock) = sources();
        let own: Vec<_> = (1..NUMBERS).map(|_| sources.take()).collect();
        let (one, other) = (sources.take(), sources.take());
        assert_eq!([one.number(), other.number()], [BEYOND; 2]);
        let (of_other, of_own) = (stamp(0, other.number()), stamp(0, own[0].number()));
        assert!(sources.covers(of_other));
        drop(one);
        assert!(!sources.covers(of_other) && !sources.covered_for(of_other, 0, 9));
        assert!(sources.covers(of_own));
        clock.advance(1);
        assert!(sources.covers(stamp(1, other.number())));
        drop(own);
        assert_ne!(sources.take().number(), BEYOND);
    }
}

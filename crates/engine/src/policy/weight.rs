//! What entries weigh: what a hit of one spares, and the room that it takes.
//!
//! An entry that spares less for its room than the mean pays a *toll*: a turn in a queue costs it
//! more reads. So one that is as dear as others and ten times as large needs ten times the hits
//! (after GreedyDual-Size-Frequency: Cherkasova, HP Labs HPL-98-69, 1998), which is more than an
//! entry's word counts: it leaves.

use crate::config::{Config, Policy, Weigh};
use crate::entry::EntryRef;

/// What an entry takes beside its key and value, about.
const EMPTY: u64 = 32;

/// The weight of the latest entry in the means: about a thousand count.
const LATEST: f64 = 1.0 / 1024.0;

/// A toll that no count of reads pays.
pub(super) const DEAREST: u64 = 4;

/// A ghost comes back to the main queue at up to this toll.
pub(super) const MOST_OF_GHOSTS: u64 = 2;

/// What is lacking to a read more is given: entries near the mean pay one.
const GRACE: f64 = 0.25;

/// What one entry weighs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Weight {
    /// What a hit of it spares.
    pub(super) worth: u32,
    /// What it takes of the bound.
    pub(super) room: u32,
}

impl Weight {
    /// Of every entry, where all weigh the same.
    pub(super) const EVEN: Self = Self { worth: 1, room: 1 };
}

/// The room of an entry, where entries stand for what they are not.
pub(crate) type RoomOf = fn(EntryRef<'_>) -> u64;

/// Whether an entry stands for one that is awaited.
type Awaited = fn(EntryRef<'_>) -> bool;

/// How the entries of a cache are weighed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    weigh: Weigh,
    /// `None`: an entry is an entry, however large.
    room: Option<RoomOf>,
    /// `None`: each entry is what it weighs.
    awaited: Option<Awaited>,
}

impl Scale {
    /// All entries weigh the same.
    pub(crate) const EVEN: Self = Self { weigh: Weigh::Hits, room: None, awaited: None };

    /// What a cache of this configuration has its policy weigh. Where bytes are bounded, an entry takes
    /// the bytes that it has.
    pub(crate) fn of(config: &Config) -> Self {
        if config.policy != Policy::Auto {
            return Self::EVEN;
        }
        let by_bytes = config.max_bytes.map(|_| (|entry| entry.payload() + EMPTY) as RoomOf);
        let scale = Self { room: config.room.or(by_bytes), weigh: config.weigh, ..Self::EVEN };
        if scale.is_even() { scale } else { Self { awaited: config.awaited, ..scale } }
    }

    /// Whether all entries weigh the same.
    #[inline]
    pub(super) fn is_even(self) -> bool {
        self.room.is_none() && self.weigh == Weigh::Hits
    }

    /// Whether an entry stands for one that is awaited: what it weighs itself says nothing.
    #[inline]
    pub(crate) fn awaits(self, entry: EntryRef<'_>) -> bool {
        self.awaited.is_some_and(|awaited| awaited(entry))
    }

    /// What an entry weighs.
    #[inline]
    pub(super) fn weight_of(self, entry: EntryRef<'_>) -> Weight {
        if self.is_even() {
            return Weight::EVEN;
        }
        let own = |entry| self.room.map_or_else(|| EntryRef::payload(&entry), |room| room(entry));
        let worth = match self.weigh {
            Weigh::Hits => 1,
            Weigh::Bytes => own(entry),
            Weigh::Cost => entry.note().map_or(1, |note| note.cost().into()),
        };
        let room = self.room.map_or(1, |room| room(entry));
        let clamped = |of: u64| of.clamp(1, u32::MAX.into()) as u32;
        Weight { worth: clamped(worth), room: clamped(room) }
    }
}

/// The mean weight of the entries that came in of late.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Mean {
    worth: f64,
    room: f64,
    count: u64,
}

impl Mean {
    /// An entry comes in.
    pub(super) fn add(&mut self, weight: Weight) {
        self.count += 1;
        // The first ones count alike.
        let share = LATEST.max(1.0 / self.count as f64);
        self.worth += share * (f64::from(weight.worth) - self.worth);
        self.room += share * (f64::from(weight.room) - self.room);
    }

    /// The reads that a turn costs an entry: as many times one as it spares less for its room than the
    /// mean does.
    #[inline]
    pub(super) fn toll(&self, weight: Weight) -> u64 {
        let mean = self.worth * f64::from(weight.room);
        let own = self.room * f64::from(weight.worth);
        // Before there is a mean both are 0, and what is no number becomes 0.
        ((mean / own + 1.0 - GRACE) as u64).clamp(1, DEAREST)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_entry_so_many_times_as_large_needs_so_many_times_the_reads() {
        let mut mean = Mean::default();
        assert_eq!(mean.toll(Weight::EVEN), 1, "nothing is known yet");
        (0..5_000).for_each(|at| mean.add(Weight { worth: 1, room: 500 + at % 1_001 }));
        let toll = |worth, room| mean.toll(Weight { worth, room });
        assert_eq!([10, 1_000, 1_200, 2_000, 3_000].map(|room| toll(1, room)), [1, 1, 1, 2, 3]);
        assert_eq!([toll(1, 40_000), toll(20, 40_000), toll(60, 40_000)], [DEAREST, 2, 1]);
    }
}

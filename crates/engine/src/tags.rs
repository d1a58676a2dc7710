//! Tags: which entries are no longer valid, known without visiting one of them.
//!
//! A clock counts invalidations. Each tag belongs to one of a fixed number of groups, by its hash,
//! and a group remembers the count of its latest invalidation. An entry has the count from before
//! its value was read: its *epoch*. It is valid as long as no group of its tags has a higher one. Two
//! tags may share a group: an invalidation may take entries with it that it does not concern, and
//! never misses one.
//!
//! A *soft* invalidation leaves entries to those who take stale values, for the grace. A group
//! remembers since when it has stale entries, not of which invalidation each one is: those of a
//! later one go with the earliest, a little before their time and never after it.
//!
//! # Why an entry from before an invalidation is never read after it
//! Who invalidates raises the clock first and the group then, and a read looks at the groups after it
//! has found the entry. If the epoch is lower than the raised clock, whoever knows that the
//! invalidation has returned sees a group above it. If it is not, the clock was read after it was
//! raised, and the value's source after that: what was written there before the invalidation began
//! is in the value.

use crate::memory;
use crate::note::NoteRef;
use crate::shim::{AtomicU64, Ordering};
use parking_lot::Mutex;
use std::sync::OnceLock;

/// Bytes of the bound that stand for a group, which takes 24.
const BYTES_A_GROUP: u64 = 256;
const LEAST_GROUPS: u64 = 64;
const MOST_GROUPS: u64 = 1 << 17;
/// Where bytes are not bounded.
const USUAL_GROUPS: u64 = 1 << 14;

/// The latest invalidations of the tags of a group.
#[derive(Debug)]
struct Group {
    hard: AtomicU64,
    soft: AtomicU64,
    /// Since which millisecond entries may be stale that are not invalid yet.
    since: AtomicU64,
}

impl Group {
    fn new() -> Self {
        let [hard, soft, since] = [0; 3].map(AtomicU64::new);
        Self { hard, soft, since }
    }

    /// Prepares a soft invalidation at `now`: what an earlier one made stale is invalid once its
    /// grace is over, however stale others are.
    fn soften(&self, now: u64, grace: u64) {
        // Acquire: of an invalidation that is seen the time is seen as well.
        let before = self.soft.load(Ordering::Acquire);
        if before == 0 || self.since.load(Ordering::Acquire) + grace <= now {
            self.hard.fetch_max(before, Ordering::Release);
            // Release: who takes the new time for an old entry sees that this is invalid.
            self.since.store(now, Ordering::Release);
        }
    }

    fn check(&self, epoch: u64) -> Validity {
        // Acquire, and in this order: the time is not an earlier one than that of the invalidation,
        // and if it is a later one the entry is invalid.
        let is_stale = self.soft.load(Ordering::Acquire) > epoch;
        let since = self.since.load(Ordering::Acquire);
        if self.hard.load(Ordering::Acquire) > epoch {
            Validity::Invalid
        } else if is_stale {
            Validity::Stale { since }
        } else {
            Validity::Valid
        }
    }
}

/// What invalidations left of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    Valid,
    /// Good only for those who take stale values, since this millisecond.
    Stale {
        since: u64,
    },
    Invalid,
}

impl Validity {
    /// What is left of an entry of which one tag left this, and another one `other`.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Invalid, _) | (_, Self::Invalid) => Self::Invalid,
            (Self::Stale { since: a }, Self::Stale { since: b }) => Self::Stale { since: a.min(b) },
            (stale, Self::Valid) | (Self::Valid, stale) => stale,
        }
    }
}

/// The invalidations of a cache.
#[derive(Debug)]
pub(crate) struct Tags {
    /// How many there were.
    clock: AtomicU64,
    /// The latest one that found no table: it was of all tags.
    floor: AtomicU64,
    /// The groups, from the first entry with tags on.
    table: OnceLock<Box<[Group]>>,
    /// How many groups there will be.
    groups: usize,
    swept: Mutex<Swept>,
}

/// When what invalidations ended was last looked for.
#[derive(Debug)]
struct Swept {
    /// How many there had been.
    epoch: u64,
    /// When what was stale then is over.
    again: u64,
}

impl Tags {
    /// Tags for a cache of such a bound.
    pub(crate) fn new(max_bytes: Option<u64>) -> Self {
        let wanted = max_bytes.map_or(USUAL_GROUPS, |bytes| bytes / BYTES_A_GROUP);
        Self {
            clock: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            table: OnceLock::new(),
            groups: 1 << wanted.clamp(LEAST_GROUPS, MOST_GROUPS).ilog2(),
            swept: Mutex::new(Swept { epoch: 0, again: u64::MAX }),
        }
    }

    /// Whether there may be entries that invalidations ended, if all were removed that there were
    /// whenever this was true.
    pub(crate) fn may_have_ended_some(&self, now: u64, grace: u64) -> bool {
        let mut swept = self.swept.lock();
        let epoch = self.epoch();
        if swept.epoch == epoch && now < swept.again {
            return false;
        }
        *swept = Swept { epoch, again: if grace == 0 { u64::MAX } else { now + grace } };
        true
    }

    /// What the table takes once it is there, in bytes.
    pub(crate) fn price(&self) -> u64 {
        (self.groups * size_of::<Group>()) as u64
    }

    /// What it takes now.
    pub(crate) fn footprint(&self) -> u64 {
        if self.is_ready() { self.price() } else { 0 }
    }

    /// Whether the table is there, which entries with tags need.
    pub(crate) fn is_ready(&self) -> bool {
        self.table.get().is_some()
    }

    /// Makes the table; `Some(false)` if somebody else did, `None` when the system has no memory
    /// left.
    pub(crate) fn make_ready(&self) -> Option<bool> {
        let mut table = memory::try_vec(self.groups)?;
        table.extend((0..self.groups).map(|_| Group::new()));
        Some(self.table.set(table.into()).is_ok())
    }

    /// The group of a tag with this hash.
    pub(crate) fn group(&self, hash: u64) -> u32 {
        (hash as usize & (self.groups - 1)) as u32
    }

    /// The epoch of a value whose source is read after this.
    pub(crate) fn epoch(&self) -> u64 {
        // Acquire: what was written to the source before the invalidations that it counts is seen
        // by who reads there now.
        self.clock.load(Ordering::Acquire)
    }

    /// Entries of earlier epochs that have a tag of this group are no longer valid.
    pub(crate) fn invalidate(&self, group: u32) {
        self.invalidate_in(match self.table.get() {
            None => &self.floor,
            Some(table) => &at(table, group).hard,
        });
    }

    /// As [`Tags::invalidate`], but they are only stale from `now` on, in milliseconds, for so many
    /// as `grace` says.
    pub(crate) fn invalidate_softly(&self, group: u32, now: u64, grace: u64) {
        self.invalidate_in(match self.table.get() {
            None => &self.floor,
            Some(table) => {
                let group = at(table, group);
                group.soften(now, grace);
                &group.soft
            }
        });
    }

    fn invalidate_in(&self, cell: &AtomicU64) {
        // Acquire and release: as in `epoch`, also where invalidations follow each other.
        let epoch = self.clock.fetch_add(1, Ordering::AcqRel) + 1;
        // Release: who sees it sees that the words of copies are being changed.
        cell.fetch_max(epoch, Ordering::Release);
    }

    /// Whether a value of this epoch is valid if it has tags of these groups.
    pub(crate) fn check(&self, epoch: u64, groups: impl Iterator<Item = u32>) -> Validity {
        // Acquire: who finds an entry invalid finds its copies spoilt.
        if self.floor.load(Ordering::Acquire) > epoch {
            return Validity::Invalid;
        }
        let Some(table) = self.table.get() else { return Validity::Valid };
        let validities = groups.map(|group| at(table, group).check(epoch));
        validities.fold(Validity::Valid, Validity::and)
    }

    /// As [`Tags::check`], of an entry's note.
    pub(crate) fn check_note(&self, note: NoteRef<'_>) -> Validity {
        self.check(note.epoch(), note.tags())
    }
}

fn at(table: &[Group], group: u32) -> &Group {
    &table[group as usize & (table.len() - 1)]
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn check(tags: &Tags, epoch: u64, groups: &[u32]) -> Validity {
        tags.check(epoch, groups.iter().copied())
    }

    #[test]
    fn there_are_as_many_groups_as_the_bound_deserves() {
        let groups = |bytes| Tags::new(bytes).groups;
        assert_eq!(groups(Some(1)), 64);
        assert_eq!(groups(Some(1 << 20)), 4_096);
        assert_eq!(groups(Some(u64::MAX)), 131_072);
        assert_eq!(groups(None), 16_384);
    }

    #[test]
    fn what_came_before_an_invalidation_of_its_group_is_invalid() {
        let tags = Tags::new(None);
        assert_eq!((tags.make_ready(), tags.make_ready()), (Some(true), Some(false)));
        let before = tags.epoch();
        tags.invalidate(5);
        assert_eq!(check(&tags, before, &[1, 5]), Validity::Invalid);
        assert_eq!(check(&tags, before, &[1, 6]), Validity::Valid);
        assert_eq!(check(&tags, tags.epoch(), &[5]), Validity::Valid);
        tags.invalidate_softly(6, 70, 10);
        assert_eq!(check(&tags, before, &[1, 6]), Validity::Stale { since: 70 });
        assert_eq!(check(&tags, before, &[6, 5]), Validity::Invalid, "the worse of both");
        tags.invalidate_softly(1, 75, 10);
        assert_eq!(check(&tags, before, &[1, 6]), Validity::Stale { since: 70 }, "the earlier");
    }

    #[test]
    fn what_is_stale_stays_so_for_its_grace_however_often_its_tag_is_invalidated() {
        let tags = Tags::new(None);
        tags.make_ready().unwrap();
        let first = tags.epoch();
        tags.invalidate_softly(5, 100, 10);
        let second = tags.epoch();
        tags.invalidate_softly(5, 109, 10);
        assert_eq!(check(&tags, first, &[5]), Validity::Stale { since: 100 });
        assert_eq!(check(&tags, second, &[5]), Validity::Stale { since: 100 }, "it goes with it");
        let third = tags.epoch();
        tags.invalidate_softly(5, 110, 10);
        assert_eq!(check(&tags, first, &[5]), Validity::Invalid);
        assert_eq!(check(&tags, second, &[5]), Validity::Invalid);
        assert_eq!(check(&tags, third, &[5]), Validity::Stale { since: 110 });
        assert_eq!(check(&tags, tags.epoch(), &[5]), Validity::Valid);
    }

    #[test]
    fn what_finds_no_table_is_of_all_tags() {
        let tags = Tags::new(None);
        let before = tags.epoch();
        tags.invalidate_softly(5, 0, 10);
        for _ in 0..2 {
            assert_eq!(check(&tags, before, &[6]), Validity::Invalid);
            assert_eq!(check(&tags, tags.epoch(), &[6]), Validity::Valid);
            tags.make_ready().unwrap();
        }
    }
}

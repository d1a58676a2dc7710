//! Whether an entry is there, for whom, and how it is reported when it goes.

use super::Cache;
use crate::entry::{EntryPtr, EntryRef};
use crate::index::Hit;
use crate::key::{Key, KeyKind};
use crate::note::NoteRef;
use crate::removal::Reason;
use crate::shard::ShardRef;
use crate::stats::Count;
use crate::tags::Validity;

/// What the index has for a key whose entry was nothing to see.
pub(super) enum Look<'a> {
    /// Another entry, which took its place.
    Another(Hit<'a>),
    /// The same, or nothing; `is_gone`: it may be removed.
    Over { is_gone: bool },
}

impl Cache {
    /// Whether the entry is nothing to ordinary reads.
    #[inline(never)]
    pub(super) fn is_over(&self, entry: EntryRef<'_>) -> bool {
        self.is_late(entry) || (entry.is_special() && self.is_void(entry))
    }

    /// As [`Cache::is_over`], at a time.
    #[inline]
    pub(super) fn is_over_at(&self, entry: EntryRef<'_>, now: u64) -> bool {
        let late = entry.deadline().is_some_and(|deadline| deadline <= now);
        late || (entry.is_special() && self.is_void(entry))
    }

    /// Whether its deadline has passed.
    #[inline]
    pub(super) fn is_late(&self, entry: EntryRef<'_>) -> bool {
        entry.deadline().is_some_and(|deadline| deadline <= self.clock.now())
    }

    #[cold]
    fn is_void(&self, entry: EntryRef<'_>) -> bool {
        entry.is_absent() || self.is_revoked(entry)
    }

    /// Whether a tag of it was invalidated.
    #[inline]
    pub(super) fn is_revoked(&self, entry: EntryRef<'_>) -> bool {
        entry.is_tagged() && self.validity(entry) != Validity::Valid
    }

    #[cold]
    fn validity(&self, entry: EntryRef<'_>) -> Validity {
        entry.note().map_or(Validity::Valid, |note| self.tags.check_note(note))
    }

    /// Whether the index has this entry of the key still: called pinned.
    ///
    /// Who finds an entry and then sees that it is over must ask. It may have been replaced before it
    /// came to its end, by its deadline or a tag: then the key was never without a value.
    #[cold]
    pub(super) fn stands(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        it: EntryPtr,
    ) -> bool {
        // SAFETY: the caller is pinned: what the index holds is not freed, and no other entry comes
        // to have the address of this one.
        let found = shard.index.find(hash, |entry| unsafe { entry.read() }.has_key(key));
        found.is_some_and(|hit| hit.entry() == it)
    }

    /// What a reader is to do that found an entry which is nothing to see: see [`Cache::stands`]. The
    /// caller is pinned.
    #[cold]
    #[inline(never)]
    pub(super) fn look_again(
        &self,
        hash: u64,
        kind: KeyKind,
        bytes: &[u8],
        it: EntryPtr,
    ) -> Look<'_> {
        let key = Key { kind, bytes };
        // SAFETY: the caller is pinned: what the index holds is not freed, and no other entry comes
        // to have the address of this one.
        let same = |entry: EntryPtr| unsafe { entry.read() }.has_key(key);
        match self.shard_at(hash).index.find(hash, same) {
            Some(hit) if hit.entry() == it => {
                // SAFETY: as above.
                Look::Over { is_gone: self.is_gone(unsafe { it.read() }) }
            }
            Some(another) => Look::Another(another),
            None => Look::Over { is_gone: false },
        }
    }

    /// Removes the key's entry if it is nothing to anybody any more. Not pinned, no lock held.
    #[cold]
    #[inline(never)]
    pub(super) fn drop_expired_key(&self, hash: u64, kind: KeyKind, bytes: &[u8]) {
        let key = Key { kind, bytes };
        // SAFETY: called pinned.
        let same = |entry: EntryPtr| unsafe { entry.read() }.has_key(key);
        self.drop_expired(self.shard_of(hash), hash, same);
    }

    /// Whether the entry is so near to its end that it should be loaded anew.
    #[cold]
    pub(super) fn is_early(&self, entry: EntryRef<'_>) -> bool {
        let early = u64::from(entry.note().map_or(0, NoteRef::early));
        let begins = |deadline: u64| deadline.saturating_sub(early);
        early != 0 && entry.deadline().is_some_and(|at| begins(at) <= self.clock.now())
    }

    /// Since which millisecond the entry is good only for those who take stale values; `None`: it is
    /// fresh.
    pub(super) fn stale_since(&self, entry: EntryRef<'_>) -> Option<u64> {
        let late = entry.deadline().filter(|&deadline| deadline <= self.clock.now());
        let revoked = if entry.is_tagged() { self.validity(entry) } else { Validity::Valid };
        match revoked {
            Validity::Stale { since } => Some(late.map_or(since, |late| late.min(since))),
            Validity::Valid | Validity::Invalid => late,
        }
    }

    /// Whether the entry is nothing to anybody, and may be removed.
    pub(super) fn is_gone(&self, entry: EntryRef<'_>) -> bool {
        let now = self.clock.now();
        let end = entry.end(self.grace());
        if end != 0 && end <= now {
            return true;
        }
        entry.is_tagged()
            && match self.validity(entry) {
                Validity::Valid => false,
                // Only values are good for anybody when they are stale.
                Validity::Stale { since } => entry.is_absent() || since + self.grace() <= now,
                Validity::Invalid => true,
            }
    }

    /// Whether the entry has a value that is good for somebody, be it over.
    pub(super) fn is_kept(&self, entry: EntryRef<'_>) -> bool {
        !entry.is_absent() && !self.is_revoked(entry) && !self.is_gone(entry)
    }

    /// Whether the entry keeps this version away.
    pub(super) fn is_newer(&self, entry: EntryRef<'_>, version: u64) -> bool {
        let held = entry.note().and_then(NoteRef::version);
        held.is_some_and(|held| held > version) && !self.is_gone(entry)
    }

    /// What is counted and told of an entry that goes by `count` and `reason`: what has come to its
    /// end before has expired.
    pub(super) fn farewell(
        &self,
        entry: EntryRef<'_>,
        count: Count,
        reason: Reason,
    ) -> (Count, Reason) {
        if self.is_late(entry) || self.is_revoked(entry) {
            (Count::Expirations, Reason::Expired)
        } else {
            (count, reason)
        }
    }
}

//! Storing an entry: made, put into the index, and made known to policy and wheel.

use super::Cache;
use crate::config::{Error, Policy};
use crate::entry::{EntryPtr, EntryRef, Value};
use crate::index::{Expect, Host, Index, Put, Shortage, Word};
use crate::key::{Key, MAX_KEY_LEN};
use crate::note::Draft;
use crate::policy::Admission;
use crate::shard::{Guarded, ShardRef};
use crate::stats::Count;

/// What became of an attempt to store an entry.
pub(super) enum Stored {
    New,
    Over(EntryPtr),
    /// The key has not what was expected.
    Refused,
    /// The system has no memory left for it.
    Full,
    /// So many bytes are missing, for something other than the entry.
    Missing(u64),
    /// There are as many entries as there may be.
    Crowded,
}

/// What the attempts to store an entry have in common.
#[derive(Default)]
pub(super) struct Reservation {
    /// One entry is taken from the entry ledger and not yet stored.
    pub(super) held: bool,
    /// The entry has the deadline of the one that it replaces.
    pub(super) keeps: bool,
    /// There was nothing to replace a moment ago.
    pub(super) is_new: bool,
}

impl Cache {
    /// An entry has come in.
    #[inline]
    pub(super) fn welcome(&self, shard: ShardRef<'_>, payload: u64) {
        self.counters.add(shard.here, Count::Sets);
        self.welcome_uncounted(shard, payload);
    }

    #[inline]
    pub(super) fn welcome_uncounted(&self, shard: ShardRef<'_>, payload: u64) {
        shard.gained(payload);
        self.grow_if_crowded(shard);
    }

    /// Gives back to the entry ledger what was not needed after all.
    #[inline]
    pub(super) fn give_back(&self, reservation: Reservation) {
        if reservation.held {
            self.entry_ledger.give(1);
        }
    }

    #[inline]
    pub(super) fn size_of(
        &self,
        key: Key<'_>,
        value_len: usize,
        deadline: u64,
        draft: Option<Draft<'_>>,
    ) -> u64 {
        let linked = self.is_linked();
        let note_len = draft.map_or(0, |draft| draft.len());
        let timing_len = EntryPtr::timing_len(linked, deadline, draft.is_some());
        let payload = key.bytes.len() + value_len + note_len + timing_len;
        EntryPtr::footprint(linked, payload) as u64
    }

    #[inline]
    pub(super) fn is_linked(&self) -> bool {
        self.policy == Policy::Lru
    }

    /// Makes an entry whose `size` bytes are charged already.
    #[inline]
    pub(super) fn create(
        &self,
        shard: ShardRef<'_>,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        draft: Option<Draft<'_>>,
        size: u64,
    ) -> Result<EntryPtr, Error> {
        let fits = u32::try_from(value.bytes.len()).is_ok();
        let (spares, footprint) = (shard.here.spares(), size as usize);
        let create =
            || EntryPtr::create(spares, footprint, self.is_linked(), key, value, deadline, draft);
        let entry = fits.then(create).flatten();
        entry.ok_or_else(|| {
            shard.release(size);
            let max = self.shared.ledger.cap().min(u32::MAX.into());
            if fits { Error::Full } else { Error::TooLarge { size, max } }
        })
    }

    /// One attempt to put the entry into the index and to tell policy and wheel. The caller is
    /// pinned; unless the entry was stored it still belongs to the caller.
    #[inline]
    pub(super) fn store(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        entry: EntryPtr,
        expect: Expect,
        reservation: &mut Reservation,
    ) -> Stored {
        // SAFETY: the caller owns the entry, and is pinned.
        let timed = unsafe { entry.read() }.raw_deadline() != 0;
        // What replaces another entry takes nothing from the entry ledger.
        let replacing = if expect == Expect::Any { Expect::Present } else { expect };
        if expect != Expect::Absent && !std::mem::take(&mut reservation.is_new) {
            let concerned = self.is_linked() || timed || self.is_awaited(replacing);
            let stored = if concerned || reservation.keeps {
                self.store_locked(shard, hash, key, entry, replacing, reservation.keeps)
            } else {
                // It concerns neither policy nor wheel: no lock.
                match self.put_over(shard, hash, key, entry, replacing) {
                    Put::Replaced(word) => over(word),
                    _ => Stored::Refused,
                }
            };
            if expect != Expect::Any || !matches!(stored, Stored::Refused) {
                return stored;
            }
        }
        if !reservation.held && !self.entry_ledger.take(1) {
            return Stored::Crowded;
        }
        let stored = self.store_locked(shard, hash, key, entry, expect, false);
        reservation.held = !matches!(stored, Stored::New);
        stored
    }

    /// Whether what comes now was awaited by what it replaces. The caller is pinned.
    #[inline]
    fn is_awaited(&self, replacing: Expect) -> bool {
        let Expect::Exactly(old) = replacing else { return false };
        // SAFETY: the caller has found it in the index and is pinned.
        self.scale.awaits(unsafe { old.read() })
    }

    fn store_locked(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        entry: EntryPtr,
        expect: Expect,
        keeps: bool,
    ) -> Stored {
        // SAFETY: the caller owns the entry, and is pinned.
        let new = unsafe { entry.read() };
        let mut guarded = shard.guarded.lock();
        if let Expect::Exactly(old) = expect
            && keeps
        {
            // Only now does it stay as it is: `expire` takes the lock as well.
            // SAFETY: the caller has found it in the index and is pinned.
            if !new.set_deadline(unsafe { old.read() }.raw_deadline()) {
                // It had none when the new one was made.
                return Stored::Refused;
            }
        }
        let deadline = new.raw_deadline();
        match guarded.prepare(&shard, deadline != 0) {
            Ok(()) => {}
            Err(Shortage::Bytes(bytes)) => return Stored::Missing(bytes),
            Err(Shortage::Memory) => return Stored::Full,
        }
        let replaces = expect == Expect::Present;
        let admission = if replaces { Admission::PLAIN } else { guarded.order.admit(hash, entry) };
        match self.put(shard, hash, key, entry, expect, admission) {
            Put::Inserted => {
                guarded.insertions += 1;
                guarded.order.inserted(hash, entry, admission.main);
                // Nobody else inserts while the lock is held.
                shard.index.trim(&shard, hash);
                if deadline != 0 {
                    let end = guarded.end_of(new);
                    new.set_timer(guarded.wheel.schedule(hash, end));
                }
                guarded.tidy(&shard);
                Stored::New
            }
            Put::Replaced(word) => {
                if let Some(old) = word.entry() {
                    guarded.order.replaced(hash, (old, entry), &shard.index, &shard);
                    // SAFETY: pinned: what was in the index a moment ago is not freed.
                    inherit_timer(&mut guarded, hash, unsafe { old.read() }, new);
                    guarded.tidy(&shard);
                }
                over(word)
            }
            Put::Refused => Stored::Refused,
            Put::NoRoom => Stored::Missing(Index::MOST_FOR_AN_INSERTION),
            Put::NoMemory => Stored::Full,
        }
    }

    /// Puts the entry into the place of another one.
    #[inline]
    pub(super) fn put_over(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        entry: EntryPtr,
        expect: Expect,
    ) -> Put {
        if expect != Expect::Present {
            return self.put(shard, hash, key, entry, expect, Admission::PLAIN);
        }
        // SAFETY: pinned: what the index holds is not freed.
        let matches = move |held: EntryPtr| unsafe { held.read() }.has_key(key);
        shard.index.replace_present(&shard, hash, entry, matches)
    }

    #[inline]
    fn put(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        entry: EntryPtr,
        expect: Expect,
        admission: Admission,
    ) -> Put {
        let index = &shard.index;
        // SAFETY: pinned: what the index holds is not freed.
        let matches = |held: EntryPtr| unsafe { held.read() }.has_key(key);
        index.put(&shard, hash, entry, expect, matches, |word| {
            word.with_main(admission.main).with_round(admission.round)
        })
    }
}

pub(super) fn entry_payload(key: Key<'_>, value: Value<'_>) -> u64 {
    (key.bytes.len() + value.bytes.len()) as u64
}

fn over(word: Word) -> Stored {
    word.entry().map_or(Stored::New, Stored::Over)
}

pub(super) fn check_key(key: Key<'_>) -> Result<(), Error> {
    match key.bytes.len() {
        len if len > MAX_KEY_LEN => Err(Error::KeyTooLong { len }),
        _ => Ok(()),
    }
}

/// The node of the entry that was replaced serves its successor, unless that ends earlier.
fn inherit_timer(guarded: &mut Guarded, hash: u64, old: EntryRef<'_>, new: EntryRef<'_>) {
    let end = guarded.end_of(new);
    if end == 0 {
        return;
    }
    let before = guarded.end_of(old);
    let serves = old.timer() != 0 && before != 0 && before <= end;
    let timer = if serves { old.timer() } else { guarded.wheel.schedule(hash, end) };
    new.set_timer(timer);
}

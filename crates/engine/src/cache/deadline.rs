//! Changing when an entry ends: expire, touch.

use super::Cache;
use crate::config::Error;
use crate::entry::{EntryPtr, EntryRef, Expiry};
use crate::index::{Expect, Host, Put, Shortage};
use crate::key::Key;
use crate::note::NoteRef;
use crate::shard::{Guarded, ShardRef};

impl Cache {
    /// Changes when a live entry ends; whether there was one. [`Expiry::Keep`] changes nothing.
    ///
    /// # Errors
    /// [`Error::Full`] when the wheel, or an entry that had no deadline before, needs memory that the
    /// bound does not leave.
    pub fn expire(&self, key: Key<'_>, expiry: Expiry) -> Result<bool, Error> {
        self.change_deadline(key, |_| expiry)
    }

    /// Has a live entry end when it would if it was stored now; whether there was one. It lives as
    /// long as its note says ([`crate::Note::life`]), or else as `life` does, in milliseconds. What
    /// has no deadline gets none, and where neither is known nothing changes.
    ///
    /// # Errors
    /// [`Error::Full`] when the wheel needs memory that the bound does not leave.
    pub fn touch(&self, key: Key<'_>, life: Option<u64>) -> Result<bool, Error> {
        self.change_deadline(key, |entry| {
            let own = entry.note().and_then(NoteRef::life);
            match (entry.deadline(), own.or(life)) {
                (Some(_), Some(life)) => {
                    Expiry::At(self.clock.now_rounded_up().saturating_add(life))
                }
                _ => Expiry::Keep,
            }
        })
    }

    fn change_deadline(
        &self,
        key: Key<'_>,
        expiry_of: impl Fn(EntryRef<'_>) -> Expiry,
    ) -> Result<bool, Error> {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard_of(hash);
        loop {
            match self.try_change_deadline(shard, hash, key, &expiry_of) {
                Postponed::Done(live) => return Ok(live),
                Postponed::Again => {}
                Postponed::Short(Shortage::Memory) => return Err(Error::Full),
                Postponed::Short(Shortage::Bytes(bytes)) => {
                    self.make_room(shard, bytes)?;
                    shard.release(bytes);
                }
            }
        }
    }

    fn try_change_deadline(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        expiry_of: &impl Fn(EntryRef<'_>) -> Expiry,
    ) -> Postponed {
        let _guard = shard.here.pin();
        let mut guarded = shard.guarded.lock();
        if let Err(shortage) = guarded.wheel.prepare(&shard) {
            return Postponed::Short(shortage);
        }
        // SAFETY: pinned: what the index holds is not freed.
        let same = |entry: EntryPtr| unsafe { entry.read() }.has_key(key);
        let Some(hit) = shard.index.find(hash, same) else { return Postponed::Done(false) };
        // SAFETY: as above.
        let entry = unsafe { hit.entry().read() };
        if self.is_over(entry) {
            let stands = self.stands(shard, hash, key, hit.entry());
            return if stands { Postponed::Done(false) } else { Postponed::Again };
        }
        let expiry = expiry_of(entry);
        if !entry.is_timed() && expiry.deadline(0) != 0 {
            drop(guarded);
            return self.make_timed(shard, hash, key, hit.entry());
        }
        let _changing = shard.changing(hash);
        let deadline = postpone(&mut guarded, hash, entry, expiry);
        guarded.tidy(&shard);
        drop(guarded);
        self.expect_at(deadline, self.grace());
        Postponed::Done(true)
    }

    /// Puts a copy that has room for a deadline into the place of an entry that has none, and of which
    /// nobody is told: nothing that can be read of it changes. The caller is pinned.
    #[cold]
    fn make_timed(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        entry: EntryPtr,
    ) -> Postponed {
        // SAFETY: the caller has found it in the index and is pinned.
        let size = unsafe { entry.read() }.footprint_timed();
        if !shard.charge(size) {
            return Postponed::Short(Shortage::Bytes(size));
        }
        // SAFETY: as above; what has links is timed.
        let Some(copy) = (unsafe { entry.timed_copy(shard.here.spares()) }) else {
            shard.release(size);
            return Postponed::Short(Shortage::Memory);
        };
        match self.put_over(shard, hash, key, copy, Expect::Exactly(entry)) {
            Put::Replaced(_) => shard.retire(entry),
            _ => shard.retire(copy),
        }
        Postponed::Again
    }
}

/// What became of one attempt to change a deadline.
enum Postponed {
    /// Whether there was a live entry.
    Done(bool),
    Again,
    Short(Shortage),
}

/// Gives an entry another deadline, and a node in the wheel if the one that it has fires too late;
/// the deadline that it has then.
fn postpone(guarded: &mut Guarded, hash: u64, entry: EntryRef<'_>, expiry: Expiry) -> u64 {
    let before = entry.raw_deadline();
    let deadline = expiry.deadline(before);
    let is_set = entry.set_deadline(deadline);
    debug_assert!(is_set, "an entry with no room for a deadline");
    if deadline != 0 && (entry.timer() == 0 || before == 0 || deadline < before) {
        let end = guarded.end_of(entry);
        entry.set_timer(guarded.wheel.schedule(hash, end));
    }
    deadline
}

//! Changing when an entry ends: expire, touch.

use super::Cache;
use crate::config::Error;
use crate::entry::{EntryPtr, EntryRef, Expiry};
use crate::index::{Host, Shortage};
use crate::key::Key;
use crate::note::NoteRef;
use crate::shard::Guarded;

impl Cache {
    /// Changes when a live entry ends; whether there was one. [`Expiry::Keep`] changes nothing.
    ///
    /// # Errors
    /// [`Error::Full`] when the wheel needs memory that the bound does not leave.
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
            let guard = shard.here.pin();
            let mut guarded = shard.guarded.lock();
            let Err(shortage) = guarded.wheel.prepare(&shard) else {
                // SAFETY: pinned: what the index holds is not freed.
                let same = |entry: EntryPtr| unsafe { entry.read() }.has_key(key);
                let Some(hit) = shard.index.find(hash, same) else { return Ok(false) };
                // SAFETY: as above.
                let entry = unsafe { hit.entry().read() };
                if self.is_over(entry) {
                    if self.stands(shard, hash, key, hit.entry()) {
                        return Ok(false);
                    }
                    continue;
                }
                let _changing = shard.changing(hash);
                let deadline = postpone(&mut guarded, hash, entry, expiry_of(entry));
                guarded.tidy(&shard);
                drop(guarded);
                self.expect_at(deadline, self.grace());
                return Ok(true);
            };
            drop(guarded);
            drop(guard);
            let Shortage::Bytes(bytes) = shortage else { return Err(Error::Full) };
            self.make_room(shard, bytes)?;
            shard.release(bytes);
        }
    }
}

/// Gives an entry another deadline, and a node in the wheel if the one that it has fires too late;
/// the deadline that it has then.
fn postpone(guarded: &mut Guarded, hash: u64, entry: EntryRef<'_>, expiry: Expiry) -> u64 {
    let before = entry.raw_deadline();
    let deadline = expiry.deadline(before);
    entry.set_deadline(deadline);
    if deadline != 0 && (entry.timer() == 0 || before == 0 || deadline < before) {
        let end = guarded.end_of(entry);
        entry.set_timer(guarded.wheel.schedule(hash, end));
    }
    deadline
}

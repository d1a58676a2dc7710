//! Reading, deciding and writing as one step.

use super::Cache;
use super::store::{Reservation, Stored, check_key, entry_payload};
use crate::config::Error;
use crate::entry::{EntryRef, Expiry, Value};
use crate::index::{Expect, Host};
use crate::key::Key;
use crate::note::{Note, NoteRef};
use crate::shard::ShardRef;
use crate::stats::Count;

/// What [`Cache::update`] does with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Leave it as it is.
    Keep,
    /// Remove it.
    Remove,
    /// Store the bytes that the closure wrote.
    Put {
        /// The value's format.
        format: u8,
        /// When the entry ends.
        expiry: Expiry,
    },
    /// As `Put`, with the note that the live entry has which is replaced: its tags and all.
    Change {
        /// The value's format.
        format: u8,
        /// When the entry ends.
        expiry: Expiry,
    },
}

/// Which entries whoever decides gets to see.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// Those that are not over.
    Live,
    /// Those as well that are, as long as they are kept.
    Kept,
}

impl Cache {
    /// Reads, decides and writes as one step: `f` gets the live entry, if any, and an empty buffer
    /// for the new value. It runs again when another thread was faster.
    ///
    /// # Errors
    /// When the new value cannot be stored; what the key had stays.
    pub fn update<R>(
        &self,
        key: Key<'_>,
        f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Error> {
        self.update_noted(key, None, f)
    }

    /// As [`Cache::update`]; `f` gets an entry as well that is over, as long as its grace lasts.
    ///
    /// # Errors
    /// When the new value cannot be stored; what the key had stays.
    pub fn update_kept<R>(
        &self,
        key: Key<'_>,
        f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Error> {
        self.update_seen(key, None, Sees::Kept, f)
    }

    /// As [`Cache::update`], with the note for a value that is stored.
    ///
    /// # Errors
    /// When the new value cannot be stored, or is older than what the cache knows; what the key had
    /// stays.
    pub fn update_noted<R>(
        &self,
        key: Key<'_>,
        note: Option<&Note>,
        f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Error> {
        self.update_seen(key, note, Sees::Live, f)
    }

    fn update_seen<R>(
        &self,
        key: Key<'_>,
        note: Option<&Note>,
        sees: Sees,
        mut f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Error> {
        check_key(key)?;
        if let Some(note) = note {
            self.draft(note)?;
        }
        self.flights.kill(key);
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard_of(hash);
        let mut out = Vec::new();
        // Charged for the entry to come, from an attempt that found no room.
        let mut granted = 0;
        let mut reservation = Reservation::default();
        let result = loop {
            out.clear();
            let room = (&mut out, &mut granted, &mut reservation);
            match self.try_update(shard, hash, key, (note, sees), &mut f, room) {
                Attempt::Done(result) => break Ok(result),
                Attempt::Again => {}
                Attempt::Missing { size, extra } => {
                    shard.release(std::mem::take(&mut granted));
                    if let Err(error) = self.make_room(shard, size + extra) {
                        break Err(error);
                    }
                    shard.release(extra);
                    granted = size;
                }
                Attempt::Crowded if self.vacate(shard) => reservation.held = true,
                Attempt::Crowded => break Err(Error::Full),
                Attempt::Failed(error) => break Err(error),
            }
        };
        shard.release(granted);
        self.give_back(reservation);
        if result.is_err() {
            self.counters.add(shard.here, Count::Rejected);
        }
        self.flights.kill(key);
        result
    }

    fn try_update<R>(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        (given, sees): (Option<&Note>, Sees),
        f: &mut impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
        (out, granted, reservation): (&mut Vec<u8>, &mut u64, &mut Reservation),
    ) -> Attempt<R> {
        let guard = shard.here.pin();
        // SAFETY: pinned until `guard` is dropped: what the index holds is not freed.
        let held = shard.index.find(hash, |entry| unsafe { entry.read() }.has_key(key));
        let held = held.map(|hit| hit.entry());
        // SAFETY: as above.
        let old = held.map(|entry| unsafe { entry.read() });
        let live = old.filter(|&entry| match sees {
            Sees::Live => !self.is_over(entry),
            Sees::Kept => self.is_kept(entry),
        });
        let over = held.filter(|_| live.is_none());
        if over.is_some_and(|held| !self.stands(shard, hash, key, held)) {
            return Attempt::Again;
        }
        let (edit, result) = f(live, out);
        let (format, expiry) = match edit {
            Edit::Keep => return Attempt::Done(result),
            Edit::Remove => {
                let Some(held) = held else { return Attempt::Done(result) };
                let gone = self.take_exactly(shard, hash, held);
                drop(guard);
                return match gone {
                    Some(entry) => {
                        self.leave_deleted(shard, entry);
                        Attempt::Done(result)
                    }
                    None => Attempt::Again,
                };
            }
            Edit::Put { format, expiry } | Edit::Change { format, expiry } => (format, expiry),
        };
        let held_note = live.filter(|_| matches!(edit, Edit::Change { .. })).and_then(|e| e.note());
        let kept = held_note.map(NoteRef::to_note);
        let note = kept.as_ref().or(given);
        let tagged = live.is_some_and(|entry| entry.is_tagged())
            || note.is_some_and(|note| !note.tags.is_empty());
        let in_order = tagged.then(|| self.tag_order.read());
        let is_older = |held| {
            note.and_then(|note| note.version).is_some_and(|version| self.is_newer(held, version))
        };
        if old.is_some_and(is_older) {
            return Attempt::Failed(Error::Outdated);
        }
        let draft = match note.map(|note| self.draft_in_order(note)) {
            None => None,
            Some(Ok(draft)) => Some(draft),
            // It was invalidated since `f` saw it.
            Some(Err(_)) if kept.is_some() => return Attempt::Again,
            Some(Err(error)) => return Attempt::Failed(error),
        };
        let deadline = expiry.deadline(live.map_or(0, |entry| entry.raw_deadline()));
        let size = self.size_of(key, out.len(), deadline, draft);
        if *granted == size {
            *granted = 0;
        } else if !shard.charge(size) {
            return Attempt::Missing { size, extra: 0 };
        }
        let value = Value { format, bytes: out };
        let entry = match self.create(shard, key, value, deadline, draft, size) {
            Ok(entry) => entry,
            Err(error) => return Attempt::Failed(error),
        };
        let expect = held.map_or(Expect::Absent, Expect::Exactly);
        reservation.keeps = expiry == Expiry::Keep && live.is_some();
        let stored = match live.filter(|&old| self.is_revoked(old)) {
            // It was invalidated since `f` saw it.
            Some(_) => Stored::Refused,
            None => self.store(shard, hash, key, entry, expect, reservation),
        };
        drop(in_order);
        drop(guard);
        let attempt = match stored {
            Stored::New => {
                self.welcome(shard, entry_payload(key, value));
                Attempt::Done(result)
            }
            Stored::Over(old) => {
                self.leave_replaced(shard, old, entry_payload(key, value));
                Attempt::Done(result)
            }
            Stored::Missing(extra) => Attempt::Missing { size, extra },
            Stored::Crowded => Attempt::Crowded,
            Stored::Refused => Attempt::Again,
            Stored::Full => Attempt::Failed(Error::Full),
        };
        match attempt {
            Attempt::Done(_) => self.expect_at(deadline, self.grace()),
            _ => shard.retire(entry),
        }
        attempt
    }
}

/// What became of one attempt of an update.
enum Attempt<R> {
    Done(R),
    Again,
    /// The entry needs `size` bytes, something beside it `extra`.
    Missing {
        size: u64,
        extra: u64,
    },
    Crowded,
    Failed(Error),
}

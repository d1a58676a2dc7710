//! Reading, deciding and writing as one step.

use super::Cache;
use super::store::{Slot, Stored, check_key, entry_payload};
use crate::config::Error;
use crate::entry::{EntryRef, Expiry, LAST_DEADLINE, Value, end_after};
use crate::index::{Expect, Host};
use crate::key::Key;
use crate::shard::Place;
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
        mut f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Error> {
        check_key(key)?;
        self.flights.kill(key);
        let hash = self.hasher.hash(key);
        let place = self.place(hash);
        let mut out = Vec::new();
        // Charged for the entry to come, from an attempt that found no room.
        let mut granted = 0;
        let mut slot = Slot::default();
        let result = loop {
            out.clear();
            match self.try_update(place, hash, key, &mut f, &mut out, &mut granted, &mut slot) {
                Attempt::Done(result) => break Ok(result),
                Attempt::Again => {}
                Attempt::Missing { size, extra } => {
                    place.release(std::mem::take(&mut granted));
                    if let Err(error) = self.make_room(place, size + extra) {
                        break Err(error);
                    }
                    place.release(extra);
                    granted = size;
                }
                Attempt::Crowded if self.vacate(place) => slot.held = true,
                Attempt::Crowded => break Err(Error::Full),
                Attempt::Failed(error) => break Err(error),
            }
        };
        place.release(granted);
        self.give_back(slot);
        if result.is_err() {
            self.counters.add(place.here, Count::Rejected);
        }
        self.flights.kill(key);
        result
    }

    #[expect(clippy::too_many_arguments, reason = "one attempt of `update`, which owns the state")]
    fn try_update<R>(
        &self,
        place: Place<'_>,
        hash: u64,
        key: Key<'_>,
        f: &mut impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
        out: &mut Vec<u8>,
        granted: &mut u64,
        slot: &mut Slot,
    ) -> Attempt<R> {
        let guard = place.here.pin();
        // SAFETY: pinned until `guard` is dropped: what the index holds is not freed.
        let held = place.shard.index.find(hash, |entry| unsafe { entry.read() }.has_key(key));
        let held = held.map(|hit| hit.entry());
        // SAFETY: as above.
        let old = held.map(|entry| unsafe { entry.read() });
        let live = old.filter(|&entry| !self.is_over(entry));
        let (edit, result) = f(live, out);
        let (format, expiry) = match edit {
            Edit::Keep => return Attempt::Done(result),
            Edit::Remove => {
                let Some(held) = held else { return Attempt::Done(result) };
                let gone = self.take_exactly(place, hash, held);
                drop(guard);
                return match gone {
                    Some(entry) => {
                        self.leave_deleted(place, entry);
                        Attempt::Done(result)
                    }
                    None => Attempt::Again,
                };
            }
            Edit::Put { format, expiry } => (format, expiry),
        };
        let deadline = match expiry {
            Expiry::Never => 0,
            Expiry::At(at) => at.clamp(1, LAST_DEADLINE),
            Expiry::Keep => live.map_or(0, |entry| entry.raw_deadline()),
        };
        let size = self.size_of(key, out.len(), None);
        if *granted == size {
            *granted = 0;
        } else if !place.charge(size) {
            return Attempt::Missing { size, extra: 0 };
        }
        let value = Value { format, bytes: out };
        let entry = match self.create(place, key, value, deadline, None, size) {
            Ok(entry) => entry,
            Err(error) => return Attempt::Failed(error),
        };
        let expect = held.map_or(Expect::Absent, Expect::Exactly);
        slot.keeps = expiry == Expiry::Keep && live.is_some();
        let stored = self.store(place, hash, key, entry, expect, slot);
        drop(guard);
        let attempt = match stored {
            Stored::New => {
                self.welcome(place, entry_payload(key, value), Some(Count::Sets));
                Attempt::Done(result)
            }
            Stored::Over(old) => {
                self.leave_replaced(place, old, entry_payload(key, value), Some(Count::Sets));
                Attempt::Done(result)
            }
            Stored::Missing(extra) => Attempt::Missing { size, extra },
            Stored::Crowded => Attempt::Crowded,
            Stored::Refused => Attempt::Again,
        };
        match attempt {
            Attempt::Done(_) => self.expect_at(end_after(deadline, self.grace)),
            _ => place.bury(entry),
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

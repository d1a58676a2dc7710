//! Reading, deciding and writing as one step.

use super::Cache;
use super::store::{Reservation, Stored, check_key, entry_payload};
use crate::config::Error;
use crate::entry::{EntryRef, Expiry, LAST_DEADLINE, Value};
use crate::index::{Expect, Host};
use crate::key::Key;
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
        let shard = self.shard_of(hash);
        let mut out = Vec::new();
        // Charged for the entry to come, from an attempt that found no room.
        let mut granted = 0;
        let mut reservation = Reservation::default();
        let result = loop {
            out.clear();
            match self.try_update(
                shard,
                hash,
                key,
                &mut f,
                &mut out,
                &mut granted,
                &mut reservation,
            ) {
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

    #[expect(clippy::too_many_arguments, reason = "one attempt of `update`, which owns the state")]
    fn try_update<R>(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        f: &mut impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
        out: &mut Vec<u8>,
        granted: &mut u64,
        reservation: &mut Reservation,
    ) -> Attempt<R> {
        let guard = shard.here.pin();
        // SAFETY: pinned until `guard` is dropped: what the index holds is not freed.
        let held = shard.index.find(hash, |entry| unsafe { entry.read() }.has_key(key));
        let held = held.map(|hit| hit.entry());
        // SAFETY: as above.
        let old = held.map(|entry| unsafe { entry.read() });
        let live = old.filter(|&entry| !self.is_over(entry));
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
        } else if !shard.charge(size) {
            return Attempt::Missing { size, extra: 0 };
        }
        let value = Value { format, bytes: out };
        let entry = match self.create(shard, key, value, deadline, None, size) {
            Ok(entry) => entry,
            Err(error) => return Attempt::Failed(error),
        };
        let expect = held.map_or(Expect::Absent, Expect::Exactly);
        reservation.keeps = expiry == Expiry::Keep && live.is_some();
        let in_order = live.filter(EntryRef::is_tagged).map(|_| self.tag_order.read());
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
            Stored::Failed(error) => Attempt::Failed(error),
        };
        match attempt {
            Attempt::Done(_) => self.expect_at(deadline, self.grace),
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

//! The short way of a set: a small value without a deadline takes the place of another one of its
//! key, while no table grows and room is at hand. Policy and wheel need not know.
//!
//! What is seldom needed is called and not inlined.

use super::Cache;
use crate::config::Error;
use crate::entry::{EntryPtr, Value};
use crate::index::{Host, Put};
use crate::key::{Key, MAX_KEY_LEN};
use crate::shard::ShardRef;

/// Values of up to so many bytes take the short way.
const SMALL: usize = 2048;

/// Why a value did not take the short way: what had been made for it, and whether its key had nothing to
/// replace.
struct Detour {
    made: Option<EntryPtr>,
    is_new: bool,
}

impl Cache {
    /// As [`Cache::set`], with no deadline; not for `lru`.
    #[inline]
    pub(super) fn set_lasting(&self, key: Key<'_>, value: Value<'_>) -> Result<bool, Error> {
        self.flights.kill(key);
        let hash = self.shared.hasher.hash(key);
        let stored = match self.replace(self.shard_of(hash), hash, key, value) {
            Ok(live) => Ok(live),
            Err(Detour { made, is_new }) => self.set_made(hash, key, value, made, is_new),
        };
        self.flights.kill(key);
        stored
    }

    /// Whether the value that was replaced was still alive.
    #[inline(always)]
    fn replace(
        &self,
        shard: ShardRef<'_>,
        hash: u64,
        key: Key<'_>,
        value: Value<'_>,
    ) -> Result<bool, Detour> {
        let is_small = key.bytes.len() <= MAX_KEY_LEN && value.bytes.len() <= SMALL;
        let payload = key.bytes.len() + value.bytes.len();
        let size = EntryPtr::footprint(false, payload);
        let guard = shard.here.pin();
        shard.index.expect_bucket(hash);
        let lane = shard.lane(&guard);
        if !is_small || !shard.charge_to(lane, size as u64) {
            return Err(Detour { made: None, is_new: false });
        }
        let spares = shard.here.spares();
        let Some(entry) = EntryPtr::create(spares, size, false, key, value, 0, None) else {
            shard.release(size as u64);
            return Err(Detour { made: None, is_new: false });
        };
        // SAFETY: pinned: what the index holds is not freed.
        let matches = move |held: EntryPtr| unsafe { held.read() }.has_key(key);
        let old = match shard.index.replace_at_once(&shard, hash, entry, matches) {
            Some(Put::Replaced(word)) => word.entry(),
            Some(_) => return Err(Detour { made: Some(entry), is_new: true }),
            None => return Err(Detour { made: Some(entry), is_new: false }),
        };
        let Some(old) = old else { return Ok(false) };
        if !self.is_untold(shard, old, payload as u64) {
            drop(guard);
            return Ok(self.leave_told(shard.here, shard.shard, old));
        }
        if let Some(lane) = lane {
            shard.retire_to(lane, &guard, old);
        } else {
            drop(guard);
            shard.retire(old);
        }
        Ok(true)
    }
}

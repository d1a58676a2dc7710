//! Making room: charging bytes, evicting, and changing the bounds.

use super::Cache;
use crate::config::{ConfigError, Error, Policy};
use crate::entry::EntryPtr;
use crate::index::Host;
use crate::lane::Lane;
use crate::policy::Eviction;
use crate::removal::Reason;
use crate::shard::{Shard, ShardRef};
use crate::stats::Count;
use crate::thread;
use std::ptr;
use std::time::Duration;

/// Evicting a little more at a time than one entry needs spares most of the looking around: so
/// much of the bound, and so many bytes at most.
const BATCH_SHARE: u64 = 512;
const MAX_BATCH: u64 = 32 * 1024;

/// How often a writer gives up its turn for a reader that keeps removed bytes from being freed,
/// before it begins to sleep; how long it sleeps each time; and how often before it gives up.
/// Evicting more instead would empty the cache while one reader has lost its processor.
const YIELDS: u32 = 64;
const NAP: Duration = Duration::from_micros(100);
const NAPS: u32 = 50_000;
/// How many of these naps are for another thread that has taken entries out, or charged what it has not
/// stored yet, and has lost its processor on a busy machine: some 0.1 s.
const LOST: u32 = 1_000;

/// How often readers who keep copies are asked what they use, while all entries are replaced.
const PRESSES_A_TURNOVER: u64 = 64;

/// Insertions between two looks at whether a table can be freed.
const TABLE_CHECK: u64 = 64;

impl Cache {
    /// Charges `bytes` to the shard, evicting until they are there. Not pinned, no lock held.
    #[cold]
    pub(super) fn make_room(&self, shard: ShardRef<'_>, bytes: u64) -> Result<(), Error> {
        thread::assert_unpinned();
        let cap = self.shared.ledger.cap();
        let fixed = self.shards.len() as u64 * Shard::first_charge() + self.price_of_extras();
        let most = cap.saturating_sub(fixed);
        if bytes > most {
            return Err(Error::TooLarge { size: bytes, max: most });
        }
        let batch = bytes.max((cap / BATCH_SHARE).min(MAX_BATCH));
        let mut waits = 0;
        loop {
            let mut more = shard.collect(&self.shared.ledger);
            if shard.charge(bytes) {
                return Ok(());
            }
            more |= self.call_in();
            if shard.charge(bytes) {
                return Ok(());
            }
            if more {
                continue;
            }
            let pending = self.pending();
            let gives = || shard.limbo.take_lanes(&self.shared.lanes, Lane::has_bytes);
            if pending < bytes && (self.evict_bytes(shard, batch) || self.drop_tables() || gives())
            {
                waits = 0;
            } else if (pending == 0 && !self.may_be_on_its_way(waits)) || !wait(&mut waits) {
                return Err(Error::Full);
            }
        }
    }

    /// Whether what another thread has charged and not stored yet, or removed and not freed yet,
    /// is worth waiting for. It has only to run for a moment, once it runs.
    fn may_be_on_its_way(&self, waits: u32) -> bool {
        self.policy != Policy::None && waits < YIELDS + LOST
    }

    /// Where entries are evicted, outgrown tables have to give way to them as well. Once: a table
    /// that has its first size again stays.
    fn drop_tables(&self) -> bool {
        self.policy != Policy::None && self.shard_refs().any(has_grown) && self.shrink()
    }

    /// Bytes that were removed, and are freed once nobody reads them any more.
    fn pending(&self) -> u64 {
        self.shards.iter().map(|shard| shard.limbo.bytes()).sum()
    }

    /// Frees some of what can be freed and calls in the leases, of every shard; whether there may be
    /// more to free.
    fn call_in(&self) -> bool {
        let (mut more, mut horizon) = (false, None);
        for shard in &self.shards {
            more |= shard.collect_below(&self.shared.ledger, &mut horizon);
            shard.account.surrender(&self.shared.ledger, 0);
        }
        more
    }

    /// Evicts entries of at least so many bytes, from this shard first; whether there was one.
    fn evict_bytes(&self, shard: ShardRef<'_>, bytes: u64) -> bool {
        if self.policy == Policy::None {
            // What has come to its end need not be kept.
            return self.sweep() | self.purge();
        }
        let mut evicted = 0;
        while evicted < bytes {
            let Some((from, victim)) = self.evict_near(shard) else { break };
            // SAFETY: out of the index and ours to retire.
            evicted += unsafe { victim.read() }.payload().max(1);
            self.entry_ledger.give(1);
            self.leave_evicted(from, victim);
        }
        evicted > 0
    }

    /// Evicts one entry, whose count in the entry ledger is the caller's then; false if there is
    /// none to evict.
    #[cold]
    pub(super) fn vacate(&self, shard: ShardRef<'_>) -> bool {
        let mut waits = 0;
        loop {
            if let Some((from, victim)) = self.evict_near(shard) {
                self.leave_evicted(from, victim);
                return true;
            }
            if self.entry_ledger.take(1) {
                return true;
            }
            // Other threads have taken the rest of the ledger, for entries that they are about to
            // store.
            if self.policy == Policy::None || !wait(&mut waits) {
                return false;
            }
        }
    }

    /// Takes an entry out of the index: of this shard, or else of the next one that has any.
    fn evict_near<'a>(&'a self, shard: ShardRef<'a>) -> Option<(ShardRef<'a>, EntryPtr)> {
        if let Some(victim) = self.evict_from(shard) {
            return Some((shard, victim));
        }
        if self.policy == Policy::None {
            // What has come to its end need not be kept.
            self.sweep();
            self.purge();
            return None;
        }
        self.shards.iter().map(|shard| self.shard_ref(shard)).find_map(|shard| {
            let victim = self.evict_from(shard)?;
            Some((shard, victim))
        })
    }

    fn evict_from(&self, shard: ShardRef<'_>) -> Option<EntryPtr> {
        loop {
            // Each step has lock and pin for itself.
            match self.evict_step(shard) {
                Eviction::Victim(victim) => return Some(victim),
                Eviction::Again => {}
                Eviction::Nothing => return None,
            }
        }
    }

    fn evict_step(&self, shard: ShardRef<'_>) -> Eviction {
        let _guard = shard.here.pin();
        let mut guarded = shard.guarded.lock();
        let entries = shard.entries();
        let eviction = guarded.order.evict(&shard.index, &shard, entries);
        if !matches!(eviction, Eviction::Victim(_)) {
            return eviction;
        }
        if let Some(versions) = &self.shared.versions
            && ptr::eq(shard.shard, &self.shards[0])
        {
            // One shard stands for all.
            guarded.evicted += 1;
            if guarded.evicted * PRESSES_A_TURNOVER >= entries {
                guarded.evicted = 0;
                versions.press();
            }
        }
        eviction
    }

    fn leave_evicted(&self, shard: ShardRef<'_>, victim: EntryPtr) {
        // SAFETY: out of the index and ours to retire.
        let victim_read = unsafe { victim.read() };
        let (count, reason) = self.farewell(victim_read, Count::Evictions, Reason::Evicted);
        self.counters.add(shard.here, count);
        self.leave_vacated(shard, victim, reason);
    }

    /// Doubles the index of a shard that has become crowded.
    #[inline]
    pub(super) fn grow_if_crowded(&self, shard: ShardRef<'_>) {
        let entries = shard.entries();
        if entries.is_multiple_of(TABLE_CHECK) && shard.limbo.bytes() > 0 {
            // A table that was outgrown is large, and no other garbage may follow it.
            shard.collect(&self.shared.ledger);
        }
        let guard = shard.here.pin();
        let crowded = shard.index.is_crowded(entries, 1);
        drop(guard);
        if crowded {
            self.grow(shard, entries);
        }
    }

    #[cold]
    fn grow(&self, shard: ShardRef<'_>, entries: u64) {
        let index = &shard.index;
        let guard = shard.here.pin();
        let bytes = index.growth();
        let far_too_small = index.is_crowded(entries, 2);
        if self.shared.ledger.cap().saturating_sub(self.shared.ledger.used()) >= bytes
            && index.grow(&shard)
        {
            return;
        }
        drop(guard);
        // Overflow buckets serve for a while: only a table half as large as it should be is worth
        // evicting entries for.
        if far_too_small && self.policy != Policy::None && self.make_room(shard, bytes).is_ok() {
            shard.release(bytes);
            let _guard = shard.here.pin();
            index.grow(&shard);
        }
    }

    /// Changes the bounds, and evicts what no longer fits.
    ///
    /// # Errors
    /// When a bound is out of its range, or the policy is `none` and what is there does not fit:
    /// the bounds stay as they were.
    pub fn resize(
        &self,
        max_entries: Option<u64>,
        max_bytes: Option<u64>,
    ) -> Result<(), ConfigError> {
        super::check(max_entries, max_bytes)?;
        thread::assert_unpinned();
        let _overall = self.overall.lock();
        let (entries, bytes) = (max_entries.unwrap_or(u64::MAX), max_bytes.unwrap_or(u64::MAX));
        let before = (self.entry_ledger.cap(), self.shared.ledger.cap());
        self.entry_ledger.set_cap(entries);
        self.shared.ledger.set_cap(bytes);
        if bytes < before.1 {
            self.shard_refs().for_each(|shard| shard.guarded.lock().order.shrink(&shard));
        }
        while self.entry_ledger.used() > entries && self.evict_anywhere() {}
        // The new bound is their measure.
        let take_lanes = || self.shards[0].limbo.take_lanes(&self.shared.lanes, |_| true);
        take_lanes();
        let mut waits = 0;
        loop {
            let more = self.call_in();
            if self.shared.ledger.used() <= bytes {
                break;
            }
            if more {
                continue;
            }
            let excess = self.shared.ledger.used().saturating_sub(bytes);
            let goes_on = if self.pending() >= excess {
                wait(&mut waits)
            } else {
                self.evict_anywhere()
                    || self.shards[0].limbo.take_lanes(&self.shared.lanes, Lane::has_bytes)
                    || self.shrink_to(bytes, before.1)
                    || (self.pending() > 0 && wait(&mut waits))
            };
            if !goes_on {
                break;
            }
        }
        let (option, value) = if self.entry_ledger.used() > entries {
            ("max_entries", entries)
        } else if self.shared.ledger.used() > bytes {
            ("max_bytes", bytes)
        } else {
            return Ok(());
        };
        self.entry_ledger.set_cap(before.0);
        self.shared.ledger.set_cap(before.1);
        take_lanes();
        let allowed = "no less than what is there already and cannot be evicted";
        Err(ConfigError { option, value: value.to_string(), allowed })
    }

    /// Evicts one entry of the fullest shard.
    fn evict_anywhere(&self) -> bool {
        let fullest = self.shards.iter().max_by_key(|shard| shard.payload());
        let Some(shard) = fullest.map(|shard| self.shard_ref(shard)) else { return false };
        match self.evict_near(shard) {
            Some((from, victim)) => {
                self.entry_ledger.give(1);
                self.leave_evicted(from, victim);
                true
            }
            None => false,
        }
    }

    /// As [`Cache::shrink`], where more is taken than the new bound: the small tables have to be paid
    /// before the large ones are gone, out of the old bound.
    fn shrink_to(&self, bound: u64, before: u64) -> bool {
        let ledger = &self.shared.ledger;
        let small = self.shards.len() as u64 * Shard::first_charge();
        ledger.set_cap(ledger.used().saturating_add(small).min(before));
        let shrunk = self.shrink();
        ledger.set_cap(bound);
        shrunk
    }

    /// Drops the tables of shards that have no entries; whether that freed anything.
    fn shrink(&self) -> bool {
        let before = self.shared.ledger.used();
        for shard in self.shard_refs().filter(|shard| shard.entries() == 0 && has_grown(*shard)) {
            self.drop_tables_of(shard);
        }
        while self.call_in() {}
        self.shared.ledger.used() < before
    }
}

/// Whether the shard's table is larger than its first one.
fn has_grown(shard: ShardRef<'_>) -> bool {
    let _guard = shard.here.pin();
    shard.index.footprint() > Shard::first_charge()
}

/// Lets readers go on; false once it has waited in vain for seconds.
fn wait(waits: &mut u32) -> bool {
    *waits += 1;
    match *waits {
        ..=YIELDS => std::thread::yield_now(),
        _ => std::thread::sleep(NAP),
    }
    *waits < YIELDS + NAPS
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::entry::{Expiry, Value};
    use crate::key::Key;

    #[test]
    fn a_bound_is_lowered_below_what_the_tables_took() {
        for policy in [Policy::Lfu, Policy::Lru, Policy::Random, Policy::Auto] {
            let config =
                Config { policy, max_bytes: Some(64 << 20), shards: Some(4), ..Config::default() };
            let cache = Cache::new(config).unwrap();
            let set = |n: u32| {
                cache.set(Key::bytes(&n.to_le_bytes()), Value::bytes(&[7; 8]), Expiry::Never)
            };
            (0..10_000).for_each(|n| _ = set(n).unwrap());
            cache.resize(None, Some(16 << 10)).unwrap();
            assert!(cache.bytes() <= 16 << 10);
            set(1).unwrap();
            cache.audit().unwrap();
        }
    }

    #[test]
    fn lanes_are_measured_by_the_bound_that_there_is() {
        const SMALL: u64 = 64 << 10;
        let config = Config {
            policy: Policy::None,
            max_bytes: Some(SMALL),
            shards: Some(1),
            ..Config::default()
        };
        let cache = Cache::new(config).unwrap();
        let shard = cache.shard_ref(&cache.shards[0]);
        // Where many tests run at once, threads may share their stripe, which has no lane.
        let takes = || shard.lane(&shard.here.pin()).map(|lane| lane.takes(200));
        assert_ne!(takes(), Some(true));
        cache.resize(None, Some(1 << 30)).unwrap();
        assert_ne!(takes(), Some(false));
        cache.set(Key::bytes(b"key"), Value::bytes(&[7; 2 << 16]), Expiry::Never).unwrap();
        cache.resize(None, Some(SMALL)).unwrap_err();
        assert_ne!(takes(), Some(false));
        cache.clear();
        cache.resize(None, Some(SMALL)).unwrap();
        assert_ne!(takes(), Some(true));
        cache.audit().unwrap();
    }
}

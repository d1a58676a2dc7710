//! The cache: shards behind one face. This file builds it and reads from it; `write`, `update`,
//! `conditional` and `deadline` change a key, through `store`. `freshness`, `near` and `info` serve
//! readers who want to know more, `liveness` tells whether an entry is there, `tags` ends many at
//! once, `leave` is how entries go, `room` makes room for others, `upkeep` does what time asks for,
//! `scan` visits them all, `choice` tells what `auto` has chosen, `audit` checks the books.

mod audit;
mod choice;
mod conditional;
mod deadline;
mod freshness;
mod info;
mod leave;
mod liveness;
mod near;
mod replace;
mod room;
mod scan;
#[cfg(all(test, not(loom)))]
mod scarce;
mod store;
mod tags;
mod update;
mod upkeep;
mod write;

pub use choice::Choice;
pub use freshness::{Found, Freshness};
pub use info::Info;
pub use update::Edit;

use liveness::Look;

use crate::clock::Clock;
use crate::config::{Config, ConfigError, Policy, Weigh};
use crate::entry::{EntryRef, LAST_DEADLINE};
use crate::flight::FlightTable;
use crate::hash::KeyHasher;
use crate::hot::{HotKey, HotKeys};
use crate::index::{Hit, Samples};
use crate::key::{Key, KeyKind};
use crate::lane::{Lane, Lanes};
use crate::ledger::Ledger;
use crate::policy::Scale;
use crate::removal::{Listeners, RemovalListener};
use crate::shard::{Shard, ShardRef, Shared};
use crate::stats::{Count, Counters, SAMPLE, Stats};
use crate::tags::Tags;
use crate::thread::{self, Thread};
use crate::versions::Versions;
use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The smallest `max_bytes`.
const MIN_BYTES: u64 = 4_096;

/// The most shards.
const MAX_SHARDS: usize = 256;

/// Keys that the processor fetches at once.
const EXPECTED: usize = 16;

/// Keys that the hot-key table follows.
const HOT_KEYS: usize = 512;

/// A key that is going to be read: see [`Cache::expect_soon`].
#[derive(Clone, Copy, Debug)]
pub struct Expected(u64);

type Alarm = Arc<dyn Fn() + Send + Sync>;

/// A cache that any number of threads use at once.
///
/// Reads take no lock. What a closure is handed is valid until it returns: it copies what it wants
/// to keep, and does not call back into the cache.
///
/// ```
/// use breakwater_engine::{Cache, Config, Expiry, Key, Value};
///
/// let cache = Cache::new(Config { max_bytes: Some(1 << 20), ..Config::default() })?;
/// let key = Key::bytes(b"user:42");
/// cache.set(key, Value::bytes(b"Ada"), Expiry::At(cache.clock().now() + 60_000)).unwrap();
/// assert_eq!(cache.get(key, |entry| entry.value().bytes.to_vec()), Some(b"Ada".to_vec()));
/// # Ok::<(), breakwater_engine::ConfigError>(())
/// ```
pub struct Cache {
    shards: Box<[Shard]>,
    shared: Shared,
    /// Entries.
    entry_ledger: Ledger,
    clock: Clock,
    policy: Policy,
    weigh: Weigh,
    scale: Scale,
    /// Milliseconds that entries stay after their deadline.
    grace: AtomicU64,
    counters: Counters,
    hot: CachePadded<HotKeys>,
    listeners: Listeners,
    alarm: RwLock<Option<Alarm>>,
    /// When [`Cache::maintain`] is to be called next, in milliseconds of the clock.
    wake_at: AtomicU64,
    flights: FlightTable,
    tags: Tags,
    /// Held while an entry with tags is stored, and alone while a tag is invalidated.
    tag_order: RwLock<()>,
    /// Serialises `clear` and `resize`, which look at all shards.
    overall: Mutex<()>,
}

impl Cache {
    /// A new, empty cache.
    ///
    /// # Errors
    /// When an option is out of its range, or a bound is missing that the policy needs.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        check(config.max_entries, config.max_bytes)?;
        let shards = match config.shards {
            None => suitable_shards(&config),
            Some(n) if n.is_power_of_two() && n <= MAX_SHARDS => n,
            Some(n) => {
                return Err(ConfigError {
                    option: "shards",
                    value: n.to_string(),
                    allowed: "a power of two from 1 to 256",
                });
            }
        };
        let grace = config.grace.min(LAST_DEADLINE);
        let ledger = Ledger::new(config.max_bytes.unwrap_or(u64::MAX));
        let scale = Scale::of(&config);
        let shards: Option<Box<[Shard]>> =
            (0..shards).map(|_| Shard::new(config.policy, scale, grace)).collect();
        let Some(shards) = shards else {
            return Err(ConfigError {
                option: "shards",
                value: config.shards.unwrap_or_default().to_string(),
                allowed: "few enough for the memory that the system has left",
            });
        };
        if !shards.iter().all(|shard| shard.account.charge(&ledger, Shard::first_charge())) {
            return Err(ConfigError {
                option: "shards",
                value: shards.len().to_string(),
                allowed: "few enough for max_bytes: 512 bytes each",
            });
        }
        let versions =
            config.near_copies.then(|| Versions::new(config.max_entries, config.max_bytes));
        let footprint = versions.as_ref().map_or(0, Versions::footprint);
        if !shards[0].account.charge(&ledger, footprint) {
            return Err(ConfigError {
                option: "max_bytes",
                value: config.max_bytes.unwrap_or_default().to_string(),
                allowed: "enough for the versions that near copies need",
            });
        }
        Ok(Self {
            shards,
            shared: Shared {
                ledger,
                hasher: KeyHasher::new(),
                versions: versions.map(Arc::new),
                lanes: Lanes::new(),
                samples: Samples::default(),
            },
            entry_ledger: Ledger::new(config.max_entries.unwrap_or(u64::MAX)),
            clock: config.clock,
            policy: config.policy,
            weigh: config.weigh,
            scale,
            grace: AtomicU64::new(grace),
            counters: Counters::default(),
            hot: CachePadded::new(HotKeys::new(HOT_KEYS)),
            listeners: Listeners::default(),
            alarm: RwLock::new(None),
            wake_at: AtomicU64::new(u64::MAX),
            flights: FlightTable::new(),
            tags: Tags::new(config.max_bytes),
            tag_order: RwLock::new(()),
            overall: Mutex::new(()),
        })
    }

    /// The clock that deadlines are measured on.
    #[inline]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The eviction policy.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// What the policy `auto` weighs.
    pub fn weigh(&self) -> Weigh {
        self.weigh
    }

    /// The bounds as they are: entries and bytes.
    pub fn bounds(&self) -> (Option<u64>, Option<u64>) {
        let bound = |ledger: &Ledger| Some(ledger.cap()).filter(|&cap| cap != u64::MAX);
        (bound(&self.entry_ledger), bound(&self.shared.ledger))
    }

    #[inline]
    fn shard_at(&self, hash: u64) -> &Shard {
        let at = (hash >> 42) as usize & (self.shards.len() - 1);
        // SAFETY: the mask of a power of two keeps the position below the length.
        unsafe { self.shards.get_unchecked(at) }
    }

    #[inline]
    fn shard_of(&self, hash: u64) -> ShardRef<'_> {
        self.shard_ref(self.shard_at(hash))
    }

    #[inline]
    fn shard_ref<'a>(&'a self, shard: &'a Shard) -> ShardRef<'a> {
        ShardRef { here: thread::here(), shard, shared: &self.shared }
    }

    /// These keys are going to be read, in a moment: a hint that has the processor fetch them all at
    /// once, where the reads would wait for one after the other. Counts nothing.
    #[inline]
    pub fn expect(&self, keys: &[Key<'_>]) {
        let _guard = thread::here().pin();
        let mut hashes = [0; EXPECTED];
        for keys in keys.chunks(EXPECTED) {
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = self.shared.hasher.hash(*key);
                self.shard_of(*hash).index.expect_bucket(*hash);
            }
            for hash in &hashes[..keys.len()] {
                self.shard_of(*hash).index.expect_entry(*hash);
            }
        }
    }

    /// As [`Cache::expect`], of one key and in two steps, between which its caller does something else:
    /// the second one has what it needs of the first by then.
    #[inline]
    pub fn expect_soon(&self, key: Key<'_>) -> Expected {
        let _guard = thread::here().pin();
        let hash = self.shared.hasher.hash(key);
        self.shard_at(hash).index.expect_bucket(hash);
        Expected(hash)
    }

    /// The second step of [`Cache::expect_soon`].
    #[inline]
    pub fn expect_now(&self, Expected(hash): Expected) {
        let _guard = thread::here().pin();
        self.shard_at(hash).index.expect_entry(hash);
    }

    /// Hands the entry to `f`, counts a hit or a miss, and tells the policy.
    #[inline]
    pub fn get<R>(&self, key: Key<'_>, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        self.get_hashed(self.shared.hasher.hash(key), key, f)
    }

    /// As [`Cache::get`], by a time that was read from the clock just now: many reads in a row need not
    /// ask what time it is.
    #[inline]
    pub fn get_at<R>(
        &self,
        key: Key<'_>,
        now: u64,
        f: impl FnOnce(EntryRef<'_>) -> R,
    ) -> Option<R> {
        let (here, hash) = (thread::here(), self.shared.hasher.hash(key));
        let live = |entry: EntryRef<'_>| entry.is_plain() || !self.is_over_at(entry, now);
        let found = self.read_if(here, hash, key, true, |entry| live(entry).then_some(entry), f);
        self.count_read(here, hash, key, found.is_some());
        found
    }

    #[inline]
    fn get_hashed<R>(
        &self,
        hash: u64,
        key: Key<'_>,
        f: impl FnOnce(EntryRef<'_>) -> R,
    ) -> Option<R> {
        let here = thread::here();
        let found = self.read(here, hash, key, true, f);
        self.count_read(here, hash, key, found.is_some());
        found
    }

    #[inline]
    fn count_read(&self, here: Thread, hash: u64, key: Key<'_>, hit: bool) {
        if !hit {
            self.counters.add(here, Count::Misses);
        } else if self.counters.add_hit(here) {
            self.sample(hash, key.kind, key.bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn sample(&self, hash: u64, kind: KeyKind, bytes: &[u8]) {
        self.hot.record(hash, Key { kind, bytes }, SAMPLE as u32);
    }

    /// As [`Cache::get`], but nothing is counted and the policy is not told.
    #[inline]
    pub fn peek<R>(&self, key: Key<'_>, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        self.read(thread::here(), self.shared.hasher.hash(key), key, false, f)
    }

    /// The policy is told of so many reads of the key, which were made elsewhere and count nowhere.
    pub fn note_reads(&self, key: Key<'_>, times: u8) {
        let (here, hash) = (thread::here(), self.shared.hasher.hash(key));
        for _ in 0..times {
            self.read(here, hash, key, true, |_| ());
        }
    }

    #[inline]
    fn read<R>(
        &self,
        here: Thread,
        hash: u64,
        key: Key<'_>,
        tell: bool,
        f: impl FnOnce(EntryRef<'_>) -> R,
    ) -> Option<R> {
        let live = |entry: EntryRef<'_>| entry.is_plain() || !self.is_over(entry);
        self.read_if(here, hash, key, tell, |entry| live(entry).then_some(entry), f)
    }

    /// Hands what `see` makes of the key's entry to `f`; `None` if it is nothing to see. The entry
    /// may be freed once `f` has returned.
    ///
    /// What is rarely needed is called and not inlined, and is handed the parts of the key, which can
    /// be in registers: a pointer to the key would keep it in memory.
    #[inline]
    fn read_if<'a, S, R>(
        &'a self,
        here: Thread,
        hash: u64,
        key: Key<'_>,
        tell: bool,
        see: impl Fn(EntryRef<'a>) -> Option<S>,
        f: impl FnOnce(S) -> R,
    ) -> Option<R> {
        let guard = here.pin();
        let index = &self.shard_at(hash).index;
        // Always: the compiler would call it, since who looks behind a bucket has it as well.
        let mut hit = index.find(
            hash,
            #[inline(always)]
            move |entry| {
                entry.expect_rest();
                // SAFETY: pinned: what the index holds is not freed.
                unsafe { entry.read() }.has_key(key)
            },
        )?;
        // SAFETY: as above.
        let mut found = see(unsafe { hit.entry().read() });
        let seen = loop {
            if let Some(seen) = found {
                break seen;
            }
            match self.look_again(hash, key.kind, key.bytes, hit.entry()) {
                Look::Another(another) => hit = another,
                Look::Over { is_gone } => {
                    drop(guard);
                    if is_gone {
                        self.drop_expired_key(hash, key.kind, key.bytes);
                    }
                    return None;
                }
            }
            // SAFETY: as above.
            found = see(unsafe { hit.entry().read() });
        };
        if tell && hit.is_to_be_told(self.shared.samples.densest()) {
            self.tell(here, hash, hit);
        }
        Some(f(seen))
    }

    /// Tells the policy of a read. The caller is pinned.
    #[inline(never)]
    fn tell(&self, here: Thread, hash: u64, hit: Hit<'_>) {
        match self.policy {
            Policy::Lfu => hit.count_read(),
            Policy::Auto => {
                hit.count_read();
                self.tell_shadows(here, hash);
            }
            Policy::Lru => {
                // Taken: another thread tells the policy. Exact with one, near with many.
                if let Some(mut guarded) = self.shard_at(hash).guarded.try_lock() {
                    guarded.order.touched(hit.entry());
                }
            }
            Policy::Random | Policy::None => {}
        }
    }

    /// Notes a read of a key of the sample of `auto`, or several together, for the next eviction to tell
    /// the shadows of.
    #[inline]
    pub(super) fn tell_shadows(&self, here: Thread, hash: u64) {
        if self.shared.samples.densest().has(hash) {
            let reads = here.repeats(hash);
            if reads > 0
                && let Some(backlog) = &self.shard_at(hash).backlog
            {
                backlog.note(hash, reads);
            }
        }
    }

    /// Whether the key has a live entry. Counts nothing.
    pub fn contains(&self, key: Key<'_>) -> bool {
        self.peek(key, |_| ()).is_some()
    }

    /// Entries, expired ones that nobody has met yet included.
    pub fn len(&self) -> u64 {
        self.shards.iter().map(Shard::entries).sum()
    }

    /// How many parts the cache is cut into.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes charged to the ledger: index, entries, policy, wheel, and what was removed and is not
    /// freed yet. Never more than the bound.
    pub fn bytes(&self) -> u64 {
        // What was given out, less what shards and threads hold uncharged: a sum of the charges, read
        // one after the other, could count bytes twice that move between shards meanwhile. Threads
        // last: what is theirs moves to a shard, and not back.
        let leased: u64 = self.shards.iter().map(|shard| shard.account.leased()).sum();
        let credit = self.shared.lanes.sum(Lane::credit);
        self.shared.ledger.used().saturating_sub(leased + credit)
    }

    /// Counts and sizes.
    pub fn stats(&self) -> Stats {
        let bytes = self.bytes();
        let payload: u64 = self.shards.iter().map(Shard::payload).sum();
        Stats {
            entries: self.len(),
            bytes,
            overhead: bytes.saturating_sub(payload),
            ..self.counters.snapshot()
        }
    }

    /// Sets the counts back to zero.
    pub fn reset_stats(&self) {
        self.counters.reset();
    }

    /// The keys read most, most read first, at most `n`: estimated from a sample of the reads.
    pub fn hot_keys(&self, n: usize) -> Vec<HotKey> {
        self.hot.top(n)
    }

    /// Which share of the reads of late the keys have that are read most, for each number of them: from
    /// 0 to 1, estimated from a sample, and never too high for it.
    pub fn skew<const N: usize>(&self, of: [usize; N]) -> [f64; N] {
        self.hot.shares(of)
    }

    /// Who loads which key. A mutation of a key ends the right of its flight to store what it loads;
    /// what an owner's number means is up to the caller.
    pub fn flights(&self) -> &FlightTable {
        &self.flights
    }

    /// Tells the listener of every removal from now on.
    pub fn listen(&self, listener: Arc<dyn RemovalListener>) {
        self.listeners.add(listener);
    }

    /// Tells the listener of no removal that begins from now on.
    pub fn unlisten<L: RemovalListener + ?Sized>(&self, listener: &Arc<L>) {
        let it = Arc::as_ptr(listener).cast::<()>();
        self.listeners.remove(|other| Arc::as_ptr(other).cast() == it);
    }
}

fn check(max_entries: Option<u64>, max_bytes: Option<u64>) -> Result<(), ConfigError> {
    if max_entries == Some(0) {
        return Err(ConfigError {
            option: "max_entries",
            value: "0".into(),
            allowed: "at least 1",
        });
    }
    if let Some(bytes) = max_bytes.filter(|&bytes| bytes < MIN_BYTES) {
        return Err(ConfigError {
            option: "max_bytes",
            value: bytes.to_string(),
            allowed: "at least 4096",
        });
    }
    Ok(())
}

/// Shards enough that threads seldom meet, and few enough that each has something to choose from.
fn suitable_shards(config: &Config) -> usize {
    let threads = std::thread::available_parallelism().map_or(4, usize::from);
    let least = if config.policy == Policy::Lru { 65_536 } else { 8_192 };
    let entries = config.max_entries.unwrap_or(u64::MAX);
    let expected = entries.min(config.max_bytes.map_or(u64::MAX, |bytes| bytes / 128));
    let wanted = (threads * 8).next_power_of_two().min(MAX_SHARDS);
    let useful = (expected / least).clamp(1, MAX_SHARDS as u64) as usize;
    wanted.min(1 << useful.ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_cache_has_one_shard_and_a_large_one_several() {
        let shards = |max| suitable_shards(&Config { max_entries: Some(max), ..Config::default() });
        assert_eq!((shards(1), shards(8_191), shards(16_384)), (1, 1, 2));
        assert!(shards(10_000_000) >= 8);
    }
}

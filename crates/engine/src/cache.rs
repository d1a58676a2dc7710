//! stub with the final API; the real engine replaces it
use crate::*;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Why an entry left the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Another entry needed its room.
    Evicted = 0,
    /// Its deadline passed.
    Expired = 1,
    /// `delete` or an edit removed it.
    Deleted = 2,
    /// A new value took its place.
    Replaced = 3,
    /// `clear` removed it.
    Cleared = 4,
}

/// Told of every entry that leaves, after it left and with no lock held, on the thread that
/// caused it. It must not call back into the cache.
pub trait RemovalListener: Send + Sync {
    /// `entry` left for `reason`.
    fn removed(&self, entry: EntryRef<'_>, reason: Reason);
}

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

/// Counts since the cache was made or its statistics were reset, and sizes as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// `get` calls that found an entry.
    pub hits: u64,
    /// `get` calls that found none.
    pub misses: u64,
    /// Entries stored.
    pub sets: u64,
    /// Entries removed by `delete`.
    pub deletes: u64,
    /// Entries evicted.
    pub evictions: u64,
    /// Entries that expired.
    pub expirations: u64,
    /// Sets refused.
    pub rejected: u64,
    /// Entries now.
    pub entries: u64,
    /// Bytes charged now.
    pub bytes: u64,
    /// Of these, bytes that are neither key nor value of a live entry.
    pub overhead: u64,
}

/// Why contents were not saved or loaded.
#[derive(Debug)]
pub enum PersistError {
    /// The file could not be read or written.
    Io(std::io::Error),
    /// The file is not an intact snapshot; nothing was loaded.
    Damaged(&'static str),
}

impl std::fmt::Display for PersistError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Damaged(what) => write!(f, "not an intact snapshot: {what}"),
        }
    }
}
impl std::error::Error for PersistError {}

type K = (u8, Vec<u8>);
struct E {
    format: u8,
    bytes: Vec<u8>,
    deadline: Option<u64>,
}

/// The cache.
pub struct Cache {
    map: Mutex<BTreeMap<K, E>>,
    clock: Clock,
    stats: Mutex<Stats>,
    listener: Mutex<Option<Arc<dyn RemovalListener>>>,
}

fn k(key: Key<'_>) -> K {
    (key.kind as u8, key.bytes.to_vec())
}
fn r<'a>(key: &'a K, e: &'a E) -> EntryRef<'a> {
    EntryRef {
        key: Key { kind: KeyKind::from_bits(key.0), bytes: &key.1 },
        value: Value { format: e.format, bytes: &e.bytes },
        deadline: e.deadline,
    }
}

impl Cache {
    /// A new cache.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            map: Mutex::default(),
            clock: config.clock,
            stats: Mutex::default(),
            listener: Mutex::default(),
        })
    }
    fn live(&self, e: &E) -> bool {
        e.deadline.is_none_or(|d| d > self.clock.now())
    }
    /// The clock that deadlines are measured on.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
    /// Hands the entry to `f`, counts a hit or a miss, and tells the policy.
    pub fn get<R>(&self, key: Key<'_>, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        let found = self.peek(key, f);
        let mut s = self.stats.lock();
        if found.is_some() {
            s.hits += 1
        } else {
            s.misses += 1
        }
        found
    }
    /// As `get`, but nothing is counted and the policy is not told.
    pub fn peek<R>(&self, key: Key<'_>, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        let map = self.map.lock();
        let (k, e) = map.get_key_value(&k(key))?;
        self.live(e).then(|| f(r(k, e)))
    }
    /// Whether the key has a live entry. Counts nothing.
    pub fn contains(&self, key: Key<'_>) -> bool {
        self.peek(key, |_| ()).is_some()
    }
    /// Stores an entry; whether it took the place of a live one.
    pub fn set(&self, key: Key<'_>, value: Value<'_>, expiry: Expiry) -> Result<bool, Error> {
        self.update(key, |old, out| {
            out.extend_from_slice(value.bytes);
            (Edit::Put { format: value.format, expiry }, old.is_some())
        })
    }
    /// Reads, decides and writes as one step: `f` gets the live entry, if any, and an empty buffer
    /// for the new value, and may run again if another thread was faster.
    pub fn update<R>(
        &self,
        key: Key<'_>,
        mut f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Error> {
        if key.bytes.len() > MAX_KEY_LEN {
            return Err(Error::KeyTooLong { len: key.bytes.len() });
        }
        let mut map = self.map.lock();
        let k = k(key);
        let mut out = vec![];
        let old = map.get_key_value(&k).filter(|(_, e)| self.live(e));
        let (edit, result) = f(old.map(|(k, e)| r(k, e)), &mut out);
        match edit {
            Edit::Keep => {}
            Edit::Remove => {
                map.remove(&k);
            }
            Edit::Put { format, expiry } => {
                let deadline = match expiry {
                    Expiry::Never => None,
                    Expiry::At(at) => Some(at),
                    Expiry::Keep => old.and_then(|(_, e)| e.deadline),
                };
                map.insert(k, E { format, bytes: out, deadline });
                self.stats.lock().sets += 1;
            }
        }
        Ok(result)
    }
    /// Removes a key; whether it had a live entry.
    pub fn delete(&self, key: Key<'_>) -> bool {
        let k = k(key);
        let gone = self.map.lock().remove(&k);
        if let (Some(e), Some(l)) = (&gone, &*self.listener.lock()) {
            l.removed(r(&k, e), Reason::Deleted);
        }
        let hit = gone.is_some_and(|e| self.live(&e));
        self.stats.lock().deletes += hit as u64;
        hit
    }
    /// Changes when a live entry ends; whether there was one. `Keep` changes nothing.
    pub fn expire(&self, key: Key<'_>, expiry: Expiry) -> bool {
        match self.map.lock().get_mut(&k(key)).filter(|e| self.live(e)) {
            None => false,
            Some(e) => {
                match expiry {
                    Expiry::Never => e.deadline = None,
                    Expiry::At(at) => e.deadline = Some(at),
                    Expiry::Keep => {}
                }
                true
            }
        }
    }
    /// Removes everything that was there when it began.
    pub fn clear(&self) {
        self.map.lock().clear();
    }
    /// Live and expired but not yet collected entries.
    pub fn len(&self) -> u64 {
        self.map.lock().len() as u64
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes charged to the ledger: index, entries, policy and retired bytes.
    pub fn bytes(&self) -> u64 {
        self.map.lock().iter().map(|(k, e)| r(k, e).charge()).sum()
    }
    /// The bounds as they are: entries and bytes.
    pub fn bounds(&self) -> (Option<u64>, Option<u64>) {
        (None, None)
    }
    /// The eviction policy.
    pub fn policy(&self) -> Policy {
        Policy::Lfu
    }
    /// Counts and sizes.
    pub fn stats(&self) -> Stats {
        Stats { entries: self.len(), bytes: self.bytes(), ..*self.stats.lock() }
    }
    /// Sets the counts back to zero.
    pub fn reset_stats(&self) {
        *self.stats.lock() = Stats::default();
    }
    /// The keys read most, most read first, at most `n`; estimated from a sample of the reads.
    pub fn hot_keys(&self, n: usize) -> Vec<HotKey> {
        let _ = n;
        vec![]
    }
    /// Visits live entries from `cursor` on (0 begins), about `budget` of them; the next cursor, 0
    /// at the end. An entry that is there from the first call to the last is visited at least once.
    pub fn scan(&self, cursor: u64, budget: usize, mut f: impl FnMut(EntryRef<'_>)) -> u64 {
        let map = self.map.lock();
        let mut next = cursor;
        for (k, e) in map.iter().skip(cursor as usize).take(budget) {
            if self.live(e) {
                f(r(k, e));
            }
            next += 1;
        }
        if next as usize >= map.len() { 0 } else { next }
    }
    /// Hands a random live entry to `f`.
    pub fn random<R>(&self, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        let map = self.map.lock();
        map.iter().find(|(_, e)| self.live(e)).map(|(k, e)| f(r(k, e)))
    }
    /// Changes the bounds and evicts what no longer fits.
    pub fn resize(
        &self,
        max_entries: Option<u64>,
        max_bytes: Option<u64>,
    ) -> Result<(), ConfigError> {
        let _ = (max_entries, max_bytes);
        Ok(())
    }
    /// Who is told of removals; `None` for nobody.
    pub fn set_listener(&self, listener: Option<Arc<dyn RemovalListener>>) {
        *self.listener.lock() = listener;
    }
    /// Does what time asks for: drops what expired, frees what nobody reads any more.
    /// Milliseconds until it wants to be called again, `None` if nothing is due.
    pub fn maintain(&self) -> Option<u64> {
        None
    }
    /// Writes every live entry to a file beside `path` and renames it; how many.
    pub fn save(&self, path: &Path) -> Result<u64, PersistError> {
        let _ = path;
        Ok(0)
    }
    /// Reads what `save` wrote, refusing a damaged file whole; how many entries came in.
    pub fn load(&self, path: &Path) -> Result<u64, PersistError> {
        let _ = path;
        Err(PersistError::Damaged("stub"))
    }
}

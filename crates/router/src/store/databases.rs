//! The embedded store: sixteen databases of strings in one cache of the engine.
//!
//! A key of the engine is the number of the database and the key that the client gave. A write of
//! one key is atomic. Writes of several keys exclude each other, so that two `MSETNX` never mix,
//! but a client that reads, or writes one key, may see them half done.

use super::records::Records;
use crate::failure::Failure;
use crate::news::{ClientId, NOBODY, NewsDesk};
use breakwater_engine::{
    Cache, Edit, EntryRef, Error, Expected, Expiry, Key, MAX_KEY_LEN, Reason, RemovalListener,
    Value, run_to_end,
};
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use std::ops::ControlFlow::Continue;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// How many databases `SELECT` chooses from.
pub(crate) const DATABASES: usize = 16;
/// A wall clock that is this far, in milliseconds, from where it should be was set anew.
const STEP: i64 = 1000;
/// Entries that one call of a walk visits.
const BATCH: usize = 1024;

/// A key as the engine has it.
pub(crate) struct DbKey(SmallVec<[u8; 128]>);

impl DbKey {
    #[inline]
    pub(crate) fn new(db: u8, name: &[u8]) -> Self {
        let mut bytes = SmallVec::new();
        bytes.push(db);
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    #[inline]
    pub(crate) fn key(&self) -> Key<'_> {
        Key::bytes(&self.0)
    }

    /// Whether no entry can have it.
    #[inline]
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > MAX_KEY_LEN
    }

    fn db(&self) -> usize {
        usize::from(self.0[0])
    }

    /// As the store has it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the client gave it.
    #[inline]
    pub(super) fn name(&self) -> &[u8] {
        &self.0[1..]
    }
}

/// How many keys each database has, expired but uncollected ones included.
#[derive(Default)]
struct KeyCounts([AtomicI64; DATABASES]);

impl KeyCounts {
    // Relaxed: sums of independent steps. An entry may leave before its arrival was counted, so a
    // count can be -1 for a moment.
    fn add(&self, db: usize, delta: i64) {
        self.0[db].fetch_add(delta, Ordering::Relaxed);
    }

    fn get(&self, db: u8) -> u64 {
        self.0[usize::from(db)].load(Ordering::Relaxed).max(0) as u64
    }
}

/// Told of every entry that leaves.
struct Leavers {
    counts: Arc<KeyCounts>,
    news: Arc<NewsDesk>,
}

impl RemovalListener for Leavers {
    fn removed(&self, entry: EntryRef<'_>, reason: Reason) {
        let Some((db, name)) = entry.key().bytes.split_first() else { return };
        if reason != Reason::Replaced {
            self.counts.add(usize::from(*db), -1);
        }
        // What clients do is told where they do it.
        if matches!(reason, Reason::Evicted | Reason::Expired) {
            self.news.changed(name, NOBODY);
        }
    }
}

/// The databases.
pub(crate) struct Store {
    cache: Arc<Cache>,
    counts: Arc<KeyCounts>,
    /// Unix milliseconds at the zero of the cache's clock.
    epoch: AtomicI64,
    /// The latest that `epoch` has been.
    latest: AtomicI64,
    /// The last moment that was given out.
    moment: AtomicU64,
    several: Mutex<()>,
    news: Option<Arc<NewsDesk>>,
    pub(crate) records: Records,
}

impl Store {
    /// A store over `cache`, which must be empty and nobody else's; `now` in Unix milliseconds. What
    /// changes in it is told by `news`; without that, the cache holds other things.
    pub(crate) fn new(cache: Arc<Cache>, now: u64, news: Option<Arc<NewsDesk>>) -> Self {
        let counts = Arc::new(KeyCounts::default());
        if let Some(news) = news.clone() {
            cache.listen(Arc::new(Leavers { counts: counts.clone(), news }));
        }
        let epoch = now as i64 - cache.clock().now() as i64;
        Self {
            cache,
            counts,
            epoch: AtomicI64::new(epoch),
            latest: AtomicI64::new(epoch),
            moment: AtomicU64::new(0),
            several: Mutex::new(()),
            news,
            records: Records::default(),
        }
    }

    /// A key has changed, by whom; the change can be read.
    #[inline]
    pub(super) fn tell(&self, name: &[u8], by: ClientId) {
        if let Some(news) = &self.news {
            news.changed(name, by);
        }
    }

    /// All keys of a database, or of all, are gone.
    pub(super) fn tell_flushed(&self) {
        if let Some(news) = &self.news {
            news.flushed();
        }
    }

    /// A moment after every one before, on whatever thread: Unix microseconds, which do not go back
    /// when the system's clock does.
    pub(crate) fn moment(&self) -> u64 {
        // Relaxed: a number by itself.
        let start = self.latest.load(Ordering::Relaxed).max(0) as u64 * 1000;
        let now = start + self.cache.clock().elapsed().as_micros() as u64;
        // Relaxed: moments are of one atomic, whose changes have one order that agrees with what
        // happens before what.
        let next = |last: u64| Some(now.max(last + 1));
        let last = self.moment.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        now.max(last.unwrap_or(0) + 1)
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Unix milliseconds on the cache's clock, which the wall clock `now` corrects only where it
    /// was set anew: a deadline reads the same each time. `moment` was read from that clock.
    #[inline]
    pub(crate) fn synchronize(&self, now: u64, moment: u64) -> i64 {
        let clock = moment as i64;
        // Relaxed: a number by itself; threads that disagree for a moment differ by a clock step.
        let epoch = self.epoch.load(Ordering::Relaxed);
        if (now as i64 - clock - epoch).abs() < STEP {
            return clock + epoch;
        }
        self.epoch.store(now as i64 - clock, Ordering::Relaxed);
        self.latest.fetch_max(now as i64 - clock, Ordering::Relaxed);
        now as i64
    }

    /// This key is going to be read or written: see [`Cache::expect_soon`].
    pub(crate) fn expect_soon(&self, db: u8, name: &[u8]) -> Expected {
        self.cache.expect_soon(DbKey::new(db, name).key())
    }

    /// These keys are going to be read or written.
    pub(crate) fn expect(&self, db: u8, names: &[&[u8]]) {
        let keys: SmallVec<[DbKey; 16]> = names.iter().map(|name| DbKey::new(db, name)).collect();
        let keys: SmallVec<[Key<'_>; 16]> = keys.iter().map(DbKey::key).collect();
        self.cache.expect(&keys);
    }

    /// When an entry ends that is to be there up to and including this Unix millisecond.
    #[inline]
    pub(crate) fn until(&self, unix: i64) -> Expiry {
        let epoch = self.epoch.load(Ordering::Relaxed);
        Expiry::At(unix.saturating_sub(epoch).saturating_add(1).max(0) as u64)
    }

    /// The last Unix millisecond at which the entry is there.
    #[inline]
    pub(crate) fn last_moment(&self, entry: EntryRef<'_>) -> Option<i64> {
        let epoch = self.epoch.load(Ordering::Relaxed);
        entry.deadline().map(|deadline| (deadline as i64).saturating_add(epoch) - 1)
    }

    /// Keeps other writes of several keys out.
    pub(crate) fn several(&self) -> MutexGuard<'_, ()> {
        self.several.lock()
    }

    #[inline]
    pub(crate) fn get<R>(&self, key: &DbKey, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        if key.is_too_long() {
            return None;
        }
        self.cache.get(key.key(), f)
    }

    pub(crate) fn peek<R>(&self, key: &DbKey, f: impl FnOnce(EntryRef<'_>) -> R) -> Option<R> {
        if key.is_too_long() {
            return None;
        }
        self.cache.peek(key.key(), f)
    }

    pub(crate) fn contains(&self, key: &DbKey) -> bool {
        self.peek(key, |_| ()).is_some()
    }

    #[inline]
    pub(super) fn set(&self, key: &DbKey, value: &[u8], expiry: Expiry) -> Result<(), Failure> {
        if !self.cache.set(key.key(), Value::bytes(value), expiry).map_err(refusal)? {
            self.counts.add(key.db(), 1);
        }
        Ok(())
    }

    /// Reads, decides and writes as one step; `f` may run again if another thread was faster.
    pub(super) fn update<R>(
        &self,
        key: &DbKey,
        mut f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Failure> {
        let mut arrived = false;
        let result = self.cache.update(key.key(), |old, out| {
            let new = old.is_none();
            let (edit, result) = f(old, out);
            arrived = new && matches!(edit, Edit::Put { .. });
            (edit, result)
        });
        let result = result.map_err(refusal)?;
        if arrived {
            self.counts.add(key.db(), 1);
        }
        Ok(result)
    }

    pub(super) fn delete(&self, key: &DbKey) -> bool {
        !key.is_too_long() && self.cache.delete(key.key())
    }

    /// Changes when a key ends; whether it is there.
    pub(super) fn expire(&self, key: &DbKey, expiry: Expiry) -> Result<bool, Failure> {
        Ok(!key.is_too_long() && self.cache.expire(key.key(), expiry).map_err(refusal)?)
    }

    /// How many keys a database has.
    pub(crate) fn count(&self, db: u8) -> u64 {
        let others = (0..DATABASES as u8).any(|other| other != db && self.counts.get(other) > 0);
        // An entry that expires in the very moment of its replacement may be counted as gone. That
        // does not matter where there is but one database: the engine knows its own count.
        if others { self.counts.get(db) } else { self.cache.len() }
    }

    /// Visits keys of a database from `cursor` on, about `budget` entries of all databases; the
    /// next cursor, 0 at the end.
    pub(crate) fn scan(
        &self,
        db: u8,
        cursor: u64,
        budget: usize,
        mut f: impl FnMut(&[u8], EntryRef<'_>),
    ) -> u64 {
        self.cache.scan(cursor, budget, |entry| {
            if let [prefix, name @ ..] = entry.key().bytes
                && *prefix == db
            {
                f(name, entry);
            }
        })
    }

    /// Visits all keys of a database, one that stays at least once.
    pub(crate) fn visit_all(&self, db: u8, mut f: impl FnMut(&[u8], EntryRef<'_>)) {
        run_to_end::<()>(|cursor| Continue(self.scan(db, cursor, BATCH, &mut f)));
    }

    /// Hands a random key of a database to `f`.
    pub(crate) fn random<R>(&self, db: u8, mut f: impl FnMut(&[u8]) -> R) -> Option<R> {
        if self.count(db) == 0 {
            return None;
        }
        // A database that holds most of the keys is hit soon; for a small one, walk.
        for _ in 0..64 {
            let found = self.cache.random(|entry| match entry.key().bytes {
                [prefix, name @ ..] if *prefix == db => Some(f(name)),
                _ => None,
            });
            if let Some(Some(result)) = found {
                return Some(result);
            }
        }
        let mut first = None;
        self.visit_all(db, |name, _| {
            if first.is_none() {
                first = Some(f(name));
            }
        });
        first
    }

    /// Removes every key that a database had when this began.
    pub(super) fn flush(&self, db: u8) {
        let mut keys: Vec<DbKey> = vec![];
        run_to_end::<()>(|cursor| {
            let next = self.scan(db, cursor, BATCH, |name, _| keys.push(DbKey::new(db, name)));
            for key in keys.drain(..) {
                self.delete(&key);
            }
            Continue(next)
        });
    }

    /// Removes every key of all databases.
    pub(super) fn flush_all(&self) {
        self.cache.clear();
    }
}

/// The engine's refusal in the words of Redis, where it has some.
fn refusal(error: Error) -> Failure {
    match error {
        Error::Full | Error::TooLarge { .. } | Error::Outdated => {
            "OOM command not allowed when used memory > 'maxmemory'.".into()
        }
        Error::KeyTooLong { .. } => {
            Failure::new(format!("ERR key is too long: at most {} bytes", MAX_KEY_LEN - 1))
        }
    }
}

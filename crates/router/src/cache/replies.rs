//! Replies of the store, and how one change of a key ends all that was read of it.
//!
//! Each key of which anything was read has a *generation*: a number that is drawn once. A reply
//! carries the generation that its key had before the store was asked, and counts only as long as
//! the key has that very one. A change of the key removes its generation, in one step, whatever was
//! read of it, in whichever database, by whichever command. So does the eviction of the key's entry.
//!
//! - *A late reply* to a question from before the change carries a generation that is no more: it
//!   is never given.
//! - *A read after the change* draws another generation: it cannot wait for a read from before it,
//!   since flights are known by their generations as well.
//!
//! The reply to `GET` lies with the generation itself: that it is found says that it counts. A `GET`
//! that hits costs one lookup, any other read two.
//!
//! A generation also has the *tag* of what its key was read from (`topology/map.rs`): what is read of a
//! key whose generation has another tag begins a new one. A reply has a *stamp* by which it counts no
//! longer than the store tells of its keys' changes (`sources`). Threads that read of one key share its
//! generation, and each reply has the stamp of the thread that has asked for it.
//!
//! A generation lasts as long as a read may be under way: two reads of the same, one behind the other,
//! have the same, and are one. The reply that lies with it may end before (`entry`).
//!
//! Generations are drawn in ascending order, so that `floors` below which none counts end all of
//! them in one step.

use super::admission::Admission;
use super::entry::{self, ABSENT, EMPTY, Head, NULL, REPLY};
use super::floors::{Floors, drawn_of};
use super::found::{Hit, Remembered, RememberedReply, Staleness};
use super::keys::KeyList;
use super::shelf::{Generations, Shelf};
use super::sources::{Source, Sources, stamp, when_of};
use crate::topology::Tag;
use breakwater_engine::{Cache, EntryRef, Freshness, Key, KeyKind, MAX_KEY_LEN};
use breakwater_resp::Protocol;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Entries that are looked at together when keys have moved.
const SLICE: usize = 1024;

/// What is remembered.
pub(crate) struct Replies {
    pub(super) cache: Arc<Cache>,
    pub(super) floors: Floors,
    pub(super) sources: Arc<Sources>,
    admission: Admission,
    /// How long, in milliseconds, a read may be under way. The generations that it begins with last as
    /// long at the least, and as long again if they have to be made to.
    under_way: AtomicU64,
}

impl Replies {
    /// What is remembered, of so many tags; reads are under way for `under_way` milliseconds at most.
    pub(crate) fn new(cache: Arc<Cache>, tags: usize, under_way: u64) -> Self {
        let (admission, under_way) = (Admission::default(), AtomicU64::new(under_way));
        let sources = Arc::new(Sources::new(cache.clock().clone()));
        Self { cache, floors: Floors::new(tags), sources, admission, under_way }
    }

    /// From now on reads may be under way for so many milliseconds. Relaxed: reads that begin beside
    /// it may go by either.
    pub(crate) fn set_under_way(&self, under_way: u64) {
        self.under_way.store(under_way, Ordering::Relaxed);
    }

    pub(super) fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// The present, in milliseconds of the engine's clock.
    pub(crate) fn now(&self) -> u64 {
        self.cache.clock().now()
    }

    /// What is known of these keys is going to be asked for.
    pub(crate) fn expect(&self, keys: &[&[u8]]) {
        let keys: SmallVec<[Key<'_>; 16]> = keys.iter().map(|key| Key::bytes(key)).collect();
        self.cache.expect(&keys);
    }

    /// The reply to a `GET` of `key`: appends it to `out`. `None` if it is not known, or does not
    /// lie with the generation of its key. `now` was read just before, see [`Replies::now`].
    #[inline]
    pub(crate) fn get(
        &self,
        db: u8,
        key: &[u8],
        protocol: Protocol,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Option<Hit> {
        self.cache.get_at(Key::bytes(key), now, |entry| {
            let head = Head::read(entry)?;
            if !self.floors.is_fresh(head.generation) || head.db != db {
                return None;
            }
            if !self.sources.covers(head.stamp) {
                return None;
            }
            if head.until.is_some_and(|until| until <= now) {
                return None;
            }
            write(head.format, head.reply, protocol, out)?;
            Some(Hit::plain(entry, &head))
        })?
    }

    /// The reply to a read: appends it to `out`.
    pub(crate) fn find(
        &self,
        shelf: &Shelf,
        protocol: Protocol,
        staleness: Staleness,
        out: &mut Vec<u8>,
    ) -> Option<Hit> {
        if shelf.is_plain()
            && let Some(hit) = self.find_plain(shelf, protocol, staleness, out)
        {
            return Some(hit);
        }
        let mut generations = Generations::new();
        for key in shelf.keys.iter() {
            let see = |entry: EntryRef<'_>| Head::read(entry).map(|head| head.generation);
            generations.push(self.see(Key::bytes(key), staleness, see)?);
        }
        if !generations.iter().all(|generation| self.counts(*generation, staleness)) {
            return None;
        }
        self.see(Key::text(&shelf.place(protocol)), staleness, |entry| {
            let value = entry.value();
            let (stamp, mut rest) = entry::number(value.bytes)?;
            if !self.is_covered(stamp, staleness) {
                return None;
            }
            for generation in &generations {
                let (of_reply, others) = entry::number(rest)?;
                if of_reply != *generation {
                    return None;
                }
                rest = others;
            }
            write(value.format, rest, protocol, out)?;
            Some(Hit::of(entry, stamp, generations[0]))
        })
    }

    fn find_plain(
        &self,
        shelf: &Shelf,
        protocol: Protocol,
        staleness: Staleness,
        out: &mut Vec<u8>,
    ) -> Option<Hit> {
        self.see(Key::bytes(shelf.keys.first()), staleness, |entry| {
            let head = Head::read(entry)?;
            if head.db != shelf.db || !self.counts(head.generation, staleness) {
                return None;
            }
            if !self.is_covered(head.stamp, staleness) {
                return None;
            }
            let patience = if let Staleness::Taken(most) = staleness { most } else { 0 };
            if head.until.is_some_and(|until| until.saturating_add(patience) <= self.now()) {
                return None;
            }
            write(head.format, head.reply, protocol, out)?;
            Some(Hit::plain(entry, &head))
        })
    }

    /// Looks at an entry that is not over, or not so for longer than it may be.
    fn see<R>(
        &self,
        key: Key<'_>,
        staleness: Staleness,
        see: impl FnOnce(EntryRef<'_>) -> Option<R>,
    ) -> Option<R> {
        let most = match staleness {
            Staleness::Refused => return self.cache.get(key, see)?,
            Staleness::SecondLook => return self.cache.peek(key, see)?,
            Staleness::Taken(most) => most,
        };
        self.cache.get_with_freshness(key, |found| {
            let since = if found.freshness == Freshness::Stale { found.left } else { None };
            if since.is_some_and(|since| since > most) { None } else { see(found.entry) }
        })?
    }

    /// Whether replies of a generation may be given.
    pub(super) fn counts(&self, generation: u64, staleness: Staleness) -> bool {
        match staleness {
            _ if self.floors.is_fresh(generation) => true,
            Staleness::Refused | Staleness::SecondLook => false,
            Staleness::Taken(most) => self.floors.is_stale_for(generation, self.now(), most),
        }
    }

    /// Whether a reply of this stamp may be given.
    fn is_covered(&self, stamp: u64, staleness: Staleness) -> bool {
        match staleness {
            Staleness::Refused | Staleness::SecondLook => self.sources.covers(stamp),
            Staleness::Taken(most) => self.sources.covered_for(stamp, self.now(), most),
        }
    }

    /// A source of replies: a connection is about to be asked for some.
    pub(crate) fn source(&self) -> Source {
        self.sources.take()
    }

    /// The stamp of what a source is asked for now.
    pub(crate) fn stamp(&self, source: u16) -> u64 {
        stamp(self.now(), source)
    }

    /// Whether the store still tells of changes of what has this stamp.
    pub(crate) fn covers(&self, stamp: u64) -> bool {
        self.sources.covers(stamp)
    }

    /// A key has changed, or is about to: nothing that was read of it counts any more. Whether
    /// anything was.
    pub(crate) fn forget(&self, key: &[u8]) -> bool {
        if key.len() > MAX_KEY_LEN {
            return false;
        }
        let known = self.cache.info(Key::bytes(key), None);
        let forgotten = self.cache.delete(Key::bytes(key));
        if let Some(hits) = known.and_then(|known| known.hits) {
            self.admission.ended(key, hits > 0);
        }
        forgotten
    }

    /// What lies in memory of a key; counts nothing.
    pub(crate) fn held(&self, key: &[u8]) -> Option<Remembered> {
        if key.len() > MAX_KEY_LEN {
            return None;
        }
        let info = self.cache.info(Key::bytes(key), None)?;
        let now = self.now();
        let (generation, covered, get) = self.cache.peek(Key::bytes(key), |entry| {
            let head = Head::read(entry)?;
            let left = head.until.or(entry.deadline()).map(|ends| ends.saturating_sub(now));
            let get = (head.format != EMPTY && left != Some(0)).then(|| RememberedReply {
                db: head.db,
                absent: head.format & ABSENT != 0,
                age: now.saturating_sub(when_of(head.stamp)),
                left: left.filter(|_| head.until != Some(u64::MAX)),
                bytes: head.reply.to_vec(),
            });
            let covered = head.format == EMPTY || self.sources.covers(head.stamp);
            Some((head.generation, covered, get))
        })??;
        let is_fresh = covered && self.floors.is_fresh(generation);
        let (bytes, hits) = (info.bytes, info.hits);
        Some(Remembered { generation: drawn_of(generation), is_fresh, get, bytes, hits })
    }

    /// Whether replies to a read are worth to be remembered: its keys are not written all the time.
    /// `chance` is drawn from 0 to 1.
    pub(crate) fn admits(&self, shelf: &Shelf, chance: f64) -> bool {
        shelf.keys.iter().all(|key| self.admission.admits(key, chance))
    }

    /// Nothing that was read of these keys counts any more.
    pub(crate) fn forget_where(&self, is_one: impl Fn(&[u8]) -> bool) {
        let mut cursor = 0;
        loop {
            let (next, found) = self.keys_where(cursor, &is_one);
            for key in found.iter() {
                self.forget(key);
            }
            cursor = next;
            if cursor == 0 {
                return;
            }
        }
    }

    /// Of which keys something is remembered, a slice of them; where the next one begins, 0 if this was the
    /// last.
    pub(crate) fn keys_where(&self, from: u64, is_one: impl Fn(&[u8]) -> bool) -> (u64, KeyList) {
        let mut found = KeyList::default();
        let next = self.cache.scan(from, SLICE, |entry| {
            // The replies themselves lie under texts.
            let key = entry.key();
            if key.kind == KeyKind::Bytes && is_one(key.bytes) {
                found.push(key.bytes);
            }
        });
        (next, found)
    }

    /// Gives back the room of what was read. Nothing of it may count any more: see [`Self::flush`].
    pub(crate) fn clear(&self) {
        self.cache.clear();
    }

    /// Any key may have changed: nothing that was read counts any more.
    pub(crate) fn flush(&self) {
        self.floors.flush();
    }

    /// From now on what was read with these tags may change unheard: it is stale.
    pub(crate) fn lose(&self, tags: &[Tag]) {
        self.floors.lose(tags, self.now());
    }

    /// Nothing that was read with these tags counts any more.
    pub(crate) fn end(&self, tags: &[Tag]) {
        self.floors.end(tags);
    }
}

/// Appends a reply in the bytes of a protocol; `None` if there is none.
#[inline]
fn write(format: u8, reply: &[u8], protocol: Protocol, out: &mut Vec<u8>) -> Option<()> {
    match format & !ABSENT {
        REPLY => out.extend_from_slice(reply),
        NULL => out.extend_from_slice(entry::null(protocol)),
        _ => return None,
    }
    Some(())
}

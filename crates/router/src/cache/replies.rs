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
use super::described;
use super::entry::{self, ABSENT, EMPTY, Form, Head, NULL, REPLY};
use super::floors::{Floors, drawn_of, tag_of};
use super::keys::KeyList;
use super::sources::{Source, Sources, stamp, when_of};
use crate::topology::{ServerId, Tag};
use breakwater_engine::{
    Cache, Edit, EntryRef, Expiry, Freshness, Key, KeyKind, MAX_KEY_LEN, Value,
};
use breakwater_resp::{Args, Kind, Protocol, Reply};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Entries that are looked at together when keys have moved.
const SLICE: usize = 1024;

/// The generations of the keys of a read, in the order of the keys.
pub(crate) type Generations = SmallVec<[u64; 2]>;

/// Whether a reply beyond its time will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staleness {
    /// It will not.
    Refused,
    /// As `Refused`, by a second look, which counts as none.
    SecondLook,
    /// It will, for so many milliseconds.
    Taken(u64),
}

/// A reply that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    /// When the store was asked, and over which connection.
    stamp: u64,
    /// When it ends.
    pub(crate) deadline: Option<u64>,
    /// The generation of its first key.
    pub(crate) generation: u64,
    /// Whether none of its keys existed.
    pub(crate) absent: bool,
}

impl Hit {
    #[inline]
    fn of(entry: EntryRef<'_>, stamp: u64, generation: u64) -> Self {
        let absent = entry.value().format & ABSENT != 0;
        Self { stamp, deadline: entry.deadline(), generation, absent }
    }

    /// The reply that lies with the generation of its key.
    #[inline]
    fn plain(entry: EntryRef<'_>, head: &Head<'_>) -> Self {
        let hit = Self::of(entry, head.stamp, head.generation);
        let ends = head.until.or(hit.deadline);
        Self { deadline: ends.filter(|ends| *ends != u64::MAX), ..hit }
    }

    /// When the store was asked, in milliseconds of the engine's clock.
    #[inline]
    pub(crate) fn when(&self) -> u64 {
        when_of(self.stamp)
    }

    /// The same, and over which connection: see [`Replies::covers`].
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }
}

/// What lies in memory of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Which of the generations that were drawn, in ascending order, the key has.
    pub generation: u64,
    /// Whether what was read of it is given to everybody; otherwise to those who take what is stale.
    pub is_fresh: bool,
    /// The reply to its `GET`, if that is there: others are found only by their requests.
    pub get: Option<RememberedReply>,
    /// The bytes that its generation and this reply are charged.
    pub bytes: u64,
    /// Reads of late, up to 3, if the policy counts them.
    pub hits: Option<u8>,
}

/// The reply to a `GET`, as it lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedReply {
    /// Of which database.
    pub db: u8,
    /// Whether it says that the key does not exist.
    pub absent: bool,
    /// How many milliseconds ago the store was asked.
    pub age: u64,
    /// How many milliseconds it will be given; `None` if that has no end.
    pub left: Option<u64>,
    /// As the store sent it.
    pub bytes: Vec<u8>,
}

/// Where the replies to a read lie.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) db: u8,
    pub(crate) keys: KeyList,
    /// Its database, its command and its words: one for each protocol if the reply has several
    /// forms. The first byte says which. `described` reads it.
    own: SmallVec<[u8; 96]>,
    pub(crate) form: Form,
    /// Whether the reply may lie with the generation of its key: that of `GET`.
    plain: bool,
}

impl Shelf {
    /// The shelf of a read of `keys`; `None` if it is too long for one.
    pub(crate) fn new(
        db: u8,
        name: &str,
        words: Args<'_>,
        keys: KeyList,
        form: Form,
    ) -> Option<Self> {
        let mut own = SmallVec::new();
        own.push(db);
        described::name(name, &mut own);
        for word in words.from(1).iter() {
            own.extend_from_slice(&(word.len() as u32).to_ne_bytes());
            own.extend_from_slice(word);
        }
        let fits = !keys.is_empty() && own.len() <= MAX_KEY_LEN;
        fits.then_some(Self { db, keys, own, form, plain: name == "get" && words.len() == 2 })
    }

    /// The name of a flight of such generations; `None` if it is too long for one.
    pub(crate) fn flight(&self, generations: &Generations) -> Option<SmallVec<[u8; 128]>> {
        let mut name: SmallVec<[u8; 128]> =
            generations.iter().flat_map(|generation| generation.to_ne_bytes()).collect();
        name.extend_from_slice(&self.own);
        (name.len() <= MAX_KEY_LEN).then_some(name)
    }

    /// The name of a flight of such generations that asks this server, among flights that ask others.
    pub(crate) fn flight_to(
        &self,
        server: ServerId,
        generations: &Generations,
    ) -> Option<SmallVec<[u8; 128]>> {
        let mut name = self.flight(generations)?;
        name.extend_from_slice(&server.to_ne_bytes());
        (name.len() <= MAX_KEY_LEN).then_some(name)
    }

    /// What it is a read of: its database, its command and its words.
    pub(crate) fn own(&self) -> &[u8] {
        &self.own
    }

    /// Whether its reply may lie with the generation of its key.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Its own place in the engine, for replies in the form of a protocol.
    pub(super) fn place(&self, protocol: Protocol) -> SmallVec<[u8; 96]> {
        let mut own = self.own.clone();
        if self.form != Form::Alike && protocol == Protocol::Resp2 {
            own[0] |= described::RESP2;
        }
        own
    }
}

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

    fn under_way(&self) -> u64 {
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
        if shelf.plain
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
    fn counts(&self, generation: u64, staleness: Staleness) -> bool {
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

    /// The tag of what a key was read from last, if anything that counts was.
    pub(crate) fn tag_of(&self, key: &[u8]) -> Option<Tag> {
        let see = |entry: EntryRef<'_>| Head::read(entry).map(|head| head.generation);
        let known = self.cache.peek(Key::bytes(key), see).flatten();
        known.filter(|known| self.floors.is_fresh(*known)).map(tag_of)
    }

    /// The generations of the keys of a read that is about to be sent, drawn where a key has none of
    /// this tag, which then lasts for `life` milliseconds, and at least as long as the read may be
    /// under way. `None` if there is no room to remember them.
    pub(crate) fn begin(&self, shelf: &Shelf, tag: Tag, life: Option<u64>) -> Option<Generations> {
        let life = life.map(|life| life.max(2 * self.under_way()));
        shelf.keys.iter().map(|key| self.generation(shelf, tag, key, life)).collect()
    }

    /// Has the generations of a read that may be sent last as long as that may be under way; whether
    /// its keys still have these.
    pub(crate) fn hold(&self, shelf: &Shelf, generations: &Generations) -> bool {
        let life = Some(2 * self.under_way());
        let held = shelf.keys.iter().zip(generations).all(|(key, generation)| {
            let held = self.generation(shelf, tag_of(*generation), key, life);
            held == Some(*generation)
        });
        held && self.stands(shelf, generations)
    }

    fn generation(&self, shelf: &Shelf, tag: Tag, key: &[u8], life: Option<u64>) -> Option<u64> {
        let now = self.now();
        let soon = now.saturating_add(self.under_way());
        let later = self.until(life);
        let drawn = self.cache.update(Key::bytes(key), |held, out| {
            let ends = held.and_then(|entry| entry.deadline());
            let known = held.and_then(Head::read).filter(|known| {
                tag_of(known.generation) == tag && self.floors.is_fresh(known.generation)
            });
            let Some(mut head) = known else {
                // Other replies than that to `GET` end by themselves.
                let until = (!shelf.plain).then_some(0);
                let generation = self.floors.draw(tag);
                let (db, reply) = (shelf.db, [].as_slice());
                let head = Head { generation, stamp: 0, db, format: EMPTY, until, reply };
                let format = head.write(out);
                return (Edit::Put { format, expiry: later }, generation);
            };
            let ends_early = ends.is_some_and(|ends| ends < soon);
            let shares = !(shelf.plain && head.db == shelf.db) && head.until.is_none();
            if !ends_early && !shares {
                return (Edit::Keep, head.generation);
            }
            let empty = head.format == EMPTY;
            if shares || !empty {
                let until = if empty { 0 } else { ends.unwrap_or(u64::MAX) };
                head.until = head.until.or(Some(until));
            }
            let same = ends.map_or(Expiry::Never, Expiry::At);
            let expiry = if ends_early { later } else { same };
            (Edit::Put { format: head.write(out), expiry }, head.generation)
        });
        drawn.ok()
    }

    /// The generations of the keys of a read, if all of them have one.
    pub(crate) fn generations(&self, shelf: &Shelf) -> Option<Generations> {
        let see = |entry: EntryRef<'_>| Head::read(entry).map(|head| head.generation);
        let of = |key| self.cache.peek(Key::bytes(key), see).flatten();
        shelf.keys.iter().map(of).collect()
    }

    /// Whether the keys of a read still have these generations.
    pub(crate) fn stands(&self, shelf: &Shelf, generations: &Generations) -> bool {
        self.stands_by(shelf, generations, Staleness::Refused)
    }

    /// As [`Replies::stands`], for those who take what may have changed unheard for `most` milliseconds:
    /// no change of a key was heard of since the generations were drawn.
    pub(crate) fn stands_for(&self, shelf: &Shelf, generations: &Generations, most: u64) -> bool {
        self.stands_by(shelf, generations, Staleness::Taken(most))
    }

    fn stands_by(&self, shelf: &Shelf, generations: &Generations, staleness: Staleness) -> bool {
        self.generations(shelf).is_some_and(|held| {
            held == *generations && held.iter().all(|one| self.counts(*one, staleness))
        })
    }

    /// Remembers a reply, as the store sent it in RESP3, for `life` milliseconds after it was asked for,
    /// in the form of the protocols that ask for it; `absent` says that none of its keys exists. Whether
    /// it is remembered.
    pub(crate) fn land(
        &self,
        shelf: &Shelf,
        generations: &Generations,
        (kind, reply, absent): (Kind, &[u8], bool),
        (stamp, life): (u64, Option<u64>),
        protocols: &[Protocol],
    ) -> bool {
        if !self.sources.covers(stamp) {
            return false;
        }
        let when = when_of(stamp);
        let expiry = life.map_or(Expiry::Never, |life| Expiry::At(when.saturating_add(life)));
        let null = kind == Kind::Null;
        let format = if null { NULL } else { REPLY } | if absent { ABSENT } else { 0 };
        let reply = if null { &[] } else { reply };
        if shelf.plain
            && let Some(landed) =
                self.land_plain(shelf, generations[0], format, reply, stamp, expiry)
        {
            return landed;
        }
        if !self.stands(shelf, generations) {
            return false;
        }
        let mut value: Vec<u8> = stamp.to_ne_bytes().to_vec();
        generations.iter().for_each(|of| value.extend_from_slice(&of.to_ne_bytes()));
        let head = value.len();
        let mut landed = true;
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let alike = shelf.form == Form::Alike;
            if !alike && !protocols.contains(&protocol) {
                continue;
            }
            value.truncate(head);
            if alike || protocol == Protocol::Resp3 || null {
                value.extend_from_slice(reply);
            } else if let Ok(reply) = Reply::decode(reply) {
                shelf.form.write_resp2(&reply, &mut value);
            }
            let place = shelf.place(protocol);
            let value = Value { format, bytes: &value };
            landed &= self.cache.set(Key::text(&place), value, expiry).is_ok();
            if alike {
                break;
            }
        }
        landed
    }

    /// Remembers the reply to a `GET` with the generation of its key; `None` if that of another
    /// database lies there.
    fn land_plain(
        &self,
        shelf: &Shelf,
        generation: u64,
        format: u8,
        reply: &[u8],
        stamp: u64,
        expiry: Expiry,
    ) -> Option<bool> {
        let landed = self.cache.update(Key::bytes(shelf.keys.first()), |held, out| {
            let ends = held.map(|entry| entry.deadline());
            match held.and_then(Head::read) {
                Some(head) if head.generation == generation => {
                    if head.format != EMPTY && head.db != shelf.db {
                        return (Edit::Keep, None);
                    }
                    let (db, mut until, mut expiry) = (shelf.db, None, expiry);
                    if head.until.is_some()
                        && let (Expiry::At(end), Some(ends)) = (expiry, ends)
                        && ends.is_none_or(|ends| ends > end)
                    {
                        // Other reads that are under way began with this generation, perhaps.
                        until = Some(end);
                        expiry = ends.map_or(Expiry::Never, Expiry::At);
                    }
                    let head = Head { generation, stamp, db, format, until, reply };
                    (Edit::Put { format: head.write(out), expiry }, Some(true))
                }
                _ => (Edit::Keep, Some(false)),
            }
        });
        landed.unwrap_or(Some(false))
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

    fn until(&self, life: Option<u64>) -> Expiry {
        life.map_or(Expiry::Never, |life| Expiry::At(self.now().saturating_add(life)))
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

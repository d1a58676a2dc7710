//! The generations of keys: drawn when they are read, and looked at before a reply is given or remembered.
//! `replies` says what they are for.

use super::entry::{EMPTY, Head};
use super::floors::tag_of;
use super::found::Staleness;
use super::replies::Replies;
use super::shelf::{Generations, Shelf};
use crate::topology::Tag;
use breakwater_engine::{Edit, EntryRef, Expiry, Key};

impl Replies {
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
        // What is beyond its time stays, for those who are given it if this read comes to nothing.
        let drawn = self.cache.update_kept(Key::bytes(key), |held, out| {
            let ends = held.and_then(|entry| entry.deadline());
            let known = held.and_then(Head::read).filter(|known| {
                tag_of(known.generation) == tag && self.floors.is_fresh(known.generation)
            });
            let Some(mut head) = known else {
                // Other replies than that to `GET` end by themselves.
                let until = (!shelf.is_plain()).then_some(0);
                let generation = self.floors.draw(tag);
                let (db, reply) = (shelf.db, [].as_slice());
                let head = Head { generation, stamp: 0, db, format: EMPTY, until, reply };
                let format = head.write(out);
                return (Edit::Put { format, expiry: later }, generation);
            };
            let ends_early = ends.is_some_and(|ends| ends < soon);
            let shares = !(shelf.is_plain() && head.db == shelf.db) && head.until.is_none();
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

    fn until(&self, life: Option<u64>) -> Expiry {
        life.map_or(Expiry::Never, |life| Expiry::At(self.now().saturating_add(life)))
    }
}

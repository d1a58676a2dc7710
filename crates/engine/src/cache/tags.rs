//! Tags: entries that are invalidated together, however many.

use super::Cache;
use crate::config::Error;
use crate::entry::EntryPtr;
use crate::index::Host;
use crate::key::Key;
use crate::note::{Draft, Note};
use crate::removal::Reason;
use crate::stats::Count;
use crate::tags::Validity;
use parking_lot::RwLockReadGuard;

/// While it lives no tag is invalidated.
pub(super) type InOrder<'a> = RwLockReadGuard<'a, ()>;

impl Cache {
    /// The group of a tag, for [`crate::Note::tags`].
    pub fn tag_group(&self, name: &str) -> u32 {
        self.tags.group(self.shared.hasher.hash(Key::text(name.as_bytes())))
    }

    /// How often tags were invalidated, for [`crate::Note::epoch`]: to be asked before the source of
    /// a value is read.
    pub fn epoch(&self) -> u64 {
        self.tags.epoch()
    }

    /// All entries with this tag are no longer there; if it is `soft`, they are stale instead, for
    /// the grace, as though their deadline had passed just now. Takes the same time however many
    /// they are. Memory comes back as they are met, evicted, or come to their deadline, and at once
    /// where nothing is evicted and room is needed.
    pub fn invalidate_tag(&self, name: &str, soft: bool) {
        let tag = self.tag_group(name);
        // A flight that learns its tags only from what it loads is known by its epoch.
        self.flights.kill_tagged(tag);
        let changing = self.shared.versions.as_ref().map(|versions| versions.changing_all());
        let in_order = self.tag_order.write();
        if soft {
            self.tags.invalidate_softly(tag, self.clock.now(), self.grace());
        } else {
            self.tags.invalidate(tag);
        }
        drop(in_order);
        drop(changing);
        self.flights.kill_tagged(tag);
    }

    /// Removes what invalidations ended, unless it was done before; whether there was anything. For
    /// a cache that has to have room and evicts nothing.
    pub(super) fn purge(&self) -> bool {
        if !self.tags.may_have_ended_some(self.clock.now(), self.grace()) {
            return false;
        }
        let mut any = false;
        for shard in self.shard_refs() {
            self.take_all(
                shard,
                |entry| entry.is_tagged() && self.is_gone(entry),
                |entry| {
                    any = true;
                    self.counters.add(shard.here, Count::Expirations);
                    self.leave(shard, entry, Reason::Expired);
                },
            );
        }
        any
    }

    /// Settles to which side of each invalidation an entry belongs that is about to be stored, until
    /// what is returned is dropped.
    ///
    /// Without this an entry of now could lose to an invalidation that returned before it took the
    /// place of another one: its key would lose both.
    pub(super) fn settle_epoch(
        &self,
        draft: Draft<'_>,
        entry: EntryPtr,
    ) -> Result<Option<InOrder<'_>>, Error> {
        if draft.note.tags.is_empty() {
            return Ok(None);
        }
        let in_order = self.tag_order.read();
        match draft.note.epoch {
            // SAFETY: the caller owns the entry, and the draft was written to it.
            None => unsafe { entry.set_epoch(self.tags.epoch()) },
            Some(epoch) => self.check_epoch(draft.note, epoch)?,
        }
        Ok(Some(in_order))
    }

    fn check_epoch(&self, note: &Note, epoch: u64) -> Result<(), Error> {
        match self.tags.check(epoch, note.tags.iter().copied()) {
            Validity::Valid => Ok(()),
            Validity::Stale { .. } | Validity::Invalid => Err(Error::Outdated),
        }
    }

    /// What is stored of a note. Nothing is evicted for what is too late.
    pub(super) fn draft<'a>(&self, note: &'a Note) -> Result<Draft<'a>, Error> {
        let epoch = note.epoch.unwrap_or(0);
        if !note.tags.is_empty() {
            self.prepare_tags()?;
            if note.epoch.is_some() {
                self.check_epoch(note, epoch)?;
            }
        }
        Ok(Draft { note, epoch })
    }

    /// As [`Cache::draft`], while no tag is invalidated: settles the epoch as well. The table of tags
    /// is there.
    pub(super) fn draft_in_order<'a>(&self, note: &'a Note) -> Result<Draft<'a>, Error> {
        let epoch = note.epoch.unwrap_or_else(|| self.tags.epoch());
        if !note.tags.is_empty() {
            self.check_epoch(note, epoch)?;
        }
        Ok(Draft { note, epoch })
    }

    /// Pays for the table of tags, unless it is there.
    fn prepare_tags(&self) -> Result<(), Error> {
        if self.tags.is_ready() {
            return Ok(());
        }
        let (shard, bytes) = (self.shard_ref(&self.shards[0]), self.tags.price());
        if !shard.charge(bytes) {
            self.make_room(shard, bytes)?;
        }
        let made = self.tags.make_ready();
        if made != Some(true) {
            shard.release(bytes);
        }
        if made.is_some() { Ok(()) } else { Err(Error::Full) }
    }
}

//! Tags: entries that are invalidated together, however many.

use super::Cache;
use crate::config::Error;
use crate::index::Host;
use crate::key::Key;
use crate::note::{Draft, Note};
use crate::tags::Validity;

impl Cache {
    /// The slot of a tag, for [`crate::Note::tags`].
    pub fn tag(&self, name: &str) -> u32 {
        self.tags.slot(self.hasher.hash(Key::text(name.as_bytes())))
    }

    /// How often tags were invalidated, for [`crate::Note::epoch`]: to be asked before the source of
    /// a value is read.
    pub fn epoch(&self) -> u64 {
        self.tags.epoch()
    }

    /// All entries with this tag are no longer there; if it is `soft`, they are stale instead, as
    /// though their deadline had passed just now. Takes the same time however many they are.
    /// Memory comes back as they are met, evicted, or come to their deadline.
    pub fn invalidate_tag(&self, name: &str, soft: bool) {
        let tag = self.tag(name);
        // A flight that learns its tags only from what it loads is known by its epoch.
        self.flights.kill_tagged(tag);
        let changing = self.versions.as_ref().map(|versions| versions.changing_all());
        self.tags.invalidate(tag, soft);
        drop(changing);
        self.flights.kill_tagged(tag);
    }

    /// What is stored of a note.
    pub(super) fn draft<'a>(&self, note: &'a Note) -> Result<Draft<'a>, Error> {
        if note.tags.is_empty() {
            return Ok(Draft { note, epoch: note.epoch.unwrap_or(0) });
        }
        self.prepare_tags()?;
        let Some(epoch) = note.epoch else { return Ok(Draft { note, epoch: self.epoch() }) };
        match self.tags.check(epoch, note.tags.iter().copied()) {
            Validity::Valid => Ok(Draft { note, epoch }),
            Validity::Stale | Validity::Invalid => Err(Error::Outdated),
        }
    }

    /// Pays for the table of tags, unless it is there.
    fn prepare_tags(&self) -> Result<(), Error> {
        if self.tags.is_ready() {
            return Ok(());
        }
        let (place, bytes) = (self.place_of(&self.shards[0]), self.tags.price());
        if !place.charge(bytes) {
            self.make_room(place, bytes)?;
        }
        if !self.tags.make_ready() {
            place.release(bytes);
        }
        Ok(())
    }
}

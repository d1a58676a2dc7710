//! What is known of an entry beside its value.

use super::Cache;
use super::freshness::Freshness;
use crate::config::Policy;
use crate::key::Key;
use crate::note::NoteRef;

/// What [`Cache::info`] tells of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// How fresh it is.
    pub freshness: Freshness,
    /// Whether it is no value but the knowledge that there is none.
    pub negative: bool,
    /// Milliseconds until its deadline, 0 if that has passed; `None` if it has none.
    pub left: Option<u64>,
    /// Milliseconds since it was stored or touched. Known if its life is, unless
    /// [`Cache::expire`] changed its deadline to one that is further away: an entry does not say by
    /// itself when it was made, which would take eight bytes of every one.
    pub age: Option<u64>,
    /// Bytes that it is charged: header, key, value, note and rounding.
    pub bytes: u64,
    /// How many tags it has.
    pub tags: usize,
    /// Its version, if it has one.
    pub version: Option<u64>,
    /// Milliseconds that loading it took, 0 if it was not loaded.
    pub cost: u32,
    /// Reads of late, as the policy counts them: up to 3, under `lfu` and `auto`. `None` where none are counted.
    pub hits: Option<u8>,
}

impl Cache {
    /// What is known of the key's entry, also of one that is stale or negative. Counts nothing, and
    /// the policy is not told. `life`: the milliseconds that an entry lives which does not say so
    /// itself, for its age.
    pub fn info(&self, key: Key<'_>, life: Option<u64>) -> Option<Info> {
        let hash = self.shared.hasher.hash(key);
        let shard = self.shard_of(hash);
        let _guard = shard.here.pin();
        let (hit, found) = loop {
            // SAFETY: pinned: what the index holds is not freed.
            let hit = shard.index.find(hash, |entry| unsafe { entry.read() }.has_key(key))?;
            // SAFETY: as above.
            match self.examine(unsafe { hit.entry().read() }, self.stamp(hash)) {
                Some(found) => break (hit, found),
                None if self.stands(shard, hash, key, hit.entry()) => return None,
                None => {}
            }
        };
        let entry = found.entry;
        let now = self.clock.now();
        let note = entry.note();
        let life = note.and_then(NoteRef::life).or(life);
        let born = entry.deadline().zip(life).and_then(|(end, life)| end.checked_sub(life));
        Some(Info {
            freshness: found.freshness,
            negative: found.negative,
            left: entry.deadline().map(|deadline| deadline.saturating_sub(now)),
            // Deadlines are rounded up.
            age: born.filter(|&born| born <= now + 1).map(|born| now.saturating_sub(born)),
            bytes: entry.footprint(self.is_linked()),
            tags: note.map_or(0, |note| note.tags().count()),
            version: note.and_then(NoteRef::version),
            cost: note.map_or(0, NoteRef::cost),
            hits: matches!(self.policy, Policy::Lfu | Policy::Auto).then(|| hit.frequency() as u8),
        })
    }
}

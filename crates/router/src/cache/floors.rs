//! Generations, and the floors below which none counts: `flushed` for what must never be given again,
//! `fresh` for what may have changed unheard, and is good only for those who take stale replies. Each
//! tag has floors of its own: what was read of a server, or of one partition of its keys.

use crate::topology::Tag;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bits of a generation that are its tag.
const BITS: u32 = Tag::BITS;

/// Losses within so many milliseconds are one.
const ONE_LOSS: u64 = 5_000;
const NEVER: u64 = u64::MAX;

/// The tag of a generation.
#[inline]
pub(super) fn tag_of(generation: u64) -> Tag {
    generation as Tag
}

/// Which of all that were drawn a generation is.
pub(super) fn drawn_of(generation: u64) -> u64 {
    generation >> BITS
}

struct Floor {
    flushed: AtomicU64,
    fresh: AtomicU64,
    /// Since which millisecond what is below `fresh` may have changed; [`NEVER`] before.
    lost: AtomicU64,
}

/// The floors of all tags.
pub(super) struct Floors {
    /// The number of the generation to be drawn next.
    next: AtomicU64,
    floors: Box<[Floor]>,
}

impl Floors {
    pub(super) fn new(tags: usize) -> Self {
        let floor = |_| {
            let [flushed, fresh, lost] = [0, 0, NEVER].map(AtomicU64::new);
            Floor { flushed, fresh, lost }
        };
        Self { next: AtomicU64::new(1), floors: (0..tags.max(1)).map(floor).collect() }
    }

    /// Another generation, of this tag.
    pub(super) fn draw(&self, tag: Tag) -> u64 {
        // AcqRel: what is drawn after a flush is above its floor.
        self.next.fetch_add(1, Ordering::AcqRel) << BITS | u64::from(tag)
    }

    /// Whether a generation counts for everybody.
    #[inline]
    pub(super) fn is_fresh(&self, generation: u64) -> bool {
        // Acquire: who has heard that what it knew may have changed takes none of it.
        let floor = self.floors.get(usize::from(tag_of(generation)));
        floor.is_some_and(|floor| generation >= floor.fresh.load(Ordering::Acquire))
    }

    /// Whether a generation counts for those who take what may have changed for up to `most`
    /// milliseconds.
    pub(super) fn is_stale_for(&self, generation: u64, now: u64, most: u64) -> bool {
        // Acquire: as in `is_fresh`.
        let floor = self.floors.get(usize::from(tag_of(generation)));
        floor.is_some_and(|floor| {
            let since = now.saturating_sub(floor.lost.load(Ordering::Acquire));
            generation >= floor.flushed.load(Ordering::Acquire) && since <= most
        })
    }

    /// None that was drawn counts any more.
    pub(super) fn flush(&self) {
        let above = self.draw(Tag::MAX) + 1;
        for floor in &self.floors {
            // Release: who sees it takes nothing that was read before.
            floor.flushed.fetch_max(above, Ordering::AcqRel);
            floor.fresh.fetch_max(above, Ordering::AcqRel);
        }
    }

    /// None that was drawn with these tags counts any more.
    pub(super) fn end(&self, tags: &[Tag]) {
        let above = self.draw(Tag::MAX) + 1;
        for floor in tags.iter().filter_map(|tag| self.floors.get(usize::from(*tag))) {
            // Release: as in `flush`.
            floor.flushed.fetch_max(above, Ordering::AcqRel);
            floor.fresh.fetch_max(above, Ordering::AcqRel);
        }
    }

    /// What was drawn with these tags may change unheard. Losses shortly one after the other are one, as
    /// when the connections of all threads are cut by the same fault: what is lost by a later one is stale
    /// since the first.
    pub(super) fn lose(&self, tags: &[Tag], now: u64) {
        let above = self.draw(Tag::MAX) + 1;
        for floor in tags.iter().filter_map(|tag| self.floors.get(usize::from(*tag))) {
            let before = floor.lost.load(Ordering::Acquire);
            if now.saturating_sub(before) > ONE_LOSS || before == NEVER {
                // What was stale before is no better for it.
                floor.flushed.fetch_max(floor.fresh.load(Ordering::Acquire), Ordering::AcqRel);
                floor.lost.store(now, Ordering::Release);
            }
            floor.fresh.fetch_max(above, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_of_one_tag_leaves_the_others() {
        let floors = Floors::new(3);
        let drawn = [0, 1, 2].map(|tag| floors.draw(tag));
        assert_eq!(drawn.map(tag_of), [0, 1, 2]);
        floors.lose(&[1], 500);
        assert_eq!(drawn.map(|one| floors.is_fresh(one)), [true, false, true]);
        assert!(
            floors.is_stale_for(drawn[1], 600, 100) && !floors.is_stale_for(drawn[1], 601, 100)
        );
        assert!(floors.is_fresh(floors.draw(1)));
        // The same fault once more: it is as stale as it was, and what was read in between is as well.
        let between = floors.draw(1);
        floors.lose(&[1], 550);
        for one in [drawn[1], between] {
            assert!(!floors.is_fresh(one));
            assert!(floors.is_stale_for(one, 600, 100) && !floors.is_stale_for(one, 601, 100));
        }
        // Another one, later.
        let later = floors.draw(1);
        floors.lose(&[1], 500 + ONE_LOSS + 1);
        assert!(floors.is_stale_for(later, 500 + ONE_LOSS + 1, 0));
        assert!([drawn[1], between].iter().all(|one| !floors.is_stale_for(*one, 9_999, 9_999)));
        floors.flush();
        assert_eq!(drawn.map(|one| floors.is_fresh(one)), [false; 3]);
        assert!(!floors.is_stale_for(later, 500, 100));
        assert!(floors.is_fresh(floors.draw(2)));
        let drawn = [0, 1, 2].map(|tag| floors.draw(tag));
        floors.end(&[0, 2]);
        assert_eq!(drawn.map(|one| floors.is_fresh(one)), [false, true, false]);
        assert!(!floors.is_fresh(u64::MAX), "there is no such tag");
    }
}

//! The ghost queue: which keys were evicted lately, as fingerprints in many small queues.
//!
//! A ring holds 16 bits of each key that falls to it, and forgets the oldest for a new one. Rings are
//! used as far as the keys that are to be remembered fill them; many keys fall to each, so that all
//! forget after about as many evictions. A key passes for a ghost by mistake once in five hundred
//! times.

use crate::index::{Hint, Host};
use crate::memory;

/// Fingerprints that a ring has room for: with its hand, four cache lines.
const WAYS: usize = 127;

/// Bits of a hint above those that choose a ring.
const PLACE_AT: u32 = Hint::TAG_BITS;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct GhostRing {
    /// Where the next fingerprint goes.
    hand: u16,
    /// 0 where there is none.
    fingerprints: [u16; WAYS],
}

impl GhostRing {
    const EMPTY: Self = Self { hand: 0, fingerprints: [0; WAYS] };
}

#[derive(Default)]
pub(super) struct Ghost {
    rings: Vec<GhostRing>,
    /// Keys that are to be remembered.
    limit: u64,
    /// Places of each ring that are in use for that; 0 while there are no rings.
    ways: usize,
}

impl Ghost {
    /// Remembers a key that is evicted, and of the last `limit` ones about all.
    pub(super) fn insert(&mut self, hint: Hint, limit: u64, host: &impl Host) {
        if limit != self.limit {
            self.limit = limit;
            self.fit(limit.max(1), host);
        }
        if self.ways == 0 {
            return;
        }
        let ways = self.ways;
        let ring = self.ring_of(hint);
        let at = usize::from(ring.hand);
        let at = if at < ways { at } else { 0 };
        ring.fingerprints[at] = fingerprint(hint);
        ring.hand = at as u16 + 1;
    }

    /// Whether the key was evicted lately; it is forgotten.
    pub(super) fn take(&mut self, hint: Hint) -> bool {
        if self.ways == 0 {
            return false;
        }
        let (ways, wanted) = (self.ways, fingerprint(hint));
        let used = &mut self.ring_of(hint).fingerprints[..ways];
        // All of them first, which takes few instructions: most keys are not there.
        let found = used.iter().fold(false, |found, &held| found | (held == wanted));
        if found {
            used.iter_mut().filter(|held| **held == wanted).for_each(|held| *held = 0);
        }
        found
    }

    /// The ring of a key; there is one.
    fn ring_of(&mut self, hint: Hint) -> &mut GhostRing {
        // A fraction times the length: the bits that choose a bucket of the index, as high as they go.
        let place = u64::from(hint.bits() << PLACE_AT);
        let at = (place * self.rings.len() as u64) >> u32::BITS;
        &mut self.rings[at as usize]
    }

    /// Uses as much of the rings as so many keys need; of others, if they are too few or far too many.
    fn fit(&mut self, limit: u64, host: &impl Host) {
        let ways = limit.div_ceil(self.rings.len().max(1) as u64) as usize;
        let too_many = ways < WAYS / 4 && self.rings.len() > 1;
        if self.rings.is_empty() || ways > WAYS || too_many {
            self.rebuild(limit, host);
        }
        self.ways = if self.rings.is_empty() {
            0
        } else {
            WAYS.min(limit.div_ceil(self.rings.len() as u64) as usize)
        };
    }

    /// Takes other rings, which are empty: where a key was tells nothing of where it would be.
    #[cold]
    fn rebuild(&mut self, limit: u64, host: &impl Host) {
        // Some room for more: what is remembered is lost when they are rebuilt.
        let wanted = (limit * 9 / 8).div_ceil(WAYS as u64) as usize;
        let bytes = |len: usize| (len * size_of::<GhostRing>()) as u64;
        if !host.charge(bytes(wanted)) {
            return;
        }
        let Some(mut rings) = memory::try_vec(wanted) else {
            host.release(bytes(wanted));
            return;
        };
        rings.resize(wanted, GhostRing::EMPTY);
        host.release(self.footprint());
        self.rings = rings;
    }

    /// What the rings are charged.
    pub(super) fn footprint(&self) -> u64 {
        (self.rings.len() * size_of::<GhostRing>()) as u64
    }
}

/// 16 bits of the hint, never 0: its tag, and those that matter least for the ring.
fn fingerprint(hint: Hint) -> u16 {
    let low = u16::BITS - PLACE_AT;
    let (tag, rest) = (hint.bits() >> (u32::BITS - PLACE_AT), hint.bits() & ((1 << low) - 1));
    ((tag << low | rest) as u16).max(1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::{Purse, scatter};

    #[test]
    fn it_remembers_the_last_evictions_and_forgets_those_before() {
        let purse = Purse::default();
        let mut ghost = Ghost::default();
        for key in 0..10_000 {
            ghost.insert(Hint::of(scatter(key)), 1_000, &purse);
        }
        let known = |ghost: &mut Ghost, keys: std::ops::Range<u64>| {
            keys.filter(|&key| ghost.take(Hint::of(scatter(key)))).count()
        };
        assert!(known(&mut ghost, 9_050..10_000) > 900);
        assert!(known(&mut ghost, 0..8_900) < 50);
        assert_eq!(known(&mut ghost, 9_050..10_000), 0, "taken once");
        assert_eq!(purse.charged(), ghost.footprint());
    }

    #[test]
    fn it_remembers_more_or_fewer_as_the_limit_moves_and_pays_for_what_it_keeps() {
        let purse = Purse::default();
        let mut ghost = Ghost::default();
        let mut next = 0;
        for limit in [50, 400, 440, 10_000, 9_000, 100, 1] {
            for _ in 0..3 * limit {
                ghost.insert(Hint::of(scatter(next)), limit, &purse);
                next += 1;
            }
            assert_eq!(purse.charged(), ghost.footprint(), "{limit}");
            let known = |back: std::ops::Range<u64>, ghost: &mut Ghost| {
                back.filter(|back| ghost.take(Hint::of(scatter(next - 1 - back)))).count() as u64
            };
            let far = known(limit * 3 / 2..limit * 3, &mut ghost);
            let near = known(0..limit.div_ceil(2), &mut ghost);
            assert!(near * 10 >= limit.div_ceil(2) * 9, "{near} of the last half of {limit}");
            assert!(far * 20 <= limit, "{far} of those before the last {limit}");
            assert!(ghost.footprint() <= 256 + limit * 9, "{} for {limit}", ghost.footprint());
        }
    }
}

//! `lfu`: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
//!
//! New keys enter a small queue of a tenth of the entries. Those read twice there go on to the
//! main queue; the others leave, and are remembered as ghosts: a ghost that comes back enters the
//! main queue at once. In the main queue an entry that was read since its last turn gets another.
//! Counts of reads and the queue that an entry is in are bits of its word in the index.
//!
//! For `auto` all this is subject to a [`Rule`], which may change at any time.
//!
//! Records of keys that are gone stay, until they outnumber the others: then both queues are gone
//! through once, a few records at each insertion.

use super::ghost::Ghost;
use super::queue::Queue;
use super::rule::{MOST_TURNS, Rule, Step, ghosts, wins};
use super::sketch::Sketch;
use super::sweep::Sweep;
use super::weight::{MOST_OF_GHOSTS, Mean, Scale};
use super::{Admission, Eviction, TURNS};
use crate::entry::EntryPtr;
use crate::index::{Hint, Host, Index, Shortage, Word};
use std::cell::Cell;

/// Stale records that do not matter, however few entries there are.
const SLACK: u64 = 256;

/// Records of each queue that an insertion looks at, during a round. A round ends, since an insertion
/// adds one.
const TIDIED_AT_ONCE: usize = 8;

pub(crate) struct S3Fifo {
    rule: Rule,
    small: Queue,
    main: Queue,
    ghost: Ghost,
    /// How often keys came in, where a rule may ask for it.
    sketch: Option<Sketch>,
    sweep: Sweep,
    /// How entries are weighed, where a rule may ask for it, and the mean.
    pub(super) scale: Scale,
    pub(super) mean: Mean,
}

impl Default for S3Fifo {
    fn default() -> Self {
        Self {
            rule: Rule::S3_FIFO,
            small: Queue::default(),
            main: Queue::default(),
            ghost: Ghost::default(),
            sketch: None,
            sweep: Sweep::default(),
            scale: Scale::EVEN,
            mean: Mean::default(),
        }
    }
}

impl S3Fifo {
    /// Another rule from now on. The entries stay where they are.
    pub(super) fn set_rule(&mut self, rule: Rule) {
        self.rule = rule;
    }

    /// Another sketch, which is paid for; the one before.
    pub(super) fn set_sketch(&mut self, sketch: Option<Sketch>) -> Option<Sketch> {
        std::mem::replace(&mut self.sketch, sketch)
    }

    /// Room for a record in either queue.
    #[inline]
    pub(super) fn prepare(&mut self, host: &impl Host) -> Result<(), Shortage> {
        self.small.prepare(host)?;
        self.main.prepare(host)
    }

    /// The caller is pinned, or has the entry for itself.
    #[inline]
    pub(super) fn admit(&mut self, hash: u64, entry: EntryPtr) -> Admission {
        let is_ghost = self.ghost.take(Hint::of(hash));
        let main = self.rule.small == 0
            || (is_ghost && !self.rule.contest && self.toll(entry) <= MOST_OF_GHOSTS);
        let queue = if main { &self.main } else { &self.small };
        Admission { main, round: queue.unmet() }
    }

    #[inline]
    pub(super) fn push(&mut self, hash: u64, main: bool) {
        let hint = Hint::of(hash);
        if main {
            self.main.push(hint)
        } else {
            self.small.push(hint)
        }
        self.count(hint);
    }

    /// What an entry weighs is known only now: if it came back as a ghost that is too dear for the main
    /// queue, it goes to the small one. The caller is pinned, and has prepared.
    pub(super) fn settle(&mut self, hash: u64, entry: EntryPtr, index: &Index, host: &impl Host) {
        if self.rule.small == 0 || self.toll(entry) <= MOST_OF_GHOSTS {
            return;
        }
        let unmet = self.small.unmet();
        let here = |word: Word, held: EntryPtr| held == entry && word.is_main();
        let moved = |word: Word| word.with_main(false).with_round(unmet);
        if index.edit(host, hash, here, moved).is_some() {
            self.small.push(Hint::of(hash));
        }
    }

    /// The reads that a turn costs an entry. The caller is pinned, or has it for itself.
    #[inline]
    fn toll(&self, entry: EntryPtr) -> u64 {
        if !self.rule.weighs {
            return 1;
        }
        // SAFETY: by contract; what the index holds is not freed while one is pinned.
        let entry = unsafe { entry.read() };
        if self.scale.awaits(entry) { 1 } else { self.mean.toll(self.scale.weight_of(entry)) }
    }

    /// The same, of the entry that a word leads to.
    #[inline]
    fn toll_of(&self, word: Word) -> u64 {
        word.entry().map_or(1, |entry| self.toll(entry))
    }

    #[inline]
    fn count(&mut self, hint: Hint) {
        if let Some(sketch) = &mut self.sketch {
            sketch.add(hint.hash());
        }
    }

    pub(super) fn evict(&mut self, index: &Index, host: &impl Host, live: u64) -> Eviction {
        for _ in 0..TURNS {
            if self.small.len() + self.main.len() == 0 {
                // A record is a hint: an entry that none leads to can still be found.
                return if live > 0 { self.sweep.evict(index, host) } else { Eviction::Nothing };
            }
            let (small, main) = (self.small.len() as u64, self.main.len() as u64);
            let victim = match self.rule.step(small, main, live) {
                Step::PassOn => self.pass_on(index, host),
                Step::TurnSmall => self.turn_small(index, host, live),
                Step::Contest => self.contest(index, host, live),
                Step::TurnMain => self.turn_main(index, host),
            };
            if let Some(victim) = victim {
                return Eviction::Victim(victim);
            }
        }
        Eviction::Again
    }

    /// The oldest of the small queue goes on.
    fn pass_on(&mut self, index: &Index, host: &impl Host) -> Option<EntryPtr> {
        if self.main.prepare(host).is_err() {
            let hint = self.small.pop(host)?;
            return take(index, host, hint, |word, _| !word.is_main());
        }
        let hint = self.small.pop(host)?;
        let unmet = self.main.unmet();
        let passed = |word: Word| {
            word.with_frequency(word.frequency().min(1)).with_main(true).with_round(unmet)
        };
        index.edit_hinted(host, hint, |word, _| !word.is_main(), passed)?;
        self.main.push(hint);
        None
    }

    /// The oldest of the small queue goes on, or leaves.
    fn turn_small(&mut self, index: &Index, host: &impl Host, live: u64) -> Option<EntryPtr> {
        // A record's room in the main queue is made before there is something to put in.
        let can_promote = self.main.prepare(host).is_ok();
        let hint = self.small.pop(host)?;
        let unmet = self.main.unmet();
        let reads = u64::from(self.rule.reads);
        let goes_on = |word: Word| can_promote && word.frequency() >= reads.max(self.toll_of(word));
        let promoted = |word: Word| word.with_frequency(0).with_main(true).with_round(unmet);
        let change = |word: Word| if goes_on(word) { promoted(word) } else { Word::EMPTY };
        let word = index.edit_hinted(host, hint, |word, _| !word.is_main(), change)?;
        if goes_on(word) {
            self.main.push(hint);
            return None;
        }
        index.trim_hinted(host, hint);
        self.ghost.insert(hint, ghosts(live), host);
        word.entry()
    }

    /// The oldest of the small queue goes on, and the one that the main queue would evict leaves, if
    /// it came in more often; or else it leaves itself.
    fn contest(&mut self, index: &Index, host: &impl Host, live: u64) -> Option<EntryPtr> {
        let rival = match self.rival(index, host) {
            // A record's room in the main queue is made before there is something to put in.
            Rival::Next(hint, reads) if self.main.prepare(host).is_ok() => Some((hint, reads)),
            Rival::Next(..) | Rival::None => None,
            Rival::Left(victim) => return Some(victim),
        };
        let hint = self.small.pop(host)?;
        let reads = reads(index, hint, false)?;
        let winner = rival.filter(|&(rival, its_reads)| {
            let estimate =
                |hint: Hint| self.sketch.as_ref().map_or(0, |sketch| sketch.estimate(hint.hash()));
            wins((estimate(hint), reads), (estimate(rival), its_reads))
        });
        let (leaves, from_main) = winner.map_or((hint, false), |(rival, _)| (rival, true));
        if from_main {
            let unmet = self.main.unmet();
            let promoted = |word: Word| word.with_frequency(0).with_main(true).with_round(unmet);
            index.edit_hinted(host, hint, |word, _| !word.is_main(), promoted)?;
            self.main.push(hint);
            self.main.pop(host);
        }
        let victim = take(index, host, leaves, |word, _| word.is_main() == from_main)?;
        self.ghost.insert(leaves, ghosts(live), host);
        Some(victim)
    }

    /// Who the main queue would evict next.
    fn rival(&mut self, index: &Index, host: &impl Host) -> Rival {
        let mut turns = 0;
        while let Some(hint) = self.main.front() {
            match reads(index, hint, true) {
                Some(reads) if reads == 0 || turns == MOST_TURNS => {
                    return Rival::Next(hint, reads);
                }
                Some(_) => {
                    turns += 1;
                    if let Some(victim) = self.turn_main(index, host) {
                        return Rival::Left(victim);
                    }
                }
                None => _ = self.main.pop(host),
            }
        }
        Rival::None
    }

    /// The oldest of the main queue gets another turn, or leaves.
    fn turn_main(&mut self, index: &Index, host: &impl Host) -> Option<EntryPtr> {
        let hint = self.main.pop(host)?;
        if self.main.prepare(host).is_err() {
            return take(index, host, hint, |word, _| word.is_main());
        }
        let unmet = self.main.unmet();
        let change = |word: Word| match word.frequency().checked_sub(self.toll_of(word)) {
            None => Word::EMPTY,
            Some(reads) => word.with_frequency(reads).with_round(unmet),
        };
        let word = index.edit_hinted(host, hint, |word, _| word.is_main(), change)?;
        if change(word) != Word::EMPTY {
            self.main.push(hint);
            self.count(hint);
            return None;
        }
        index.trim_hinted(host, hint);
        word.entry()
    }

    /// Drops records whose key is gone, or that are there twice, once they outnumber the others: a
    /// few at a time.
    #[inline]
    pub(super) fn tidy(&mut self, index: &Index, host: &impl Host, live: u64) {
        let records = (self.small.len() + self.main.len()) as u64;
        if records > 2 * live + SLACK || self.small.is_tidying() || self.main.is_tidying() {
            self.tidy_some(index, host, records > 2 * live + SLACK);
        }
    }

    #[cold]
    fn tidy_some(&mut self, index: &Index, host: &impl Host, begins: bool) {
        if begins {
            self.small.begin_round();
            self.main.begin_round();
        }
        let meet = |hint: Hint, main: bool, met: bool| {
            let unmet = |word: Word, _| word.is_main() == main && word.round() != met;
            index.edit_hinted(host, hint, unmet, |word| word.with_round(met)).is_some()
        };
        self.small.tidy(host, TIDIED_AT_ONCE, |hint, met| meet(hint, false, met));
        self.main.tidy(host, TIDIED_AT_ONCE, |hint, met| meet(hint, true, met));
    }

    /// What the queues are charged.
    pub(super) fn footprint(&self) -> u64 {
        let sketch = self.sketch.as_ref().map_or(0, Sketch::footprint);
        self.small.footprint() + self.main.footprint() + self.ghost.footprint() + sketch
    }
}

/// Who stands against a key that leaves the small queue.
enum Rival {
    /// A key of the main queue, whose record is the oldest, and its reads.
    Next(Hint, u64),
    /// It has left already: there was no room for another turn.
    Left(EntryPtr),
    None,
}

/// The reads of the key's entry, if it is in that queue.
fn reads(index: &Index, hint: Hint, main: bool) -> Option<u64> {
    let reads = Cell::new(0);
    let selected = |word: Word, _: EntryPtr| {
        let found = word.is_main() == main;
        if found {
            reads.set(word.frequency());
        }
        found
    };
    index.find_hinted(hint, selected).map(|_| reads.get())
}

/// Removes the word if the index still has it; the entry. Under the shard's lock.
fn take(
    index: &Index,
    host: &impl Host,
    hint: Hint,
    selected: impl Fn(Word, EntryPtr) -> bool + Copy,
) -> Option<EntryPtr> {
    let word = index.edit_hinted(host, hint, selected, |_| Word::EMPTY)?;
    index.trim_hinted(host, hint);
    word.entry()
}

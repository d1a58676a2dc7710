//! One shadow cache: S3-FIFO's queues under a rule, of keys alone. What it does with a key is what
//! [`super::super::lfu::S3Fifo`] does with an entry.

use super::super::rule::{MOST_TURNS, Rule, Step, ghosts, wins};
use super::super::sketch::Sketch;
use super::super::weight::{MOST_OF_GHOSTS, Mean, Weight};
use super::directory::{Directory, Place, Slot};
use super::ring::Ring;

pub(super) struct Candidate {
    /// Its number in the directory.
    number: usize,
    pub(super) rule: Rule,
    small: Ring,
    main: Ring,
    /// Of no size where no rule asks for ghosts.
    ghosts: Ring,
    /// Where the rule, or one that it may get, asks for it.
    sketch: Option<Sketch>,
    /// Keys that it holds.
    held: u64,
    /// The room that they take.
    room: u64,
    /// What hits of the requests whose key it did not hold would have been worth.
    pub(super) misses: u64,
}

/// Records that a queue has room for: a few lead to keys that the directory has dropped.
const fn room(capacity: u64) -> u64 {
    capacity + capacity / 4 + 8
}

/// What the rules of a candidate ask for.
#[derive(Clone, Copy)]
pub(super) struct Needs {
    ghosts: bool,
    sketch: bool,
}

impl Needs {
    /// Of a rule that stays.
    pub(super) const fn of(rule: Rule) -> Self {
        Self { ghosts: !rule.contest && rule.small > 0, sketch: rule.contest }
    }

    /// Of all rules.
    pub(super) const ALL: Self = Self { ghosts: true, sketch: true };
}

impl Candidate {
    /// An empty one; `None` when the system has no memory left.
    pub(super) fn new(number: usize, rule: Rule, needs: Needs, capacity: u64) -> Option<Self> {
        Some(Self {
            number,
            rule,
            small: Ring::new(room(capacity))?,
            main: Ring::new(room(capacity))?,
            ghosts: Ring::new(if needs.ghosts { ghosts(capacity) } else { 0 })?,
            sketch: if needs.sketch { Some(Sketch::new(capacity)?) } else { None },
            held: 0,
            room: 0,
            misses: 0,
        })
    }

    /// What one takes, in bytes.
    pub(super) fn price(needs: Needs, capacity: u64) -> u64 {
        let sketch = if needs.sketch { Sketch::price(capacity) } else { 0 };
        let ghosts = if needs.ghosts { Ring::price(ghosts(capacity)) } else { 0 };
        size_of::<Self>() as u64 + 2 * Ring::price(room(capacity)) + ghosts + sketch
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> u64 {
        let rings = [&self.small, &self.main, &self.ghosts].map(Ring::footprint);
        let sketch = self.sketch.as_ref().map_or(0, Sketch::footprint);
        size_of::<Self>() as u64 + rings.iter().sum::<u64>() + sketch
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// The directory has dropped a key that the candidate held.
    pub(super) fn dropped(&mut self, weight: Weight) {
        self.held = self.held.saturating_sub(1);
        self.room = self.room.saturating_sub(weight.room.into());
    }

    /// The key of a slot is held no more.
    #[inline]
    fn gone(&mut self, directory: &Directory, slot: Slot) {
        self.dropped(directory.weight(slot));
    }

    /// The reads that a turn costs a key.
    #[inline]
    fn toll(&self, directory: &Directory, slot: Slot, mean: &Mean) -> u64 {
        if self.rule.weighs { mean.toll(directory.weight(slot)) } else { 1 }
    }

    /// The key was asked for and is not held: it comes in.
    #[inline]
    pub(super) fn insert(
        &mut self,
        directory: &mut Directory,
        slot: Slot,
        worth: u32,
        most: u64,
        mean: &Mean,
    ) {
        self.misses += u64::from(worth);
        let room = u64::from(directory.weight(slot).room);
        while self.held > 0 && self.room + room > most {
            self.evict(directory, mean);
        }
        self.count(directory.key(slot));
        let is_ghost = directory.known(self.number, slot).place == Place::Ghost;
        let main = self.rule.small == 0
            || (is_ghost
                && !self.rule.contest
                && self.toll(directory, slot, mean) <= MOST_OF_GHOSTS);
        self.held += 1;
        self.room += room;
        if main {
            self.push_main(directory, slot, 0);
            return;
        }
        directory.put(self.number, slot, Place::Small, 0);
        if let Some(oldest) = self.small.push(slot) {
            self.lose(directory, oldest, Place::Small);
        }
    }

    #[inline]
    fn count(&mut self, key: u32) {
        if let Some(sketch) = &mut self.sketch {
            sketch.add(key.into());
        }
    }

    fn estimate(&self, directory: &Directory, slot: Slot) -> u64 {
        self.sketch.as_ref().map_or(0, |sketch| sketch.estimate(directory.key(slot).into()))
    }

    /// Evicts a key.
    fn evict(&mut self, directory: &mut Directory, mean: &Mean) {
        let before = self.held;
        while self.held == before {
            let (small, main) = (self.small.len(), self.main.len());
            if small + main == 0 {
                (self.held, self.room) = (0, 0);
                return;
            }
            match self.rule.step(small, main, before) {
                Step::PassOn => self.pass_on(directory),
                Step::TurnSmall => self.turn_small(directory, mean),
                Step::Contest => self.contest(directory),
                Step::TurnMain => self.turn_main(directory, mean),
            }
        }
    }

    /// The reads of a key that is in a queue; `None` if the record is stale.
    #[inline]
    fn reads(&self, directory: &Directory, slot: Slot, place: Place) -> Option<u64> {
        let known = directory.known(self.number, slot);
        (known.place == place).then_some(known.reads)
    }

    fn pass_on(&mut self, directory: &mut Directory) {
        let Some(slot) = self.small.pop() else { return };
        if let Some(reads) = self.reads(directory, slot, Place::Small) {
            self.push_main(directory, slot, reads.min(1));
        }
    }

    #[inline]
    fn turn_small(&mut self, directory: &mut Directory, mean: &Mean) {
        let Some(slot) = self.small.pop() else { return };
        let Some(reads) = self.reads(directory, slot, Place::Small) else { return };
        let needed = self.toll(directory, slot, mean).max(self.rule.reads.into());
        if reads >= needed {
            self.push_main(directory, slot, 0);
        } else {
            self.leave(directory, slot);
        }
    }

    fn contest(&mut self, directory: &mut Directory) {
        let Some(slot) = self.small.pop() else { return };
        let Some(reads) = self.reads(directory, slot, Place::Small) else { return };
        let winner = self.rival(directory).filter(|&(rival, its_reads)| {
            let key = (self.estimate(directory, slot), reads);
            wins(key, (self.estimate(directory, rival), its_reads))
        });
        match winner {
            Some((rival, _)) => {
                self.main.pop();
                self.leave(directory, rival);
                self.push_main(directory, slot, 0);
            }
            None => self.leave(directory, slot),
        }
    }

    /// The key of the main queue that would leave next, and its reads: it stands at its front.
    fn rival(&mut self, directory: &mut Directory) -> Option<(Slot, u64)> {
        let mut turns = 0;
        loop {
            let slot = self.main.front()?;
            match self.reads(directory, slot, Place::Main) {
                Some(reads) if reads == 0 || turns == MOST_TURNS => return Some((slot, reads)),
                Some(reads) => {
                    turns += 1;
                    self.main.pop();
                    self.turn(directory, slot, reads - 1);
                }
                None => _ = self.main.pop(),
            }
        }
    }

    fn turn_main(&mut self, directory: &mut Directory, mean: &Mean) {
        let Some(slot) = self.main.pop() else { return };
        let Some(reads) = self.reads(directory, slot, Place::Main) else { return };
        match reads.checked_sub(self.toll(directory, slot, mean)) {
            None => {
                directory.put(self.number, slot, Place::Nowhere, 0);
                self.gone(directory, slot);
            }
            Some(left) => self.turn(directory, slot, left),
        }
    }

    /// A key of the main queue that was read gets another turn.
    fn turn(&mut self, directory: &mut Directory, slot: Slot, left: u64) {
        self.count(directory.key(slot));
        self.push_main(directory, slot, left);
    }

    fn push_main(&mut self, directory: &mut Directory, slot: Slot, reads: u64) {
        directory.put(self.number, slot, Place::Main, reads);
        if let Some(oldest) = self.main.push(slot) {
            self.lose(directory, oldest, Place::Main);
        }
    }

    /// A record made room: its key, if it is held by it, is held no more.
    #[cold]
    fn lose(&mut self, directory: &mut Directory, slot: Slot, place: Place) {
        if self.reads(directory, slot, place).is_some() {
            directory.put(self.number, slot, Place::Nowhere, 0);
            self.gone(directory, slot);
        }
    }

    /// A key leaves, and is remembered as a ghost.
    #[inline]
    fn leave(&mut self, directory: &mut Directory, slot: Slot) {
        self.gone(directory, slot);
        if self.ghosts.is_none() {
            return directory.put(self.number, slot, Place::Nowhere, 0);
        }
        directory.put(self.number, slot, Place::Ghost, 0);
        if let Some(oldest) = self.ghosts.push(slot)
            && self.reads(directory, oldest, Place::Ghost).is_some()
        {
            directory.put(self.number, oldest, Place::Nowhere, 0);
        }
    }
}

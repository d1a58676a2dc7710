//! One shadow cache: S3-FIFO's queues under a rule, of keys alone. What it does with a key is what
//! [`super::super::lfu::S3Fifo`] does with an entry.

use super::super::rule::{MOST_TURNS, Rule, Step, ghosts, wins};
use super::super::sketch::Sketch;
use super::ring::Ring;
use super::table::{Place, Slot, Table};

pub(super) struct Candidate {
    /// Its number in the table.
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
    /// Requests whose key it did not hold.
    pub(super) misses: u64,
}

/// Records that a queue has room for: a few lead to keys that the table has dropped.
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

    /// The table has dropped a key that the candidate held.
    pub(super) fn dropped(&mut self) {
        self.held = self.held.saturating_sub(1);
    }

    /// The key was asked for and is not held: it comes in.
    pub(super) fn insert(&mut self, table: &mut Table, slot: Slot, key: u32, capacity: u64) {
        self.misses += 1;
        while self.held >= capacity {
            self.evict(table);
        }
        self.count(key);
        let is_ghost = table.known(self.number, slot).place == Place::Ghost;
        let main = self.rule.small == 0 || (is_ghost && !self.rule.contest);
        self.held += 1;
        table.put(self.number, slot, if main { Place::Main } else { Place::Small }, 0);
        if main {
            self.push_main(table, key);
        } else if let Some(oldest) = self.small.push(key) {
            self.lose(table, oldest, Place::Small);
        }
    }

    fn count(&mut self, key: u32) {
        if let Some(sketch) = &mut self.sketch {
            sketch.add(key.into());
        }
    }

    fn estimate(&self, key: u32) -> u64 {
        self.sketch.as_ref().map_or(0, |sketch| sketch.estimate(key.into()))
    }

    /// Evicts a key.
    fn evict(&mut self, table: &mut Table) {
        let before = self.held;
        while self.held == before {
            if self.small.len() + self.main.len() == 0 {
                self.held = 0;
                return;
            }
            match self.rule.step(self.small.len(), self.main.len(), before) {
                Step::PassOn => self.pass_on(table),
                Step::TurnSmall => self.turn_small(table),
                Step::Contest => self.contest(table),
                Step::TurnMain => self.turn_main(table),
            }
        }
    }

    /// The slot of a key that is in a queue, and its reads; `None` if the record is stale.
    fn queued(&self, table: &Table, key: u32, place: Place) -> Option<(Slot, u64)> {
        let slot = table.find(key)?;
        let known = table.known(self.number, slot);
        (known.place == place).then_some((slot, known.reads))
    }

    fn pass_on(&mut self, table: &mut Table) {
        let Some(key) = self.small.pop() else { return };
        if let Some((slot, reads)) = self.queued(table, key, Place::Small) {
            table.put(self.number, slot, Place::Main, reads.min(1));
            self.push_main(table, key);
        }
    }

    fn turn_small(&mut self, table: &mut Table) {
        let Some(key) = self.small.pop() else { return };
        let Some((slot, reads)) = self.queued(table, key, Place::Small) else { return };
        if reads >= self.rule.reads.into() {
            table.put(self.number, slot, Place::Main, 0);
            self.push_main(table, key);
        } else {
            self.leave(table, slot, key);
        }
    }

    fn contest(&mut self, table: &mut Table) {
        let Some(key) = self.small.pop() else { return };
        let Some((slot, reads)) = self.queued(table, key, Place::Small) else { return };
        let rival = self.rival(table);
        let Some((rival, its_slot, its_reads)) = rival else {
            return self.leave(table, slot, key);
        };
        if wins((self.estimate(key), reads), (self.estimate(rival), its_reads)) {
            self.main.pop();
            self.leave(table, its_slot, rival);
            table.put(self.number, slot, Place::Main, 0);
            self.push_main(table, key);
        } else {
            self.leave(table, slot, key);
        }
    }

    /// The key of the main queue that would leave next: it stands at its front.
    fn rival(&mut self, table: &mut Table) -> Option<(u32, Slot, u64)> {
        let mut turns = 0;
        loop {
            let key = self.main.front()?;
            match self.queued(table, key, Place::Main) {
                Some((slot, reads)) if reads == 0 || turns == MOST_TURNS => {
                    return Some((key, slot, reads));
                }
                Some((slot, reads)) => {
                    turns += 1;
                    self.main.pop();
                    self.turn(table, key, slot, reads);
                }
                None => _ = self.main.pop(),
            }
        }
    }

    fn turn_main(&mut self, table: &mut Table) {
        let Some(key) = self.main.pop() else { return };
        match self.queued(table, key, Place::Main) {
            Some((slot, 0)) => {
                table.put(self.number, slot, Place::Nowhere, 0);
                self.held -= 1;
            }
            Some((slot, reads)) => self.turn(table, key, slot, reads),
            None => {}
        }
    }

    /// A key of the main queue that was read gets another turn.
    fn turn(&mut self, table: &mut Table, key: u32, slot: Slot, reads: u64) {
        table.put(self.number, slot, Place::Main, reads - 1);
        self.count(key);
        self.push_main(table, key);
    }

    fn push_main(&mut self, table: &mut Table, key: u32) {
        if let Some(oldest) = self.main.push(key) {
            self.lose(table, oldest, Place::Main);
        }
    }

    /// A record made room: its key, if it is held by it, is held no more.
    fn lose(&mut self, table: &mut Table, key: u32, place: Place) {
        if let Some((slot, _)) = self.queued(table, key, place) {
            table.put(self.number, slot, Place::Nowhere, 0);
            self.held -= 1;
        }
    }

    /// A key leaves, and is remembered as a ghost.
    fn leave(&mut self, table: &mut Table, slot: Slot, key: u32) {
        self.held -= 1;
        if self.ghosts.is_none() {
            return table.put(self.number, slot, Place::Nowhere, 0);
        }
        table.put(self.number, slot, Place::Ghost, 0);
        if let Some(oldest) = self.ghosts.push(key)
            && let Some((slot, _)) = self.queued(table, oldest, Place::Ghost)
        {
            table.put(self.number, slot, Place::Nowhere, 0);
        }
    }
}

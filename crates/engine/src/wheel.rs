//! The timer wheel: which entries may have expired (Varghese & Lauck, "Hashed and hierarchical
//! timing wheels", SOSP 1987).
//!
//! A node names an entry by 48 bits of its key's hash and a generation, never by a pointer: the
//! index is asked when the node is due. An entry whose deadline moved back keeps its node, which
//! is put in again when it fires. Nodes lie in one slab and move between slots by their links, so
//! that only a new node can need memory.

use crate::index::Host;

/// The finest slot, in milliseconds: how late an expired entry's memory may come back. What is
/// read is checked to the millisecond.
const TICK: u64 = 8;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;

/// Eight levels of 64 slots of 8 ms cover 71,000 years.
const LEVELS: usize = 8;

const NIL: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    /// The hash without bits 34 to 49, which choose neither bucket nor tag: their place holds the
    /// generation.
    key: u64,
    next: u32,
}

const GENERATION_SHIFT: u32 = 34;
const GENERATION: u64 = 0xFFFF << GENERATION_SHIFT;

pub(crate) struct Wheel {
    nodes: Vec<Node>,
    free: u32,
    live: usize,
    /// Heads of the slots; empty until the first deadline.
    slots: Vec<[u32; SLOTS]>,
    /// One bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    /// The tick up to which everything has fired.
    now: u64,
    generation: u16,
}

/// A node that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Enough of the hash to find the bucket and the tag.
    pub(crate) hash: u64,
    pub(crate) generation: u16,
    node: u32,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: NIL,
            live: 0,
            slots: Vec::new(),
            occupied: [0; LEVELS],
            now: 0,
            generation: 0,
        }
    }

    /// Nodes in the wheel.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Makes sure that one more node fits; the bytes that were refused, if not.
    #[inline]
    pub(crate) fn prepare(&mut self, host: &impl Host) -> Result<(), u64> {
        if self.free != NIL || (self.nodes.len() < self.nodes.capacity() && !self.slots.is_empty())
        {
            return Ok(());
        }
        self.extend(host)
    }

    #[cold]
    fn extend(&mut self, host: &impl Host) -> Result<(), u64> {
        if self.slots.is_empty() {
            let bytes = size_of::<[[u32; SLOTS]; LEVELS]>() as u64;
            if !host.charge(bytes) {
                return Err(bytes);
            }
            self.slots = vec![[NIL; SLOTS]; LEVELS];
        }
        // A quarter at a time: a slab that doubled would hold three times its use for a moment.
        let more = (self.nodes.capacity() / 4).max(16);
        let bytes = (more * size_of::<Node>()) as u64;
        if !host.charge(bytes) {
            return Err(bytes);
        }
        self.nodes.reserve_exact(self.nodes.capacity() + more - self.nodes.len());
        Ok(())
    }

    /// What the wheel is charged.
    pub(crate) fn footprint(&self) -> u64 {
        let slots = self.slots.len() * size_of::<[u32; SLOTS]>();
        (slots + self.nodes.capacity() * size_of::<Node>()) as u64
    }

    /// Adds a node that is due at `deadline`, for which [`Wheel::prepare`] made room; its
    /// generation, never 0.
    pub(crate) fn schedule(&mut self, hash: u64, deadline: u64) -> u16 {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        let generation = self.generation;
        let key = hash & !GENERATION | u64::from(generation) << GENERATION_SHIFT;
        let node = match self.free {
            NIL => {
                self.nodes.push(Node { key, next: NIL });
                self.nodes.len() as u32 - 1
            }
            free => {
                self.free = self.nodes[free as usize].next;
                self.nodes[free as usize].key = key;
                free
            }
        };
        self.live += 1;
        self.insert(node, deadline);
        generation
    }

    fn insert(&mut self, node: u32, deadline: u64) {
        // Rounded up, and never in the slot that is firing.
        let tick = deadline.div_ceil(TICK).max(self.now + 1);
        let ahead = tick ^ self.now;
        let level = ((63 - ahead.leading_zeros()) / SLOT_BITS).min(LEVELS as u32 - 1) as usize;
        let slot = (tick >> (level as u32 * SLOT_BITS)) as usize % SLOTS;
        self.nodes[node as usize].next = self.slots[level][slot];
        self.slots[level][slot] = node;
        self.occupied[level] |= 1 << slot;
    }

    /// Puts a node that fired too early back, to fire at `deadline`.
    pub(crate) fn postpone(&mut self, due: Due, deadline: u64) {
        self.insert(due.node, deadline);
    }

    /// Gives up a node that fired.
    pub(crate) fn release(&mut self, due: Due) {
        self.nodes[due.node as usize].next = self.free;
        self.free = due.node;
        self.live -= 1;
    }

    /// Moves on towards `now`, in milliseconds, until `due` holds at least `limit` nodes. Each of
    /// them must be given to [`Wheel::postpone`] or [`Wheel::release`]. Whether it has arrived.
    pub(crate) fn advance(&mut self, now: u64, limit: usize, due: &mut Vec<Due>) -> bool {
        let target = now / TICK;
        while self.now < target {
            if due.len() >= limit {
                return false;
            }
            match self.next_tick() {
                Some(tick) if tick <= target => self.arrive(tick, due),
                _ => self.now = target,
            }
        }
        true
    }

    /// The next tick at which a slot fires or has to be spread over finer ones.
    fn next_tick(&self) -> Option<u64> {
        let next = |(level, &occupied): (usize, &u64)| {
            let shift = level as u32 * SLOT_BITS;
            let position = (self.now >> shift) as u32 % SLOTS as u32;
            // What lies in a level is ahead of the position; only the highest level wraps.
            let distance = occupied.rotate_right(position).trailing_zeros();
            (occupied != 0).then(|| ((self.now >> shift) + u64::from(distance)) << shift)
        };
        self.occupied.iter().enumerate().filter_map(next).min()
    }

    /// Goes to `tick`, where something happens.
    fn arrive(&mut self, tick: u64, due: &mut Vec<Due>) {
        self.now = tick;
        // From the coarsest level down: what is spread may fire at once.
        for level in (0..LEVELS).rev() {
            let shift = level as u32 * SLOT_BITS;
            if tick & ((1u64 << shift) - 1) != 0 {
                continue;
            }
            let slot = (tick >> shift) as usize % SLOTS;
            if self.occupied[level] & 1 << slot == 0 {
                continue;
            }
            self.occupied[level] &= !(1 << slot);
            let mut at = std::mem::replace(&mut self.slots[level][slot], NIL);
            while at != NIL {
                let Node { key, next } = self.nodes[at as usize];
                let generation = (key >> GENERATION_SHIFT) as u16;
                due.push(Due { hash: key & !GENERATION, generation, node: at });
                at = next;
            }
        }
    }

    /// Milliseconds on the clock at which the wheel wants to be moved on; `None` while it is empty.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.next_tick().map(|tick| tick * TICK)
    }

    /// Drops the nodes that are not `wanted`. The order within a slot does not matter.
    pub(crate) fn retain(&mut self, wanted: impl Fn(u64, u16) -> bool) {
        for level in 0..self.slots.len() {
            for slot in 0..SLOTS {
                let mut at = std::mem::replace(&mut self.slots[level][slot], NIL);
                self.occupied[level] &= !(1 << slot);
                while at != NIL {
                    let Node { key, next } = self.nodes[at as usize];
                    let generation = (key >> GENERATION_SHIFT) as u16;
                    let due = Due { hash: key & !GENERATION, generation, node: at };
                    if wanted(due.hash, generation) {
                        self.nodes[at as usize].next = self.slots[level][slot];
                        self.slots[level][slot] = at;
                        self.occupied[level] |= 1 << slot;
                    } else {
                        self.release(due);
                    }
                    at = next;
                }
            }
        }
    }

    /// Forgets every node.
    pub(crate) fn forget(&mut self, host: &impl Host) {
        host.release(self.footprint());
        *self = Self { now: self.now, generation: self.generation, ..Self::new() };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::{Purse, scatter};

    /// Runs a wheel over deadlines and gives, for each, when it fired.
    fn fire(deadlines: &[u64], step: u64) -> Vec<u64> {
        let purse = Purse::default();
        let mut wheel = Wheel::new();
        let mut fired = vec![0; deadlines.len()];
        for (at, &deadline) in deadlines.iter().enumerate() {
            wheel.prepare(&purse).unwrap();
            wheel.schedule(at as u64, deadline);
        }
        let last = deadlines.iter().max().unwrap() + 2 * TICK + step;
        let mut now = 0;
        while now <= last {
            let mut due = Vec::new();
            while !wheel.advance(now, 100, &mut due) || !due.is_empty() {
                for due in due.drain(..) {
                    let deadline = deadlines[due.hash as usize];
                    if deadline <= now {
                        fired[due.hash as usize] = now;
                        wheel.release(due);
                    } else {
                        wheel.postpone(due, deadline);
                    }
                }
            }
            now += step;
        }
        assert_eq!(wheel.len(), 0);
        wheel.forget(&purse);
        assert_eq!(purse.charged(), 0);
        fired
    }

    #[test]
    fn every_deadline_fires_once_not_early_and_a_tick_late_at_most() {
        let deadlines: Vec<u64> = (1..2_000).map(|n| 1 + scatter(n) % 3_000_000).collect();
        for (deadline, fired) in deadlines.iter().zip(fire(&deadlines, 7)) {
            assert!(fired >= *deadline && fired < deadline + TICK + 7, "{deadline} fired {fired}");
        }
    }

    #[test]
    fn a_long_sleep_skips_nothing() {
        let deadlines = [1, 8, 9, 511, 512, 513, 32_768, 40_000, 2_097_152, 500_000_000];
        assert!(fire(&deadlines, 1_000_000).iter().all(|&fired| fired > 0));
    }

    #[test]
    fn far_deadlines_fit() {
        let purse = Purse::default();
        let mut wheel = Wheel::new();
        wheel.prepare(&purse).unwrap();
        wheel.schedule(1, (1 << 48) - 1);
        assert!(wheel.next_deadline().is_some());
        let mut due = Vec::new();
        assert!(wheel.advance(1 << 40, 10, &mut due));
    }

    #[test]
    fn what_nobody_wants_is_dropped() {
        let purse = Purse::default();
        let mut wheel = Wheel::new();
        for n in 0..100 {
            wheel.prepare(&purse).unwrap();
            wheel.schedule(n, 1_000 * n);
        }
        wheel.retain(|hash, _| hash % 10 == 0);
        assert_eq!(wheel.len(), 10);
    }
}

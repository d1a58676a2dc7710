//! The timer wheel: which entries may have expired (Varghese & Lauck, "Hashed and hierarchical
//! timing wheels", SOSP 1987).
//!
//! A node names an entry by 48 bits of its key's hash and a generation, never by a pointer: the
//! index is asked when the node is due. An entry whose deadline moved back keeps its node, which
//! is put in again when it fires. Nodes lie in one slab and move between lists by their links, so
//! that only a new node can need memory.
//!
//! However many nodes fire at once, each step takes a bounded number of them: a slot whose time has
//! come becomes a list of those that are due, and is worked off from there.

mod slab;
#[cfg(all(test, not(loom)))]
mod tests;

use crate::index::{Host, Shortage};
use crate::memory;
use slab::Slab;

/// The finest slot, in milliseconds: how late an expired entry's memory may come back. What is
/// read is checked to the millisecond.
const TICK: u64 = 8;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;

/// Eight levels of 64 slots of 8 ms cover 71,000 years.
const LEVELS: usize = 8;

/// Lists: of each slot of each level, and of what is due of each level.
const LISTS: usize = LEVELS * SLOTS + LEVELS;

const NIL: u32 = u32::MAX;

/// In `previous` of the first node of a list: the rest is the list's number.
const FIRST: u32 = 1 << 31;

#[derive(Clone, Copy)]
struct Node {
    /// The hash without bits 34 to 49, which choose neither bucket nor tag: their place holds the
    /// generation, 0 while the node is free.
    key: u64,
    next: u32,
    previous: u32,
}

const GENERATION_SHIFT: u32 = 34;
const GENERATION: u64 = 0xFFFF << GENERATION_SHIFT;

pub(crate) struct Wheel {
    nodes: Slab,
    free: u32,
    live: usize,
    /// The first node of each list; empty until the first deadline.
    lists: Vec<u32>,
    /// One bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    /// The tick up to which everything has fired, but for what is due.
    now: u64,
    generation: u16,
    /// The node that tidying looks at next; `NIL` while there is no tidying.
    untidy: u32,
}

/// A node that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Enough of the hash to find the bucket and the tag.
    pub(crate) hash: u64,
    pub(crate) generation: u16,
    node: u32,
}

impl Due {
    fn of(key: u64, node: u32) -> Self {
        Self { hash: key & !GENERATION, generation: (key >> GENERATION_SHIFT) as u16, node }
    }
}

/// The list of what is due of a level.
fn due_of(level: usize) -> usize {
    LEVELS * SLOTS + level
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Slab::default(),
            free: NIL,
            live: 0,
            lists: Vec::new(),
            occupied: [0; LEVELS],
            now: 0,
            generation: 0,
            untidy: NIL,
        }
    }

    /// Nodes in the wheel.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.live
    }

    /// Makes sure that one more node fits.
    #[inline]
    pub(crate) fn prepare(&mut self, host: &impl Host) -> Result<(), Shortage> {
        if self.free != NIL || (self.nodes.has_room() && !self.lists.is_empty()) {
            return Ok(());
        }
        self.extend(host)
    }

    #[cold]
    fn extend(&mut self, host: &impl Host) -> Result<(), Shortage> {
        if self.lists.is_empty() {
            self.lists = charged(host, (LISTS * size_of::<u32>()) as u64, || {
                let mut lists = memory::try_vec(LISTS)?;
                lists.resize(LISTS, NIL);
                Some(lists)
            })?;
        }
        if self.nodes.has_room() {
            return Ok(());
        }
        charged(host, self.nodes.next_bytes(), || self.nodes.extend().then_some(()))
    }

    /// What the wheel is charged.
    pub(crate) fn footprint(&self) -> u64 {
        (self.lists.len() * size_of::<u32>()) as u64 + self.nodes.footprint()
    }

    /// Adds a node that is due at `deadline`, for which [`Wheel::prepare`] made room; its
    /// generation, never 0.
    pub(crate) fn schedule(&mut self, hash: u64, deadline: u64) -> u16 {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        let generation = self.generation;
        let key = hash & !GENERATION | u64::from(generation) << GENERATION_SHIFT;
        let node = match self.free {
            NIL => self.nodes.push(Node { key, next: NIL, previous: NIL }),
            free => {
                let node = self.nodes.at(free);
                self.free = node.next;
                node.key = key;
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
        self.occupied[level] |= 1 << slot;
        let list = level * SLOTS + slot;
        let next = std::mem::replace(&mut self.lists[list], node);
        if next != NIL {
            self.nodes.at(next).previous = node;
        }
        let links = self.nodes.at(node);
        (links.next, links.previous) = (next, FIRST | list as u32);
    }

    /// Takes a node out of its list.
    fn unlink(&mut self, node: u32) {
        let Node { next, previous, .. } = *self.nodes.at(node);
        if next != NIL {
            self.nodes.at(next).previous = previous;
        }
        if previous & FIRST == 0 {
            self.nodes.at(previous).next = next;
            return;
        }
        let list = (previous & !FIRST) as usize;
        self.lists[list] = next;
        if next == NIL && list < LEVELS * SLOTS {
            self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
        }
    }

    /// Puts a node that fired too early back, to fire at `deadline`.
    pub(crate) fn postpone(&mut self, due: Due, deadline: u64) {
        self.insert(due.node, deadline);
    }

    /// Gives up a node that fired.
    pub(crate) fn release(&mut self, due: Due) {
        let free = self.free;
        let node = self.nodes.at(due.node);
        (node.key, node.next) = (0, free);
        self.free = due.node;
        self.live -= 1;
    }

    /// Moves on towards `now`, in milliseconds, until `due` holds `limit` nodes. Each of them must be
    /// given to [`Wheel::postpone`] or [`Wheel::release`]. Whether it has arrived.
    pub(crate) fn advance(&mut self, now: u64, limit: usize, due: &mut Vec<Due>) -> bool {
        if self.lists.is_empty() {
            self.now = self.now.max(now / TICK);
            return true;
        }
        let target = now / TICK;
        loop {
            while let Some(list) = self.first_due() {
                if due.len() >= limit {
                    return false;
                }
                let node = self.lists[list];
                self.unlink(node);
                due.push(Due::of(self.nodes.at(node).key, node));
            }
            if self.now >= target {
                return true;
            }
            match self.next_tick() {
                Some(tick) if tick <= target => self.arrive(tick),
                _ => self.now = target,
            }
        }
    }

    /// A list of what is due, from the coarsest level down: what is spread may fire at once.
    fn first_due(&self) -> Option<usize> {
        (0..LEVELS).rev().map(due_of).find(|&list| self.lists[list] != NIL)
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

    /// Goes to `tick`, where something happens. Nothing is due any more from before.
    fn arrive(&mut self, tick: u64) {
        self.now = tick;
        for level in (0..LEVELS).rev() {
            let shift = level as u32 * SLOT_BITS;
            let slot = (tick >> shift) as usize % SLOTS;
            if tick & ((1u64 << shift) - 1) != 0 || self.occupied[level] & 1 << slot == 0 {
                continue;
            }
            self.occupied[level] &= !(1 << slot);
            let first = std::mem::replace(&mut self.lists[level * SLOTS + slot], NIL);
            self.lists[due_of(level)] = first;
            self.nodes.at(first).previous = FIRST | due_of(level) as u32;
        }
    }

    /// Milliseconds on the clock at which the wheel wants to be moved on; `None` while it is empty.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        if !self.lists.is_empty() && self.first_due().is_some() {
            return Some(self.now * TICK);
        }
        self.next_tick().map(|tick| tick * TICK)
    }

    /// Drops nodes that are not `wanted`, once there are more than `most`: looks at up to `count`
    /// each time, until it has looked at all.
    #[inline]
    pub(crate) fn tidy(&mut self, most: u64, count: u32, wanted: impl Fn(u64, u16) -> bool) {
        if self.untidy != NIL || self.live as u64 > most {
            self.tidy_some(count, wanted);
        }
    }

    #[cold]
    fn tidy_some(&mut self, count: u32, wanted: impl Fn(u64, u16) -> bool) {
        if self.untidy == NIL {
            self.untidy = 0;
        }
        let end = self.nodes.len();
        for node in self.untidy..(self.untidy + count).min(end) {
            let due = Due::of(self.nodes.at(node).key, node);
            if due.generation != 0 && !wanted(due.hash, due.generation) {
                self.unlink(node);
                self.release(due);
            }
        }
        self.untidy = if end - self.untidy <= count { NIL } else { self.untidy + count };
    }

    /// Takes all nodes; the wheel that holds them now.
    pub(crate) fn take_nodes(&mut self) -> Self {
        let rest = Self { now: self.now, generation: self.generation, ..Self::new() };
        std::mem::replace(self, rest)
    }
}

/// Makes something once its bytes are charged.
fn charged<R>(
    host: &impl Host,
    bytes: u64,
    make: impl FnOnce() -> Option<R>,
) -> Result<R, Shortage> {
    if !host.charge(bytes) {
        return Err(Shortage::Bytes(bytes));
    }
    let made = make();
    if made.is_none() {
        host.release(bytes);
    }
    made.ok_or(Shortage::Memory)
}

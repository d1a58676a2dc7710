//! Policies: which entry leaves when a new one needs its room.
//!
//! The index is the truth and a policy holds hints: records that name a key by its hash, and that
//! are checked against the index when they are used. So an entry can be removed without a word to
//! the policy. Only `lru` links its entries, since its order must be exact.

mod auto;
mod backlog;
mod chooser;
mod ghost;
mod lfu;
mod lru;
mod queue;
mod random;
mod rule;
mod shadow;
mod simulation;
mod sketch;
mod sweep;
mod watch;
mod weight;

pub use rule::{RULES, Rule};
pub use simulation::Simulation;

pub(crate) use auto::Report;
pub(crate) use backlog::Backlog;
pub(crate) use weight::Scale;

use crate::config::Policy;
use crate::entry::EntryPtr;
use crate::index::{Host, Index, Shortage, Word};
use auto::Auto;
use lfu::S3Fifo;
use lru::Recency;
use random::Lottery;

/// Records or buckets looked at in one step of an eviction, under the shard's lock.
const TURNS: usize = 64;

/// What became of a step of an eviction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Eviction {
    /// Taken out of the index.
    Victim(EntryPtr),
    /// None was found so far: others may have the lock before the next step.
    Again,
    /// There is nothing.
    Nothing,
}

/// What the policy's bits of a new entry's word are.
#[derive(Clone, Copy)]
pub(crate) struct Admission {
    /// Whether it goes to the main queue at once.
    pub(crate) main: bool,
    /// See [`Word::round`].
    pub(crate) round: bool,
}

impl Admission {
    /// Where the bits mean nothing.
    pub(crate) const PLAIN: Self = Self { main: false, round: false };
}

/// The state of a shard's policy, under the shard's lock.
pub(crate) enum Order {
    Lru(Recency),
    Lfu(S3Fifo),
    Auto(Auto),
    Random(Lottery),
    None,
}

impl Order {
    pub(crate) fn new(policy: Policy, scale: Scale) -> Self {
        match policy {
            Policy::Lru => Self::Lru(Recency::new()),
            Policy::Lfu => Self::Lfu(S3Fifo::default()),
            Policy::Auto => Self::Auto(Auto::new(scale)),
            Policy::Random => Self::Random(Lottery::new()),
            Policy::None => Self::None,
        }
    }

    /// Makes sure that one more entry can be remembered.
    #[inline]
    pub(crate) fn prepare(&mut self, host: &impl Host) -> Result<(), Shortage> {
        match self {
            Self::Lfu(queues) => queues.prepare(host),
            Self::Auto(auto) => auto.prepare(host),
            _ => Ok(()),
        }
    }

    /// How a key comes in, with an entry that is the caller's.
    #[inline]
    pub(crate) fn admit(&mut self, hash: u64, entry: EntryPtr) -> Admission {
        match self {
            Self::Lfu(queues) => queues.admit(hash, entry),
            Self::Auto(auto) => auto.admit(hash, entry),
            _ => Admission::PLAIN,
        }
    }

    /// A new entry is in the index. The caller is pinned.
    #[inline]
    pub(crate) fn inserted(&mut self, hash: u64, entry: EntryPtr, main: bool) {
        match self {
            Self::Lru(list) => list.push(entry),
            Self::Lfu(queues) => queues.push(hash, main),
            Self::Auto(auto) => auto.push(hash, entry, main),
            _ => {}
        }
    }

    /// An entry took the place of another one of its key. The caller is pinned, and has prepared.
    #[inline]
    pub(crate) fn replaced(
        &mut self,
        hash: u64,
        (old, new): (EntryPtr, EntryPtr),
        index: &Index,
        host: &impl Host,
    ) {
        match self {
            Self::Lru(list) => {
                list.unlink(old);
                list.push(new);
            }
            Self::Auto(auto) => auto.replaced(hash, (old, new), index, host),
            _ => {}
        }
    }

    /// An entry was read.
    #[inline]
    pub(crate) fn touched(&mut self, entry: EntryPtr) {
        if let Self::Lru(list) = self {
            list.touch(entry);
        }
    }

    /// What rule is in force, where there is a choice, and why.
    pub(crate) fn report(&self) -> Option<Report> {
        match self {
            Self::Auto(auto) => Some(auto.report()),
            _ => None,
        }
    }

    /// An entry was removed from the index.
    pub(crate) fn removed(&mut self, entry: EntryPtr) {
        if let Self::Lru(list) = self {
            list.unlink(entry);
        }
    }

    /// Takes the entry that leaves out of the index, in a bounded step. The caller is pinned.
    pub(crate) fn evict(&mut self, index: &Index, host: &impl Host, live: u64) -> Eviction {
        match self {
            Self::Lru(list) => list.evict(index, host),
            Self::Lfu(queues) => queues.evict(index, host, live),
            Self::Auto(auto) => auto.evict(index, host, live),
            Self::Random(lottery) => lottery.evict(index, host),
            Self::None => Eviction::Nothing,
        }
    }

    /// Forgets some records of keys that are gone, when there are many of them. The caller is
    /// pinned.
    #[inline]
    pub(crate) fn tidy(&mut self, index: &Index, host: &impl Host, live: u64) {
        match self {
            Self::Lfu(queues) => queues.tidy(index, host, live),
            Self::Auto(auto) => auto.tidy(index, host, live),
            _ => {}
        }
    }

    /// Gives up bytes that the entries can do without.
    pub(crate) fn shrink(&mut self, host: &impl Host) {
        if let Self::Auto(auto) = self {
            auto.shrink(host);
        }
    }

    /// What the policy is charged.
    pub(crate) fn footprint(&self) -> u64 {
        match self {
            Self::Lfu(queues) => queues.footprint(),
            Self::Auto(auto) => auto.footprint(),
            _ => 0,
        }
    }

    /// Takes the records of what is in the index, which is about to be cleared. An entry that is
    /// linked stays so until it is removed.
    pub(crate) fn take_records(&mut self) -> Option<Self> {
        match self {
            Self::Lfu(queues) => Some(Self::Lfu(std::mem::take(queues))),
            Self::Auto(auto) => Some(Self::Auto(auto.take_records())),
            _ => None,
        }
    }
}

/// Removes the word if the index still has it; the entry. Under the shard's lock.
fn take(
    index: &Index,
    host: &impl Host,
    hash: u64,
    selected: impl Fn(Word, EntryPtr) -> bool,
) -> Option<EntryPtr> {
    let word = index.edit(host, hash, selected, |_| Word::EMPTY)?;
    index.trim(host, hash);
    word.entry()
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests {
    use super::*;
    use crate::index::Part;
    use std::cell::Cell;

    /// A host that only counts what it is asked to pay.
    #[derive(Default)]
    pub(crate) struct Purse(Cell<u64>);

    impl Purse {
        pub(crate) fn charged(&self) -> u64 {
            self.0.get()
        }
    }

    impl Host for Purse {
        fn hash_of(&self, _: EntryPtr) -> u64 {
            0
        }
        fn charge(&self, bytes: u64) -> bool {
            self.0.set(self.0.get() + bytes);
            true
        }
        fn release(&self, bytes: u64) {
            self.0.set(self.0.get() - bytes);
        }
        fn retire_part(&self, _: Part) {}
        fn discard(&self, _: EntryPtr) {}
    }

    /// A number spread over 64 bits.
    pub(crate) fn scatter(n: u64) -> u64 {
        let n = (n ^ n >> 31).wrapping_mul(0x7FB5_D329_728E_A185);
        (n ^ n >> 27).wrapping_mul(0x81DA_DEF4_BC2D_D44D)
    }
}

//! A queue of hints, each chunk charged before it is made.
//!
//! What is stale is dropped in *rounds*, a few records at a time: what was looked at in the round and
//! kept stands in front of the rest, in its order. A bit of the word that a record leads to tells
//! whether the round has met a record of it. Of two records of a key the later one is dropped.

use crate::fifo::Fifo;
use crate::index::{Hint, Host, Shortage};

#[derive(Default)]
pub(super) struct Queue {
    /// What was looked at since tidying began, and is older than the rest.
    tidied: Fifo<Hint>,
    rest: Fifo<Hint>,
    /// Whether a round is under way.
    is_tidying: bool,
    /// The bit of the words that the latest round has met.
    met: bool,
}

impl Queue {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.tidied.len() + self.rest.len()
    }

    /// Makes room for one more hint.
    #[inline]
    pub(super) fn prepare(&mut self, host: &impl Host) -> Result<(), Shortage> {
        if self.rest.has_room() { Ok(()) } else { extend(&mut self.rest, host) }
    }

    /// Appends a hint. [`Queue::prepare`] has made room for it, or a pop has.
    #[inline]
    pub(super) fn push(&mut self, hint: Hint) {
        self.rest.push(hint);
    }

    pub(super) fn pop(&mut self, host: &impl Host) -> Option<Hint> {
        pop(&mut self.tidied, host).or_else(|| pop(&mut self.rest, host))
    }

    /// The hint that a pop would take.
    pub(super) fn front(&self) -> Option<Hint> {
        self.tidied.front().or_else(|| self.rest.front()).copied()
    }

    #[inline]
    pub(super) fn is_tidying(&self) -> bool {
        self.is_tidying
    }

    /// The bit of a word whose record is pushed: the round under way has yet to meet it, or else the
    /// next one.
    #[inline]
    pub(super) fn unmet(&self) -> bool {
        self.met != self.is_tidying
    }

    /// Begins a round, unless one is under way.
    pub(super) fn begin_round(&mut self) {
        if !self.is_tidying {
            (self.is_tidying, self.met) = (true, !self.met);
        }
    }

    /// Looks at up to `count` records of the round under way, if one is. `meet` tells whether a word
    /// with another bit than this is there, to which it then gives it: else the record is dropped.
    pub(super) fn tidy(
        &mut self,
        host: &impl Host,
        count: usize,
        mut meet: impl FnMut(Hint, bool) -> bool,
    ) {
        if !self.is_tidying {
            return;
        }
        for _ in 0..count {
            if !self.tidied.has_room() && extend(&mut self.tidied, host).is_err() {
                // Another time.
                return;
            }
            match pop(&mut self.rest, host) {
                None => {
                    host.release(self.rest.footprint());
                    self.rest = std::mem::take(&mut self.tidied);
                    self.is_tidying = false;
                    return;
                }
                Some(hint) if meet(hint, self.met) => self.tidied.push(hint),
                Some(_) => {}
            }
        }
    }

    /// What the chunks are charged.
    pub(super) fn footprint(&self) -> u64 {
        self.tidied.footprint() + self.rest.footprint()
    }
}

#[cold]
fn extend(queue: &mut Fifo<Hint>, host: &impl Host) -> Result<(), Shortage> {
    let bytes = queue.next_chunk();
    if !host.charge(bytes) {
        return Err(Shortage::Bytes(bytes));
    }
    if queue.extend() {
        return Ok(());
    }
    host.release(bytes);
    Err(Shortage::Memory)
}

fn pop(queue: &mut Fifo<Hint>, host: &impl Host) -> Option<Hint> {
    let (hint, freed) = queue.pop()?;
    if freed > 0 {
        host.release(freed);
    }
    Some(hint)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::Purse;

    #[test]
    fn it_keeps_its_order_while_it_is_tidied_and_pays_for_its_chunks_and_no_more() {
        let purse = Purse::default();
        let mut queue = Queue::default();
        let (mut next, mut expected) = (0, std::collections::VecDeque::new());
        let mut push = |queue: &mut Queue, expected: &mut std::collections::VecDeque<u64>| {
            queue.prepare(&purse).unwrap();
            queue.push(Hint::of(next));
            expected.push_back(next);
            next += 1;
        };
        for _ in 0..5_000 {
            push(&mut queue, &mut expected);
        }
        assert!(purse.charged() >= 5_000 * 4);
        // It is used while it is tidied: what is pushed meanwhile is looked at as well.
        let mut steps = 0;
        queue.begin_round();
        while queue.is_tidying() {
            queue.tidy(&purse, 8, |hint, _| hint.hash() % 3 == 0);
            steps += 1;
            if steps % 2 == 0 {
                push(&mut queue, &mut expected);
            }
            if steps % 5 == 0 {
                let popped = queue.pop(&purse).unwrap().hash();
                expected.retain(|&hash| hash > popped);
            }
        }
        expected.retain(|hash| hash % 3 == 0);
        assert!(purse.charged() < 2_500 * 4);
        let rest: Vec<u64> = std::iter::from_fn(|| queue.pop(&purse).map(Hint::hash)).collect();
        assert_eq!(rest, Vec::from(expected));
        assert_eq!((queue.len(), purse.charged()), (0, queue.footprint()));
    }
}

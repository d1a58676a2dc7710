//! Rules: what S3-FIFO's queues can be told to do, while they are in use.

/// How the two queues of S3-FIFO treat a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// What it is called.
    pub name: &'static str,
    /// The small queue's share of the entries in per cent; 0: new keys enter the main queue.
    pub small: u8,
    /// Reads in the small queue that lead to the main queue.
    pub reads: u8,
    /// Whether TinyLFU decides who goes on from the small queue (Einziger, Friedman and Manes,
    /// "TinyLFU", ACM TOS 2017): the key that leaves it or the one that the main queue would evict.
    pub contest: bool,
    /// Whether turns cost entries more reads that spare less for their room.
    pub weighs: bool,
}

impl Rule {
    /// S3-FIFO as `lfu` has it.
    pub const S3_FIFO: Self = Self::plain("s3-fifo", 10, 2);

    /// The rules that `auto` chooses from, the one that it begins with first.
    ///
    /// - A larger small queue, and one read, keep keys longer that come back soon.
    /// - A smaller one wastes less on keys that never come back.
    /// - None at all is CLOCK: nearest to recency.
    /// - A contest keeps what was asked for most, however long ago: loops, skewed keys.
    /// - Where entries weigh differently, the last one has light entries stay that are worth much.
    pub const ALL: [Self; RULES] = [
        Self::S3_FIFO,
        Self::plain("s3-fifo-2", 2, 1),
        Self::plain("s3-fifo-20", 20, 1),
        Self::plain("s3-fifo-40", 40, 2),
        Self::plain("clock", 0, 1),
        Self::contest("tinylfu-1", 1),
        Self::contest("tinylfu-10", 10),
        Self { weighs: true, ..Self::plain("s3-fifo-2-weighed", 2, 1) },
    ];

    /// The rules among which there is a choice: the last of all only where entries weigh differently.
    pub(super) const fn choices(even: bool) -> &'static [Self] {
        if even { Self::ALL.split_at(RULES - 1).0 } else { &Self::ALL }
    }

    const fn plain(name: &'static str, small: u8, reads: u8) -> Self {
        Self { name, small, reads, contest: false, weighs: false }
    }

    const fn contest(name: &'static str, small: u8) -> Self {
        Self { name, small, reads: 1, contest: true, weighs: false }
    }

    /// How long the small queue is to be, of `live` entries.
    #[inline]
    pub(super) const fn target(self, live: u64) -> u64 {
        match self.small {
            0 => 0,
            share => {
                let target = live * share as u64 / 100;
                if target == 0 { 1 } else { target }
            }
        }
    }

    /// What is to be done for the next one to leave, with queues as long as this.
    #[inline]
    pub(super) const fn step(self, small: u64, main: u64, live: u64) -> Step {
        let target = self.target(live);
        // Evictions come in batches, and what they make room for comes in later.
        let slack = target / 4;
        if small == 0 {
            Step::TurnMain
        } else if (self.contest || target == 0) && small > target + slack {
            Step::PassOn
        } else if self.contest && (main == 0 || small + slack >= target) {
            Step::Contest
        } else if main == 0 || small >= target {
            Step::TurnSmall
        } else {
            Step::TurnMain
        }
    }
}

/// How many rules `auto` chooses from: a shadow's directory has room for eight.
pub const RULES: usize = 8;

/// The place in [`Rule::ALL`] of the rule that keeps what is there when nothing is hit: new keys stay out
/// until they have come more often.
pub(super) const STEADFAST: usize = 5;

/// What queues do next to find a victim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// The oldest of the small queue goes on, since another rule left it too long.
    PassOn,
    /// The oldest of the small queue goes on if it was read, or else leaves.
    TurnSmall,
    /// The oldest of the small queue or the next of the main queue leaves.
    Contest,
    /// The oldest of the main queue gets another turn if it was read, or else leaves.
    TurnMain,
}

/// How many keys that left are remembered: as many as S3-FIFO's main queue has entries.
#[inline]
pub(super) const fn ghosts(live: u64) -> u64 {
    live - live / 10
}

/// Turns that entries of the main queue get before one of them has to stand in a contest.
pub(super) const MOST_TURNS: usize = 32;

/// Whether a key that leaves the small queue stays, and the main queue's `rival` goes. Each is how
/// often the key came in, as a sketch estimates it, and its reads since.
#[inline]
pub(super) const fn wins(key: (u64, u64), rival: (u64, u64)) -> bool {
    let read = if key.1 > 0 { 1 } else { 0 };
    key.0 + read > rival.0 + rival.1
}

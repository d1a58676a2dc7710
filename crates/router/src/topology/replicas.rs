//! What is known of each replica: whether it is in service, and which writes of the node it has.
//!
//! Now and then a thread asks the primary how far its history goes, and then each replica how far it
//! has come. The primary's answer makes a *mark*: all writes that were answered before it was asked
//! are in the history up to there. A replica that has come that far has those writes, however long
//! it took. Nothing is guessed from times.

use super::fences::Fence;
use super::server::ServerId;
use super::standing::Standing;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Marks that are kept; of more, each second one goes.
const MARKS: usize = 64;

/// How a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Health {
    /// It has not said anything yet.
    Unknown,
    /// It is read.
    Up,
    /// It does not hear from its primary.
    Unlinked,
    /// It is no replica, or one of another store.
    Foreign,
    /// It does not answer reads, or not in time.
    Unfit,
    /// It is too far behind, or nobody knows how far.
    Late,
}

impl Health {
    const ALL: [Self; 6] =
        [Self::Unknown, Self::Up, Self::Unlinked, Self::Foreign, Self::Unfit, Self::Late];

    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Unknown => "it has not answered yet",
            Self::Up => "it is in service",
            Self::Unlinked => "it does not hear from its primary",
            Self::Foreign => "it is no replica of the store",
            Self::Unfit => "it does not answer reads",
            Self::Late => "it is too far behind",
        }
    }

    /// In a word, for counts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Unlinked => "unlinked",
            Self::Foreign => "foreign",
            Self::Unfit => "unfit",
            Self::Late => "late",
        }
    }
}

struct Replica {
    health: AtomicU8,
    /// All writes of the node up to this one are in it.
    has: AtomicU64,
    /// It had all that the primary had at this millisecond.
    current: AtomicU64,
}

/// A place in the primary's history.
struct Mark {
    offset: u64,
    /// The last write of the node that is surely before it.
    fence: Fence,
    /// When the primary was asked, in milliseconds.
    at: u64,
}

#[derive(Default)]
struct History {
    name: String,
    /// In ascending order.
    marks: VecDeque<Mark>,
}

/// All replicas. Times are in milliseconds of one clock.
pub(crate) struct Replicas {
    all: Box<[Replica]>,
    history: Mutex<History>,
    /// When the primary was asked last.
    asked: AtomicU64,
    max_lag: u64,
}

impl Replicas {
    pub(super) fn new(count: usize, max_lag: u64) -> Self {
        let replica = |_| Replica {
            health: AtomicU8::new(Health::Unknown as u8),
            has: AtomicU64::new(0),
            current: AtomicU64::new(0),
        };
        Self {
            all: (0..count).map(replica).collect(),
            history: Mutex::default(),
            asked: AtomicU64::new(0),
            max_lag,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn of(&self, server: ServerId) -> &Replica {
        &self.all[usize::from(server) - 1]
    }

    /// Whether the caller is the one who asks now: nobody has for `pause`.
    pub(crate) fn begin(&self, now: u64, pause: u64) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        (asked == 0 || now >= asked.saturating_add(pause))
            // Relaxed: it only decides who asks.
            && self.asked
                .compare_exchange(asked, now.max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The primary has answered: `fence` is the last write that was numbered before it was asked.
    pub(crate) fn mark(&self, standing: &Standing, fence: Fence, at: u64) {
        let mut history = self.history.lock();
        if !standing.leads {
            return history.marks.clear();
        }
        if history.name != standing.history {
            *history = History { name: standing.history.clone(), marks: VecDeque::new() };
        }
        let marks = &mut history.marks;
        // Of two threads that asked, the later one may be heard first.
        if marks.back().is_some_and(|last| last.offset > standing.offset || last.fence > fence) {
            return;
        }
        marks.push_back(Mark { offset: standing.offset, fence, at });
        if marks.len() > MARKS {
            let mut keep = false;
            marks.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// A replica has answered. Whether it is read no more: what was read of it may change unheard.
    pub(crate) fn hear(&self, server: ServerId, standing: &Standing) -> bool {
        let history = self.history.lock();
        let health = match standing {
            Standing { leads: true, .. } => Health::Foreign,
            Standing { linked: false, .. } => Health::Unlinked,
            // Of a primary that does not answer nobody knows the history.
            _ if history.name.is_empty() => return false,
            _ if standing.history != history.name => Health::Foreign,
            _ => Health::Up,
        };
        if health == Health::Up {
            let reached = history.marks.iter().rev().find(|mark| mark.offset <= standing.offset);
            let Some(mark) = reached else { return false };
            let replica = self.of(server);
            // Release: who sees the number may read what it stands for.
            replica.has.fetch_max(mark.fence, Ordering::AcqRel);
            replica.current.fetch_max(mark.at, Ordering::AcqRel);
        }
        drop(history);
        self.turn(server, health)
    }

    /// A replica cannot be read. Whether it was, till now.
    pub(crate) fn fail(&self, server: ServerId) -> bool {
        self.turn(server, Health::Unfit)
    }

    /// Takes out who is too far behind; who was read till now.
    pub(crate) fn expire(&self, now: u64) -> Vec<ServerId> {
        let late = |server: &ServerId| {
            let replica = self.of(*server);
            self.health(*server) == Health::Up
                && now.saturating_sub(replica.current.load(Ordering::Acquire)) > self.max_lag
                && self.turn(*server, Health::Late)
        };
        (1..=self.all.len() as ServerId).filter(late).collect()
    }

    fn turn(&self, server: ServerId, to: Health) -> bool {
        let from = self.of(server).health.swap(to as u8, Ordering::AcqRel);
        from == Health::Up as u8 && to != Health::Up
    }

    /// How a replica is.
    pub(crate) fn health(&self, server: ServerId) -> Health {
        let health = self.of(server).health.load(Ordering::Acquire);
        Health::ALL.into_iter().find(|each| *each as u8 == health).unwrap_or(Health::Unknown)
    }

    /// Whether a replica has all writes up to a number.
    pub(crate) fn has(&self, server: ServerId, fence: Fence) -> bool {
        self.of(server).has.load(Ordering::Acquire) >= fence
    }

    /// How long ago a replica surely had all that the primary had; `None` if never.
    pub(crate) fn lag(&self, server: ServerId, now: u64) -> Option<u64> {
        let current = self.of(server).current.load(Ordering::Acquire);
        (current > 0).then(|| now.saturating_sub(current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn primary(offset: u64) -> Standing {
        Standing { leads: true, linked: true, history: "h".into(), offset }
    }

    fn replica(offset: u64) -> Standing {
        Standing { leads: false, ..primary(offset) }
    }

    #[test]
    fn a_replica_has_the_writes_before_the_last_mark_that_it_has_reached() {
        let replicas = Replicas::new(1, 1_000);
        replicas.mark(&primary(10), 3, 100);
        replicas.mark(&primary(20), 5, 200);
        replicas.hear(1, &replica(15));
        assert!(replicas.has(1, 3) && !replicas.has(1, 4));
        assert_eq!((replicas.health(1), replicas.lag(1, 250)), (Health::Up, Some(150)));
        replicas.hear(1, &replica(20));
        assert!(replicas.has(1, 5) && !replicas.has(1, 6));
    }

    #[test]
    fn a_replica_is_left_out_while_it_cannot_be_trusted() {
        let replicas = Replicas::new(1, 1_000);
        assert!(!replicas.hear(1, &replica(10)), "nobody knows the history");
        assert_eq!(replicas.health(1), Health::Unknown);
        replicas.mark(&primary(10), 0, 100);
        for (standing, health) in [
            (Standing { linked: false, ..replica(10) }, Health::Unlinked),
            (Standing { history: "other".into(), ..replica(10) }, Health::Foreign),
            (primary(10), Health::Foreign),
        ] {
            replicas.hear(1, &replica(10));
            assert_eq!(replicas.health(1), Health::Up);
            assert!(replicas.hear(1, &standing), "it is told once");
            assert!(!replicas.hear(1, &standing));
            assert_eq!(replicas.health(1), health);
        }
        replicas.hear(1, &replica(10));
        assert!(replicas.expire(1_100).is_empty());
        assert_eq!(replicas.expire(1_101), [1]);
        assert!(replicas.expire(1_101).is_empty());
        replicas.mark(&primary(10), 0, 1_200);
        replicas.hear(1, &replica(10));
        assert!(replicas.fail(1) && !replicas.fail(1));
    }

    #[test]
    fn one_thread_asks_at_a_time() {
        let replicas = Replicas::new(1, 1_000);
        assert!(replicas.begin(0, 20) && !replicas.begin(1, 20) && !replicas.begin(20, 20));
        assert!(replicas.begin(21, 20));
    }

    proptest! {
        /// A log of writes, whose places only the servers know: whatever is asked in whichever
        /// order, a replica is never said to have a write that it has not.
        #[test]
        fn no_write_is_taken_for_one_that_a_replica_has(
            steps in prop::collection::vec((0u8..4, any::<u8>()), 1..400),
        ) {
            let replicas = Replicas::new(1, u64::MAX);
            // The offset behind each write.
            let (mut writes, mut done, mut at) = (vec![], 0u64, 0);
            let mut asked: VecDeque<(Standing, Fence, u64)> = VecDeque::new();
            for (step, size) in steps {
                at += 1;
                let end = writes.last().copied().unwrap_or(0);
                match step {
                    0 => writes.push(end + 1 + u64::from(size)),
                    1 => asked.push_back((primary(end), writes.len() as Fence, at)),
                    2 => done = done.max(end.saturating_sub(u64::from(size))),
                    _ => {
                        if let Some((standing, fence, at)) = asked.pop_front() {
                            replicas.mark(&standing, fence, at);
                        }
                        replicas.hear(1, &replica(done));
                    }
                }
                for (number, end) in (1..).zip(&writes) {
                    prop_assert!(!replicas.has(1, number) || done >= *end);
                }
            }
        }
    }
}

//! What is known of each replica: whether it is in service, and which writes of the node it has.
//!
//! Now and then a thread asks each primary how far its history goes, and then its replicas how far they
//! have come. The primary's answer makes a *mark*: all writes that were answered before it was asked
//! are in the history up to there. A replica that has come that far has those writes, however long
//! it took. Nothing is guessed from times.

use super::fences::Fence;
use super::server::ServerId;
use super::standing::Standing;
use super::{Topology, begin};
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

/// What is known of a replica.
#[derive(Default)]
pub(super) struct Replica {
    health: AtomicU8,
    /// All writes of the node up to this one are in it.
    has: AtomicU64,
    /// It had all that its primary had at this millisecond.
    current: AtomicU64,
}

impl Replica {
    /// Whether it was read till now, and is no more.
    fn turn(&self, to: Health) -> bool {
        let from = self.health.swap(to as u8, Ordering::AcqRel);
        from == Health::Up as u8 && to != Health::Up
    }
}

/// A place in a primary's history.
struct Mark {
    offset: u64,
    /// The last write of the node that is surely before it.
    fence: Fence,
    /// When the primary was asked, in milliseconds.
    at: u64,
}

/// What is known of a primary's history.
#[derive(Default)]
pub(super) struct History {
    name: String,
    /// In ascending order.
    marks: VecDeque<Mark>,
}

impl History {
    fn mark(&mut self, standing: &Standing, mark: Mark) {
        if !standing.leads {
            return self.marks.clear();
        }
        if self.name != standing.history {
            *self = Self { name: standing.history.clone(), marks: VecDeque::new() };
        }
        let marks = &mut self.marks;
        // Of two threads that asked, the later one may be heard first.
        let later = |last: &Mark| last.offset > mark.offset || last.fence > mark.fence;
        if marks.back().is_some_and(later) {
            return;
        }
        marks.push_back(mark);
        if marks.len() > MARKS {
            let mut keep = false;
            marks.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }
}

/// Times are in milliseconds of one clock.
impl Topology {
    /// Whether the caller is the one who asks now: nobody has for `pause`.
    pub(crate) fn begin(&self, now: u64, pause: u64) -> bool {
        begin(&self.asked, now, pause)
    }

    /// A primary has answered: `fence` is the last write that was numbered before it was asked.
    pub(crate) fn mark(&self, primary: ServerId, standing: &Standing, fence: Fence, at: u64) {
        if let Some(server) = self.servers.get(primary) {
            let mark = Mark { offset: standing.offset, fence, at };
            server.history.lock().mark(standing, mark);
        }
    }

    /// A replica has answered. Whether it is read no more: what was read of it may change unheard.
    pub(crate) fn hear(&self, primary: ServerId, replica: ServerId, standing: &Standing) -> bool {
        let both = self.servers.get(primary).zip(self.servers.get(replica));
        let Some((primary, replica)) = both else { return false };
        let (history, replica) = (primary.history.lock(), &replica.replica);
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
            // Release: who sees the number may read what it stands for.
            replica.has.fetch_max(mark.fence, Ordering::AcqRel);
            replica.current.fetch_max(mark.at, Ordering::AcqRel);
        }
        drop(history);
        replica.turn(health)
    }

    /// A replica cannot be read. Whether it was, till now.
    pub(crate) fn fail(&self, replica: ServerId) -> bool {
        self.servers.get(replica).is_some_and(|server| server.replica.turn(Health::Unfit))
    }

    /// Takes out who is too far behind; who was read till now.
    pub(crate) fn expire(&self, now: u64) -> Vec<ServerId> {
        let late = |id: &ServerId| {
            self.servers.get(*id).is_some_and(|server| {
                self.health(*id) == Health::Up
                    && now.saturating_sub(server.replica.current.load(Ordering::Acquire))
                        > self.max_lag
                    && server.replica.turn(Health::Late)
            })
        };
        self.map().replicas().filter(late).collect()
    }

    /// How a replica is.
    pub(crate) fn health(&self, replica: ServerId) -> Health {
        let Some(server) = self.servers.get(replica) else { return Health::Unknown };
        let health = server.replica.health.load(Ordering::Acquire);
        Health::ALL.into_iter().find(|each| *each as u8 == health).unwrap_or(Health::Unknown)
    }

    /// Whether a replica has all writes up to a number.
    pub(crate) fn has(&self, replica: ServerId, fence: Fence) -> bool {
        let server = self.servers.get(replica);
        server.is_some_and(|server| server.replica.has.load(Ordering::Acquire) >= fence)
    }

    /// How long ago a replica surely had all that its primary had; `None` if never.
    pub(crate) fn lag(&self, replica: ServerId, now: u64) -> Option<u64> {
        let current = self.servers.get(replica)?.replica.current.load(Ordering::Acquire);
        (current > 0).then(|| now.saturating_sub(current))
    }
}

#[cfg(test)]
mod tests {
    use super::super::PRIMARY;
    use super::*;
    use crate::upstream::StoreAddress;
    use proptest::prelude::*;

    /// A store and its replica, which has the number 1.
    fn pair(max_lag: u64) -> Topology {
        let at = |port| StoreAddress {
            host: "h".into(),
            port,
            unix: false,
            tls: false,
            user: None,
            password: None,
        };
        Topology::new(Some(at(1)), vec![at(2)], max_lag)
    }

    fn primary(offset: u64) -> Standing {
        Standing { leads: true, linked: true, history: "h".into(), offset }
    }

    fn replica(offset: u64) -> Standing {
        Standing { leads: false, ..primary(offset) }
    }

    #[test]
    fn a_replica_has_the_writes_before_the_last_mark_that_it_has_reached() {
        let replicas = pair(1_000);
        replicas.mark(PRIMARY, &primary(10), 3, 100);
        replicas.mark(PRIMARY, &primary(20), 5, 200);
        replicas.hear(PRIMARY, 1, &replica(15));
        assert!(replicas.has(1, 3) && !replicas.has(1, 4));
        assert_eq!((replicas.health(1), replicas.lag(1, 250)), (Health::Up, Some(150)));
        replicas.hear(PRIMARY, 1, &replica(20));
        assert!(replicas.has(1, 5) && !replicas.has(1, 6));
    }

    #[test]
    fn a_replica_is_left_out_while_it_cannot_be_trusted() {
        let replicas = pair(1_000);
        assert!(!replicas.hear(PRIMARY, 1, &replica(10)), "nobody knows the history");
        assert_eq!(replicas.health(1), Health::Unknown);
        replicas.mark(PRIMARY, &primary(10), 0, 100);
        for (standing, health) in [
            (Standing { linked: false, ..replica(10) }, Health::Unlinked),
            (Standing { history: "other".into(), ..replica(10) }, Health::Foreign),
            (primary(10), Health::Foreign),
        ] {
            replicas.hear(PRIMARY, 1, &replica(10));
            assert_eq!(replicas.health(1), Health::Up);
            assert!(replicas.hear(PRIMARY, 1, &standing), "it is told once");
            assert!(!replicas.hear(PRIMARY, 1, &standing));
            assert_eq!(replicas.health(1), health);
        }
        replicas.hear(PRIMARY, 1, &replica(10));
        assert!(replicas.expire(1_100).is_empty());
        assert_eq!(replicas.expire(1_101), [1]);
        assert!(replicas.expire(1_101).is_empty());
        replicas.mark(PRIMARY, &primary(10), 0, 1_200);
        replicas.hear(PRIMARY, 1, &replica(10));
        assert!(replicas.fail(1) && !replicas.fail(1));
    }

    #[test]
    fn one_thread_asks_at_a_time() {
        let replicas = pair(1_000);
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
            let replicas = pair(u64::MAX);
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
                            replicas.mark(PRIMARY, &standing, fence, at);
                        }
                        replicas.hear(PRIMARY, 1, &replica(done));
                    }
                }
                for (number, end) in (1..).zip(&writes) {
                    prop_assert!(!replicas.has(1, number) || done >= *end);
                }
            }
        }
    }
}

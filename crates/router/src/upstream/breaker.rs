//! A circuit breaker: a server that has failed too often in a row is asked for nothing for a while, then
//! for one thing of the node's own, by which it says whether it is well again. All threads share it.
//!
//! ```text
//! Closed    all is asked; what is answered ends the row of failures
//! Open      nothing is asked, for a time that doubles with each trial that fails
//! HalfOpen  one thread has asked whether the server is there; nothing else is asked
//! ```

use super::back_off::BackOff;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// How many times the first pause the longest is.
const LONGEST: u64 = 8;

/// Where a breaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum BreakerState {
    Closed,
    Open,
    HalfOpen,
}

impl BreakerState {
    const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name, as people write it.
    pub(crate) fn name(self) -> &'static str {
        ["closed", "open", "half-open"][self as usize]
    }
}

/// What happens to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BreakerEvent {
    /// As many requests as may have failed, one behind the other.
    TooMany,
    /// The pause is over, or a trial has come to nothing.
    Due,
    /// The server has answered what it was asked for a trial.
    Proved,
    /// It has not.
    Disproved,
    /// A connection to it is made, and greeted.
    Met,
    /// There is no breaker any more.
    Off,
}

/// What is done on the way from one state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BreakerEffect {
    /// Nothing is asked for a while.
    Pause,
    /// The caller asks the server whether it is there.
    Try,
    /// All is asked again.
    Resume,
}

/// All that can happen. What is not here has no effect: the news of a trial that nobody waits for.
const TABLE: &[(BreakerState, BreakerEvent, BreakerState, BreakerEffect)] = {
    use BreakerEffect::*;
    use BreakerEvent::*;
    use BreakerState::*;
    &[
        (Closed, TooMany, Open, Pause),
        (Open, Due, HalfOpen, Try),
        (Open, Met, Closed, Resume),
        (Open, Off, Closed, Resume),
        (HalfOpen, Due, HalfOpen, Try),
        (HalfOpen, Proved, Closed, Resume),
        (HalfOpen, Disproved, Open, Pause),
        (HalfOpen, Met, Closed, Resume),
        (HalfOpen, Off, Closed, Resume),
    ]
};

fn next(state: BreakerState, event: BreakerEvent) -> Option<(BreakerState, BreakerEffect)> {
    let row = TABLE.iter().find(|(from, on, ..)| (*from, *on) == (state, event))?;
    Some((row.2, row.3))
}

/// When a breaker opens, and for how long. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerRules {
    /// So many failures in a row open it; 0: it never opens.
    pub(crate) failures: u32,
    /// How long it stays open first.
    pub(crate) pause: u64,
    /// How long a trial may take.
    pub(crate) trial: u64,
    /// What the node draws its lots from: nodes of different ones do not try together.
    pub(crate) seed: u64,
}

/// A breaker. Its callers say what time it is, in milliseconds of a clock that never goes back.
pub(crate) struct Breaker {
    state: AtomicU8,
    /// How many failures there were, one behind the other, while it was closed.
    failures: AtomicU32,
    timing: Mutex<Timing>,
}

struct Timing {
    /// When it is tried, or tried anew.
    due: u64,
    pauses: Option<BackOff>,
    /// How often it has opened.
    opened: u64,
    seed: u64,
}

impl Breaker {
    /// One that is closed. Breakers of different seeds pause differently.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: AtomicU8::new(BreakerState::Closed as u8),
            failures: AtomicU32::new(0),
            timing: Mutex::new(Timing { due: 0, pauses: None, opened: 0, seed }),
        }
    }

    pub(crate) fn state(&self) -> BreakerState {
        // Relaxed: it guards nothing; who sees it late asks once more, or once less.
        BreakerState::ALL[usize::from(self.state.load(Ordering::Relaxed))]
    }

    /// Whether all is asked.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == BreakerState::Closed as u8
    }

    /// How often it has opened.
    pub(crate) fn opened(&self) -> u64 {
        self.timing.lock().opened
    }

    /// When [`BreakerEvent::Due`] is to be told, if it is not closed.
    pub(crate) fn due(&self) -> Option<u64> {
        (!self.is_closed()).then(|| self.timing.lock().due)
    }

    /// The server has answered something.
    #[inline]
    pub(crate) fn answered(&self) {
        // Relaxed: a row that another thread counts at the same moment may be one longer.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// The server has not answered something; what is to be done about it.
    pub(crate) fn failed(&self, now: u64, rules: &BreakerRules) -> Option<BreakerEffect> {
        if rules.failures == 0 || !self.is_closed() {
            return None;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures < rules.failures {
            return None;
        }
        self.tell(BreakerEvent::TooMany, now, rules)
    }

    /// Something happens; what is to be done about it.
    pub(crate) fn tell(
        &self,
        event: BreakerEvent,
        now: u64,
        rules: &BreakerRules,
    ) -> Option<BreakerEffect> {
        let mut timing = self.timing.lock();
        if event == BreakerEvent::Due && timing.due > now {
            return None;
        }
        let (to, effect) = next(self.state(), event)?;
        match effect {
            BreakerEffect::Pause => {
                let Timing { pauses, seed, .. } = &mut *timing;
                let most = rules.pause.saturating_mul(LONGEST);
                let fresh = || BackOff::new(rules.pause, most, *seed ^ rules.seed);
                let pause = pauses.get_or_insert_with(fresh).next();
                timing.due = now.saturating_add(pause);
                timing.opened += u64::from(event == BreakerEvent::TooMany);
            }
            BreakerEffect::Try => timing.due = now.saturating_add(rules.trial),
            BreakerEffect::Resume => {
                timing.pauses = None;
                self.failures.store(0, Ordering::Relaxed);
            }
        }
        // The lock is held: one thread at a time goes from one state to the next.
        self.state.store(to as u8, Ordering::Relaxed);
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const EVENTS: [BreakerEvent; 6] = {
        use BreakerEvent::*;
        [TooMany, Due, Proved, Disproved, Met, Off]
    };
    const RULES: BreakerRules = BreakerRules { failures: 3, pause: 100, trial: 50, seed: 0 };

    #[test]
    fn no_event_leads_two_ways_and_every_state_can_be_left() {
        let keys: HashSet<_> = TABLE.iter().map(|(from, on, ..)| (from, on)).collect();
        assert_eq!(keys.len(), TABLE.len());
        for state in BreakerState::ALL {
            assert!(TABLE.iter().any(|(from, _, to, _)| *from == state && *to != state));
        }
    }

    #[test]
    fn it_opens_from_closed_by_failures_alone_and_only_a_trial_that_fails_opens_it_again() {
        for (from, on, to, effect) in TABLE {
            let opens = *to == BreakerState::Open;
            let ways = [
                (BreakerState::Closed, BreakerEvent::TooMany),
                (BreakerState::HalfOpen, BreakerEvent::Disproved),
            ];
            assert_eq!(opens, ways.contains(&(*from, *on)), "{from:?} {on:?}");
            assert_eq!(opens, *effect == BreakerEffect::Pause);
            assert_eq!(*to == BreakerState::HalfOpen, *effect == BreakerEffect::Try);
            assert_eq!(*to == BreakerState::Closed, *effect == BreakerEffect::Resume);
        }
    }

    #[test]
    fn whoever_meets_the_server_closes_it() {
        for state in [BreakerState::Open, BreakerState::HalfOpen] {
            for event in [BreakerEvent::Met, BreakerEvent::Off] {
                assert_eq!(next(state, event).map(|(to, _)| to), Some(BreakerState::Closed));
            }
        }
    }

    #[test]
    fn failures_count_only_one_behind_the_other() {
        let breaker = Breaker::new(7);
        for _ in 0..10 {
            assert_eq!(breaker.failed(0, &RULES), None);
            assert_eq!(breaker.failed(0, &RULES), None);
            breaker.answered();
        }
        assert!(breaker.is_closed());
        breaker.failed(0, &RULES);
        breaker.failed(0, &RULES);
        assert_eq!(breaker.failed(0, &RULES), Some(BreakerEffect::Pause));
        assert_eq!(breaker.failed(0, &RULES), None, "it is open");
        assert_eq!(breaker.opened(), 1);
        let never = BreakerRules { failures: 0, ..RULES };
        let breaker = Breaker::new(7);
        assert!((0..100).all(|_| breaker.failed(0, &never).is_none() && breaker.is_closed()));
    }

    #[test]
    fn its_pauses_double_up_to_a_bound_and_begin_anew_once_it_was_closed() {
        let breaker = Breaker::new(7);
        let mut now = 0;
        for round in 0..2 {
            for _ in 0..3 {
                breaker.failed(now, &RULES);
            }
            for whole in [100, 200, 400, 800, 800] {
                let pause = breaker.due().unwrap() - now;
                assert!((whole / 2..=whole).contains(&pause), "{pause} of {whole} in {round}");
                assert_eq!(breaker.tell(BreakerEvent::Due, now + pause - 1, &RULES), None);
                now += pause;
                assert_eq!(breaker.tell(BreakerEvent::Due, now, &RULES), Some(BreakerEffect::Try));
                breaker.tell(BreakerEvent::Disproved, now, &RULES);
            }
            assert_eq!(breaker.tell(BreakerEvent::Met, now, &RULES), Some(BreakerEffect::Resume));
            assert_eq!((breaker.due(), breaker.opened()), (None, round + 1));
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_one_trial_is_under_way_at_a_time_and_it_never_stays_open(
            steps in vec((0..EVENTS.len(), 0..200u64), 0..200),
        ) {
            let (breaker, mut now, mut trials) = (Breaker::new(3), 0, vec![]);
            for (at, time) in steps {
                now += time;
                if breaker.tell(EVENTS[at], now, &RULES) == Some(BreakerEffect::Try) {
                    let free = trials.last().is_none_or(|begun| now - begun >= RULES.trial);
                    let ended = breaker.state() != BreakerState::HalfOpen;
                    prop_assert!(free || !ended);
                    trials.push(now);
                }
                prop_assert_eq!(breaker.due().is_none(), breaker.is_closed());
                // Whoever waits for what is due gets to try.
                if let Some(due) = breaker.due() {
                    prop_assert!(due <= now + RULES.pause * LONGEST);
                }
            }
        }
    }
}

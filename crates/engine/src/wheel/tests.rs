//! The wheel: every deadline fires once, not early, and a tick late at most.

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
            assert!(due.len() <= 100, "a step is bounded");
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
    assert_eq!(purse.charged(), wheel.footprint());
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
fn of_those_that_share_a_deadline_each_step_takes_a_few() {
    let deadlines = [80; 5_000].into_iter().chain([1 << 30; 5_000]).collect::<Vec<_>>();
    assert!(fire(&deadlines, 1 << 26).iter().all(|&fired| fired > 0));
}

#[test]
fn what_nobody_wants_is_dropped_a_little_at_a_time() {
    let purse = Purse::default();
    let mut wheel = Wheel::new();
    for n in 0..1_000 {
        wheel.prepare(&purse).unwrap();
        wheel.schedule(n, 1_000 * (n % 7));
    }
    let mut steps = 0;
    while wheel.len() > 100 {
        wheel.tidy(100, 8, |hash, _| hash % 10 == 0);
        steps += 1;
    }
    assert_eq!(steps, 125);
    // What is left is where it was, and all memory is used again.
    let mut due = Vec::new();
    assert!(wheel.advance(10_000, 1_000, &mut due));
    assert_eq!(due.len(), 100);
    due.into_iter().for_each(|due| wheel.release(due));
    let before = purse.charged();
    for n in 0..1_000 {
        wheel.prepare(&purse).unwrap();
        wheel.schedule(n, 20_000);
    }
    assert_eq!((wheel.len(), purse.charged()), (1_000, before));
}

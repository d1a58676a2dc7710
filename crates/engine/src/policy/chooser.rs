//! The choice among rules, by how they do of late: two memories, a long one for small differences
//! and a short one for a change of the pattern.

use super::rule::{RULES, STEADFAST};

/// The weight of the latest interval in the long memory: about a dozen intervals count.
const SLOW: f64 = 0.08;
/// The weight in the short memory: about two intervals count.
const FAST: f64 = 0.5;

/// A rule must do better by so many hits of a hundred requests in the long memory, and by a share
/// of what the rule in force has: less is chance as often as not.
const MARGIN: f64 = 0.001;
const RELATIVE_MARGIN: f64 = 0.005;
/// In the short memory it must do better by so much: chance hardly ever does.
const FAST_MARGIN: f64 = 0.04;

/// Where the best of the shadows hits no more than this in the short memory, none tells anything: keys
/// come for the first time, or a loop has not come round yet.
const NOTHING: f64 = 0.005;

/// Requests of an interval for each entry of the shadows, and at least.
const LEAST_INTERVAL: u64 = 250;

#[derive(Default)]
pub(super) struct Chooser {
    /// Hit ratios in the long memory and in the short one.
    slow: [f64; RULES],
    fast: [f64; RULES],
    /// Intervals judged.
    judged: u64,
    /// The rule in force.
    in_force: u32,
    /// How often another rule came into force.
    switches: u32,
}

impl Chooser {
    /// Requests that an interval has, with shadows of so many entries.
    pub(super) fn interval(capacity: u64) -> u64 {
        capacity.max(LEAST_INTERVAL)
    }

    /// Takes in the hit ratios of an interval; whether another rule comes into force.
    pub(super) fn judge(&mut self, ratios: [f64; RULES]) -> bool {
        self.judged += 1;
        // The first ones count alike.
        let even = 1.0 / self.judged as f64;
        for (rule, ratio) in ratios.into_iter().enumerate() {
            self.slow[rule] += SLOW.max(even) * (ratio - self.slow[rule]);
            self.fast[rule] += FAST.max(even) * (ratio - self.fast[rule]);
        }
        let (now, steady, sudden) = (self.in_force(), best(&self.slow), best(&self.fast));
        if self.fast[sudden] > self.fast[now] + FAST_MARGIN {
            // What was known is of another pattern.
            self.slow = self.fast;
            self.in_force = sudden as u32;
        } else if self.slow[steady] > self.slow[now] * (1.0 + RELATIVE_MARGIN) + MARGIN
            && self.fast[steady] >= self.fast[now]
        {
            self.in_force = steady as u32;
        }
        if self.fast[sudden] < NOTHING {
            self.in_force = STEADFAST as u32;
        }
        let switched = self.in_force() != now;
        self.switches = self.switches.saturating_add(switched.into());
        switched
    }

    /// Forgets how the rules did: they are to be watched anew. The rule in force stays.
    pub(super) fn restart(&mut self) {
        self.judged = 0;
    }

    pub(super) fn in_force(&self) -> usize {
        self.in_force as usize
    }

    pub(super) fn switches(&self) -> u64 {
        self.switches.into()
    }

    pub(super) fn judged(&self) -> u64 {
        self.judged
    }

    /// The hit ratios in the long memory.
    pub(super) fn ratios(&self) -> [f64; RULES] {
        self.slow
    }
}

/// The first of the highest.
fn best(ratios: &[f64; RULES]) -> usize {
    (1..RULES).fold(0, |best, rule| if ratios[rule] > ratios[best] { rule } else { best })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::rule::Rule;
    use super::*;

    fn ratios(of: &[(usize, f64)]) -> [f64; RULES] {
        let mut ratios = [0.5; RULES];
        of.iter().for_each(|&(rule, ratio)| ratios[rule] = ratio);
        ratios
    }

    #[test]
    fn a_rule_that_is_steadily_a_little_better_comes_into_force_and_chance_changes_nothing() {
        let mut chooser = Chooser::default();
        for turn in 0..100 {
            // By turns a little better and worse.
            let ratio = if turn % 2 == 0 { 0.51 } else { 0.49 };
            assert!(!chooser.judge(ratios(&[(3, ratio)])) || turn == 0, "turn {turn}");
        }
        let turns = (0..).find(|_| chooser.judge(ratios(&[(2, 0.51)]))).unwrap();
        assert!((1..20).contains(&turns), "{turns}");
        assert_eq!(chooser.in_force(), 2);
    }

    #[test]
    fn while_nothing_is_hit_the_cache_keeps_what_it_has_and_goes_back_to_what_did_best() {
        let mut chooser = Chooser::default();
        (0..200).for_each(|_| _ = chooser.judge(ratios(&[(4, 0.6)])));
        assert_eq!(chooser.in_force(), 4);
        let turns = (1..).find(|_| chooser.judge([0.0; RULES])).unwrap();
        assert!(turns < 10, "{turns}");
        assert_eq!(chooser.in_force(), STEADFAST);
        assert!(Rule::ALL[STEADFAST].contest);
        (0..50).for_each(|_| assert!(!chooser.judge([0.0; RULES])));
        let turns = (1..).find(|_| chooser.judge(ratios(&[(4, 0.6)]))).unwrap();
        assert!(turns < 3, "{turns}");
        assert_eq!(chooser.in_force(), 4);
    }

    #[test]
    fn a_change_of_the_pattern_is_followed_at_once() {
        let mut chooser = Chooser::default();
        (0..200).for_each(|_| _ = chooser.judge(ratios(&[(1, 0.6)])));
        assert_eq!(chooser.in_force(), 1);
        let turns = (0..).find(|_| chooser.judge(ratios(&[(5, 0.7)]))).unwrap();
        assert!(turns < 3, "{turns}");
        assert_eq!((chooser.in_force(), chooser.switches()), (5, 2));
    }
}

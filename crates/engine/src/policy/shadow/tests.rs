//! The shadows against a plain cache: queues as lists, what is known of a key in a map.

use super::super::rule::{MOST_TURNS, RULES, Rule, ghosts, wins};
use super::super::sketch::Sketch;
use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Whereabouts {
    Small,
    Main,
    Ghost,
}

/// S3-FIFO under a rule, as one would write it down.
struct Plain {
    rule: Rule,
    capacity: usize,
    known: HashMap<u32, (Whereabouts, u64)>,
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    ghosts: VecDeque<u32>,
    sketch: Sketch,
}

impl Plain {
    fn new(rule: Rule, capacity: usize) -> Self {
        Self {
            rule,
            capacity,
            known: HashMap::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            sketch: Sketch::new(capacity as u64).unwrap(),
        }
    }

    fn request(&mut self, key: u32) -> bool {
        if let Some((Whereabouts::Small | Whereabouts::Main, reads)) = self.known.get_mut(&key) {
            *reads = (*reads + 1).min(3);
            return true;
        }
        if self.small.len() + self.main.len() == self.capacity {
            self.evict();
        }
        self.sketch.add(key.into());
        let is_ghost = self.known.contains_key(&key);
        if self.rule.small == 0 || (is_ghost && !self.rule.contest) {
            self.known.insert(key, (Whereabouts::Main, 0));
            self.main.push_back(key);
        } else {
            self.known.insert(key, (Whereabouts::Small, 0));
            self.small.push_back(key);
        }
        false
    }

    fn evict(&mut self) {
        let target = match self.rule.small {
            0 => 0,
            share => (self.capacity * usize::from(share) / 100).max(1),
        };
        // Another rule may have left the small queue too long.
        if self.rule.contest || target == 0 {
            while self.small.len() > target + target / 4 {
                let key = self.small.pop_front().unwrap();
                let reads = self.known[&key].1.min(1);
                self.promote(key, reads);
            }
        }
        let near = self.rule.contest && self.small.len() + target / 4 >= target;
        while !self.small.is_empty() && (self.main.is_empty() || self.small.len() >= target || near)
        {
            let key = self.small.pop_front().unwrap();
            let reads = self.known[&key].1;
            if self.rule.contest {
                return self.contest(key, reads);
            }
            if reads < self.rule.reads.into() {
                return self.leave(key);
            }
            self.promote(key, 0);
        }
        while self.known[&self.main[0]].1 > 0 {
            self.turn();
        }
        let key = self.main.pop_front().unwrap();
        self.known.remove(&key);
    }

    fn contest(&mut self, key: u32, reads: u64) {
        for _ in 0..MOST_TURNS {
            if self.main.front().is_some_and(|rival| self.known[rival].1 > 0) {
                self.turn();
            }
        }
        let estimate = |key: u32| self.sketch.estimate(key.into());
        match self.main.front().copied() {
            Some(rival)
                if wins((estimate(key), reads), (estimate(rival), self.known[&rival].1)) =>
            {
                self.main.pop_front();
                self.leave(rival);
                self.promote(key, 0);
            }
            _ => self.leave(key),
        }
    }

    /// The oldest of the main queue gets another turn.
    fn turn(&mut self) {
        let key = self.main.pop_front().unwrap();
        let reads = self.known[&key].1;
        self.sketch.add(key.into());
        self.promote(key, reads - 1);
    }

    fn promote(&mut self, key: u32, reads: u64) {
        self.known.insert(key, (Whereabouts::Main, reads));
        self.main.push_back(key);
    }

    fn leave(&mut self, key: u32) {
        self.known.insert(key, (Whereabouts::Ghost, 0));
        self.ghosts.push_back(key);
        if self.ghosts.len() as u64 > ghosts(self.capacity as u64) {
            let oldest = self.ghosts.pop_front().unwrap();
            if self.known.get(&oldest).is_some_and(|known| known.0 == Whereabouts::Ghost) {
                self.known.remove(&oldest);
            }
        }
    }
}

fn even(capacity: u64) -> Shape {
    Shape { capacity, even: true }
}

/// Keys that all find room in a directory for so many entries: then nothing is dropped.
fn keys(capacity: u64) -> Vec<u32> {
    let directory = Directory::new(capacity, true).unwrap();
    let mut keys: Vec<u32> =
        (1..20 * capacity as u32).map(|key| key.wrapping_mul(0x9E37)).collect();
    let mut crowd = HashMap::new();
    keys.retain(|&key| {
        let count = crowd.entry(directory.line_of(key)).or_insert(0);
        *count += 1;
        *count <= 8
    });
    keys
}

/// Requests for one of so many keys: some far more often, some one after the other.
fn requests() -> impl Strategy<Value = Vec<usize>> {
    let skewed = (0..1_000usize, 0..1_000usize).prop_map(|(a, b)| vec![a * b / 1_000]);
    let run = (0..1_000usize, 1..60usize).prop_map(|(from, len)| (from..from + len).collect());
    let part = prop_oneof![3 => skewed, 1 => run];
    proptest::collection::vec(part, 1..200).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn each_candidate_holds_what_a_plain_cache_under_its_rule_holds(
        capacity in 2..80u64,
        requests in requests(),
    ) {
        let keys = keys(capacity);
        let mut shadow = Shadow::new(even(capacity), capacity).unwrap();
        let rules = Rule::choices(true);
        let mut plain: Vec<_> =
            rules.iter().map(|&rule| Plain::new(rule, capacity as usize)).collect();
        let mut misses = [0; RULES];
        for request in requests {
            let key = keys[request * keys.len() / 1_060];
            shadow.request(key, Weight::EVEN, &Mean::default());
            for (rule, plain) in plain.iter_mut().enumerate() {
                misses[rule] += u64::from(!plain.request(key));
                prop_assert_eq!(shadow.misses(rule), misses[rule], "{:?}", Rule::ALL[rule]);
            }
        }
    }

    #[test]
    fn rules_that_change_leave_no_more_held_than_there_is_room_for(
        capacity in 1..60u64,
        requests in requests(),
        turns in 1..50usize,
    ) {
        let mut shadow = Shadow::changing(Rule::S3_FIFO, capacity).unwrap();
        for (turn, request) in requests.into_iter().enumerate() {
            if turn % turns == 0 {
                shadow.set_rule(Rule::ALL[turn / turns % RULES]);
            }
            // More keys than the directory has room for: it drops some.
            shadow.request(request as u32 * 7 + 1, Weight::EVEN, &Mean::default());
            prop_assert!(shadow.candidates[0].held() <= capacity);
        }
    }
}

#[test]
fn their_price_is_what_they_take() {
    for capacity in [1, 32, 257, 1_000] {
        for shape in [even(capacity), Shape { capacity, even: false }] {
            let shadow = Shadow::new(shape, 100 * capacity).unwrap();
            assert_eq!(shadow.footprint(), Shadow::price(shape));
        }
    }
}

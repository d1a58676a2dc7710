//! Routes: what is remembered of the keys that begin alike, and for how long.

use super::choices::{Choice, Choices};
use crate::sight::StaleReason;
use crate::topology::ReadFrom;
use std::collections::HashMap;
use std::sync::Arc;

/// Where a read is answered from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concern {
    /// The store, always.
    Consistent,
    /// The node's memory, where it has the reply.
    #[default]
    Balanced,
}

impl Concern {
    /// The concern of a name, in any case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"consistent") {
            Some(Self::Consistent)
        } else if name.eq_ignore_ascii_case(b"balanced") {
            Some(Self::Balanced)
        } else {
            None
        }
    }
}

/// Whether replies are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are, and given.
    #[default]
    On,
    /// They are and it is counted what would be given, but the store answers.
    Shadow,
    /// They are not.
    Off,
}

/// What is remembered of the keys that begin with a prefix. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// How its keys begin; those of the empty prefix are all that no other route has.
    pub prefix: Vec<u8>,
    /// Whether replies are remembered.
    pub mode: Mode,
    /// Where reads are answered from that say nothing of it themselves.
    pub concern: Concern,
    /// Which server its reads go to that are not answered from memory.
    pub read_from: ReadFrom,
    /// How long a reply is remembered at most; as long as its key lives, if it is `None`.
    pub ttl: Option<u64>,
    /// By which share of it a reply's time may be shorter, at random: from 0 to 1.
    pub jitter: f64,
    /// How long it is remembered that a key does not exist; not at all, if it is 0.
    pub negative_ttl: u64,
    /// How long a reply may be given beyond its time while the store is unreachable.
    pub stale_if_error: u64,
    /// How long a reply may be given beyond its time while the store is asked for as many reads as it
    /// may be.
    pub stale_while_busy: u64,
    /// The commands whose replies are remembered, in lower case; all that can be, if it is `None`.
    pub commands: Option<Vec<String>>,
    /// The longest reply that is remembered, in bytes.
    pub largest: usize,
    /// The share of replies from memory that is compared with the store's: from 0 to 1.
    pub verify: f64,
    /// The last share of a reply's time in which a read has it read anew: from 0, never, to 1.
    pub refresh_ahead: f64,
    /// In how many stores of a ring the replies to hot reads lie that are not remembered: the key's own,
    /// and the next ones.
    pub copies: usize,
    /// Whether keys that are written more often than their replies are of use are left out for a
    /// while.
    pub admission: bool,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            prefix: vec![],
            mode: Mode::On,
            concern: Concern::Balanced,
            read_from: ReadFrom::Primary,
            ttl: Some(60_000),
            jitter: 0.1,
            negative_ttl: 5_000,
            stale_if_error: 0,
            stale_while_busy: 0,
            commands: None,
            largest: 1 << 20,
            verify: 0.0,
            refresh_ahead: 0.0,
            copies: 1,
            admission: true,
        }
    }
}

impl Route {
    /// How it is written: its prefix and a star.
    pub fn pattern(&self) -> String {
        format!("{}*", String::from_utf8_lossy(&self.prefix))
    }

    /// How long a reply may be given beyond its time for this reason.
    pub(crate) fn patience(&self, why: StaleReason) -> u64 {
        match why {
            StaleReason::Unreachable | StaleReason::Failed | StaleReason::Open => {
                self.stale_if_error
            }
            StaleReason::Busy => self.stale_while_busy,
        }
    }

    /// Whether any of its reads may go to a replica.
    pub(crate) fn reads_replicas(&self) -> bool {
        self.read_from != ReadFrom::Primary
    }

    /// Whether replies to this command, in lower case, are remembered.
    pub(crate) fn takes(&self, command: &str) -> bool {
        let named = |commands: &Vec<String>| commands.iter().any(|each| each == command);
        self.mode != Mode::Off && self.commands.as_ref().is_none_or(named)
    }

    /// How long a reply is remembered whose key lives for `life`, if it is `Some`; `chance` is drawn
    /// from 0 to 1. `None`: as long as nobody changes it.
    pub(crate) fn life(&self, life: Option<u64>, chance: f64) -> Option<u64> {
        let jittered = self.ttl.map(|ttl| shorten(ttl, self.jitter * chance));
        [jittered, life].into_iter().flatten().min()
    }

    /// Whether a reply of this age would still be remembered, or given for `patience` milliseconds
    /// more, if it had been asked for under this route.
    pub(crate) fn keeps(&self, age: u64, absent: bool, len: usize, patience: u64) -> bool {
        let life = if absent { Some(self.negative_life(0.0)) } else { self.ttl };
        let lasts = life.is_none_or(|life| age < life.saturating_add(patience));
        self.mode != Mode::Off && lasts && len <= self.largest
    }

    /// How long it is remembered that a key does not exist.
    pub(crate) fn negative_life(&self, chance: f64) -> u64 {
        let most = self.ttl.map_or(self.negative_ttl, |ttl| self.negative_ttl.min(ttl));
        shorten(most, self.jitter * chance)
    }
}

/// So many milliseconds, less a share of them; at least one.
fn shorten(time: u64, share: f64) -> u64 {
    let less = (time as f64 * share.clamp(0.0, 1.0)) as u64;
    time.saturating_sub(less).max(time.min(1))
}

/// All routes: a key belongs to the one with the longest prefix that it begins with.
#[derive(Clone, Debug)]
pub struct Routes {
    all: Vec<Route>,
    by_prefix: HashMap<Vec<u8>, usize, foldhash::fast::RandomState>,
    /// The lengths of prefixes, longest first, without 0.
    lengths: Vec<usize>,
    /// The route of the empty prefix.
    rest: usize,
    /// What hooks have chosen.
    choices: Arc<Choices>,
}

impl Default for Routes {
    fn default() -> Self {
        Self::new(vec![])
    }
}

impl Routes {
    /// These routes; of two with one prefix the last counts. Keys of none have the usual one.
    pub fn new(mut all: Vec<Route>) -> Self {
        if all.iter().all(|route| !route.prefix.is_empty()) {
            all.push(Route::default());
        }
        let by_prefix: HashMap<_, _, _> =
            all.iter().enumerate().map(|(at, route)| (route.prefix.clone(), at)).collect();
        let mut lengths: Vec<_> = by_prefix.keys().map(Vec::len).filter(|len| *len > 0).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        let rest = by_prefix.get(&vec![]).copied().unwrap_or_default();
        Self { all, by_prefix, lengths, rest, choices: Arc::default() }
    }

    /// All of them, in the order in which they were given.
    pub fn all(&self) -> &[Route] {
        &self.all
    }

    /// The number of the route that a key belongs to: the one that a hook has chosen for it, or the one
    /// with the longest prefix.
    #[inline]
    pub(crate) fn of(&self, key: &[u8]) -> usize {
        match self.choices.of(key) {
            Choice::Made(Some(chosen)) => chosen,
            _ => self.by_beginning(key),
        }
    }

    /// As [`Self::of`]; `None` while a hook has to be asked.
    #[inline]
    pub(crate) fn settled(&self, key: &[u8]) -> Option<usize> {
        match self.choices.of(key) {
            Choice::Open => None,
            Choice::Made(Some(chosen)) => Some(chosen),
            _ => Some(self.by_beginning(key)),
        }
    }

    /// The number of the route of this prefix.
    pub(crate) fn named(&self, prefix: &[u8]) -> Option<usize> {
        self.by_prefix.get(prefix).copied()
    }

    /// What hooks have chosen.
    pub(crate) fn choices(&self) -> &Arc<Choices> {
        &self.choices
    }

    /// Hooks have a say in the keys that they had a say in before, and are asked anew.
    pub(crate) fn inherit(&mut self, before: &Self) {
        self.choices = Arc::new(before.choices.fresh());
    }

    #[inline]
    fn by_beginning(&self, key: &[u8]) -> usize {
        let fitting = self.lengths.iter().filter_map(|len| key.get(..*len));
        fitting.filter_map(|prefix| self.by_prefix.get(prefix)).next().copied().unwrap_or(self.rest)
    }

    /// How long what is over may be given at most, in milliseconds.
    pub fn grace(&self) -> u64 {
        let grace = |route: &Route| route.stale_if_error.max(route.stale_while_busy);
        self.all.iter().map(grace).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(prefix: &str) -> Route {
        Route { prefix: prefix.into(), ..Route::default() }
    }

    proptest! {
        #[test]
        fn a_key_belongs_to_the_longest_prefix_that_it_begins_with(
            prefixes in prop::collection::vec("[ab]{0,4}", 0..8),
            key in "[abc]{0,6}",
        ) {
            let routes = Routes::new(prefixes.iter().map(|prefix| route(prefix)).collect());
            let got = &routes.all()[routes.of(key.as_bytes())].prefix;
            let longest = prefixes.iter().filter(|prefix| key.starts_with(prefix.as_str()));
            let longest = longest.max_by_key(|prefix| prefix.len()).cloned().unwrap_or_default();
            prop_assert_eq!(got, longest.as_bytes());
        }

        #[test]
        fn nothing_is_remembered_longer_than_its_key_lives(
            ttl in prop::option::of(1u64..100_000),
            life in prop::option::of(1u64..100_000),
            jitter in 0.0..=1.0,
            chance in 0.0..=1.0,
        ) {
            let route = Route { ttl, jitter, ..route("") };
            let got = route.life(life, chance);
            prop_assert!(got.is_none_or(|got| got >= 1));
            prop_assert_eq!(got.is_none(), ttl.is_none() && life.is_none());
            for most in [ttl, life].into_iter().flatten() {
                prop_assert!(got.unwrap() <= most);
            }
            prop_assert!(ttl.is_none_or(|ttl| route.negative_life(chance) <= ttl));
        }
    }
}
